//! A tenant's own relay: what a request says of it, and what is shown.

use selfmx_domain::{Change, RelayChange, RelayUser, TenantRelay};
use serde::Serialize;

use crate::RequestError;
use crate::fields::{Field, Member};

/// What `smtp` says: `{host, port?, user?, pass?, tls?}`.
pub(crate) fn read(member: Member<'_>) -> Result<Change<RelayChange>, RequestError> {
    member.change(|field| {
        let mut fields = field.object()?;
        let (host, port, tls) = (fields.take("host"), fields.take("port"), fields.take("tls"));
        let (user, pass) = (fields.take("user"), fields.take("pass"));
        fields.end()?;
        Ok(RelayChange {
            host: host.replacement(Field::parsed)?,
            port: port.change(|field| field.integer(1..=u16::MAX))?,
            user: user.change(Field::parsed)?,
            pass: pass.change(Field::parsed)?,
            tls: tls.change(Field::boolean)?,
        })
    })
}

/// `{host, port, user?, tls, has_pass}`: the password itself is never shown.
#[derive(Debug, Serialize)]
pub(crate) struct RelayView<'a> {
    host: &'a str,
    port: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    tls: bool,
    has_pass: bool,
}

impl<'a> From<&'a TenantRelay> for RelayView<'a> {
    fn from(relay: &'a TenantRelay) -> Self {
        Self {
            host: relay.host.as_str(),
            port: relay.port,
            user: relay.user.as_ref().map(RelayUser::as_str),
            tls: relay.tls,
            has_pass: relay.has_password(),
        }
    }
}

#[cfg(test)]
mod tests {
    use selfmx_domain::{NewTenant, Problem, Tenant, TenantChange, TenantId, TenantProfile, TenantStatus};
    use serde_json::{Value, json};
    use time::macros::datetime;

    use crate::{CreateTenant, RequestError, TenantView, UpdateTenant};

    fn created(smtp: &Value) -> Result<NewTenant, RequestError> {
        CreateTenant::read(json!({"name": "Acme", "smtp": smtp}).to_string().as_bytes()).map(Into::into)
    }

    fn changed(smtp: &Value, old: &TenantProfile) -> Result<TenantProfile, (String, Problem)> {
        let request = UpdateTenant::read(json!({"smtp": smtp}).to_string().as_bytes()).unwrap();
        TenantChange::from(request).apply(old.clone()).map_err(|error| (error.field, error.problem))
    }

    fn shown(profile: TenantProfile) -> Value {
        let at = datetime!(2026-01-02 03:04 UTC);
        let tenant = Tenant { id: TenantId::DEFAULT, status: TenantStatus::Active, profile, created_at: at, updated_at: at };
        serde_json::to_value(TenantView::from(&tenant)).unwrap()["smtp"].take()
    }

    fn whole() -> NewTenant {
        created(&json!({"host": "SMTP.shop.example", "port": 465, "user": "u", "pass": "canary", "tls": true})).unwrap()
    }

    #[test]
    fn a_relay_is_read_and_shown_without_its_password() {
        let tenant = whole();
        assert_eq!(tenant.relay_password.as_ref().unwrap().reveal(), "canary");
        assert!(!format!("{tenant:?}").contains("canary"));
        let view = json!({"host": "smtp.shop.example", "port": 465, "user": "u", "tls": true, "has_pass": true});
        assert_eq!(shown(tenant.profile), view);
        let bare = created(&json!({"host": "192.0.2.7"})).unwrap();
        assert!(bare.relay_password.is_none());
        assert_eq!(shown(bare.profile), json!({"host": "192.0.2.7", "port": 587, "tls": true, "has_pass": false}));
        assert_eq!(shown(created(&Value::Null).unwrap().profile), Value::Null);
    }

    #[test]
    fn a_change_merges_and_null_takes_the_relay_away() {
        let old = whole().profile;
        assert!(changed(&Value::Null, &old).unwrap().relay.is_none());
        assert_eq!(shown(changed(&json!({}), &old).unwrap()), shown(old.clone()));
        let moved = changed(&json!({"host": "b.example", "pass": "p"}), &old).unwrap();
        assert_eq!(shown(moved)["host"], "b.example");
        let open = changed(&json!({"user": null, "pass": null, "tls": false, "port": null}), &old).unwrap();
        assert_eq!(shown(open), json!({"host": "smtp.shop.example", "port": 587, "tls": false, "has_pass": false}));
        assert_eq!(changed(&json!({"host": "b.example"}), &old).unwrap_err(), ("smtp.pass".to_owned(), Problem::PasswordElsewhere));
        assert_eq!(changed(&json!({"pass": null}), &old).unwrap_err().0, "smtp.pass");
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (smtp, field) in [
            (json!({}), "smtp.host"),
            (json!({"host": null}), "smtp.host"),
            (json!({"host": "a b"}), "smtp.host"),
            (json!({"host": "h", "port": 0}), "smtp.port"),
            (json!({"host": "h", "port": 65536}), "smtp.port"),
            (json!({"host": "h", "tls": "yes"}), "smtp.tls"),
            (json!({"host": "h", "user": "u"}), "smtp.pass"),
            (json!({"host": "h", "pass": "p"}), "smtp.user"),
            (json!({"host": "h", "user": "u\r\n", "pass": "p"}), "smtp.user"),
            (json!({"host": "h", "user": "u", "pass": ""}), "smtp.pass"),
            (json!({"host": "h", "user": "u", "pass": "p", "tls": false}), "smtp.tls"),
            (json!({"host": "h", "password": "p"}), "smtp.password"),
            (json!("smtp.example"), "smtp"),
        ] {
            assert_eq!(created(&smtp).unwrap_err().field(), Some(field), "{smtp}");
        }
    }
}
