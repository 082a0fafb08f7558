//! Daily quotas: what is left of them, and that yesterday's counts go. They are counted where mail is accepted.

use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{BigInt, Integer, Timestamptz, Uuid as SqlUuid};
use diesel::{OptionalExtension, QueryResult};
use diesel_async::RunQueryDsl;
use selfmx_auth::{Principal, System};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::store::{change, read};
use crate::{Error, Store};

/// Another node may be at it.
const FORGET: &str = "WITH over AS MATERIALIZED (SELECT tenant_id, day FROM quota_days \
WHERE day < (now() AT TIME ZONE 'UTC')::date - 1 ORDER BY day LIMIT $1 FOR UPDATE SKIP LOCKED) \
DELETE FROM quota_days q USING over o WHERE q.tenant_id = o.tenant_id AND q.day = o.day";

/// How a tenant's daily quota stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuotaStanding {
    /// The most emails that may be accepted in a day (UTC).
    pub limit: u32,
    /// How many were accepted today; more than the limit where that was lowered.
    pub used: u32,
    /// When the next day begins.
    pub resets_at: OffsetDateTime,
}

impl Store {
    /// How the daily quota stands of the tenant that `principal` acts for; `None` where it has none. A tenant that had none when the key was
    /// recognised costs no query.
    ///
    /// # Errors
    ///
    /// Where the database cannot.
    pub async fn quota_left(&self, principal: &Principal) -> Result<Option<QuotaStanding>, Error> {
        let tenant = principal.tenant();
        if tenant.profile.daily_limit().is_none() {
            return Ok(None);
        }
        let query = || Standing { tenant: tenant.id.as_uuid() };
        let row: Option<(i32, i32, OffsetDateTime)> = read!(self, connection => query().get_result(connection).await.optional()).await?;
        let count = |count: i32| u32::try_from(count).or(Err(Error::Unreadable("quota_days")));
        row.map(|(limit, used, resets_at)| Ok(QuotaStanding { limit: count(limit)?, used: count(used)?, resets_at })).transpose()
    }

    /// Deletes up to `count` counts of days that are over, and tells how many it deleted. Yesterday's stay: what was begun before midnight may
    /// still count there.
    ///
    /// # Errors
    ///
    /// Where the database cannot.
    pub async fn quota_days_forget(&self, _system: &System, count: u32) -> Result<usize, Error> {
        let delete = diesel::sql_query(FORGET).bind::<BigInt, _>(i64::from(count));
        change!(self, connection => delete.execute(connection).await).await
    }
}

#[derive(QueryId)]
struct Standing {
    tenant: Uuid,
}

impl QueryFragment<Pg> for Standing {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(
            "SELECT t.emails_per_day, coalesce(q.emails, 0), (date_trunc('day', now() AT TIME ZONE 'UTC') + interval '1 day') AT TIME ZONE 'UTC' \
             FROM tenants t LEFT JOIN quota_days q ON q.tenant_id = t.id AND q.day = (now() AT TIME ZONE 'UTC')::date WHERE t.emails_per_day > 0 AND t.id = ",
        );
        out.push_bind_param::<SqlUuid, _>(&self.tenant)
    }
}

impl Query for Standing {
    type SqlType = (Integer, Integer, Timestamptz);
}

impl<C> diesel::RunQueryDsl<C> for Standing {}
