//! The accountant: joins the ledgers, and says what became of every mail. It asks nobody and guesses nothing.
//!
//! | word | meaning |
//! |---|---|
//! | accepted | the client read a whole 2xx |
//! | lost | accepted, and neither delivered nor in a final state with a reason nor waiting |
//! | duplicate | the relay took one message twice for one recipient |
//! | explained | the first of the two was open at a disturbance that is in the books |
//! | stuck | still waiting when the run had waited for long enough |
//! | torn | known in part: delivered without a record, recorded as something else, its text not whole, rows without their others |

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::ledger::{Books, Delivery, Disturbance, Moment, Outcome, Request, State};

/// What became of all mails of one run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Account {
    /// How many were accepted.
    pub(crate) accepted: usize,
    /// How many requests had no whole answer.
    pub(crate) unanswered: usize,
    /// How many mails the relay has.
    pub(crate) delivered: usize,
    /// The recipients of lost mails.
    pub(crate) lost: Vec<String>,
    /// Each duplicate that nothing explains.
    pub(crate) unexplained: Vec<String>,
    /// Each duplicate that a disturbance explains.
    pub(crate) explained: Vec<String>,
    /// How many attempts were open at disturbances.
    pub(crate) open: usize,
    /// The recipients who still wait.
    pub(crate) stuck: Vec<String>,
    /// What is known in part.
    pub(crate) torn: Vec<String>,
    /// The longest time from the end of a disturbance until a mail was accepted and one was delivered.
    pub(crate) recovery: Option<Duration>,
}

impl Account {
    /// Whether nothing is lost, unexplained, stuck or torn.
    pub(crate) fn is_clean(&self) -> bool {
        [&self.lost, &self.unexplained, &self.stuck, &self.torn].iter().all(|found| found.is_empty())
    }
}

/// Joins the ledgers.
pub(crate) fn account(books: &Books) -> Account {
    let requests: BTreeMap<_, _> = books.requests.iter().map(|request| (request.address.as_str(), request)).collect();
    let states: BTreeMap<_, _> = books.states.iter().map(|state| (state.address.as_str(), state)).collect();
    let deliveries = by_recipient(&books.deliveries);
    let mut account = Account {
        accepted: books.requests.iter().filter(|request| matches!(request.outcome, Outcome::Accepted(_))).count(),
        unanswered: books.requests.iter().filter(|request| request.outcome == Outcome::Unanswered).count(),
        delivered: deliveries.len(),
        open: books.disturbances.iter().map(|disturbance| disturbance.open.len()).sum(),
        stuck: books.states.iter().filter(|state| state.queued).map(|state| state.address.clone()).collect(),
        torn: books.misfits.clone(),
        recovery: recovery(books),
        ..Account::default()
    };
    for request in books.requests.iter().filter(|request| !deliveries.contains_key(request.address.as_str())) {
        account.lost.extend(loss(request, states.get(request.address.as_str()).copied()));
    }
    for (recipient, copies) in &deliveries {
        account.torn.extend(tears(requests.get(recipient).copied(), states.get(recipient).copied(), copies));
        for (first, second) in copies.iter().zip(copies.iter().skip(1)) {
            let explained = books.disturbances.iter().any(|disturbance| explains(disturbance, first, second));
            let found = if explained { &mut account.explained } else { &mut account.unexplained };
            found.push((*recipient).to_owned());
        }
    }
    account
}

fn by_recipient(deliveries: &[Delivery]) -> BTreeMap<&str, Vec<&Delivery>> {
    let mut by_recipient: BTreeMap<&str, Vec<&Delivery>> = BTreeMap::new();
    for delivery in deliveries {
        by_recipient.entry(&delivery.recipient).or_default().push(delivery);
    }
    by_recipient.values_mut().for_each(|copies| copies.sort_by_key(|copy| copy.came));
    by_recipient
}

/// Why a mail that was not delivered is lost, where it is.
fn loss(request: &Request, state: Option<&State>) -> Option<String> {
    if !matches!(request.outcome, Outcome::Accepted(_)) {
        return None;
    }
    let why = match state {
        None => "accepted, and no trace of it",
        Some(state) if state.queued => return None,
        Some(state) if state.status == "delivered" => "recorded as delivered, and the relay does not have it",
        Some(state) if !state.has_reason => "given up without a reason",
        Some(_) => return None,
    };
    Some(format!("{}: {why}", request.address))
}

/// What does not fit together about a mail that was delivered.
fn tears(request: Option<&Request>, state: Option<&State>, copies: &[&Delivery]) -> Vec<String> {
    let recipient = copies.first().map(|copy| copy.recipient.as_str()).unwrap_or_default();
    let mut found = Vec::new();
    let mut tear = |what: &str| found.push(format!("{recipient}: {what}"));
    match request.map(|request| &request.outcome) {
        None => tear("delivered, and nobody has sent it"),
        Some(Outcome::Accepted(id)) if copies.iter().any(|copy| copy.message != *id) => tear("delivered under another id"),
        // After a 5xx nobody knows: the database may have been lost in the middle of the commit.
        Some(Outcome::Refused(status)) if *status < 500 => tear("refused, and delivered"),
        Some(_) => {}
    }
    match state {
        None => tear("delivered, and there is no record of it"),
        Some(state) if !state.queued && state.status != "delivered" => tear("delivered, and recorded otherwise"),
        Some(_) => {}
    }
    if copies.iter().any(|copy| !copy.whole) {
        tear("its text is not what was sent");
    }
    if copies.iter().map(|copy| &copy.message).collect::<BTreeSet<_>>().len() > 1 {
        tear("its copies have different ids");
    }
    found
}

/// Whether the first copy was open at the disturbance: on its way in the hands of whom it hit, and not yet recorded; and the second came of it.
fn explains(disturbance: &Disturbance, first: &Delivery, second: &Delivery) -> bool {
    disturbance.open.contains(&first.recipient)
        && (disturbance.since..=disturbance.arrived).contains(&first.came)
        && second.came >= disturbance.began
}

fn recovery(books: &Books) -> Option<Duration> {
    let accepted: Vec<_> = books.requests.iter().filter(|request| matches!(request.outcome, Outcome::Accepted(_))).collect();
    let again = |ended: Moment| {
        let accepted = accepted.iter().filter(|request| request.sent >= ended).map(|request| request.ended).min()?;
        let delivered = books.deliveries.iter().map(|delivery| delivery.came).filter(|came| *came >= ended).min()?;
        Some(accepted.max(delivered).after(ended))
    };
    books.disturbances.iter().filter_map(|disturbance| again(disturbance.ended)).max()
}
