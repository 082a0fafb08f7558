//! API keys as rows: from the table's types to ours and back.

use diesel::{AsChangeset, Insertable, Queryable, Selectable};
use selfmx_auth::{Allowed, ApiKey, Authority, Digest, KeyDigests, KeySource, KeyUse};
use selfmx_domain::{ApiKeyId, RateLimit, TemplateId, TenantId};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::Error;
use crate::schema::api_keys;

/// A whole row.
#[derive(Queryable, Selectable)]
#[diesel(table_name = api_keys, check_for_backend(diesel::pg::Pg))]
pub(crate) struct KeyRow {
    id: Uuid,
    tenant_id: Option<Uuid>,
    name: String,
    hint: String,
    digest: Vec<u8>,
    permissions: Vec<String>,
    mode: String,
    created_at: OffsetDateTime,
    expires_at: Option<OffsetDateTime>,
    revoked_at: Option<OffsetDateTime>,
    last_used_at: Option<OffsetDateTime>,
    enabled: bool,
    allowed_ips: Option<Vec<String>>,
    allowed_senders: Option<Vec<String>>,
    allowed_templates: Option<Vec<Uuid>>,
    requests_per_minute: Option<i32>,
    previous_digest: Option<Vec<u8>>,
    previous_until: Option<OffsetDateTime>,
    created_by: Option<Uuid>,
    last_used_address: Option<String>,
    last_used_agent: Option<String>,
}

/// What a new row has besides its authority.
#[derive(Insertable)]
#[diesel(table_name = api_keys, check_for_backend(diesel::pg::Pg))]
pub(crate) struct NewKeyRow<'a> {
    pub(crate) id: Uuid,
    pub(crate) tenant_id: Option<Uuid>,
    pub(crate) hint: &'a str,
    pub(crate) digest: &'a [u8],
    pub(crate) mode: &'a str,
    pub(crate) created_by: Option<Uuid>,
    #[diesel(embed)]
    pub(crate) bounds: BoundsRow,
}

/// The columns that can be changed.
#[derive(AsChangeset, Insertable)]
#[diesel(table_name = api_keys, check_for_backend(diesel::pg::Pg), treat_none_as_null = true)]
pub(crate) struct BoundsRow {
    name: String,
    permissions: Vec<&'static str>,
    expires_at: Option<OffsetDateTime>,
    allowed_ips: Option<Vec<String>>,
    allowed_senders: Option<Vec<String>>,
    allowed_templates: Option<Vec<Uuid>>,
    requests_per_minute: Option<i32>,
    enabled: bool,
}

impl BoundsRow {
    pub(crate) fn of(name: &str, authority: &Authority, enabled: bool) -> Self {
        let requests = |limit: RateLimit| i32::try_from(limit.requests()).unwrap_or(i32::MAX);
        Self {
            name: name.to_owned(),
            permissions: authority.permissions.iter().map(|permission| permission.as_str()).collect(),
            expires_at: authority.expires_at,
            allowed_ips: texts(&authority.allowed_ips),
            allowed_senders: texts(&authority.allowed_senders),
            allowed_templates: authority.allowed_templates.listed().map(|ids| ids.iter().map(TemplateId::as_uuid).collect()),
            requests_per_minute: authority.rate_limit.map(requests),
            enabled,
        }
    }
}

impl KeyRow {
    pub(crate) fn into_key(self) -> Result<ApiKey, Error> {
        self.into_parts().map(|(_, key)| key)
    }

    /// The key and the digests of its secrets.
    pub(crate) fn into_parts(self) -> Result<(KeyDigests, ApiKey), Error> {
        let previous = self.previous_digest.map(digest).transpose()?.zip(self.previous_until);
        let digests = KeyDigests { current: digest(self.digest)?, previous };
        let permission = |text: String| text.parse().or(Err(Error::Unreadable("api_keys.permissions")));
        let requests =
            |number: i32| u32::try_from(number).map(RateLimit::per_minute).or(Err(Error::Unreadable("api_keys.requests_per_minute")));
        let authority = Authority {
            tenant: self.tenant_id.map(TenantId::from_uuid),
            permissions: self.permissions.into_iter().map(permission).collect::<Result<_, _>>()?,
            mode: self.mode.parse().or(Err(Error::Unreadable("api_keys.mode")))?,
            expires_at: self.expires_at,
            allowed_ips: parsed(self.allowed_ips, "api_keys.allowed_ips")?,
            allowed_senders: parsed(self.allowed_senders, "api_keys.allowed_senders")?,
            allowed_templates: self.allowed_templates.map(|ids| ids.into_iter().map(TemplateId::from_uuid).collect()).into(),
            rate_limit: self.requests_per_minute.map(requests).transpose()?,
        };
        let last_use = |at| KeyUse {
            at,
            // What says from where is for people to read: no key is lost for it.
            address: self.last_used_address.and_then(|text| text.parse().ok()),
            user_agent: self.last_used_agent,
        };
        let key = ApiKey {
            id: ApiKeyId::from_uuid(self.id),
            name: self.name.parse().or(Err(Error::Unreadable("api_keys.name")))?,
            authority,
            enabled: self.enabled,
            hint: Some(self.hint),
            source: KeySource::Created,
            created_by: self.created_by.map(ApiKeyId::from_uuid),
            created_at: self.created_at,
            revoked_at: self.revoked_at,
            previous_secret_until: self.previous_until,
            last_use: self.last_used_at.map(last_use),
        };
        Ok((digests, key))
    }
}

fn digest(octets: Vec<u8>) -> Result<Digest, Error> {
    octets.try_into().map(Digest::from_bytes).or(Err(Error::Unreadable("api_keys.digest")))
}

fn texts<T: ToString>(allowed: &Allowed<T>) -> Option<Vec<String>> {
    allowed.listed().map(|members| members.iter().map(T::to_string).collect())
}

fn parsed<T: std::str::FromStr>(texts: Option<Vec<String>>, column: &'static str) -> Result<Allowed<T>, Error> {
    let parse = |text: String| text.parse().or(Err(Error::Unreadable(column)));
    Ok(texts.map(|texts| texts.into_iter().map(parse).collect::<Result<Vec<_>, _>>()).transpose()?.into())
}
