//! What a tenant has used in a month.

use diesel::dsl::{count_star, now};
use diesel::sql_types::Timestamptz;
use diesel::{BoolExpressionMethods, ExpressionMethods, IntoSql, OptionalExtension, QueryDsl};
use diesel_async::RunQueryDsl;
use selfmx_auth::{PlatformPermit, needs};
use selfmx_domain::{EmailStatus, Mode, Month, TenantId, TenantUsage};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::schema::{emails, tenants, usage_months};
use crate::store::read;
use crate::{Error, Store};

/// As far as a node's clock, which ids are made by, may be from the database's, which emails are accepted by.
const CLOCKS_APART: Duration = Duration::DAY;

impl Store {
    /// What a tenant has used in `period`, or in the present month by the database's clock. `None`: there is no such tenant.
    ///
    /// Emails are counted one by one, those of that month alone; requests as far as they are [written](Self::request_count_write).
    ///
    /// # Errors
    ///
    /// Where the database cannot.
    pub async fn tenant_usage(
        &self,
        _permit: &PlatformPermit<needs::All>,
        tenant_id: TenantId,
        period: Option<Month>,
    ) -> Result<Option<TenantUsage>, Error> {
        let tenant = tenant_id.as_uuid();
        let found = || tenants::table.find(tenant).filter(tenants::deleted_at.is_null()).select(now.into_sql::<Timestamptz>());
        let found: Option<OffsetDateTime> = read!(self, connection => found().first(connection).await.optional()).await?;
        let Some(at) = found else { return Ok(None) };
        let period = period.unwrap_or_else(|| Month::of(at));
        let (from, to) = (period.first_day().midnight().assume_utc(), period.next().first_day().midnight().assume_utc());
        let ids = emails::id.ge(least_id(from - CLOCKS_APART)).and(emails::id.lt(least_id(to + CLOCKS_APART)));
        let month = ids.and(emails::created_at.ge(from)).and(emails::created_at.lt(to));
        let emails = || {
            let live = emails::table.filter(emails::tenant_id.eq(tenant)).filter(emails::mode.eq(Mode::Live.as_str())).filter(month);
            live.group_by(emails::status).select((emails::status, count_star()))
        };
        let emails: Vec<(String, i64)> = read!(self, connection => emails().load(connection).await).await?;
        let requests = || usage_months::table.find((tenant, period.first_day())).select(usage_months::api_requests);
        let requests: Option<i64> = read!(self, connection => requests().first(connection).await.optional()).await?;
        let sum = |of: Option<EmailStatus>| {
            let counted = emails.iter().filter(|(status, _)| of.is_none_or(|of| of.as_str() == status)).map(|(_, count)| *count);
            count(counted.sum(), "emails")
        };
        Ok(Some(TenantUsage {
            tenant_id,
            period,
            emails_sent: sum(None)?,
            emails_delivered: sum(Some(EmailStatus::Delivered))?,
            emails_bounced: sum(Some(EmailStatus::Bounced))?,
            api_requests: count(requests.unwrap_or_default(), "usage_months")?,
        }))
    }
}

fn count(count: i64, table: &'static str) -> Result<u64, Error> {
    u64::try_from(count).or(Err(Error::Unreadable(table)))
}

/// The least id that can be made at a time: an id is a UUID of version 7, which begins with the milliseconds since 1970 (RFC 9562 section 5.7).
fn least_id(at: OffsetDateTime) -> Uuid {
    let millis = u128::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or_default();
    Uuid::from_u128(millis << 80)
}

#[cfg(test)]
mod tests {
    use selfmx_domain::EmailId;
    use selfmx_testing::{ManualClock, OsEntropy};
    use time::macros::datetime;

    use super::*;

    #[test]
    fn an_id_is_not_before_the_least_one_of_its_millisecond() {
        let at = datetime!(2026-02-28 23:59:59.999 UTC);
        let id = EmailId::generate(&ManualClock::new(at), &OsEntropy).as_uuid();
        assert!(least_id(at) <= id && id < least_id(at + Duration::MILLISECOND));
        assert_eq!(least_id(datetime!(1969-12-31 0:00 UTC)), Uuid::nil());
        assert_eq!(least_id(datetime!(0000-01-01 0:00 UTC)), Uuid::nil());
    }
}
