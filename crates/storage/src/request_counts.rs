//! How many requests each tenant's keys make: counted in memory, written behind.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use diesel::QueryResult;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Date as SqlDate, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use selfmx_domain::{Month, TenantId};
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use crate::store::change;
use crate::{Error, Store};

/// The requests that are not yet written.
#[derive(Clone, Default)]
pub(crate) struct RequestCounts(Arc<Mutex<HashMap<(TenantId, Month), u64>>>);

impl RequestCounts {
    fn add(&self, tenant: TenantId, month: Month, requests: u64) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry((tenant, month)).or_default();
        *count = count.saturating_add(requests);
    }

    /// All of them, in one order on all nodes, so that no two of them wait for each other's rows.
    fn take(&self) -> Vec<((TenantId, Month), u64)> {
        let mut taken: Vec<_> = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_iter().collect();
        taken.sort_unstable();
        taken
    }
}

impl Store {
    /// Counts a request that a tenant's key made at `at`, by the database's clock. It touches no database;
    /// [`request_count_write`](Self::request_count_write) does.
    pub fn request_counted(&self, tenant: TenantId, at: OffsetDateTime) {
        self.request_counts.add(tenant, Month::of(at), 1);
    }

    /// Writes what [`request_counted`](Self::request_counted) counted, in one statement; of tenants that are gone nothing is written. What cannot be
    /// written is kept. Where the connection breaks during the commit it may be written twice.
    ///
    /// # Errors
    ///
    /// Where the database cannot be reached or refuses.
    pub async fn request_count_write(&self) -> Result<(), Error> {
        let taken = self.request_counts.take();
        if taken.is_empty() {
            return Ok(());
        }
        let upsert = Upsert::of(&taken);
        let written = change!(self, connection => upsert.execute(connection).await).await;
        if written.is_err() {
            taken.into_iter().for_each(|((tenant, month), requests)| self.request_counts.add(tenant, month, requests));
        }
        written.map(|_| ())
    }
}

#[derive(QueryId)]
struct Upsert {
    tenants: Vec<Uuid>,
    months: Vec<Date>,
    requests: Vec<i64>,
}

impl Upsert {
    fn of(counts: &[((TenantId, Month), u64)]) -> Self {
        Self {
            tenants: counts.iter().map(|((tenant, _), _)| tenant.as_uuid()).collect(),
            months: counts.iter().map(|((_, month), _)| month.first_day()).collect(),
            requests: counts.iter().map(|(_, requests)| i64::try_from(*requests).unwrap_or(i64::MAX)).collect(),
        }
    }
}

impl QueryFragment<Pg> for Upsert {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("INSERT INTO usage_months AS m (tenant_id, month, api_requests) SELECT c.tenant_id, c.month, c.requests FROM unnest(");
        out.push_bind_param::<Array<SqlUuid>, _>(&self.tenants)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<SqlDate>, _>(&self.months)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<BigInt>, _>(&self.requests)?;
        out.push_sql(
            ") AS c(tenant_id, month, requests) JOIN tenants t ON t.id = c.tenant_id AND t.status <> 'deleted' ORDER BY c.tenant_id, c.month \
             ON CONFLICT (tenant_id, month) DO UPDATE SET api_requests = m.api_requests + excluded.api_requests",
        );
        Ok(())
    }
}

impl<C> diesel::RunQueryDsl<C> for Upsert {}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn requests_are_counted_apart_by_tenant_and_month_until_they_are_taken() {
        let (counts, one) = (RequestCounts::default(), TenantId::DEFAULT);
        let other = "tenant_01h455vb4pex5vsknk084sn02q".parse().unwrap();
        let (december, january) = (Month::of(datetime!(2025-12-31 23:59:59 UTC)), Month::of(datetime!(2026-01-01 0:00 UTC)));
        for (tenant, month) in [(other, january), (one, january), (one, december), (one, january)] {
            counts.add(tenant, month, 1);
        }
        assert_eq!(counts.take(), [((one, december), 1), ((one, january), 2), ((other, january), 1)]);
        assert!(counts.take().is_empty());
        counts.add(one, january, u64::MAX);
        counts.add(one, january, 1);
        assert_eq!(counts.take(), [((one, january), u64::MAX)]);
    }
}
