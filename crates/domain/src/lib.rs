//! The words of SelfMX and their legal changes: no I/O, no async, no clock of its own.
//!
//! Everything that the other crates talk about has its type here, and each type is parsed once, at
//! the door, into a value that cannot be wrong: there is no `validate()` on a built value.
//!
//! | noun | what it is |
//! |---|---|
//! | [`Address`], [`Mailbox`], [`Domain`] | who mail goes to and comes from (RFC 5321, 5322, 6531) |
//! | [`Draft`] | one request to send, whole and valid |
//! | [`Email`], [`EmailSummary`], [`Page`] | an accepted email as it is read back |
//! | [`RecipientState`], [`EmailStatus`] | what has become of an email, as enums whose changes consume the old state |
//! | [`Verdict`], [`Reply`], [`RetryPolicy`] | what a relay said, and what follows from it |
//! | [`FeedbackReport`], [`FeedbackResult`] | what is reported of mail that a relay had taken, and what came of it |
//! | [`Tenant`], [`TenantChange`], [`RateLimit`] | whose things are kept apart, and how much of what they may do |
//! | [`TenantUsage`], [`Month`] | how much it has done |
//! | [`Template`], [`TemplateContent`], [`TemplateChange`] | a template as it is kept, and what its versions say |
//! | [`AuditEntry`] | who changed what, and what was refused |
//! | [`EmailId`], [`ApiKeyId`], … | ids, one type each, as TypeIDs |
//! | [`Webhook`], [`WebhookEvent`] | where a tenant wants to be told of its mail, and of which events |
//! | [`WebhookUrl`], [`WebhookSecret`], [`WebhookRetry`] | where events are posted, what proves whose they are, and when that is tried again |
//! | [`Tracking`], [`Tracked`], [`LinkTarget`], [`PublicUrl`] | whether opens and clicks are told, what is told, where links lead, and where the server is reached |
//! | [`PublicAddress`], [`Reach`] | an address that may be dialled on somebody else's behalf |
//! | [`Clock`], [`Entropy`] | time and chance, passed in |
//!
//! ```
//! use selfmx_domain::Mailbox;
//!
//! let mailbox: Mailbox = "Grüße <hallo@bücher.example>".parse()?;
//! assert_eq!(mailbox.address().to_string(), "hallo@xn--bcher-kva.example");
//! assert!("a@b.example\r\nBcc: c@d.example".parse::<Mailbox>().is_err());
//! # Ok::<(), selfmx_domain::Problem>(())
//! ```
//!
//! Invariant: nothing here does I/O, reads a clock or draws a random number.
//!
//! Invariant: no value that can reach a message header or an SMTP command holds CR, LF, NUL or another control character.

mod address;
mod attachment;
mod audit;
mod bounce;
mod change;
mod clock;
mod dkim;
mod draft;
mod email;
mod event_position;
mod feedback;
mod header;
mod id;
mod idempotency;
mod link_target;
mod log;
mod mailbox;
mod name;
mod page;
mod problem;
mod public_address;
mod public_url;
mod rate;
mod recipient;
mod reply;
mod retry;
mod schedule;
mod status;
mod suppression;
mod tag;
mod template;
mod tenant;
mod tenant_relay;
mod text;
mod trace;
mod tracking;
mod usage;
mod webhook;
mod webhook_retry;
mod webhook_secret;
mod webhook_url;

pub use address::{Address, Domain};
pub use attachment::{Attachment, ContentId, ContentType, FileName};
pub use audit::{Actor, AuditAction, AuditEntry, AuditFilter, AuditOutcome};
pub use bounce::BounceType;
pub use change::Change;
pub use clock::{Clock, Entropy};
pub use dkim::{Dkim, DkimAlgorithm, DkimChange, DkimKey, DkimPublicKey, DkimSelector};
pub use draft::{Body, Draft, DraftParts, Limits, Mode, Priority};
pub use email::{Email, EmailEvent, EmailFilter, EmailSummary, EventKind, RecipientRecord};
pub use event_position::EventPosition;
pub use feedback::{FeedbackKind, FeedbackOutcome, FeedbackReport, FeedbackResult, FeedbackType, ReportedRecipient};
pub use header::{CustomHeader, HeaderName, HeaderValue};
pub use id::{
    ApiKeyId, AuditId, EmailId, EventId, IdError, RequestId, SuppressionId, TemplateId, TenantId, WebhookDeliveryId, WebhookId, is_id,
};
pub use idempotency::{Fingerprint, Idempotency, IdempotencyKey};
pub use link_target::LinkTarget;
pub use log::{EventFilter, FollowedEvents, LogEntry, LogEvent, LogFilter, LogId, LogPage};
pub use mailbox::{DisplayName, Mailbox};
pub use name::Name;
pub use page::{Page, PageLimit, PageRequest, PageStart, Total};
pub use problem::{FieldError, Problem};
pub use public_address::{PublicAddress, Reach};
pub use public_url::{NotAPublicUrl, PublicUrl};
pub use rate::{Rate, RateLimit};
pub use recipient::{NextStep, Queued, RecipientKind, RecipientState, Recipients};
pub use reply::{Deferral, EnhancedCode, Reply, Verdict};
pub use retry::{Jitter, RetryPolicy};
pub use schedule::{FURTHEST_AHEAD, TOLERANCE, Unchangeable, scheduled};
pub use status::EmailStatus;
pub use suppression::{Suppression, SuppressionReason, folded};
pub use tag::{Metadata, Tag};
pub use template::{Template, TemplateChange, TemplateContent, TemplateKey, TemplateName, TemplateSummary, TemplateUsed, TemplateVersion};
pub use tenant::{NewTenant, SenderDefaults, Tenant, TenantChange, TenantProfile, TenantStatus};
pub use tenant_relay::{RelayChange, RelayHost, RelayPassword, RelayUser, TenantRelay};
pub use text::{Subject, is_control};
pub use trace::TraceId;
pub use tracking::{Tracked, TrackedAct, Tracking, TrackingChange};
pub use usage::{Month, TenantUsage};
pub use webhook::{
    DeliveryRecord, NewWebhook, PostRecord, Webhook, WebhookChange, WebhookEvent, WebhookEvents, WebhookFault, WebhookState,
};
pub use webhook_retry::{PostOutcome, WebhookRetry};
pub use webhook_secret::WebhookSecret;
pub use webhook_url::WebhookUrl;
