//! Turns an email into bytes and hands them to a relay.
//!
//! | noun | what it is |
//! |---|---|
//! | [`compose()`], [`Message`] | a draft as RFC 5322 octets, by a pure function |
//! | [`Tracker`], [`Tracks`] | the picture and the links that tell who reads an email, and what they tell |
//! | [`Signer`] | a DKIM key under its name, which signs messages |
//! | [`Envelope`] | who the message is from and whom it goes to |
//! | [`Relay`], [`RelaySettings`], [`RelayStatus`] | one SMTP relay, its connections kept between messages |
//! | [`Transport`], [`Capture`] | where mail goes: to a relay, or nowhere |
//! | [`read_report()`] | a bounce or a complaint that came in, read |
//!
//! ```
//! use selfmx_domain::{Draft, DraftParts, EmailId, Limits};
//! use selfmx_mail::{Identity, compose};
//!
//! let parts = DraftParts::new("Grüße <hallo@x.example>".parse()?, vec!["b@y.example".parse()?], "Hello".parse()?);
//! let parts = DraftParts { bcc: vec!["hidden@y.example".parse()?], text: Some("Hi there".to_owned()), ..parts };
//! let draft = Draft::new(parts, &Limits::default())?;
//! let id: EmailId = "msg_01h455vb4pex5vsknk084sn02q".parse()?;
//! let message = compose(&draft, &Identity { id, date: time::OffsetDateTime::UNIX_EPOCH })?;
//! let text = std::str::from_utf8(message.octets())?;
//! assert!(text.contains("Message-ID: <msg_01h455vb4pex5vsknk084sn02q@x.example>\r\n"));
//! assert!(!text.contains("hidden"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What is whose. mail-builder writes the MIME structure, the transfer encodings, encoded words and parameters; we give it values that the domain
//! has checked, fix what it would not read back, and check what it wrote. mail-parser reads the fields of reports that come in; how deep they are looked into is ours to bound. mail-send speaks EHLO, AUTH, RSET, NOOP and QUIT and reads capabilities.
//! Ours are DKIM's
//! canonical form and its header field, over the TLS library's signatures, the connection (no Nagle, time-outs everywhere), STARTTLS and TLS, the reading of replies (bounded, one at a time, none lost), and the
//! transaction (pipelined, a verdict for each recipient, body and dot in one write).
//!
//! Invariant: every [`Message`] has CRLF line ends only, no NUL, lines of 998 octets at most, and seven bits outside fields that show a UTF-8 address.
//!
//! Invariant: of an HTML text that is tracked nothing changes but the values of links, the attribute that says that one is not to be, and the picture; a text
//! part never does.
//!
//! Invariant: a `Bcc` recipient stands in no message.
//!
//! Invariant: a message that is signed is not changed any more: the signature is its first field, and no other is added.
//!
//! Invariant: no credentials leave this machine in clear, and no mail goes out in clear unless the settings say [`Security::Plain`].
//!
//! Invariant: an octet that was said before TLS counts for nothing within it.
//!
//! Invariant: what comes in as a report is read within bounds and without recursion, and never panics.
//!
//! Invariant: with [`Reach::PublicOnly`] no address is connected to that is not public, by whatever name or spelling.

mod canonical;
mod compose;
mod connection;
mod counts;
mod dial;
mod dkim;
mod dots;
mod envelope;
mod error;
mod fields;
mod gate;
mod parts;
mod plain_text;
mod pool;
mod relay;
mod reply;
mod report;
mod rounds;
mod settings;
mod slots;
mod terms;
mod tls;
mod tracking;
mod transaction;
mod transport;
mod wire;

pub use canonical::{Flaw, Message};
pub use compose::{ComposeError, Identity, compose, compose_tracked};
pub use counts::SmtpCounts;
pub use dkim::{SignError, Signer, read_dkim_key};
pub use envelope::Envelope;
pub use error::{Phase, RelayError};
pub use gate::RelayStatus;
pub use relay::Relay;
pub use reply::ReplyFlaw;
pub use report::{ReportError, read_report};
pub use selfmx_domain::Reach;
pub use settings::{Credentials, RelaySettings, Security, Verification};
pub use terms::RelayTerms;
pub use tracking::{Tracker, Tracks};
pub use transport::{Capture, Transport};
