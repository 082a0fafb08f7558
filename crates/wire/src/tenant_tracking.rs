//! What of a tenant's mail is tracked: what a request says of it, and what is shown.

use selfmx_domain::{Tracking, TrackingChange};
use serde::Serialize;

use crate::RequestError;
use crate::fields::{Field, Member};
use crate::tenants::of_object;

/// What `settings.tracking` says: `{opens?, clicks?}`.
pub(crate) fn read(member: Member<'_>) -> Result<TrackingChange, RequestError> {
    let change = member.change(|field| {
        let mut fields = field.object()?;
        let (opens, clicks) = (fields.take("opens"), fields.take("clicks"));
        fields.end()?;
        Ok(TrackingChange { opens: opens.change(Field::boolean)?, clicks: clicks.change(Field::boolean)? })
    })?;
    Ok(of_object(change, TrackingChange::OFF))
}

/// `{opens, clicks}`.
#[derive(Debug, Serialize)]
pub(crate) struct TrackingView {
    opens: bool,
    clicks: bool,
}

impl TrackingView {
    /// The view, where anything is tracked.
    pub(crate) fn of(tracking: Tracking) -> Option<Self> {
        tracking.is_on().then_some(Self { opens: tracking.opens, clicks: tracking.clicks })
    }
}

#[cfg(test)]
mod tests {
    use selfmx_domain::{NewTenant, Tenant, TenantChange, TenantId, TenantProfile, TenantStatus, Tracking};
    use serde_json::{Value, json};
    use time::macros::datetime;

    use crate::{CreateTenant, TenantView, UpdateTenant};

    fn created(settings: &Value) -> TenantProfile {
        let request = CreateTenant::read(json!({"name": "Acme", "settings": settings}).to_string().as_bytes()).unwrap();
        NewTenant::from(request).profile
    }

    fn changed(settings: &Value, old: &TenantProfile) -> Tracking {
        let request = UpdateTenant::read(json!({"settings": settings}).to_string().as_bytes()).unwrap();
        TenantChange::from(request).apply(old.clone()).unwrap().tracking
    }

    fn shown(profile: TenantProfile) -> Value {
        let at = datetime!(2026-01-02 03:04 UTC);
        let tenant = Tenant { id: TenantId::DEFAULT, status: TenantStatus::Active, profile, created_at: at, updated_at: at };
        serde_json::to_value(TenantView::from(&tenant)).unwrap()["settings"].take()
    }

    #[test]
    fn tracking_is_off_unless_a_tenant_says_so_and_is_shown_where_it_is_on() {
        assert_eq!(shown(created(&json!({}))), json!({}));
        assert_eq!(shown(created(&json!({"tracking": {"opens": false, "clicks": false}}))), json!({}));
        assert_eq!(shown(created(&json!({"tracking": {"clicks": true}}))), json!({"tracking": {"opens": false, "clicks": true}}));
    }

    #[test]
    fn a_change_merges_and_null_switches_off() {
        let (both, opens) = (Tracking { opens: true, clicks: true }, Tracking { opens: true, clicks: false });
        let old = created(&json!({"from_name": "Shop", "tracking": {"opens": true, "clicks": true}}));
        for (settings, tracking) in [
            (json!({}), both),
            (json!({"from_name": null}), both),
            (json!({"tracking": {}}), both),
            (json!({"tracking": {"clicks": false}}), opens),
            (json!({"tracking": {"clicks": null}}), opens),
            (json!({"tracking": null}), Tracking::default()),
            (Value::Null, Tracking::default()),
        ] {
            assert_eq!(changed(&settings, &old), tracking, "{settings}");
        }
        assert_eq!(changed(&json!({"tracking": {"opens": true}}), &created(&json!({}))), opens);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (tracking, field) in [
            (json!(true), "settings.tracking"),
            (json!({"open": true}), "settings.tracking.open"),
            (json!({"opens": "yes"}), "settings.tracking.opens"),
            (json!({"clicks": 1}), "settings.tracking.clicks"),
        ] {
            let body = json!({"settings": {"tracking": tracking}}).to_string();
            assert_eq!(UpdateTenant::read(body.as_bytes()).unwrap_err().field(), Some(field), "{tracking}");
        }
    }
}
