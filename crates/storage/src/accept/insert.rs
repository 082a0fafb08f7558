//! Emails as the arrays that the accepting statement takes, and which of its forms they need.

use diesel::QueryResult;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, QueryFragment};
use diesel::sql_types::{Array, Binary, Bool, Integer, Jsonb, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use selfmx_domain::{EventId, Priority};
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use super::repeat::{Look, digest_of};
use super::statement::{Row, Statement};
use super::{ACTIVE, Acceptance};
use crate::{Error, details};

/// Any number of emails, so that each form of the statement is prepared once.
#[derive(Default)]
pub(super) struct Insert<'a> {
    ids: Vec<Uuid>,
    tenants: Vec<Uuid>,
    keys: Vec<Uuid>,
    modes: Vec<&'static str>,
    priorities: Vec<i16>,
    smtputf8: Vec<bool>,
    from_names: Vec<Option<&'a str>>,
    from_addresses: Vec<String>,
    subjects: Vec<&'a str>,
    reply_to: Vec<Value>,
    tags: Vec<Value>,
    metadata: Vec<Value>,
    texts: Vec<Option<&'a str>>,
    htmls: Vec<Option<&'a str>>,
    messages: Vec<&'a [u8]>,
    events: Vec<Uuid>,
    scheduled: Vec<Option<OffsetDateTime>>,
    templates: Vec<Option<Uuid>>,
    template_versions: Vec<Option<i32>>,
    traces: Vec<Option<Uuid>>,
    /// Of idempotency keys.
    digests: Vec<Option<Vec<u8>>>,
    fingerprints: Vec<Option<&'a [u8]>>,
    recipients: RecipientRows<'a>,
    /// Whether one of the tenants had a daily quota when its key was recognised.
    limited: bool,
}

#[derive(Default)]
struct RecipientRows<'a> {
    emails: Vec<Uuid>,
    ordinals: Vec<i16>,
    tenants: Vec<Uuid>,
    kinds: Vec<&'static str>,
    names: Vec<Option<&'a str>>,
    addresses: Vec<String>,
    /// Of what happened to those that are suppressed.
    events: Vec<Uuid>,
}

impl<'a> Insert<'a> {
    pub(super) fn push(&mut self, acceptance: &'a Acceptance, event: impl Fn() -> EventId) -> Result<(), Error> {
        let Acceptance { id, consented, message, idempotency } = acceptance;
        let (tenant, draft) = (consented.tenant().as_uuid(), consented.draft());
        self.ids.push(id.as_uuid());
        self.tenants.push(tenant);
        self.keys.push(consented.key_id().as_uuid());
        self.modes.push(consented.mode().as_str());
        self.priorities.push(rank(draft.priority()));
        self.smtputf8.push(draft.needs_smtputf8());
        self.from_names.push(draft.from().name());
        self.from_addresses.push(draft.from().address().to_string());
        self.subjects.push(draft.subject().as_str());
        self.reply_to.push(details::mailboxes_to_json(draft.reply_to()));
        self.tags.push(details::tags_to_json(draft.tags()));
        self.metadata.push(details::metadata_to_json(draft.metadata()));
        self.texts.push(draft.body().text());
        self.htmls.push(draft.body().html());
        self.messages.push(message);
        self.events.push(event().as_uuid());
        self.scheduled.push(draft.scheduled_at());
        let template = consented.template();
        self.templates.push(template.map(|template| template.id.as_uuid()));
        let version = template.map(|template| i32::try_from(template.version)).transpose();
        self.template_versions.push(version.or(Err(Error::Unreadable("emails.template_version")))?);
        self.traces.push(consented.trace().map(|trace| trace.as_uuid()));
        self.digests.push(digest_of(acceptance));
        self.fingerprints.push(idempotency.as_ref().map(|idempotency| idempotency.fingerprint.0.as_slice()));
        self.limited |= consented.is_limited();
        for (ordinal, (kind, mailbox)) in draft.recipients().iter().enumerate() {
            self.recipients.emails.push(id.as_uuid());
            self.recipients.ordinals.push(i16::try_from(ordinal).or(Err(Error::Unreadable("recipients")))?);
            self.recipients.tenants.push(tenant);
            self.recipients.kinds.push(kind.as_str());
            self.recipients.names.push(mailbox.name());
            self.recipients.addresses.push(mailbox.address().to_string());
            self.recipients.events.push(event().as_uuid());
        }
        Ok(())
    }

