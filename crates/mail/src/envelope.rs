//! What a relay is told besides the message.

use selfmx_domain::Address;

/// Who a message is from and whom it goes to (RFC 5321 section 3.3). The message's own fields play no part in that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Where reports of failure go.
    pub sender: Address,
    /// Whom it goes to. Each gets a verdict of its own.
    pub recipients: Vec<Address>,
    /// Whether the message shows a UTF-8 address ([`Message::needs_smtputf8`](crate::Message::needs_smtputf8)). Addresses of the envelope
    /// speak for themselves.
    pub smtputf8: bool,
}
