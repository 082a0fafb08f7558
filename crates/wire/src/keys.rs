//! API keys: the request that makes one, and what is shown of them.

use std::time::Duration;

use selfmx_auth::{Allowed, ApiKey, KeyChange, KeySource, KeyUse, PermissionSet, Rotation, Secret, Wanted};
use selfmx_domain::{RateLimit, TenantId};
use serde::Serialize;
use time::OffsetDateTime;

use crate::RequestError;
use crate::fields::{Field, Fields};
use crate::timestamp::Timestamp;

/// `POST /v1/api-keys`: `{name, permissions[], tenant_id?, mode?, expires_at?, allowed_ips?, allowed_senders?, allowed_templates?, rate_limit?}`.
#[derive(Clone, Debug)]
pub struct CreateKey(Wanted);

impl CreateKey {
    /// Reads the body.
    ///
    /// # Errors
    ///
    /// [`RequestError`] names the field that is unknown, missing or wrong.
    pub fn read(body: &[u8]) -> Result<Self, RequestError> {
        let mut fields = Fields::of_body(body)?;
        let (name, permissions) = (fields.take("name"), fields.take("permissions"));
        let (tenant, mode, expires_at) = (fields.take("tenant_id"), fields.take("mode"), fields.take("expires_at"));
        let (ips, senders, templates) = (fields.take("allowed_ips"), fields.take("allowed_senders"), fields.take("allowed_templates"));
        let rate_limit = fields.take("rate_limit");
        fields.end()?;
        Ok(Self(Wanted {
            name: name.required()?.parsed()?,
            permissions: permission_set(permissions.required()?)?,
            tenant: tenant.optional(Field::id)?,
            mode: mode.optional(Field::parsed)?,
            expires_at: expires_at.optional(Field::time)?,
            allowed_ips: ips.optional(|field| field.each_of(MAX_MEMBERS, Field::parsed))?,
            allowed_senders: senders.optional(|field| field.each_of(MAX_MEMBERS, Field::parsed))?,
            allowed_templates: templates.optional(|field| field.each_of(MAX_MEMBERS, Field::id))?,
            rate_limit: rate_limit.optional(rate)?,
        }))
    }
}

/// `PATCH /v1/api-keys/{id}`: what is to be changed (RFC 7396: `null` lifts a bound).
#[derive(Clone, Debug)]
pub struct UpdateKey(KeyChange);

impl UpdateKey {
    /// Reads the body.
    ///
    /// # Errors
    ///
    /// [`RequestError`] names the field that is unknown or wrong.
    pub fn read(body: &[u8]) -> Result<Self, RequestError> {
        let mut fields = Fields::of_body(body)?;
        let (name, permissions, enabled) = (fields.take("name"), fields.take("permissions"), fields.take("enabled"));
        let (expires_at, rate_limit) = (fields.take("expires_at"), fields.take("rate_limit"));
        let (ips, senders, templates) = (fields.take("allowed_ips"), fields.take("allowed_senders"), fields.take("allowed_templates"));
        fields.end()?;
        Ok(Self(KeyChange {
            name: name.replacement(Field::parsed)?,
            permissions: permissions.replacement(permission_set)?,
            expires_at: expires_at.change(Field::time)?,
            allowed_ips: ips.change(|field| field.each_of(MAX_MEMBERS, Field::parsed))?,
            allowed_senders: senders.change(|field| field.each_of(MAX_MEMBERS, Field::parsed))?,
            allowed_templates: templates.change(|field| field.each_of(MAX_MEMBERS, Field::id))?,
            rate_limit: rate_limit.change(rate)?,
            enabled: enabled.replacement(Field::boolean)?,
        }))
    }
}

impl From<UpdateKey> for KeyChange {
    fn from(request: UpdateKey) -> Self {
        request.0
    }
}

/// `POST /v1/api-keys/{id}/rotate`: `{grace_period_seconds?}`.
#[derive(Clone, Copy, Debug)]
pub struct RotateKey {
    /// For how long the former secret is still recognised.
    pub grace: Duration,
}

