//! What a sink does wrong, and when.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::Gate;

/// A step of the conversation, from the sink's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Before the greeting.
    Greeting,
    /// At EHLO.
    Ehlo,
    /// At STARTTLS.
    StartTls,
    /// At AUTH.
    Auth,
    /// At MAIL.
    Mail,
    /// At RCPT.
    Rcpt,
    /// At DATA.
    Data,
    /// After the final dot, before the reply.
    FinalDot,
    /// At RSET.
    Rset,
    /// At NOOP.
    Noop,
    /// At QUIT.
    Quit,
}

/// What it does then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Answers with these lines (without the last CRLF) and goes on; after a 421 it closes the connection.
    Reply(String),
    /// Answers with these lines and closes the connection.
    ReplyAndClose(String),
    /// Closes the connection without a word.
    Close,
    /// Closes the connection so that the other side hears of an error (RST).
    Reset,
    /// Says nothing more, and keeps the connection open for as long as the other side does.
    Silence,
    /// Answers with these lines an octet at a time, with this pause after each.
    Drip(String, Duration),
    /// Repeats this line for as long as the other side takes it.
    Endless(String),
    /// Does nothing wrong, so much later.
    Late(Duration),
    /// Does nothing wrong, once the gate is open.
    Held(Gate),
}

/// One thing that goes wrong.
#[derive(Clone, Debug)]
pub struct Fault {
    pub(super) phase: Phase,
    pub(super) act: Act,
    local: Option<Local>,
    from_transaction: usize,
    connections: Option<usize>,
    times: Option<Times>,
}

/// Which recipients a fault is for.
#[derive(Clone, Debug)]
enum Local {
    Is(String),
    StartsWith(String),
}

/// How often a fault befalls each recipient, and how often it has.
#[derive(Clone, Debug)]
struct Times {
    most: usize,
    so_far: Arc<Mutex<HashMap<String, usize>>>,
}

impl Fault {
    /// At `phase`, always.
    #[must_use]
    pub const fn new(phase: Phase, act: Act) -> Self {
        Self { phase, act, local: None, from_transaction: 0, connections: None, times: None }
    }

    /// A reply at `phase`.
    #[must_use]
    pub fn reply(phase: Phase, reply: &str) -> Self {
        Self::new(phase, Act::Reply(reply.to_owned()))
    }

    /// Whether it is that the sink says nothing: whoever waits for it wants to wait briefly.
    #[must_use]
    pub fn is_silence(&self) -> bool {
        self.act == Act::Silence
    }

    /// Only for a recipient with this local part; from DATA on, only in a transaction that has such a recipient.
    #[must_use]
    pub fn for_local(self, local: &str) -> Self {
        Self { local: Some(Local::Is(local.to_owned())), ..self }
    }

    /// The same for all local parts that begin so.
    #[must_use]
    pub fn for_locals_from(self, prefix: &str) -> Self {
        Self { local: Some(Local::StartsWith(prefix.to_owned())), ..self }
    }

    /// Only the first `count` times that it would befall a recipient; where it is for no recipient, the first `count` times in all.
    #[must_use]
    pub fn times(self, count: usize) -> Self {
        Self { times: Some(Times { most: count, so_far: Arc::default() }), ..self }
    }

    /// Only from the `number`th transaction of a connection on, counted from 0.
    #[must_use]
    pub fn from_transaction(self, number: usize) -> Self {
        Self { from_transaction: number, ..self }
    }

    /// Only on the first `count` connections.
    #[must_use]
    pub fn on_first_connections(self, count: usize) -> Self {
        Self { connections: Some(count), ..self }
    }
}

/// Where a conversation stands when it is asked what goes wrong.
pub(super) struct Place<'a> {
    pub(super) phase: Phase,
    pub(super) connection: usize,
    pub(super) transaction: usize,
    /// The recipient of this RCPT, or all of the transaction.
    pub(super) recipients: &'a [String],
}

/// The first fault that fits. It counts as having happened.
pub(super) fn due<'f>(faults: &'f [Fault], place: &Place<'_>) -> Option<&'f Act> {
    faults.iter().find(|fault| fault.fits(place)).map(|fault| &fault.act)
}

impl Fault {
    fn fits(&self, place: &Place<'_>) -> bool {
        let here = self.phase == place.phase
            && place.transaction >= self.from_transaction
            && self.connections.is_none_or(|count| place.connection < count);
        if !here {
            return false;
        }
        let Some(local) = &self.local else { return self.is_left("") };
        place.recipients.iter().any(|recipient| local.is_of(recipient) && self.is_left(recipient))
    }

    /// Whether it is still to befall this recipient, which it then has.
    fn is_left(&self, recipient: &str) -> bool {
        let Some(Times { most, so_far }) = &self.times else { return true };
        let mut all = so_far.lock().unwrap_or_else(PoisonError::into_inner);
        let so_far = all.entry(recipient.to_owned()).or_default();
        *so_far += 1;
        *so_far <= *most
    }
}

impl Local {
    fn is_of(&self, address: &str) -> bool {
        address.rsplit_once('@').is_some_and(|(local, _)| match self {
            Self::Is(whole) => local == whole,
            Self::StartsWith(prefix) => local.starts_with(prefix.as_str()),
        })
    }
}
