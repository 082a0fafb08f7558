//! One SMTP relay: its connections, and how things stand with it.

use std::fmt;
use std::sync::Arc;

use selfmx_domain::{Reply, Verdict};
use selfmx_metrics::Gauge;
use tokio::time::Instant;

use crate::connection::Connection;
use crate::gate::Gate;
use crate::pool::Pool;
use crate::slots::Slots;
use crate::tls::Tls;
use crate::transaction::{self, Fate, MaySend, Outcome};
use crate::{Envelope, RelayError, RelaySettings, RelayStatus, Security, SmtpCounts, canonical, dial, rounds};

/// One SMTP relay, with connections kept between messages (RFC 5321).
///
/// ```no_run
/// use selfmx_mail::{Envelope, Relay, RelaySettings};
///
/// # async fn example(message: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
/// let relay = Relay::new(RelaySettings::new("smtp.example", 587, "mx.example".parse()?))?;
/// let envelope = Envelope { sender: "a@x.example".parse()?, recipients: vec!["b@y.example".parse()?], smtputf8: false };
/// for verdict in relay.deliver(&envelope, message).await {
///     println!("{verdict:?}");
/// }
/// # Ok(())
/// # }
/// ```
pub struct Relay {
    settings: RelaySettings,
    tls: Option<Tls>,
    gate: Gate,
    pool: Arc<Pool>,
    slots: Slots,
    /// The connections that there are: in use, kept, or being made.
    open: Gauge,
}

impl Relay {
    /// A relay of these settings. Nothing is connected yet.
    ///
    /// # Errors
    ///
    /// [`RelayError::ClearCredentials`], [`RelayError::HostName`], [`RelayError::NoRoots`], [`RelayError::BadRoot`],
    /// [`RelayError::TlsSetup`], [`RelayError::NoPublicAddress`]: the settings cannot work.
    pub fn new(settings: RelaySettings) -> Result<Self, RelayError> {
        dial::check_literal(&settings)?;
        let clear = settings.security == Security::Plain;
        if clear && settings.credentials.is_some() && !settings.is_loopback() {
            return Err(RelayError::ClearCredentials);
        }
        let tls = if clear { None } else { Some(Tls::new(&settings)?) };
        Ok(Self {
            tls,
            gate: Gate::new(format!("{}:{}", settings.host, settings.port), settings.hold, settings.counts.paused.clone()),
            pool: Pool::new(settings.idle_timeout, settings.messages_per_connection),
            slots: Slots::new(settings.pool_size.max(1), settings.hold),
            open: Gauge::default(),
            settings,
        })
    }

    /// Hands a message over: one verdict for each recipient, in their order. Never fails and never panics.
    ///
    /// `message` has to be as [`Message`](crate::Message) promises, else it is [`Undeliverable`](Verdict::Undeliverable). Where all connections are
    /// busy it waits for one. Dropping the future drops the connection, and nobody knows then what became of the message.
    pub async fn deliver(&self, envelope: &Envelope, message: &[u8]) -> Vec<Verdict> {
        let ended = self.hand_over(envelope, message, &|| true).await;
        ended.unwrap_or_else(|error| vec![transaction::verdict_on(&error); envelope.recipients.len()])
    }

    /// The same for a message that may be somebody else's by then: `may_send` is asked when all but the message's last octets are out, after whatever
    /// waiting that took. Where it may not, the relay never gets those octets and so delivers nothing, and there are no verdicts.
    pub async fn deliver_if(&self, envelope: &Envelope, message: &[u8], may_send: &(dyn Fn() -> bool + Sync)) -> Option<Vec<Verdict>> {
        match self.hand_over(envelope, message, may_send).await {
            Ok(verdicts) => Some(verdicts),
            Err(RelayError::Withdrawn) => None,
            Err(error) => Some(vec![transaction::verdict_on(&error); envelope.recipients.len()]),
        }
    }

    /// Asks the relay, over a connection of its own, whether it would take mail from us: EHLO, STARTTLS and AUTH as the settings ask, NOOP, QUIT.
    /// It asks a held relay as well, and one that answers is no longer held.
    ///
    /// # Errors
    ///
    /// What went wrong; [`RelayError::reply`] has the relay's answer where that was it.
    pub async fn probe(&self) -> Result<Reply, RelayError> {
        let mut connection = self.open().await?;
        let reply = connection.noop().await?;
        connection.quit().await;
        Ok(reply)
    }

