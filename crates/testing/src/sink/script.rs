//! What a sink does wrong, and when.

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
    /// Says nothing more, and keeps the connection open for as long as the other side does.
    Silence,
}

/// One thing that goes wrong.
#[derive(Clone, Debug)]
pub struct Fault {
    pub(super) phase: Phase,
    pub(super) act: Act,
    pub(super) local: Option<String>,
    pub(super) from_transaction: usize,
    pub(super) connections: Option<usize>,
}

impl Fault {
    /// At `phase`, always.
    #[must_use]
    pub const fn new(phase: Phase, act: Act) -> Self {
        Self { phase, act, local: None, from_transaction: 0, connections: None }
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
        Self { local: Some(local.to_owned()), ..self }
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

/// The first fault that fits.
pub(super) fn due<'f>(faults: &'f [Fault], place: &Place<'_>) -> Option<&'f Act> {
    let fits = |fault: &&Fault| {
        fault.phase == place.phase
            && place.transaction >= fault.from_transaction
            && fault.connections.is_none_or(|count| place.connection < count)
            && fault.local.as_ref().is_none_or(|local| place.recipients.iter().any(|recipient| has_local(recipient, local)))
    };
    faults.iter().find(fits).map(|fault| &fault.act)
}

fn has_local(address: &str, local: &str) -> bool {
    address.rsplit_once('@').is_some_and(|(of_address, _)| of_address == local)
}
