//! Tenants: the request that makes one, and what is shown of them.

use selfmx_domain::{Name, Tenant};
use serde::Serialize;

use crate::RequestError;
use crate::fields::Fields;
use crate::timestamp::Timestamp;

/// `POST /v1/tenants`: `{name}`.
#[derive(Clone, Debug)]
pub struct CreateTenant(Name);

impl CreateTenant {
    /// Reads the body.
    ///
    /// # Errors
    ///
    /// [`RequestError`] names the field that is unknown, missing or wrong.
    pub fn read(body: &[u8]) -> Result<Self, RequestError> {
        let mut fields = Fields::of_body(body)?;
        let name = fields.take("name");
        fields.end()?;
        Ok(Self(name.required()?.parsed()?))
    }
}

impl From<CreateTenant> for Name {
    fn from(request: CreateTenant) -> Self {
        request.0
    }
}

/// A tenant: `{id, name, created_at}`.
#[derive(Debug, Serialize)]
pub struct TenantView<'a> {
    id: String,
    name: &'a str,
    created_at: Timestamp,
}

impl<'a> From<&'a Tenant> for TenantView<'a> {
    fn from(tenant: &'a Tenant) -> Self {
        Self { id: tenant.id.to_string(), name: tenant.profile.name.as_str(), created_at: Timestamp(tenant.created_at) }
    }
}

#[cfg(test)]
mod tests {
    use selfmx_domain::{TenantId, TenantProfile, TenantStatus};
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_tenant_is_read_and_shown() {
        let name: Name = CreateTenant::read(br#"{"name": " Acme "}"#).unwrap().into();
        let at = datetime!(2026-01-02 03:04 UTC);
        let tenant = Tenant {
            id: TenantId::DEFAULT,
            status: TenantStatus::Active,
            profile: TenantProfile::named(name),
            created_at: at,
            updated_at: at,
        };
        assert_eq!(
            serde_json::to_string(&TenantView::from(&tenant)).unwrap(),
            r#"{"id":"tenant_default","name":"Acme","created_at":"2026-01-02T03:04:00.000Z"}"#
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (json, field) in [("{}", "name"), (r#"{"name": "a\nb"}"#, "name"), (r#"{"name": "a", "domain": "x.example"}"#, "domain")] {
            assert_eq!(CreateTenant::read(json.as_bytes()).unwrap_err().field(), Some(field), "{json}");
        }
    }
}
