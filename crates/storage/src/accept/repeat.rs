//! Requests that are repeated: under which digest a key is kept, what was accepted under it, and that it is forgotten.

use std::collections::HashMap;

use aws_lc_rs::digest;
use diesel::QueryResult;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Binary, Nullable, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use selfmx_auth::System;
use selfmx_domain::{EmailId, Idempotency};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Acceptance, Accepted};
use crate::store::change;
use crate::{Error, Store};

/// Stands before everything, so that this hash is no other use's.
const DOMAIN: &[u8] = b"selfmx idempotency key\0";

/// What is locked was taken over just now, or another node is at it.
const FORGET: &str = "WITH old AS MATERIALIZED (SELECT tenant_id, digest FROM idempotency_keys \
WHERE created_at <= now() - interval '24 hours' ORDER BY created_at LIMIT $1 FOR UPDATE SKIP LOCKED) \
DELETE FROM idempotency_keys k USING old o WHERE k.tenant_id = o.tenant_id AND k.digest = o.digest";

/// As which a key is kept: with the mode, since what a test key sent goes nowhere and must not answer for a live one's.
pub(super) fn digest_of(acceptance: &Acceptance) -> Option<Vec<u8>> {
    digest_of_part(acceptance, acceptance.idempotency.as_ref()?.part)
}

/// As which the key of the request is kept, of whose emails this is one.
pub(super) fn whole_digest_of(acceptance: &Acceptance) -> Option<Vec<u8>> {
    digest_of_part(acceptance, Idempotency::WHOLE)
}

fn digest_of_part(acceptance: &Acceptance, part: u16) -> Option<Vec<u8>> {
    let key = &acceptance.idempotency.as_ref()?.key;
    let mut context = digest::Context::new(&digest::SHA256);
    for octets in [DOMAIN, acceptance.consented.mode().as_str().as_bytes(), b"\0", key.reveal().as_bytes()] {
        context.update(octets);
    }
    // The whole of a request is kept as one that is alone, so that the key is used up for both.
    if part != Idempotency::WHOLE {
        context.update(b"\0");
        context.update(&part.to_be_bytes());
    }
    Some(context.finish().as_ref().to_vec())
}

/// The tenants and digests of some keys.
#[derive(Default)]
pub(super) struct Look {
    tenants: Vec<Uuid>,
    digests: Vec<Vec<u8>>,
}

/// Tenant, digest, fingerprint, email, when it was accepted and for when.
pub(super) type Winner = (Uuid, Vec<u8>, Vec<u8>, Uuid, OffsetDateTime, Option<OffsetDateTime>);

impl Look {
    pub(super) fn of<'a>(acceptances: impl Iterator<Item = &'a Acceptance>) -> Self {
        let keyed = acceptances.filter_map(|asked| Some((asked.consented.tenant().as_uuid(), digest_of(asked)?)));
        let (tenants, digests) = keyed.unzip();
        Self { tenants, digests }
    }

    pub(super) fn push(&mut self, tenant: Uuid, digest: Vec<u8>) {
        self.tenants.push(tenant);
        self.digests.push(digest);
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.tenants.is_empty()
    }

    /// What is kept under the keys that are not too old.
    pub(super) async fn rows(&self, connection: &mut AsyncPgConnection) -> QueryResult<Vec<Winner>> {
        Found(self).get_results(connection).await
    }

    /// Gives the keys back, in the transaction that took them.
    pub(super) async fn free(&self, connection: &mut AsyncPgConnection) -> QueryResult<()> {
        Free(self).execute(connection).await.map(|_| ())
    }
}

impl QueryFragment<Pg> for Look {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("unnest(");
        out.push_bind_param::<Array<SqlUuid>, _>(&self.tenants)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Binary>, _>(&self.digests)?;
        out.push_sql(") AS l(tenant_id, digest)");
        Ok(())
    }
}

struct Found<'a>(&'a Look);

impl QueryId for Found<'_> {
    type QueryId = Found<'static>;

    const HAS_STATIC_QUERY_ID: bool = true;
}

impl QueryFragment<Pg> for Found<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("SELECT k.tenant_id, k.digest, k.fingerprint, k.email_id, k.created_at, k.scheduled_at FROM ");
        self.0.walk_ast(out.reborrow())?;
        out.push_sql(
            " JOIN idempotency_keys k ON k.tenant_id = l.tenant_id AND k.digest = l.digest WHERE k.created_at > now() - interval '24 hours'",
        );
        Ok(())
    }
}

impl Query for Found<'_> {
    type SqlType = (SqlUuid, Binary, Binary, SqlUuid, Timestamptz, Nullable<Timestamptz>);
}

impl<C> diesel::RunQueryDsl<C> for Found<'_> {}

struct Free<'a>(&'a Look);

impl QueryId for Free<'_> {
    type QueryId = Free<'static>;

    const HAS_STATIC_QUERY_ID: bool = true;
}

impl QueryFragment<Pg> for Free<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("DELETE FROM idempotency_keys k USING ");
        self.0.walk_ast(out.reborrow())?;
        out.push_sql(" WHERE k.tenant_id = l.tenant_id AND k.digest = l.digest");
        Ok(())
    }
}

impl<C> diesel::RunQueryDsl<C> for Free<'_> {}

/// What was accepted under some keys.
#[derive(Default)]
pub(super) struct Winners(HashMap<(Uuid, Vec<u8>), (Vec<u8>, Accepted)>);

impl Winners {
    pub(super) fn new(rows: Vec<Winner>) -> Self {
        let rows = rows.into_iter().map(|(tenant, digest, fingerprint, email, created_at, scheduled_at)| {
            ((tenant, digest), (fingerprint, Accepted { id: EmailId::from_uuid(email), created_at, scheduled_at, repeated: true }))
        });
        Self(rows.collect())
    }

    /// What is to be told of this email; `None`: nothing was accepted under its key.
    pub(super) fn of(&self, acceptance: &Acceptance) -> Option<Result<Accepted, Error>> {
        let wanted = acceptance.idempotency.as_ref()?.fingerprint.0;
        let (fingerprint, accepted) = self.0.get(&(acceptance.consented.tenant().as_uuid(), digest_of(acceptance)?))?;
        Some(if *fingerprint == wanted { Ok(*accepted) } else { Err(Error::IdempotencyConflict) })
    }
}

impl Store {
    /// Deletes up to `count` idempotency keys that are older than 24 hours, and tells how many it deleted.
    ///
    /// # Errors
    ///
    /// Where the database cannot.
    pub async fn idempotency_keys_forget(&self, _system: &System, count: u32) -> Result<usize, Error> {
        let delete = diesel::sql_query(FORGET).bind::<BigInt, _>(i64::from(count));
        change!(self, connection => delete.execute(connection).await).await
    }
}
