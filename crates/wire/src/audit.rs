//! The audit log as it is shown.

use selfmx_domain::{Actor, AuditEntry, AuditOutcome};
use serde::Serialize;
use serde_json::Value;

use crate::timestamp::Timestamp;

/// An entry of the audit log.
#[derive(Debug, Serialize)]
pub struct AuditView<'a> {
    id: String,
    timestamp: Timestamp,
    action: &'static str,
    outcome: &'static str,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    actor: ActorView,
    tenant_id: String,
    target: Option<&'a str>,
    address: Option<String>,
    user_agent: Option<&'a str>,
    request_id: Option<&'a str>,
    before: Option<Value>,
    after: Option<Value>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ActorView {
    ApiKey {
        id: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        tenant_id: Option<String>,
    },
    Operator,
}

impl<'a> From<&'a AuditEntry> for AuditView<'a> {
    fn from(entry: &'a AuditEntry) -> Self {
        let outcome = if entry.refusal.is_some() { AuditOutcome::Refused } else { AuditOutcome::Done };
        // What the store has as JSON it has written itself.
        let json = |text: &Option<String>| text.as_deref().and_then(|text| serde_json::from_str(text).ok());
        Self {
            id: entry.id.to_string(),
            timestamp: Timestamp(entry.at),
            action: entry.action.as_str(),
            outcome: outcome.as_str(),
            code: entry.refusal.as_deref(),
            actor: entry.actor.into(),
            tenant_id: entry.tenant.to_string(),
            target: entry.target.as_deref(),
            address: entry.address.map(|address| address.to_string()),
            user_agent: entry.user_agent.as_deref(),
            request_id: entry.request_id.as_deref(),
            before: json(&entry.before),
            after: json(&entry.after),
        }
    }
}

impl From<Actor> for ActorView {
    fn from(actor: Actor) -> Self {
        match actor {
            Actor::Key { id, tenant } => Self::ApiKey { id: id.to_string(), tenant_id: tenant.map(|tenant| tenant.to_string()) },
            Actor::Operator => Self::Operator,
        }
    }
}

#[cfg(test)]
mod tests {
    use selfmx_domain::{ApiKeyId, AuditAction, TenantId};
    use serde_json::json;
    use time::macros::datetime;

    use super::*;

    #[test]
    fn an_entry_is_shown_with_who_what_and_how_it_ended() {
        let entry = AuditEntry {
            id: "log_01h455vb4pex5vsknk084sn02q".parse().unwrap(),
            at: datetime!(2026-01-02 03:04 UTC),
            tenant: TenantId::DEFAULT,
            action: AuditAction::KeyRevoke,
            refusal: None,
            actor: Actor::Key { id: ApiKeyId::DEFAULT, tenant: None },
            address: Some("192.0.2.7".parse().unwrap()),
            user_agent: Some("curl/8".to_owned()),
            request_id: Some("req_1".to_owned()),
            target: Some("key_01h455vb4pex5vsknk084sn02q".to_owned()),
            before: Some("{\"enabled\":true}".to_owned()),
            after: None,
        };
        let expected = json!({
            "id": "log_01h455vb4pex5vsknk084sn02q", "timestamp": "2026-01-02T03:04:00.000Z", "action": "api_key.revoke", "outcome": "done",
            "actor": {"type": "api_key", "id": "key_default"}, "tenant_id": "tenant_default", "target": "key_01h455vb4pex5vsknk084sn02q",
            "address": "192.0.2.7", "user_agent": "curl/8", "request_id": "req_1", "before": {"enabled": true}, "after": null,
        });
        assert_eq!(serde_json::to_value(AuditView::from(&entry)).unwrap(), expected);
        let refused = AuditEntry { refusal: Some("permission_denied".to_owned()), actor: Actor::Operator, ..entry };
        let shown = serde_json::to_value(AuditView::from(&refused)).unwrap();
        assert_eq!(
            (&shown["outcome"], &shown["code"], &shown["actor"]),
            (&json!("refused"), &json!("permission_denied"), &json!({"type": "operator"}))
        );
    }
}