    /// How things stand with the relay, by the last attempt to use it.
    #[must_use]
    pub fn status(&self) -> RelayStatus {
        self.gate.status()
    }

    /// What is counted of it.
    #[must_use]
    pub fn counts(&self) -> &SmtpCounts {
        &self.settings.counts
    }

    /// Says goodbye on the connections that are not in use, and keeps none from now on.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    async fn hand_over(&self, envelope: &Envelope, message: &[u8], may_send: MaySend<'_>) -> Result<Vec<Verdict>, RelayError> {
        let for_all = |verdict: Verdict| Ok(vec![verdict; envelope.recipients.len()]);
        if envelope.recipients.is_empty() {
            return Ok(Vec::new());
        }
        if let Err(flaw) = canonical::check(message) {
            return for_all(Verdict::Undeliverable(format!("the message cannot be sent: {flaw}")));
        }
        if let Some(reason) = self.gate.closed(Instant::now()) {
            return for_all(Verdict::Held(reason));
        }
        loop {
            let slot = self.slots.take().await;
            let begin = Instant::now();
            let attempted = self.attempt(envelope, message, may_send).await;
            if attempted.as_ref().is_err_and(RelayError::is_turned_away) && self.open.value() > 0 {
                // The relay works, and has as many connections as it wants: that is about no message. This one waits for one of them.
                self.slots.rest(slot, self.open.value());
                continue;
            }
            self.settings.counts.attempted(begin.elapsed(), attempted.as_deref(), envelope.recipients.len());
            return attempted;
        }
    }

    /// Over a kept connection if there is one, else over a new one. A kept one that turns out to be closed has cost nothing: a new one follows.
    async fn attempt(&self, envelope: &Envelope, message: &[u8], may_send: MaySend<'_>) -> Result<Vec<Verdict>, RelayError> {
        if let Some(kept) = self.pool.take() {
            let (outcome, connection) = self.transact(kept, envelope, message, may_send).await;
            if outcome.fate != Fate::Stale {
                return self.conclude(outcome, connection).await;
            }
        }
        let (outcome, connection) = self.transact(self.open().await?, envelope, message, may_send).await;
        self.conclude(outcome, connection).await
    }

    async fn transact(
        &self,
        mut connection: Connection,
        envelope: &Envelope,
        message: &[u8],
        may_send: MaySend<'_>,
    ) -> (Outcome, Connection) {
        let outcome = rounds::run(&mut connection, envelope, message, may_send, self.settings.final_timeout).await;
        (outcome, connection)
    }

    async fn conclude(&self, outcome: Outcome, connection: Connection) -> Result<Vec<Verdict>, RelayError> {
        if outcome.fate == Fate::Withdrawn {
            return Err(RelayError::Withdrawn);
        }
        if let Some(Verdict::Held(reason)) = outcome.verdicts.iter().find(|verdict| matches!(verdict, Verdict::Held(_))) {
            self.gate.close(reason.clone(), Instant::now());
            connection.quit().await;
            return Ok(outcome.verdicts);
        }
        if outcome.fate == Fate::Reusable {
            // Kept connections tell as well that a held relay works again.
            self.gate.open();
            self.pool.put(connection).await;
        }
        Ok(outcome.verdicts)
    }

    /// A new connection; how that went is how things stand with the relay.
    async fn open(&self) -> Result<Connection, RelayError> {
        match Connection::open(&self.settings, self.tls.as_ref(), &self.open).await {
            Ok(connection) => {
                self.gate.open();
                Ok(connection)
            }
            Err(error) => {
                self.settings.counts.unreachable();
                tracing::debug!(%error, "no connection to the relay");
                if error.is_lasting() {
                    self.gate.close(error.to_string(), Instant::now());
                } else if self.open.value() == 0 {
                    self.gate.fail();
                }
                Err(error)
            }
        }
    }
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay").field("settings", &self.settings).field("status", &self.status()).finish_non_exhaustive()
    }
}
