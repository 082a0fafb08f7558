//! The only JSON shapes in the house: requests, views, errors.
//!
//! | noun | what it is |
//! |---|---|
//! | [`SendEmail`], [`CreateKey`], [`CreateTenant`] | a request's body, read once into values of the domain |
//! | [`RequestError`] | why a body was refused, with the path of the field |
//! | [`KeyView`], [`EmailView`], [`TenantView`], [`HealthView`], … | what an answer shows of a value of the domain |
//! | [`EventPost`] | an event as it is posted to a webhook |
//! | [`List`] | the one shape of a list |
//! | [`ErrorBody`], [`ErrorCode`] | the one shape of an error, and the one list of its codes |
//!
//! ```
//! use selfmx_wire::SendEmail;
//!
//! let body = br#"{"from": "a@x.example", "to": ["b@x.example", "c"], "subject": "Hi", "text": "Hello"}"#;
//! let error = SendEmail::read(body).unwrap_err();
//! assert_eq!(error.field(), Some("to[1]"));
//! assert_eq!(error.code().as_str(), "invalid_request");
//! ```
//!
//! Invariant: a body is refused that nests deeper than 32 levels, names a member twice, has a field that does not exist, or holds more than 10,000
//! values.
//!
//! Invariant: no error repeats a value that the caller sent.
//!
//! Invariant: a secret is in [`KeyCreated`] and in no other view.

mod audit;
mod batch;
mod code;
mod emails;
mod event_post;
mod failure;
mod feedback;
mod fields;
mod fingerprint;
mod keys;
mod list;
mod logs;
mod path;
mod redirect;
mod request_error;
mod schema;
mod send;
#[cfg(test)]
mod send_tests;
mod status;
mod suppressions;
mod templates;
mod tenant_dkim;
mod tenant_relay;
mod tenant_tracking;
mod tenants;
mod timestamp;
mod usage;
mod value;
mod webhooks;

pub use audit::AuditView;
pub use batch::{BatchAccepted, BatchMode, SendBatch, batch_field};
pub use code::ErrorCode;
pub use emails::{EmailSummaryView, EmailView};
pub use event_post::{EventPost, PostedData};
pub use failure::{ErrorBody, TemplatePlace};
pub use feedback::FeedbackView;
pub use keys::{CreateKey, EmailsLeft, KeyCreated, KeyRevoked, KeyView, LimitsLeft, Me, RateLeft, RotateKey, UpdateKey};
pub use list::{List, Pagination};
pub use logs::LogView;
pub use redirect::Redirect;
pub use request_error::RequestError;
pub use schema::schemas;
pub use send::{EmailAccepted, RescheduleEmail, SendEmail};
pub use status::{Allowed, Fine, HealthView};
pub use suppressions::{CreateSuppression, SuppressionDeleted, SuppressionView};
pub use templates::{
    RenderTemplate, RenderedView, TemplateDeleted, TemplateSummaryView, TemplateValid, TemplateVersionView, TemplateView, UpdateTemplate,
    WriteTemplate,
};
pub use tenants::{CreateTenant, TenantDeleted, TenantView, UpdateTenant};
pub use timestamp::time_of;
pub use usage::UsageView;
pub use webhooks::{
    DeliveryQueued, DeliveryView, RotateWebhookSecret, UpdateWebhook, WebhookDeleted, WebhookSecretShown, WebhookView, WriteWebhook,
};
