//! Consenting to a draft: any sender and template of any key of any tenant, against the model.

use std::cell::Cell;

use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};
use selfmx_auth::{Authority, Denied, Permission, Principal, needs};
use selfmx_domain::{Draft, DraftParts, Limits, Mode, TemplateUsed, TenantStatus};

use crate::any::{self, NOW};
use crate::facts;

/// Mail from `sender`.
pub(crate) fn draft(sender: &str) -> Draft {
    let parts = DraftParts::new(sender.parse().unwrap(), vec!["to@z.example".parse().unwrap()], "Subject".parse().unwrap());
    Draft::new(DraftParts { text: Some("Text".to_owned()), ..parts }, &Limits::default()).unwrap()
}

/// The operator, acting for a tenant that is suspended or has a domain.
fn principal(authority: &Authority, suspended: bool, domain: Option<&str>) -> Principal {
    let mut tenant = any::tenant(authority.tenant);
    tenant.profile.domain = domain.map(|domain| domain.parse().unwrap());
    if suspended {
        tenant.status = TenantStatus::Suspended { since: NOW };
    }
    any::recognised_in(authority, tenant).unwrap()
}

#[test]
fn mail_is_consented_to_just_where_the_model_says_so() {
    let (sent, refused) = (Cell::new(0), Cell::new(0));
    let template = of(select(facts::TEMPLATES.to_vec()));
    let domain = of(select(vec!["x.example", "y.example", "sub.x.example"]));
    let strategy = (any::maker(), select(facts::SENDERS.to_vec()), template, proptest::bool::weighted(0.1), domain);
    let outcome = TestRunner::new(Config::with_cases(4096)).run(&strategy, |(authority, sender, template, suspended, domain)| {
        let authority = Authority { permissions: Permission::Send.into(), ..authority };
        let at_domain = domain.is_none_or(|domain| sender.split('@').nth(1) == Some(domain));
        let allowed = (facts::may_send_as(&authority, sender), facts::may_send_by(&authority, template.unwrap_or("none")));
        let permit = principal(&authority, suspended, domain).permit::<needs::Send>().unwrap();
        let template = template.map(|id| id.parse().unwrap());
        prop_assert_eq!(permit.check_template(template).is_ok(), allowed.1);
        let used = template.map(|id| TemplateUsed { id, version: 7 });
        let consented = permit.consent(draft(sender), used);
        let count = if consented.is_ok() { &sent } else { &refused };
        count.set(count.get() + 1);
        prop_assert_eq!(consented.is_ok(), !suspended && at_domain && allowed == (true, true));
        match consented {
            Ok(consented) => {
                prop_assert_eq!(consented.template(), used);
                prop_assert_eq!(consented.draft().from().address().to_string(), sender);
                prop_assert_eq!(
                    (consented.tenant(), consented.key_id(), consented.mode()),
                    (permit.tenant(), permit.key_id(), authority.mode)
                );
            }
            Err(Denied::Suspended) => prop_assert!(suspended),
            Err(Denied::Domain(named)) => prop_assert!(!at_domain && Some(named.as_str()) == domain),
            Err(Denied::Sender) => prop_assert!(!allowed.0),
            Err(Denied::Template) => prop_assert!(!allowed.1),
            Err(denied) => prop_assert!(false, "{denied}"),
        }
        Ok(())
    });
    outcome.unwrap();
    assert!(sent.get() > 400 && refused.get() > 400, "{} sent, {} refused", sent.get(), refused.get());
}

#[test]
fn a_draft_tells_whether_its_tenant_had_a_quota() {
    for (per_day, limited) in [(None, false), (Some(0), false), (Some(1), true), (Some(u32::MAX), true)] {
        let authority = Authority::everything();
        let mut tenant = any::tenant(authority.tenant);
        tenant.profile.emails_per_day = per_day;
        let permit = any::recognised_in(&authority, tenant).unwrap().permit::<needs::Send>().unwrap();
        assert_eq!(permit.consent(draft("a@x.example"), None).unwrap().is_limited(), limited, "{per_day:?}");
    }
}

#[test]
fn what_a_key_may_cancel_or_put_off_is_what_it_could_have_sent() {
    let (reached, out_of_reach) = (Cell::new(0), Cell::new(0));
    let strategy = (any::maker(), select(facts::SENDERS.to_vec()), any::mode());
    let outcome = TestRunner::new(Config::with_cases(4096)).run(&strategy, |(authority, sender, mode)| {
        let authority = Authority { permissions: Permission::Send.into(), ..authority };
        let expected = facts::may_send_as(&authority, sender) && (authority.mode == Mode::Live || mode == Mode::Test);
        let permit = principal(&authority, false, None).permit::<needs::Send>().unwrap();
        prop_assert_eq!(permit.could_send(&sender.parse().unwrap(), mode), expected);
        let count = if expected { &reached } else { &out_of_reach };
        count.set(count.get() + 1);
        Ok(())
    });
    outcome.unwrap();
    assert!(reached.get() > 400 && out_of_reach.get() > 400, "{} reached, {} not", reached.get(), out_of_reach.get());
}
