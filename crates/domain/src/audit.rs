//! The audit log: who changed what, and what was refused.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use time::OffsetDateTime;

use crate::{ApiKeyId, AuditId, Problem, TenantId};

/// An entry of the audit log.
#[derive(Clone, Debug)]
pub struct AuditEntry {
    /// Its id.
    pub id: AuditId,
    /// When, by the store's clock.
    pub at: OffsetDateTime,
    /// The tenant that it concerns: the target's, else the actor's.
    pub tenant: TenantId,
    /// What was asked for.
    pub action: AuditAction,
    /// The code of the refusal; none where it was done.
    pub refusal: Option<String>,
    /// Who asked.
    pub actor: Actor,
    /// The client's address; none on the machine itself.
    pub address: Option<IpAddr>,
    /// What the client said that it is.
    pub user_agent: Option<String>,
    /// The id of the request.
    pub request_id: Option<String>,
    /// The id of what it was to be done to.
    pub target: Option<String>,
    /// How that was before, as a JSON object, without secrets.
    pub before: Option<String>,
    /// How it was afterwards.
    pub after: Option<String>,
}

/// Who asked for something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// A key.
    Key {
        /// Its id.
        id: ApiKeyId,
        /// Its tenant; none for a platform key.
        tenant: Option<TenantId>,
    },
    /// The operator, on the machine itself.
    Operator,
}

/// Which entries a list shows: those that fit all that is said.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// The key that asked.
    pub actor: Option<ApiKeyId>,
    /// The tenant that they concern.
    pub tenant: Option<TenantId>,
    /// What was asked for.
    pub action: Option<AuditAction>,
    /// The id of what it was to be done to.
    pub target: Option<String>,
    /// Whether it was done or refused.
    pub outcome: Option<AuditOutcome>,
    /// From when on.
    pub since: Option<OffsetDateTime>,
    /// Until when; that instant is not among them.
    pub until: Option<OffsetDateTime>,
}

/// Whether something was done or refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditOutcome {
    /// It was done.
    Done,
    /// It was refused.
    Refused,
}

impl AuditOutcome {
    /// `done` or `refused`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
        }
    }
}

impl FromStr for AuditOutcome {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        [Self::Done, Self::Refused].into_iter().find(|outcome| outcome.as_str() == text).ok_or(Problem::NotOneOf("one of: done, refused"))
    }
}

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        /// What the audit log has entries for: every management call.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum AuditAction {
            $($(#[$doc])* $name,)*
        }

        impl AuditAction {
            /// Every action.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The action as answers and filters write it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }

        impl FromStr for AuditAction {
            type Err = Problem;

            fn from_str(text: &str) -> Result<Self, Problem> {
                let known = Self::ALL.iter().copied().find(|action| action.as_str() == text);
                known.ok_or(Problem::NotOneOf(concat!("one of:" $(, " ", $text)*)))
            }
        }
    };
}

actions! {
    /// A key was presented where it may not be used. Only its refusal is noted.
    KeyUse = "api_key.use";
    /// A key was made.
    KeyCreate = "api_key.create";
    /// Keys were listed or looked at. Only its refusal is noted.
    KeyRead = "api_key.read";
    /// A key was changed.
    KeyUpdate = "api_key.update";
    /// A key got a new secret.
    KeyRotate = "api_key.rotate";
    /// A key was revoked.
    KeyRevoke = "api_key.revoke";
    /// A bounce or a complaint was reported, and recorded.
    FeedbackReport = "feedback.report";
    /// An address was put on a suppression list by somebody.
    SuppressionCreate = "suppression.create";
    /// Suppressions were listed or looked at. Only its refusal is noted.
    SuppressionRead = "suppression.read";
    /// An address was taken off a suppression list.
    SuppressionDelete = "suppression.delete";
    /// A template was made, or checked without being kept; of the latter only its refusal is noted.
    TemplateCreate = "template.create";
    /// Templates were listed, looked at or rendered. Only its refusal is noted.
    TemplateRead = "template.read";
    /// A template was changed.
    TemplateUpdate = "template.update";
    /// A template was brought back to an earlier version.
    TemplateRestore = "template.restore";
    /// A template was deleted.
    TemplateDelete = "template.delete";
    /// A tenant was made.
    TenantCreate = "tenant.create";
    /// Tenants were listed or looked at. Only its refusal is noted.
    TenantRead = "tenant.read";
    /// A tenant was changed.
    TenantUpdate = "tenant.update";
    /// A tenant was suspended.
    TenantSuspend = "tenant.suspend";
    /// A tenant was resumed.
    TenantResume = "tenant.resume";
    /// A tenant was deleted.
    TenantDelete = "tenant.delete";
    /// A webhook was made.
    WebhookCreate = "webhook.create";
    /// Webhooks or their deliveries were listed or looked at. Only its refusal is noted.
    WebhookRead = "webhook.read";
    /// A webhook was changed.
    WebhookUpdate = "webhook.update";
    /// A webhook got a new secret.
    WebhookRotate = "webhook.rotate";
    /// A webhook was deleted.
    WebhookDelete = "webhook.delete";
    /// A test event was queued. Only its refusal is noted.
    WebhookTest = "webhook.test";
    /// An event was queued once more. Only its refusal is noted.
    WebhookReplay = "webhook.replay";
    /// The relay was tested. Only its refusal is noted.
    RelayTest = "relay.test";
    /// The audit log was read. Only its refusal is noted.
    AuditRead = "audit_log.read";
}

impl fmt::Display for AuditAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_and_outcomes_read_back() {
        for action in AuditAction::ALL {
            assert_eq!(action.as_str().parse(), Ok(*action));
            assert_eq!(action.to_string(), action.as_str());
        }
        for outcome in [AuditOutcome::Done, AuditOutcome::Refused] {
            assert_eq!(outcome.as_str().parse(), Ok(outcome));
        }
        let refused = "api_key".parse::<AuditAction>().unwrap_err().to_string();
        assert!(refused.contains("one of: api_key.use api_key.create"), "{refused}");
        assert!("Done".parse::<AuditOutcome>().is_err());
    }
}
