//! Feedback: mail that came back after a relay had taken it, and complaints, recorded with all that follows from them in one commit.

mod held;
mod matching;
mod notes;

use std::collections::BTreeMap;

use diesel_async::{AsyncConnection, AsyncPgConnection};
use selfmx_auth::{Permit, needs};
use selfmx_domain::{
    AuditAction, EventKind, FeedbackKind, FeedbackOutcome, FeedbackReport, FeedbackResult, FeedbackType, Reply, ReportedRecipient,
    Unchangeable,
};
use serde_json::json;

use self::held::{Held, Whom};
use self::matching::Found;
use self::notes::Notes;
use crate::audit::Entry;
use crate::keys::hold;
use crate::store::change;
use crate::{Error, Store};

impl Store {
    /// Records a report: for each recipient that it is about the event, what becomes of the recipient and its email, and the suppression. Which mail that is
    /// is looked for in what the permit reaches: a tenant's own, or everybody's for the platform. Of mail that another key could not have sent, a test key's or
    /// one's with bounds, nothing is said.
    ///
    /// What was recorded before is not recorded again. A bounce of what no relay has is ignored.
    ///
    /// # Errors
    ///
    /// [`Error::Unchangeable`] where mail that came back is in a worker's hands at this moment: the same call succeeds once it is not. [`Error::Denied`] where
    /// the permit's key may not do that any more; otherwise where the database cannot. Nothing was recorded then.
    pub async fn feedback_record(&self, permit: &Permit<needs::All>, report: &FeedbackReport) -> Result<Vec<FeedbackResult>, Error> {
        let record = async |connection: &mut AsyncPgConnection| {
            let key = hold(connection, permit.key_id(), None).await?;
            let permit = permit.renewed(key.maker.as_ref(), key.at)?;
            let reported = reported(report);
            let found = matching::find(connection, &permit, report, &reported, key.at).await?;
            let mut emails = held::hold(connection, &permit, &found).await?;
            let mut notes = Notes::default();
            let mut results = Vec::with_capacity(reported.len());
            for (recipient, found) in reported.iter().zip(found) {
                results.push(self.noted(report.kind, recipient, found, &mut emails, &mut notes)?);
            }
            let fresh = notes.write(connection).await?;
            for (result, note) in results.iter_mut().filter(|result| result.outcome == FeedbackOutcome::Recorded).zip(&notes.told) {
                // Of mail whose events are kept no longer, only the suppression can tell whether this was known.
                if result.event.is_none() && !fresh.contains(&note.folded()) {
                    result.outcome = FeedbackOutcome::AlreadyRecorded;
                    continue;
                }
                let after = Some(json!({"type": report.kind.as_str(), "recipient": note.address.as_ref().map(ToString::to_string)}));
                let (tenant, target) = (Some(note.tenant), Some(note.email.to_string()));
                self.audit(connection, AuditAction::FeedbackReport, Entry { tenant, target, after, ..Entry::by(&permit) }).await?;
            }
            let tenants: Vec<_> = notes.told.iter().map(|note| note.tenant.as_uuid()).collect();
            Ok::<_, Error>((results, tenants))
        };
        let (results, tenants) = change!(self, connection => connection.transaction(record).await).await?;
        self.webhook_wake.happened(tenants.into_iter());
        for result in results.iter().filter(|result| result.outcome == FeedbackOutcome::Recorded) {
            match report.kind {
                FeedbackKind::Complaint(_) => self.email_counts.complained.increment(),
                FeedbackKind::Bounce => self.email_counts.returned.increment(),
                FeedbackKind::Ignored => {}
            }
            tracing::debug!(email_id = ?result.email, kind = report.kind.as_str(), "feedback is recorded");
        }
        Ok(results)
    }

    /// What comes of a report for one recipient; whatever is to be written is added to the notes.
    fn noted(
        &self,
        kind: FeedbackKind,
        reported: &ReportedRecipient,
        found: Option<Found>,
        emails: &mut BTreeMap<uuid::Uuid, Held>,
        notes: &mut Notes,
    ) -> Result<FeedbackResult, Error> {
        let absent = |outcome| FeedbackResult { recipient: reported.addresses.first().cloned(), email: None, event: None, outcome };
        let nothing = match kind {
            FeedbackKind::Complaint(_) => false,
            FeedbackKind::Bounce => reported.bounce.is_none(),
            FeedbackKind::Ignored => true,
        };
        if nothing {
            return Ok(absent(FeedbackOutcome::Ignored));
        }
        let Some(held) = found.as_ref().and_then(|found| emails.get_mut(&found.email)) else {
            return Ok(absent(FeedbackOutcome::NoMatch));
        };
        let whom = found.map_or(Whom::Nobody, |found| held.whom(kind, &found, reported));
        match (kind, &reported.bounce) {
            (FeedbackKind::Complaint(feedback), _) => Ok(self.complained(held, whom, feedback, notes)),
            (_, Some(reply)) => self.returned(held, whom, reply, notes, absent(FeedbackOutcome::NoMatch)),
            _ => Ok(absent(FeedbackOutcome::Ignored)),
        }
    }

    fn complained(&self, held: &mut Held, whom: Whom, feedback: FeedbackType, notes: &mut Notes) -> FeedbackResult {
        let ordinal = whom.ordinal();
        let (recipient, email) = (held.address(ordinal), Some(held.id));
        let event = (!held.purged).then_some(EventKind::Complained);
        let result = |outcome| FeedbackResult { recipient: recipient.clone(), email, event, outcome };
        if !held.complained.insert(ordinal) {
            return result(FeedbackOutcome::AlreadyRecorded);
        }
        if held.purged && recipient.is_none() {
            return FeedbackResult { event: None, ..result(FeedbackOutcome::Ignored) };
        }
        notes.complaint(self, held, ordinal, feedback);
        result(FeedbackOutcome::Recorded)
    }

    fn returned(
        &self,
        held: &mut Held,
        whom: Whom,
        reply: &Reply,
        notes: &mut Notes,
        absent: FeedbackResult,
    ) -> Result<FeedbackResult, Error> {
        let Whom::One(ordinal) = whom else { return Ok(absent) };
        let (recipient, email) = (held.address(Some(ordinal)), Some(held.id));
        let result = |event, outcome| FeedbackResult { recipient: recipient.clone(), email, event, outcome };
        let state = held.state(ordinal);
        match state.as_str() {
            "bounced" => return Ok(result(Some(EventKind::Bounced), FeedbackOutcome::AlreadyRecorded)),
            // What is being sent may come back before its end is recorded; and the worker reckons with the states that it was given.
            "delivered" | "queued" if held.leased => return Err(Unchangeable::Sending.into()),
            _ => {}
        }
        if held.purged {
            return Ok(absent);
        }
        let Ok(state) = state.returned(reply.clone()) else {
            return Ok(result(None, FeedbackOutcome::Ignored));
        };
        notes.bounce(self, held, ordinal, state);
        Ok(result(Some(EventKind::Bounced), FeedbackOutcome::Recorded))
    }
}

/// Whom the report is about: a complaint that names nobody is about somebody still.
fn reported(report: &FeedbackReport) -> Vec<ReportedRecipient> {
    match (report.kind, report.recipients.as_slice()) {
        (FeedbackKind::Complaint(_), []) => vec![ReportedRecipient { addresses: Vec::new(), bounce: None }],
        (_, recipients) => recipients.to_vec(),
    }
}
