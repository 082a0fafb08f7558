//! The audit log, read back.

use diesel::dsl::IntoBoxed;
use diesel::{ExpressionMethods, QueryDsl, Queryable, Selectable, SelectableHelper};
use diesel_async::RunQueryDsl;
use selfmx_auth::{Permit, Reach, needs};
use selfmx_domain::{Actor, ApiKeyId, AuditEntry, AuditFilter, AuditId, AuditOutcome, Page, PageRequest, TenantId};
use serde_json::Value;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::pages::{self, Window};
use crate::schema::audit_logs;
use crate::store::read;
use crate::{Error, Store};

/// How far a node's clock, which ids are made by, may be from the database's, which entries are dated by.
pub(crate) const CLOCKS_APART: Duration = Duration::DAY;

type Entries = IntoBoxed<'static, audit_logs::table, diesel::pg::Pg>;

#[derive(Queryable, Selectable)]
#[diesel(table_name = audit_logs, check_for_backend(diesel::pg::Pg))]
struct Row {
    id: Uuid,
    at: OffsetDateTime,
    tenant_id: Uuid,
    action: String,
    refusal: Option<String>,
    actor_key_id: Option<Uuid>,
    actor_tenant_id: Option<Uuid>,
    address: Option<String>,
    user_agent: Option<String>,
    request_id: Option<String>,
    target: Option<String>,
    before: Option<Value>,
    after: Option<Value>,
}

impl Store {
    /// The entries that the permit reaches and that fit the filter, newest first: those of one tenant, or all for a platform key.
    ///
    /// Where from a platform key acted is not shown to a tenant.
    ///
    /// # Errors
    ///
    /// Where the database cannot.
    pub async fn audit_list(
        &self,
        permit: &Permit<needs::All>,
        filter: &AuditFilter,
        page: PageRequest<AuditId>,
    ) -> Result<Page<AuditEntry>, Error> {
        let (reach, window) = (permit.reach(), Window::of(page));
        let rows: Vec<Row> = read!(self, connection => {
            let mut query = fitting(filter, within(reach)).order(audit_logs::id.desc()).select(Row::as_select());
            if let Some(after) = pages::after(page.start) {
                query = query.filter(audit_logs::id.lt(after.as_uuid()));
            }
            query.limit(window.rows).offset(window.offset).load(connection).await
        })
        .await?;
        let entries = rows.into_iter().map(|row| row.into_entry().map(|entry| shown_to(reach, entry))).collect::<Result<_, _>>()?;
        Ok(pages::page(entries, page.limit, None))
    }
}

fn within(reach: Reach) -> Entries {
    let query = audit_logs::table.into_boxed();
    match reach {
        Reach::Everything => query,
        Reach::Platform => query.filter(audit_logs::tenant_id.eq(TenantId::DEFAULT.as_uuid())),
        Reach::Tenant(tenant) => query.filter(audit_logs::tenant_id.eq(tenant.as_uuid())),
    }
}

fn fitting(filter: &AuditFilter, mut query: Entries) -> Entries {
    if let Some(actor) = filter.actor {
        query = query.filter(audit_logs::actor_key_id.eq(actor.as_uuid()));
    }
    if let Some(tenant) = filter.tenant {
        query = query.filter(audit_logs::tenant_id.eq(tenant.as_uuid()));
    }
    if let Some(action) = filter.action {
        query = query.filter(audit_logs::action.eq(action.as_str()));
    }
    if let Some(target) = &filter.target {
        query = query.filter(audit_logs::target.eq(target.clone()));
    }
    match filter.outcome {
        Some(AuditOutcome::Done) => query = query.filter(audit_logs::refusal.is_null()),
        Some(AuditOutcome::Refused) => query = query.filter(audit_logs::refusal.is_not_null()),
        None => {}
    }
    // Ids sort by time, so that by them the index finds where the span begins and ends.
    if let Some(since) = filter.since {
        query = query.filter(audit_logs::at.ge(since)).filter(audit_logs::id.ge(first_id(since - CLOCKS_APART)));
    }
    if let Some(until) = filter.until {
        query = query.filter(audit_logs::at.lt(until)).filter(audit_logs::id.lt(first_id(until + CLOCKS_APART)));
    }
    query
}

/// The least id of this millisecond (RFC 9562 section 5.7).
pub(crate) fn first_id(time: OffsetDateTime) -> Uuid {
    let millis = u64::try_from(time.unix_timestamp_nanos() / 1_000_000).unwrap_or(0);
    Uuid::from_u64_pair(millis << 16, 0)
}

/// A tenant is not told from where the platform works.
fn shown_to(reach: Reach, entry: AuditEntry) -> AuditEntry {
    match (reach, entry.actor) {
        (Reach::Tenant(_), Actor::Key { tenant: None, .. }) => AuditEntry { address: None, user_agent: None, request_id: None, ..entry },
        _ => entry,
    }
}

impl Row {
    fn into_entry(self) -> Result<AuditEntry, Error> {
        let tenant = self.actor_tenant_id.map(TenantId::from_uuid);
        let actor = self.actor_key_id.map_or(Actor::Operator, |id| Actor::Key { id: ApiKeyId::from_uuid(id), tenant });
        Ok(AuditEntry {
            id: AuditId::from_uuid(self.id),
            at: self.at,
            tenant: TenantId::from_uuid(self.tenant_id),
            action: self.action.parse().or(Err(Error::Unreadable("audit_logs.action")))?,
            refusal: self.refusal,
            actor,
            address: self.address.and_then(|text| text.parse().ok()),
            user_agent: self.user_agent,
            request_id: self.request_id,
            target: self.target,
            before: self.before.map(|value| value.to_string()),
            after: self.after.map(|value| value.to_string()),
        })
    }
}
