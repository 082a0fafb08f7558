//! The audit log: an entry is written in the transaction of the change that it tells of.

use diesel::Insertable;
use diesel::result::Error as DieselError;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use selfmx_auth::{ApiKey, Origin, Permit, PlatformPermit, Principal, Scope};
use selfmx_domain::{ApiKeyId, AuditAction, AuditId, Dkim, RelayUser, Tenant, TenantId, TenantRelay, TenantStatus};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::schema::audit_logs;
use crate::store::change;
use crate::{Error, Store};

/// What an entry says, but for its id and its time.
#[derive(Debug, Default)]
pub(crate) struct Entry<'a> {
    pub(crate) actor: Option<ApiKeyId>,
    pub(crate) actor_tenant: Option<TenantId>,
    pub(crate) origin: Option<&'a Origin>,
    /// The tenant that it concerns.
    pub(crate) tenant: Option<TenantId>,
    pub(crate) target: Option<String>,
    pub(crate) refusal: Option<&'a str>,
    pub(crate) before: Option<Value>,
    pub(crate) after: Option<Value>,
}

impl<'a> Entry<'a> {
    /// Of a call under this permit.
    pub(crate) fn by<P: Scope>(permit: &'a Permit<P>) -> Self {
        let (actor, tenant) = (Some(permit.key_id()), Some(permit.tenant()));
        Self { actor, actor_tenant: permit.key_tenant(), origin: Some(permit.origin()), tenant, ..Self::default() }
    }

    /// Of a call across tenants.
    pub(crate) fn by_platform<P: Scope>(permit: &'a PlatformPermit<P>) -> Self {
        Self { actor: Some(permit.key_id()), origin: Some(permit.origin()), ..Self::default() }
    }

    /// Of what the operator does on the machine itself.
    pub(crate) fn by_operator() -> Self {
        Self::default()
    }
}

/// A management call that was refused.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// What was asked for.
    pub action: AuditAction,
    /// The code of the refusal.
    pub code: &'static str,
    /// The id of what it was to be done to, where the path names one.
    pub target: Option<String>,
}

impl Store {
    /// Writes that a management call was refused.
    ///
    /// # Errors
    ///
    /// Where the database cannot.
    pub async fn audit_refused(&self, principal: &Principal, refusal: Refusal) -> Result<(), Error> {
        let key = principal.key();
        let entry = Entry {
            actor: Some(key.id),
            actor_tenant: key.authority.tenant,
            origin: Some(principal.origin()),
            tenant: Some(principal.tenant().id),
            target: refusal.target,
            refusal: Some(refusal.code),
            ..Entry::default()
        };
        change!(self, connection => self.audit(connection, refusal.action, entry).await).await
    }

    /// Writes that a valid key was presented where it may not be used.
    ///
    /// # Errors
    ///
    /// Where the database cannot.
    pub async fn audit_misplaced(&self, key: ApiKeyId, tenant: TenantId, origin: &Origin, code: &'static str) -> Result<(), Error> {
        let target = Some(key.to_string());
        let entry = Entry { actor: Some(key), origin: Some(origin), tenant: Some(tenant), target, refusal: Some(code), ..Entry::default() };
        change!(self, connection => self.audit(connection, AuditAction::KeyUse, entry).await).await
    }

    /// Adds an entry to the transaction that is open on `connection`, or on its own.
    pub(crate) async fn audit(&self, connection: &mut AsyncPgConnection, action: AuditAction, entry: Entry<'_>) -> Result<(), DieselError> {
        let row = Row {
            id: AuditId::generate(&*self.clock, &*self.entropy).as_uuid(),
            tenant_id: entry.tenant.unwrap_or(TenantId::DEFAULT).as_uuid(),
            action: action.as_str(),
            refusal: entry.refusal,
            actor_key_id: entry.actor.map(|key| key.as_uuid()),
            actor_tenant_id: entry.actor_tenant.map(|tenant| tenant.as_uuid()),
            address: entry.origin.map(|origin| origin.address.to_string()),
            user_agent: entry.origin.and_then(|origin| origin.user_agent.as_deref()),
            request_id: entry.origin.map(|origin| origin.request_id.as_str()),
            target: entry.target,
            before: entry.before,
            after: entry.after,
        };
        diesel::insert_into(audit_logs::table).values(&row).execute(connection).await.map(|_| ())
    }
}

