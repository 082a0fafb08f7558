//! Signs an event and posts it, only where it is safe to.
//!
//! | noun | what it is |
//! |---|---|
//! | [`Post`] | one event on its way to one endpoint: where to, what, and the secrets that sign it |
//! | [`Signatures`] | what proves whose it is, as Standard Webhooks has it and as one plain HMAC |
//! | [`Poster`], [`PosterSettings`] | posts, to addresses that may be reached, within a time |
//! | [`Answer`] | what the endpoint answered: its status, when to come back, the beginning of its text |
//! | [`PostError`] | why there is no answer |
//!
//! ```
//! use selfmx_domain::WebhookSecret;
//! use selfmx_webhook::Signatures;
//! use time::macros::datetime;
//!
//! let secret: WebhookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse()?;
//! let at = datetime!(2021-02-25 15:02:10 UTC);
//! let signatures = Signatures::new("evt_01h455vb4pex5vsknk084sn02q", at, br#"{"test": 2432232314}"#, &secret, None);
//! assert_eq!(signatures.standard(), "v1,qm7IXRr7qdFBRvVQ606EEdCLhF3CDA2gLXDQzoVqTDs=");
//! # Ok::<(), selfmx_domain::Problem>(())
//! ```
//!
//! Invariant: a connection is kept for the next posts of the same webhook to the same URL under the same secret, for a minute at most, and for nobody else's.
//!
//! Invariant: with [`Reach::PublicOnly`](selfmx_domain::Reach::PublicOnly) no address is connected to that is not public, by whatever name or spelling: a name
//! is looked up once for each connection, each address is checked right before it is connected to, and it is that address which is connected to.
//!
//! Invariant: no redirect is followed, no proxy is used, and nothing of the environment is read.
//!
//! Invariant: of an answer at most 64 KiB are read and 1 KiB is kept, and all of an attempt ends within its time.
//!
//! Invariant: TLS is 1.2 or later, and the certificate has to be for the URL's own host; there is no way to turn that off.

mod answer;
mod dial;
mod error;
mod exchange;
mod kept;
mod poster;
mod sign;
mod tls;

pub use answer::Answer;
pub use error::{PostError, Step};
pub use poster::{Post, Poster, PosterSettings};
pub use sign::Signatures;
