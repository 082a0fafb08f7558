//! What is to be written of a report.

use std::collections::BTreeMap;

use diesel::dsl::sql;
use diesel::sql_types::Timestamptz;
use diesel::{ExpressionMethods, Insertable, QueryDsl, QueryResult};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use selfmx_domain::{
    Address, BounceType, EmailId, EmailStatus, EventId, EventKind, FeedbackType, RecipientState, Reply, SuppressionId, SuppressionReason,
    TenantId, folded,
};
use time::OffsetDateTime;
use uuid::Uuid;

use super::held::Held;
use crate::Store;
use crate::schema::{emails, events, queue, recipients, suppressions};
use crate::settle::storable;

/// A suppression by whose it is and the address in its folded form.
pub(super) type Key = (Uuid, String);

/// What is to be written of a report, with all that is in it.
#[derive(Default)]
pub(super) struct Notes {
    /// What happened to whom, one for each that was recorded.
    pub(super) told: Vec<Note>,
    returned: Vec<(Uuid, i16, &'static str, Reply)>,
    emails: BTreeMap<Uuid, (Uuid, EmailStatus, bool)>,
    events: Vec<EventRow>,
    /// In the order of their keys, in which whoever settles puts his there as well.
    suppressions: BTreeMap<Key, SuppressionRow>,
}

/// What happened to whom.
pub(super) struct Note {
    pub(super) tenant: TenantId,
    pub(super) email: EmailId,
    pub(super) address: Option<Address>,
}

#[derive(Insertable)]
#[diesel(table_name = events, check_for_backend(diesel::pg::Pg))]
struct EventRow {
    email_id: Uuid,
    id: Uuid,
    tenant_id: Uuid,
    kind: &'static str,
    ordinal: Option<i16>,
    attempt: i32,
    response: Option<String>,
}

#[derive(Insertable)]
#[diesel(table_name = suppressions, check_for_backend(diesel::pg::Pg))]
struct SuppressionRow {
    tenant_id: Uuid,
    id: Uuid,
    address: String,
    folded: String,
    reason: &'static str,
    email_id: Uuid,
    response: Option<String>,
}

impl Note {
    pub(super) fn folded(&self) -> Key {
        (self.tenant.as_uuid(), self.address.as_ref().map(folded).unwrap_or_default())
    }
}

impl Notes {
    /// Somebody complains: whoever that is gets no more mail.
    pub(super) fn complaint(&mut self, store: &Store, held: &Held, ordinal: Option<i16>, feedback: FeedbackType) {
        if !held.purged {
            self.event(store, held, ordinal, (EventKind::Complained, feedback.as_str().to_owned()));
        }
        self.tell(held, ordinal);
        self.suppress(store, held, ordinal, (SuppressionReason::Complaint, None));
    }

    /// Mail came back, so that the recipient has this state.
    pub(super) fn bounce(&mut self, store: &Store, held: &mut Held, ordinal: i16, state: RecipientState) {
        let RecipientState::Bounced { bounce, reply, .. } = &state else { return };
        let (bounce, reply) = (*bounce, reply.clone());
        let response = storable(&reply.to_string());
        if let Some((_, known)) = held.recipients.get_mut(&ordinal) {
            *known = state;
        }
        self.event(store, held, Some(ordinal), (EventKind::Bounced, response.clone()));
        self.tell(held, Some(ordinal));
        if bounce == BounceType::Hard {
            self.suppress(store, held, Some(ordinal), (SuppressionReason::Bounce, Some(response)));
        }
        self.returned.push((held.id.as_uuid(), ordinal, bounce.as_str(), reply));
        let status = EmailStatus::of(held.recipients.values().map(|(_, state)| state));
        self.emails.insert(held.id.as_uuid(), (held.tenant.as_uuid(), status, held.waits));
    }

    fn event(&mut self, store: &Store, held: &Held, ordinal: Option<i16>, (kind, response): (EventKind, String)) {
        let attempts = ordinal.map_or_else(
            || held.recipients.values().map(|(_, state)| state.attempts()).max().unwrap_or(0),
            |ordinal| held.state(ordinal).attempts(),
        );
        self.events.push(EventRow {
            email_id: held.id.as_uuid(),
            id: EventId::generate(&*store.clock, &*store.entropy).as_uuid(),
            tenant_id: held.tenant.as_uuid(),
            kind: kind.as_str(),
            ordinal,
            attempt: i32::try_from(attempts).unwrap_or(i32::MAX),
            response: Some(response),
        });
    }

    fn tell(&mut self, held: &Held, ordinal: Option<i16>) {
        self.told.push(Note { tenant: held.tenant, email: held.id, address: held.address(ordinal) });
    }

    fn suppress(&mut self, store: &Store, held: &Held, ordinal: Option<i16>, (reason, response): (SuppressionReason, Option<String>)) {
        let Some(address) = held.address(ordinal) else { return };
        let row = SuppressionRow {
            tenant_id: held.tenant.as_uuid(),
            id: SuppressionId::generate(&*store.clock, &*store.entropy).as_uuid(),
            address: address.to_string(),
            folded: folded(&address),
            reason: reason.as_str(),
            email_id: held.id.as_uuid(),
            response,
        };
        self.suppressions.entry((row.tenant_id, row.folded.clone())).or_insert(row);
    }

    /// Writes all of it, and tells which addresses were not on the lists before.
    pub(super) async fn write(&mut self, connection: &mut AsyncPgConnection) -> QueryResult<Vec<Key>> {
        for (email, ordinal, bounce, reply) in &self.returned {
            let enhanced = reply.enhanced().map(|enhanced| enhanced.to_string());
            let said = (
                recipients::reply_code.eq(i16::try_from(reply.code()).unwrap_or(i16::MAX)),
                recipients::reply_enhanced.eq(enhanced),
                recipients::reply_text.eq(storable(reply.text())),
            );
            let row = diesel::update(recipients::table.find((*email, *ordinal)));
            row.set((recipients::status.eq("bounced"), recipients::bounce_type.eq(*bounce), said)).execute(connection).await?;
        }
        for (email, (tenant, status, waits)) in &self.emails {
            close(connection, (*tenant, *email), *status, *waits).await?;
        }
        diesel::insert_into(events::table).values(std::mem::take(&mut self.events)).execute(connection).await?;
        let rows: Vec<_> = std::mem::take(&mut self.suppressions).into_values().collect();
        let insert = diesel::insert_into(suppressions::table).values(rows).on_conflict_do_nothing();
        insert.returning((suppressions::tenant_id, suppressions::folded)).get_results(connection).await
    }
}

/// The email's status follows from its recipients. While somebody waits it is queued, and nobody takes it up who began to look before this is written: what he
/// saw of the recipients would be out of date.
async fn close(connection: &mut AsyncPgConnection, key: (Uuid, Uuid), status: EmailStatus, waits: bool) -> QueryResult<()> {
    if waits {
        let later = sql::<Timestamptz>("greatest(due_at, clock_timestamp() + interval '1 second')");
        diesel::update(queue::table.find(key.1)).set(queue::due_at.eq(later)).execute(connection).await?;
        return Ok(());
    }
    let none: Option<OffsetDateTime> = None;
    let email = diesel::update(emails::table.find(key));
    email.set((emails::status.eq(status.as_str()), emails::delivered_at.eq(none))).execute(connection).await?;
    Ok(())
}
