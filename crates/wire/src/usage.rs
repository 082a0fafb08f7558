//! What a tenant has used in a month, as it is shown.

use selfmx_domain::TenantUsage;
use serde::Serialize;

/// `{tenant_id, period, emails_sent, emails_delivered, emails_bounced, api_requests}`.
#[derive(Debug, Serialize)]
pub struct UsageView {
    tenant_id: String,
    period: String,
    emails_sent: u64,
    emails_delivered: u64,
    emails_bounced: u64,
    api_requests: u64,
}

impl From<&TenantUsage> for UsageView {
    fn from(usage: &TenantUsage) -> Self {
        Self {
            tenant_id: usage.tenant_id.to_string(),
            period: usage.period.to_string(),
            emails_sent: usage.emails_sent,
            emails_delivered: usage.emails_delivered,
            emails_bounced: usage.emails_bounced,
            api_requests: usage.api_requests,
        }
    }
}

#[cfg(test)]
mod tests {
    use selfmx_domain::TenantId;

    use super::*;

    #[test]
    fn usage_is_shown_as_in_the_contract() {
        let usage = TenantUsage {
            tenant_id: TenantId::DEFAULT,
            period: "2026-01".parse().unwrap(),
            emails_sent: 4,
            emails_delivered: 2,
            emails_bounced: 1,
            api_requests: 7,
        };
        assert_eq!(
            serde_json::to_string(&UsageView::from(&usage)).unwrap(),
            r#"{"tenant_id":"tenant_default","period":"2026-01","emails_sent":4,"emails_delivered":2,"emails_bounced":1,"api_requests":7}"#
        );
    }
}
