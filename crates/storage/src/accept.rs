//! Accepting an email: all of it in one statement, which is one commit.

use diesel::QueryResult;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, Binary, Bool, Jsonb, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use selfmx_auth::Consented;
use selfmx_domain::{EmailId, EventId, Priority};
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::details;
use crate::store::change;
use crate::{Error, Store};

/// An email to accept: what was asked for and the message that was composed of it.
#[derive(Debug)]
pub struct Acceptance {
    /// Its id, which the message names.
    pub id: EmailId,
    /// What was asked for, and that its key may send it.
    pub consented: Consented,
    /// The RFC 5322 message, as it will be handed to the relay.
    pub message: Vec<u8>,
}

/// An email that was accepted: it survives whatever happens from now on.
#[derive(Clone, Copy, Debug)]
pub struct Accepted {
    /// Its id.
    pub id: EmailId,
    /// When, by the database's clock.
    pub created_at: OffsetDateTime,
}

impl Store {
    /// Accepts an email: its row, its message, its recipients, its work and its first event are committed together before this returns.
    ///
    /// # Errors
    ///
    /// Where the database cannot. Then nothing was accepted, unless the connection broke during the commit: that is not known to anybody.
    pub async fn email_accept(&self, acceptance: Acceptance) -> Result<Accepted, Error> {
        let mut insert = Insert::default();
        let event = EventId::generate(&*self.clock, &*self.entropy);
        insert.push(acceptance, event)?;
        // All rows are fetched: an error while committing comes after the last of them.
        let rows: Vec<(Uuid, OffsetDateTime)> = change!(self, connection => insert.get_results(connection).await).await?;
        let (id, created_at) = rows.into_iter().next().ok_or(Error::Unreadable("emails"))?;
        self.wake.accepted();
        Ok(Accepted { id: EmailId::from_uuid(id), created_at })
    }
}

/// One statement for any number of emails, so that it is prepared once.
#[derive(Default, QueryId)]
struct Insert {
    ids: Vec<Uuid>,
    tenants: Vec<Uuid>,
    keys: Vec<Uuid>,
    modes: Vec<&'static str>,
    priorities: Vec<i16>,
    smtputf8: Vec<bool>,
    from_names: Vec<Option<String>>,
    from_addresses: Vec<String>,
    subjects: Vec<String>,
    reply_to: Vec<Value>,
    tags: Vec<Value>,
    metadata: Vec<Value>,
    texts: Vec<Option<String>>,
    htmls: Vec<Option<String>>,
    messages: Vec<Vec<u8>>,
    events: Vec<Uuid>,
    recipients: RecipientRows,
}

#[derive(Default, QueryId)]
struct RecipientRows {
    emails: Vec<Uuid>,
    ordinals: Vec<i16>,
    tenants: Vec<Uuid>,
    kinds: Vec<&'static str>,
    names: Vec<Option<String>>,
    addresses: Vec<String>,
}

impl Insert {
    fn push(&mut self, acceptance: Acceptance, event: EventId) -> Result<(), Error> {
        let Acceptance { id, consented, message } = acceptance;
        let (tenant, draft) = (consented.tenant().as_uuid(), consented.draft());
        self.ids.push(id.as_uuid());
        self.tenants.push(tenant);
        self.keys.push(consented.key_id().as_uuid());
        self.modes.push(consented.mode().as_str());
        self.priorities.push(rank(draft.priority()));
        self.smtputf8.push(draft.needs_smtputf8());
        self.from_names.push(draft.from().name().map(str::to_owned));
        self.from_addresses.push(draft.from().address().to_string());
        self.subjects.push(draft.subject().as_str().to_owned());
        self.reply_to.push(details::mailboxes_to_json(draft.reply_to()));
        self.tags.push(details::tags_to_json(draft.tags()));
        self.metadata.push(details::metadata_to_json(draft.metadata()));
        self.texts.push(draft.body().text().map(str::to_owned));
        self.htmls.push(draft.body().html().map(str::to_owned));
        self.messages.push(message);
        self.events.push(event.as_uuid());
        for (ordinal, (kind, mailbox)) in draft.recipients().iter().enumerate() {
            self.recipients.emails.push(id.as_uuid());
            self.recipients.ordinals.push(i16::try_from(ordinal).or(Err(Error::Unreadable("recipients")))?);
            self.recipients.tenants.push(tenant);
            self.recipients.kinds.push(kind.as_str());
            self.recipients.names.push(mailbox.name().map(str::to_owned));
            self.recipients.addresses.push(mailbox.address().to_string());
        }
        Ok(())
    }
}

/// The order in the queue, as the table has it.
const fn rank(priority: Priority) -> i16 {
    match priority {
        Priority::High => 0,
        Priority::Normal => 1,
        Priority::Low => 2,
    }
}

impl QueryFragment<Pg> for Insert {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("WITH input AS (SELECT * FROM unnest(");
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
        out.push_sql(INPUT);
        out.push_bind_param::<Array<SqlUuid>, _>(&self.ids)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Nullable<Text>>, _>(&self.texts)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Nullable<Text>>, _>(&self.htmls)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Binary>, _>(&self.messages)?;
        out.push_sql(")), told AS (INSERT INTO recipients (email_id, ordinal, tenant_id, kind, name, address) SELECT * FROM unnest(");
        self.recipients.walk_ast(out.reborrow())?;
        out.push_sql(")) SELECT id, created_at FROM accepted");
        Ok(())
    }
}

/// From the first list of columns to the second.
const INPUT: &str = ") AS t(id, tenant_id, api_key_id, mode, priority, smtputf8, from_name, from_address, subject, reply_to, tags, metadata, event_id)), \
accepted AS (INSERT INTO emails (id, tenant_id, api_key_id, mode, priority, smtputf8, from_name, from_address, subject, reply_to, tags, metadata) \
SELECT id, tenant_id, api_key_id, mode, priority, smtputf8, from_name, from_address, subject, reply_to, tags, metadata FROM input RETURNING id, created_at), \
work AS (INSERT INTO queue (email_id, tenant_id, priority) SELECT id, tenant_id, priority FROM input), \
happened AS (INSERT INTO events (email_id, id, tenant_id, kind, attempt) SELECT id, event_id, tenant_id, 'queued', 0 FROM input), \
said AS (INSERT INTO messages (email_id, text, html, raw) SELECT * FROM unnest(";

impl QueryFragment<Pg> for RecipientRows {
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
        out.push_bind_param::<Array<Text>, _>(&self.addresses)
    }
}

impl Query for Insert {
    type SqlType = (SqlUuid, Timestamptz);
}

impl<C> diesel::RunQueryDsl<C> for Insert {}
