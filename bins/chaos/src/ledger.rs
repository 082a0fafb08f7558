//! What was seen from outside: by the client, by the relay, by whoever did the damage, and in the end in the database.

mod file;
mod watch;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

pub(crate) use self::file::{LedgerFile, read};
pub(crate) use self::watch::{Moment, Watch};

/// One request to send a mail, to an address that no other request names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Request {
    /// The recipient.
    pub(crate) address: String,
    /// When it was sent.
    pub(crate) sent: Moment,
    /// When its answer was whole, or was not waited for any longer.
    pub(crate) ended: Moment,
    /// What came of it.
    pub(crate) outcome: Outcome,
}

/// What a client knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Outcome {
    /// A whole 2xx was read, with this id.
    Accepted(String),
    /// A whole answer of another status.
    Refused(u16),
    /// No whole answer: it may have been accepted or not.
    Unanswered,
}

/// One message that the relay took responsibility for, for one recipient.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Delivery {
    /// The id in its Message-ID.
    pub(crate) message: String,
    /// The recipient.
    pub(crate) recipient: String,
    /// When its final dot came.
    pub(crate) came: Moment,
    /// Whether its text is what was sent, to the last line.
    pub(crate) whole: bool,
}

/// Something that was done to the system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Disturbance {
    /// What.
    pub(crate) what: String,
    /// Since when whoever was hit had been at work.
    pub(crate) since: Moment,
    /// When it began.
    pub(crate) began: Moment,
    /// When it was over.
    pub(crate) ended: Moment,
    /// When the last of what had been on its way may have arrived.
    pub(crate) arrived: Moment,
    /// The recipients whose attempts were open then: they alone may get their mail twice for it.
    pub(crate) open: BTreeSet<String>,
}

/// What the database says of one recipient in the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct State {
    /// The recipient.
    pub(crate) address: String,
    /// Its status.
    pub(crate) status: String,
    /// Whether a reply or a reason stands with it.
    pub(crate) has_reason: bool,
    /// Whether there is work left for it.
    pub(crate) queued: bool,
}

/// All ledgers of one run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Books {
    /// The client's.
    pub(crate) requests: Vec<Request>,
    /// The relay's.
    pub(crate) deliveries: Vec<Delivery>,
    /// The disturber's.
    pub(crate) disturbances: Vec<Disturbance>,
    /// The database's.
    pub(crate) states: Vec<State>,
    /// What in the database does not fit together, in words.
    pub(crate) misfits: Vec<String>,
}
