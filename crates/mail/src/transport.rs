//! Where mail goes: to a relay, or nowhere.

use std::sync::Arc;

use selfmx_domain::{Reply, Verdict};

use crate::{Envelope, Relay};

/// Why mail is captured: kept for reading, and not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capture {
    /// No relay is configured.
    NoRelay,
    /// It was sent with a test key.
    TestKey,
}

/// Where mail goes.
#[derive(Clone, Debug)]
pub enum Transport {
    /// To a relay.
    Relay(Arc<Relay>),
    /// Nowhere: each recipient counts as delivered, and the message can be read in the raw view.
    Capture(Capture),
}

impl Transport {
    /// Hands a message over: one verdict for each recipient, in their order, or none at all where in the end it might not be sent. Never fails and never
    /// panics; see [`Relay::deliver_if`].
    pub async fn deliver_if(&self, envelope: &Envelope, message: &[u8], may_send: &(dyn Fn() -> bool + Sync)) -> Option<Vec<Verdict>> {
        match self {
            Self::Relay(relay) => relay.deliver_if(envelope, message, may_send).await,
            Self::Capture(why) => may_send().then(|| vec![why.verdict(); envelope.recipients.len()]),
        }
    }
}

impl Capture {
    fn verdict(self) -> Verdict {
        Verdict::Delivered(Reply::new(
            250,
            None,
            match self {
                Self::NoRelay => "captured: no relay is configured",
                Self::TestKey => "captured: sent with a test key",
            },
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn captured_mail_is_delivered_without_a_relay() {
        let envelope = Envelope {
            sender: "a@x.example".parse().unwrap(),
            recipients: vec!["b@x.example".parse().unwrap(), "c@x.example".parse().unwrap()],
            smtputf8: false,
        };
        let verdicts = Transport::Capture(Capture::TestKey).deliver_if(&envelope, b"", &|| true).await.unwrap();
        assert_eq!(verdicts.len(), 2);
        assert!(matches!(&verdicts[0], Verdict::Delivered(reply) if reply.to_string() == "250 captured: sent with a test key"));
    }
}
