//! Which mail a report is about: by our own `Message-ID`, or by the recipient and the time.

use diesel::sql_types::{Array, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{OptionalExtension, QueryResult, QueryableByName};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use selfmx_auth::{Permit, Reach, needs};
use selfmx_domain::{FeedbackKind, FeedbackReport, ReportedRecipient, TenantId};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::audit_list::{CLOCKS_APART, first_id};

/// As long as a relay goes on trying (RFC 5321 section 4.5.4.1), after which it gives the mail back.
const RELAY_TRIES: Duration = Duration::days(5);

/// As far as another machine's clock may be from the database's.
const THEIR_CLOCK: Duration = Duration::minutes(10);

/// No mail is handed over later than this after it got its id: it may be scheduled for a month ahead, and tried for a few days.
const LONGEST_WAIT: Duration = Duration::days(40);

/// The tenant of the email with this id, where it is one that counts; the email's key has the tenant first, the recipients' the email.
const BY_ID: &str = "SELECT r.email_id, r.tenant_id, NULL::smallint AS ordinal FROM recipients r JOIN tenants t ON t.id = r.tenant_id AND t.deleted_at IS NULL \
WHERE r.email_id = $1 AND ($2::uuid IS NULL OR r.tenant_id = $2) LIMIT 1";

/// The last email that was delivered to one of these addresses within the time. Each tenant's newest to each are read from the index that has the tenant and the
/// address first, in its order: it costs one look for each, however much mail an address has got.
const BY_RECIPIENT: &str = "SELECT f.email_id, t.id AS tenant_id, f.ordinal FROM tenants t CROSS JOIN unnest($1) AS s(address) \
CROSS JOIN LATERAL (SELECT r.email_id, r.ordinal, \
(SELECT max(v.at) FROM events v WHERE v.email_id = r.email_id AND v.ordinal = r.ordinal AND v.kind = 'delivered') AS at \
FROM recipients r WHERE r.tenant_id = t.id AND r.address = s.address AND r.email_id >= $2 AND r.email_id < $3 \
AND (SELECT m.mode FROM emails m WHERE m.tenant_id = r.tenant_id AND m.id = r.email_id) = $4 ORDER BY r.email_id DESC LIMIT 100) AS f \
WHERE t.deleted_at IS NULL AND ($5::uuid IS NULL OR t.id = $5) AND f.at >= $6 AND f.at <= $7 ORDER BY f.at DESC, f.email_id DESC LIMIT 1";

/// An email, and which of its recipients where that is how it was found.
#[derive(Clone, Copy, QueryableByName)]
pub(super) struct Found {
    #[diesel(sql_type = SqlUuid, column_name = email_id)]
    pub(super) email: Uuid,
    #[diesel(sql_type = SqlUuid, column_name = tenant_id)]
    pub(super) tenant: Uuid,
    #[diesel(sql_type = Nullable<SmallInt>)]
    pub(super) ordinal: Option<i16>,
}

/// For each recipient that the report is about, its email. One that it names by our `Message-ID` is that one or none.
pub(super) async fn find(
    connection: &mut AsyncPgConnection,
    permit: &Permit<needs::All>,
    report: &FeedbackReport,
    reported: &[ReportedRecipient],
    now: OffsetDateTime,
) -> QueryResult<Vec<Option<Found>>> {
    if report.kind == FeedbackKind::Ignored {
        return Ok(vec![None; reported.len()]);
    }
    let tenant = within(permit.reach());
    if let Some(email) = report.email {
        let query = diesel::sql_query(BY_ID).bind::<SqlUuid, _>(email.as_uuid()).bind::<Nullable<SqlUuid>, _>(tenant);
        let found: Option<Found> = query.get_result(connection).await.optional()?;
        return Ok(vec![found; reported.len()]);
    }
    let until = report.at.unwrap_or(now).clamp(OffsetDateTime::UNIX_EPOCH, now) + THEIR_CLOCK;
    let since = until - THEIR_CLOCK - RELAY_TRIES;
    let mut found = Vec::with_capacity(reported.len());
    for recipient in reported {
        let mut spellings: Vec<_> = recipient.addresses.iter().map(ToString::to_string).collect();
        spellings.extend(recipient.addresses.iter().map(selfmx_domain::folded));
        spellings.sort_unstable();
        spellings.dedup();
        let query = diesel::sql_query(BY_RECIPIENT)
            .bind::<Array<Text>, _>(spellings)
            .bind::<SqlUuid, _>(first_id(since - LONGEST_WAIT - CLOCKS_APART))
            .bind::<SqlUuid, _>(first_id(until + CLOCKS_APART))
            .bind::<Text, _>(permit.mode().as_str())
            .bind::<Nullable<SqlUuid>, _>(tenant)
            .bind::<Timestamptz, _>(since)
            .bind::<Timestamptz, _>(until);
        found.push(query.get_result(connection).await.optional()?);
    }
    Ok(found)
}

/// The one tenant whose mail is looked at; `None`: everybody's.
fn within(reach: Reach) -> Option<Uuid> {
    match reach {
        Reach::Everything => None,
        Reach::Platform => Some(TenantId::DEFAULT.as_uuid()),
        Reach::Tenant(tenant) => Some(tenant.as_uuid()),
    }
}