/// A key as entries show it: all that can be changed, nothing of its secret.
pub(crate) fn key_json(key: &ApiKey) -> Value {
    let authority = &key.authority;
    let mut shown = Map::new();
    shown.insert("name".to_owned(), key.name.as_str().into());
    shown.insert("permissions".to_owned(), authority.permissions.iter().map(|permission| permission.as_str()).collect());
    shown.insert("mode".to_owned(), authority.mode.as_str().into());
    shown.insert("enabled".to_owned(), key.enabled.into());
    let mut add = |name: &str, value: Option<Value>| value.map(|value| shown.insert(name.to_owned(), value));
    add("tenant_id", authority.tenant.map(|tenant| tenant.to_string().into()));
    add("expires_at", authority.expires_at.map(time_json));
    add("allowed_ips", authority.allowed_ips.listed().map(list_json));
    add("allowed_senders", authority.allowed_senders.listed().map(list_json));
    add("allowed_templates", authority.allowed_templates.listed().map(list_json));
    add("rate_limit", authority.rate_limit.map(|limit| json!({"requests_per_minute": limit.requests()})));
    add("revoked_at", key.revoked_at.map(time_json));
    add("previous_secret_until", key.previous_secret_until.map(time_json));
    Value::Object(shown)
}

/// A tenant as entries show it: all that can be changed, nothing of its relay's password and its private key.
pub(crate) fn tenant_json(tenant: &Tenant) -> Value {
    let (profile, defaults) = (&tenant.profile, &tenant.profile.defaults);
    let mut shown = Map::new();
    shown.insert("name".to_owned(), profile.name.as_str().into());
    let mut add = |name: &str, value: Option<Value>| value.map(|value| shown.insert(name.to_owned(), value));
    if let TenantStatus::Suspended { since } = tenant.status {
        add("suspended_at", Some(time_json(since)));
    }
    add("domain", profile.domain.as_ref().map(|domain| domain.as_str().into()));
    add("from_name", defaults.from_name.as_ref().map(|name| name.as_str().into()));
    add("from_address", defaults.from_address.as_ref().map(|address| address.to_string().into()));
    add("reply_to", defaults.reply_to.as_ref().map(|mailbox| mailbox.to_string().into()));
    let tracking = profile.tracking;
    add("tracking", tracking.is_on().then(|| json!({"opens": tracking.opens, "clicks": tracking.clicks})));
    add("smtp", profile.relay.as_ref().map(relay_json));
    add("dkim", profile.dkim.as_ref().map(dkim_json));
    add("requests_per_minute", profile.rate_limit.map(|limit| limit.requests().into()));
    add("emails_per_day", profile.emails_per_day.map(Value::from));
    Value::Object(shown)
}

/// A relay as entries show it: nothing of its password but whether there is one.
fn relay_json(relay: &TenantRelay) -> Value {
    let user = relay.user.as_ref().map(RelayUser::as_str);
    json!({"host": relay.host.as_str(), "port": relay.port, "user": user, "tls": relay.tls, "has_pass": relay.has_password()})
}

/// A DKIM key as entries show it: its public half tells which one it is.
fn dkim_json(dkim: &Dkim) -> Value {
    let key = &dkim.public_key;
    json!({"domain": dkim.domain.as_str(), "selector": dkim.selector.as_str(), "algorithm": key.algorithm().as_str(), "public_key": key.to_string()})
}

/// What [`tenant_json`] shows, and that the relay's password is a new one, which cannot be seen from it.
pub(crate) fn with_new_password(mut tenant: Value) -> Value {
    if let Some(relay) = tenant.get_mut("smtp").and_then(Value::as_object_mut) {
        relay.insert("new_pass".to_owned(), true.into());
    }
    tenant
}

/// A time as answers write it.
pub(crate) fn time_json(time: time::OffsetDateTime) -> Value {
    time.format(&time::format_description::well_known::Rfc3339).unwrap_or_default().into()
}

fn list_json<T: ToString>(members: &[T]) -> Value {
    members.iter().map(T::to_string).collect()
}

#[derive(Insertable)]
#[diesel(table_name = audit_logs, check_for_backend(diesel::pg::Pg))]
struct Row<'a> {
    id: Uuid,
    tenant_id: Uuid,
    action: &'static str,
    refusal: Option<&'a str>,
    actor_key_id: Option<Uuid>,
    actor_tenant_id: Option<Uuid>,
    address: Option<String>,
    user_agent: Option<&'a str>,
    request_id: Option<&'a str>,
    target: Option<String>,
    before: Option<Value>,
    after: Option<Value>,
}
