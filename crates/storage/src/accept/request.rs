//! Requests for several emails: their idempotency key is the request's before it is any email's, so that another request under it gets nothing accepted.

use diesel::QueryResult;
use diesel::sql_types::{Binary, Uuid as SqlUuid};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::insert::Insert;
use super::repeat::whole_digest_of;
use super::statement::Row;
use super::{Acceptance, Error, Store};
use crate::store::change;

/// Whoever finds the key being taken waits for that commit. It is taken before those of the request's emails, which nobody else takes, and before quotas are
/// counted, so that no two requests wait for each other. What is accepted under it later, where the request is repeated, has its own 24 hours.
const TAKE: &str = "INSERT INTO idempotency_keys AS k (tenant_id, digest, fingerprint, email_id) VALUES ($1, $2, $3, $4) \
ON CONFLICT (tenant_id, digest) DO UPDATE SET fingerprint = excluded.fingerprint, email_id = excluded.email_id, created_at = excluded.created_at \
WHERE k.fingerprint = excluded.fingerprint OR k.created_at <= now() - interval '24 hours'";

/// The idempotency key of a request for several emails.
pub(super) struct Request {
    tenant: Uuid,
    digest: Vec<u8>,
    fingerprint: [u8; 32],
    /// One of its emails.
    email: Uuid,
}

impl Request {
    /// The request whose emails these are; `None`: it has no key, or each of them is a request by itself.
    pub(super) fn of<'a>(mut acceptances: impl Iterator<Item = &'a Acceptance>) -> Option<Self> {
        acceptances.find_map(|acceptance| {
            let idempotency = acceptance.idempotency.as_ref().filter(|idempotency| idempotency.part > 0)?;
            Some(Self {
                tenant: acceptance.consented.tenant().as_uuid(),
                digest: whole_digest_of(acceptance)?,
                fingerprint: idempotency.fingerprint.0,
                email: acceptance.id.as_uuid(),
            })
        })
    }

    /// Takes the key, unless it is another request's.
    async fn take(&self, connection: &mut AsyncPgConnection) -> QueryResult<bool> {
        let take = diesel::sql_query(TAKE)
            .bind::<SqlUuid, _>(self.tenant)
            .bind::<Binary, _>(self.digest.as_slice())
            .bind::<Binary, _>(self.fingerprint.as_slice())
            .bind::<SqlUuid, _>(self.email);
        take.execute(connection).await.map(|rows| rows == 1)
    }
}

impl Store {
    /// Writes a request's emails in one commit where `suffices` says so of what would be written, else nothing; and tells what was or would have been.
    pub(super) async fn write_request(
        &self,
        request: Option<&Request>,
        insert: &Insert<'_>,
        suffices: fn(&[Row]) -> bool,
    ) -> Result<Vec<Row>, Error> {
        let mut undone = None;
        let written: Result<Vec<Row>, Error> = change!(self, connection => {
            let write = connection.transaction(async |connection| {
                if let Some(request) = request
                    && !request.take(connection).await?
                {
                    return Err(diesel::result::Error::RollbackTransaction);
                }
                let rows = insert.write(connection).await?;
                if suffices(&rows) {
                    return Ok(rows);
                }
                undone = Some(rows);
                Err(diesel::result::Error::RollbackTransaction)
            });
            write.await
        })
        .await;
        match written {
            Err(Error::Database(diesel::result::Error::RollbackTransaction)) => undone.ok_or(Error::IdempotencyConflict),
            written => written,
        }
    }
}
