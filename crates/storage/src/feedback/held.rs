//! The emails that a report is about, under a lock.

use std::collections::{BTreeMap, BTreeSet};

use diesel::{ExpressionMethods, QueryDsl, SelectableHelper};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use selfmx_auth::{Permit, needs};
use selfmx_domain::{Address, EmailId, FeedbackKind, Mode, RecipientState, ReportedRecipient, TenantId, folded};
use uuid::Uuid;

use super::matching::Found;
use crate::Error;
use crate::email_rows::RecipientRow;
use crate::schema::{emails, events, messages, queue, recipients};

/// An email of which nobody else changes anything until the transaction ends.
pub(super) struct Held {
    pub(super) id: EmailId,
    pub(super) tenant: TenantId,
    /// Whether something is left to do.
    pub(super) waits: bool,
    /// Whether an attempt has a lease on it, or had one whose outcome nobody knows.
    pub(super) leased: bool,
    /// Whether its events are kept no longer.
    pub(super) purged: bool,
    /// Of whose mail somebody has complained; without an ordinal of the whole.
    pub(super) complained: BTreeSet<Option<i16>>,
    pub(super) recipients: BTreeMap<i16, (Address, RecipientState)>,
}

/// Which recipients of an email something happened to.
#[derive(Clone, Copy)]
pub(super) enum Whom {
    /// This one.
    One(i16),
    /// One of them, and nobody says which.
    Somebody,
    /// None of them.
    Nobody,
}

impl Whom {
    pub(super) const fn ordinal(self) -> Option<i16> {
        match self {
            Self::One(ordinal) => Some(ordinal),
            Self::Somebody | Self::Nobody => None,
        }
    }
}

impl Held {
    /// Whom the report means. Where it hides that and there is but one, it is that one, and whoever complains has the mail by whatever way. Mail to another
    /// address that came back was sent on by somebody: that says nothing of the address that it was sent to.
    pub(super) fn whom(&self, kind: FeedbackKind, found: &Found, reported: &ReportedRecipient) -> Whom {
        let meant: Vec<_> = reported.addresses.iter().map(folded).collect();
        let named = || self.recipients.iter().find(|(_, (address, _))| meant.contains(&folded(address)));
        if let Some(ordinal) = found.ordinal.or_else(|| named().map(|(ordinal, _)| *ordinal)) {
            return Whom::One(ordinal);
        }
        let complaint = matches!(kind, FeedbackKind::Complaint(_));
        let mut all = self.recipients.keys();
        match (all.next(), all.next()) {
            (Some(only), None) if complaint || meant.is_empty() => Whom::One(*only),
            _ if complaint => Whom::Somebody,
            _ => Whom::Nobody,
        }
    }

    pub(super) fn address(&self, ordinal: Option<i16>) -> Option<Address> {
        self.recipients.get(&ordinal?).map(|(address, _)| address.clone())
    }

    /// What has become of one recipient; of one that there is not, nothing that could change.
    pub(super) fn state(&self, ordinal: i16) -> RecipientState {
        self.recipients.get(&ordinal).map_or(RecipientState::Suppressed, |(_, state)| state.clone())
    }
}

/// Locks the emails: the rows of the queue before all others and in the order of their ids, as whoever settles does, and only then looks at the rest. Those
/// that the key could not have sent are left out.
pub(super) async fn hold(
    connection: &mut AsyncPgConnection,
    permit: &Permit<needs::All>,
    found: &[Option<Found>],
) -> Result<BTreeMap<Uuid, Held>, Error> {
    let found: BTreeMap<Uuid, Uuid> = found.iter().flatten().map(|found| (found.email, found.tenant)).collect();
    if found.is_empty() {
        return Ok(BTreeMap::new());
    }
    let ids: Vec<_> = found.keys().copied().collect();
    let waiting = queue::table.filter(queue::email_id.eq_any(&ids)).order(queue::email_id);
    let waiting: BTreeMap<Uuid, Option<Uuid>> =
        waiting.select((queue::email_id, queue::lease_token)).for_update().load(connection).await?.into_iter().collect();
    let theirs = emails::table.filter(emails::tenant_id.eq_any(found.values())).filter(emails::id.eq_any(&ids)).order(emails::id);
    let rows: Vec<(Uuid, Uuid, String, String)> =
        theirs.select((emails::id, emails::tenant_id, emails::mode, emails::from_address)).for_update().load(connection).await?;
    let mut held = BTreeMap::new();
    for (id, tenant, mode, from) in rows {
        let mode: Mode = mode.parse().or(Err(Error::Unreadable("emails.mode")))?;
        let from: Address = from.parse().or(Err(Error::Unreadable("emails.from_address")))?;
        let lease = waiting.get(&id).copied();
        let email = Held {
            id: EmailId::from_uuid(id),
            tenant: TenantId::from_uuid(tenant),
            waits: lease.is_some(),
            leased: lease.flatten().is_some(),
            purged: true,
            complained: BTreeSet::new(),
            recipients: BTreeMap::new(),
        };
        if permit.could_send(&from, mode) {
            held.insert(id, email);
        }
    }
    read(connection, &ids, &mut held).await?;
    Ok(held)
}

/// What there is of the emails beside their rows.
async fn read(connection: &mut AsyncPgConnection, ids: &[Uuid], held: &mut BTreeMap<Uuid, Held>) -> Result<(), Error> {
    let told = recipients::table.filter(recipients::email_id.eq_any(ids)).select(RecipientRow::as_select());
    let told: Vec<RecipientRow> = told.load(connection).await?;
    for row in told {
        let (email, ordinal) = (row.email_id, row.ordinal);
        let record = row.into_record()?;
        if let Some(held) = held.get_mut(&email) {
            held.recipients.insert(ordinal, (record.address, record.state));
        }
    }
    let kept = messages::table.filter(messages::email_id.eq_any(ids)).select(messages::email_id);
    let kept: Vec<Uuid> = kept.load(connection).await?;
    let happened = events::table.filter(events::email_id.eq_any(ids)).filter(events::kind.eq("complained"));
    let happened: Vec<(Uuid, Option<i16>)> = happened.select((events::email_id, events::ordinal)).load(connection).await?;
    for (id, held) in held.iter_mut() {
        held.purged = !kept.contains(id);
        held.complained.extend(happened.iter().filter(|(email, _)| email == id).map(|(_, ordinal)| *ordinal));
    }
    Ok(())
}