impl RotateKey {
    /// Reads the body. Without a body, or without the field, the former secret ends at once.
    ///
    /// # Errors
    ///
    /// [`RequestError`] names the field that is unknown or wrong.
    pub fn read(body: &[u8]) -> Result<Self, RequestError> {
        if body.is_empty() {
            return Ok(Self { grace: Duration::ZERO });
        }
        let mut fields = Fields::of_body(body)?;
        let grace = fields.take("grace_period_seconds");
        fields.end()?;
        let longest = u32::try_from(Rotation::MAX_GRACE.as_secs()).unwrap_or(u32::MAX);
        let seconds = grace.optional(|field| field.integer(0..=longest))?.unwrap_or(0);
        Ok(Self { grace: Duration::from_secs(seconds.into()) })
    }
}

/// The most members of each list that confines a key.
const MAX_MEMBERS: usize = 100;

fn permission_set(field: Field<'_>) -> Result<PermissionSet, RequestError> {
    let permission = |field: Field<'_>| field.converted(str::parse, |field, source| RequestError::Permission { field, source });
    Ok(field.each(permission)?.into_iter().collect())
}

/// `{requests_per_minute}`; 0 means no limit.
fn rate(field: Field<'_>) -> Result<RateLimit, RequestError> {
    let mut fields = field.object()?;
    let requests = fields.take("requests_per_minute");
    fields.end()?;
    Ok(RateLimit::per_minute(requests.required()?.integer(0..=RateLimit::MAX_PER_MINUTE)?))
}

impl From<CreateKey> for Wanted {
    fn from(request: CreateKey) -> Self {
        request.0
    }
}

/// A key, without its secret.
#[derive(Debug, Serialize)]
pub struct KeyView<'a> {
    id: String,
    name: &'a str,
    #[serde(flatten)]
    rest: Rest<'a>,
}

/// The key that asks: the key, and besides what is left of its limits.
#[derive(Debug, Serialize)]
pub struct Me<'a> {
    #[serde(flatten)]
    key: KeyView<'a>,
    /// The tenant that it acts for, which a platform key is not confined to.
    acts_for: String,
    limits: LimitsView,
}

/// What is left of a key's limits.
#[derive(Clone, Copy, Debug, Default)]
pub struct LimitsLeft {
    /// Of its requests; none where they are not limited.
    pub rate: Option<RateLeft>,
    /// Of the emails of the tenant that it acts for; none where they are not limited.
    pub emails: Option<EmailsLeft>,
}

/// What is left of a key's requests.
#[derive(Clone, Copy, Debug)]
pub struct RateLeft {
    /// How many it may make.
    pub requests: u32,
    /// How many it may make at once now.
    pub remaining: u32,
    /// When it may make all of them again.
    pub reset: OffsetDateTime,
}

/// What is left of a tenant's emails of a day.
#[derive(Clone, Copy, Debug)]
pub struct EmailsLeft {
    /// How many may be accepted in a day (UTC).
    pub per_day: u32,
    /// How many of them are left today.
    pub remaining: u32,
    /// When the next day begins.
    pub reset: OffsetDateTime,
}

#[derive(Debug, Serialize)]
struct LimitsView {
    requests: Option<LimitView>,
    emails_per_day: Option<LimitView>,
}

#[derive(Debug, Serialize)]
struct LimitView {
    limit: u32,
    remaining: u32,
    resets_at: Timestamp,
}

impl<'a> Me<'a> {
    /// The key that asks, acting for `tenant`.
    #[must_use]
    pub fn new(key: &'a ApiKey, tenant: TenantId, left: LimitsLeft) -> Self {
        let requests = |rate: RateLeft| LimitView { limit: rate.requests, remaining: rate.remaining, resets_at: Timestamp(rate.reset) };
        let emails = |day: EmailsLeft| LimitView { limit: day.per_day, remaining: day.remaining, resets_at: Timestamp(day.reset) };
        let limits = LimitsView { requests: left.rate.map(requests), emails_per_day: left.emails.map(emails) };
        Self { key: key.into(), acts_for: tenant.to_string(), limits }
    }
}

