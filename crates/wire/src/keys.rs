//! API keys: the request that makes one, and what is shown of them.

use selfmx_auth::{ApiKey, KeySource, Secret, Wanted};
use serde::Serialize;

use crate::RequestError;
use crate::fields::{Field, Fields};
use crate::timestamp::Timestamp;

/// `POST /v1/api-keys`: `{name, permissions[], tenant_id?, mode?, expires_at?}`.
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
        fields.end()?;
        let permission = |field: Field<'_>| field.converted(str::parse, |field, source| RequestError::Permission { field, source });
        Ok(Self(Wanted {
            name: name.required()?.parsed()?,
            permissions: permissions.required()?.each(permission)?.into_iter().collect(),
            tenant: tenant.optional(Field::id)?,
            mode: mode.optional(Field::parsed)?,
            expires_at: expires_at.optional(Field::time)?,
        }))
    }
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
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
    source: &'static str,
    last_used_at: Option<Timestamp>,
    created_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<Timestamp>,
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
        Self {
            permissions: key.permissions.iter().map(selfmx_auth::Permission::as_str).collect(),
            tenant_id: key.tenant.map(|tenant| tenant.to_string()),
            mode: key.mode.as_str(),
            hint: key.hint.as_deref(),
            source: source(key.source),
            last_used_at: key.last_used_at.map(Timestamp),
            created_at: Timestamp(key.created_at),
            expires_at: key.expires_at.map(Timestamp),
            revoked_at: key.revoked_at.map(Timestamp),
        }
    }
}

const fn source(source: KeySource) -> &'static str {
    match source {
        KeySource::Environment => "environment",
        KeySource::Created => "created",
    }
}

#[cfg(test)]
mod tests {
    use selfmx_auth::Permission;
    use selfmx_domain::{Mode, Problem};
    use time::macros::datetime;

    use super::*;

    fn wanted(json: &str) -> Result<Wanted, RequestError> {
        CreateKey::read(json.as_bytes()).map(Wanted::from)
    }

    fn key() -> ApiKey {
        ApiKey {
            id: "key_01h455vb4pex5vsknk084sn02q".parse().unwrap(),
            name: "Production App".parse().unwrap(),
            permissions: [Permission::Send, Permission::TemplatesRead].into_iter().collect(),
            hint: Some("wxyz".to_owned()),
            source: KeySource::Created,
            last_used_at: Some(datetime!(2024-01-15 10:30 UTC)),
            ..ApiKey::environment(datetime!(2024-01-10 08:00 UTC))
        }
    }

    #[test]
    fn the_seed_s_requests_are_read() {
        let app = wanted(r#"{"name": "Production App", "permissions": ["send", "templates:read"]}"#).unwrap();
        assert_eq!(app.name.as_str(), "Production App");
        assert_eq!(app.permissions, [Permission::Send, Permission::TemplatesRead].into_iter().collect());
        assert!(app.tenant.is_none() && app.mode.is_none() && app.expires_at.is_none());
        let tenant = wanted(
            r#"{"name": "Tenant A - Production", "tenant_id": "tenant_01h455vb4pex5vsknk084sn02q", "permissions": ["send"],
                "mode": "test", "expires_at": "2030-01-01T00:00:00+01:00"}"#,
        )
        .unwrap();
        assert_eq!(tenant.tenant.map(|tenant| tenant.to_string()).as_deref(), Some("tenant_01h455vb4pex5vsknk084sn02q"));
        assert_eq!(tenant.mode, Some(Mode::Test));
        assert_eq!(tenant.expires_at, Some(datetime!(2029-12-31 23:00 UTC)));
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!(wanted(r#"{"permissions": ["send"]}"#).unwrap_err(), Problem::Missing.at("name").into());
        assert_eq!(wanted(r#"{"name": "n"}"#).unwrap_err(), Problem::Missing.at("permissions").into());
        for (json, field) in [
            (r#"{"name": "n", "permissions": "send"}"#, "permissions"),
            (r#"{"name": "n", "permissions": ["send", "admin"]}"#, "permissions[1]"),
            (r#"{"name": "n", "permissions": ["send", 1]}"#, "permissions[1]"),
            (r#"{"name": "n", "permissions": [], "tenant_id": "tenant_abc"}"#, "tenant_id"),
            (r#"{"name": "n", "permissions": [], "mode": "Live"}"#, "mode"),
            (r#"{"name": "n", "permissions": [], "expires_at": "tomorrow"}"#, "expires_at"),
            (r#"{"name": "n", "permissions": [], "expires_at": 1}"#, "expires_at"),
            (r#"{"name": "n", "permision": []}"#, "permision"),
        ] {
            assert_eq!(wanted(json).unwrap_err().field(), Some(field), "{json}");
        }
    }

    #[test]
    fn a_key_is_shown_as_in_the_seed_and_without_its_secret() {
        assert_eq!(
            serde_json::to_string(&KeyView::from(&key())).unwrap(),
            "{\"id\":\"key_01h455vb4pex5vsknk084sn02q\",\"name\":\"Production App\",\"permissions\":[\"send\",\"templates:read\"],\
             \"mode\":\"live\",\"hint\":\"wxyz\",\"source\":\"created\",\"last_used_at\":\"2024-01-15T10:30:00.000Z\",\
             \"created_at\":\"2024-01-10T08:00:00.000Z\"}"
        );
        let environment = ApiKey::environment(datetime!(2024-01-10 08:00 UTC));
        let view = serde_json::to_value(KeyView::from(&environment)).unwrap();
        assert_eq!((&view["id"], &view["source"]), (&"key_default".into(), &"environment".into()));
        assert!(view["last_used_at"].is_null() && view.get("hint").is_none() && view.get("key").is_none());
    }

    #[test]
    fn only_the_answer_that_makes_it_shows_the_secret() {
        let secret = Secret::chosen("0123456789abcdef").unwrap();
        let created = serde_json::to_value(KeyCreated::new(&key(), &secret)).unwrap();
        assert_eq!(created["key"], "0123456789abcdef");
        assert_eq!(created["created_at"], "2024-01-10T08:00:00.000Z");
    }

    #[test]
    fn a_revocation_says_so() {
        let revoked = KeyRevoked::new("key_01h455vb4pex5vsknk084sn02q".parse().unwrap());
        assert_eq!(serde_json::to_string(&revoked).unwrap(), r#"{"id":"key_01h455vb4pex5vsknk084sn02q","revoked":true}"#);
    }
}