    /// Writes them, in one commit, and tells what has become of each.
    pub(super) async fn write(&self, connection: &mut AsyncPgConnection) -> QueryResult<Vec<Row>> {
        let keyed = self.digests.iter().any(Option::is_some);
        if !self.limited {
            let rows: Vec<Row> = match keyed {
                false => Statement::<false, false>(self).get_results(connection).await?,
                true => Statement::<false, true>(self).get_results(connection).await?,
            };
            if !rows.iter().any(is_over) {
                return Ok(rows);
            }
        }
        match keyed {
            false => Statement::<true, false>(self).get_results(connection).await,
            true => connection.transaction(async |connection| self.write_counted_and_keyed(connection).await).await,
        }
    }

    /// Whether a key is anybody's else has to be known before an email is counted, and whether the quota suffices after it. So the keys of those for which
    /// it does not are given back, before anybody sees them.
    async fn write_counted_and_keyed(&self, connection: &mut AsyncPgConnection) -> QueryResult<Vec<Row>> {
        let rows: Vec<Row> = Statement::<true, true>(self).get_results(connection).await?;
        let mut unused = Look::default();
        for ((row, tenant), digest) in rows.iter().zip(&self.tenants).zip(&self.digests) {
            if let Some(digest) = digest.as_ref().filter(|_| is_over(row)) {
                unused.push(*tenant, digest.clone());
            }
        }
        if !unused.is_empty() {
            unused.free(connection).await?;
        }
        Ok(rows)
    }
}

/// Whether an email was not accepted though its tenant may send, its time is right and its key is free: it goes beyond the quota, or, where none was counted, its tenant or
/// another of the statement's has a quota since its key was recognised.
fn is_over(row: &Row) -> bool {
    row.created_at.is_none() && row.status.as_deref() == Some(ACTIVE) && row.untimely.is_none() && !row.lost
}

/// The order in the queue, as the table has it.
const fn rank(priority: Priority) -> i16 {
    match priority {
        Priority::High => 0,
        Priority::Normal => 1,
        Priority::Low => 2,
    }
}

impl Insert<'_> {
    pub(super) fn walk_tenants<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_bind_param::<Array<SqlUuid>, _>(&self.tenants)
    }

    pub(super) fn walk_emails<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_bind_param::<Array<SqlUuid>, _>(&self.ids)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<SqlUuid>, _>(&self.tenants)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<SqlUuid>, _>(&self.keys)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Text>, _>(&self.modes)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<SmallInt>, _>(&self.priorities)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Bool>, _>(&self.smtputf8)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Nullable<Text>>, _>(&self.from_names)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Text>, _>(&self.from_addresses)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Text>, _>(&self.subjects)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Jsonb>, _>(&self.reply_to)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Jsonb>, _>(&self.tags)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Jsonb>, _>(&self.metadata)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<SqlUuid>, _>(&self.events)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Nullable<Timestamptz>>, _>(&self.scheduled)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Nullable<SqlUuid>>, _>(&self.templates)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Nullable<Integer>>, _>(&self.template_versions)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Nullable<SqlUuid>>, _>(&self.traces)
    }

    pub(super) fn walk_keys<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_bind_param::<Array<Nullable<Binary>>, _>(&self.digests)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Nullable<Binary>>, _>(&self.fingerprints)
    }

    pub(super) fn walk_messages<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_bind_param::<Array<SqlUuid>, _>(&self.ids)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Nullable<Text>>, _>(&self.texts)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Nullable<Text>>, _>(&self.htmls)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Binary>, _>(&self.messages)
    }

    pub(super) fn walk_recipients<'b>(&'b self, out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.recipients.walk_ast(out)
    }
}

impl QueryFragment<Pg> for RecipientRows<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_bind_param::<Array<SqlUuid>, _>(&self.emails)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<SmallInt>, _>(&self.ordinals)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<SqlUuid>, _>(&self.tenants)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Text>, _>(&self.kinds)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Nullable<Text>>, _>(&self.names)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Text>, _>(&self.addresses)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<SqlUuid>, _>(&self.events)
    }
}