/// The answer that makes a key: the only one that shows the secret.
#[derive(Serialize)]
pub struct KeyCreated<'a> {
    id: String,
    name: &'a str,
    key: &'a str,
    #[serde(flatten)]
    rest: Rest<'a>,
}

/// A key that is revoked: `{id, revoked: true}`.
#[derive(Debug, Serialize)]
pub struct KeyRevoked {
    id: String,
    revoked: bool,
}

/// What both views of a key have after its name.
#[derive(Debug, Serialize)]
struct Rest<'a> {
    permissions: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant_id: Option<String>,
    mode: &'static str,
    enabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
    source: &'static str,
    last_used_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_from: Option<LastUse<'a>>,
    created_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_secret_until: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed_ips: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed_senders: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed_templates: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate_limit: Option<RateView>,
}

/// From where a key was last used.
#[derive(Debug, Serialize)]
struct LastUse<'a> {
    address: Option<String>,
    user_agent: Option<&'a str>,
}

/// `{requests_per_minute}`; 0 means no limit.
#[derive(Debug, Serialize)]
struct RateView {
    requests_per_minute: u32,
}

impl<'a> From<&'a ApiKey> for KeyView<'a> {
    fn from(key: &'a ApiKey) -> Self {
        Self { id: key.id.to_string(), name: key.name.as_str(), rest: key.into() }
    }
}

impl<'a> KeyCreated<'a> {
    /// The key that was just made, with its secret.
    #[must_use]
    pub fn new(key: &'a ApiKey, secret: &'a Secret) -> Self {
        Self { id: key.id.to_string(), name: key.name.as_str(), key: secret.reveal(), rest: key.into() }
    }
}

impl KeyRevoked {
    /// The answer for a key that is revoked, now or before.
    #[must_use]
    pub fn new(id: selfmx_domain::ApiKeyId) -> Self {
        Self { id: id.to_string(), revoked: true }
    }
}

impl<'a> From<&'a ApiKey> for Rest<'a> {
    fn from(key: &'a ApiKey) -> Self {
        let authority = &key.authority;
        let last_use =
            |last: &'a KeyUse| LastUse { address: last.address.map(|address| address.to_string()), user_agent: last.user_agent.as_deref() };
        Self {
            permissions: authority.permissions.iter().map(selfmx_auth::Permission::as_str).collect(),
            tenant_id: authority.tenant.map(|tenant| tenant.to_string()),
            mode: authority.mode.as_str(),
            enabled: key.enabled,
            hint: key.hint.as_deref(),
            source: source(key.source),
            last_used_at: key.last_use.as_ref().map(|last| Timestamp(last.at)),
            last_used_from: key.last_use.as_ref().map(last_use),
            created_at: Timestamp(key.created_at),
            created_by: key.created_by.map(|maker| maker.to_string()),
            expires_at: authority.expires_at.map(Timestamp),
            revoked_at: key.revoked_at.map(Timestamp),
            previous_secret_until: key.previous_secret_until.map(Timestamp),
            allowed_ips: texts(&authority.allowed_ips),
            allowed_senders: texts(&authority.allowed_senders),
            allowed_templates: texts(&authority.allowed_templates),
            rate_limit: authority.rate_limit.map(|limit| RateView { requests_per_minute: limit.requests() }),
        }
    }
}

fn texts<T: ToString>(allowed: &Allowed<T>) -> Option<Vec<String>> {
    allowed.listed().map(|members| members.iter().map(T::to_string).collect())
}

const fn source(source: KeySource) -> &'static str {
    match source {
        KeySource::Environment => "environment",
        KeySource::Created => "created",
    }
}

#[cfg(test)]
#[path = "keys_tests.rs"]
mod tests;
