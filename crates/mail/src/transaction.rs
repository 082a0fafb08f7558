//! One message over one connection: MAIL, RCPT, DATA, the message and the dot (RFC 5321 section 3.3, RFC 2920).

use std::time::Duration;

use selfmx_domain::{Deferral, EnhancedCode, Reply, Verdict};
use smtp_proto::{EXT_8BIT_MIME, EXT_PIPELINING, EXT_SIZE, EXT_SMTP_UTF8};

use crate::connection::{ABOUT_US, Connection};
use crate::error::Phase;
use crate::reply::ReplyFlaw;
use crate::rounds::is_too_many;
use crate::{Envelope, RelayError, dots};

/// So many commands go out before replies are read: more could fill both directions, each side waiting for the other to read.
const COMMANDS_AT_ONCE: usize = 50;

/// The service is closing (RFC 5321 section 3.8).
const CLOSING: u16 = 421;

/// The message is too large (RFC 3463 section 3.4).
const TOO_LARGE: EnhancedCode = EnhancedCode { class: 5, subject: 3, detail: 4 };

/// An address is not in ASCII (RFC 6531 section 4.3).
const NOT_ASCII: EnhancedCode = EnhancedCode { class: 5, subject: 6, detail: 7 };

/// What became of a transaction.
pub(crate) struct Outcome {
    /// One for each recipient, in their order.
    pub(crate) verdicts: Vec<Verdict>,
    /// What may be done with the connection.
    pub(crate) fate: Fate,
}

/// What may be done with a connection after a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The next message may use it.
    Reusable,
    /// It is of no more use.
    Spent,
    /// It was closed before the relay said anything about this message, so nothing has happened.
    Stale,
    /// The message was taken back, and the relay waits for the rest of it: closing the connection is all that is left (RFC 5321 section 4.1.1.5).
    Withdrawn,
}

/// A command of the transaction; a recipient by its place in the envelope.
#[derive(Clone, Copy, Debug)]
enum Command {
    Mail,
    Rcpt(usize),
    Data,
}

/// Whether a message may still be sent, asked at the last moment.
pub(crate) type MaySend<'a> = &'a (dyn Fn() -> bool + Sync);

/// A transaction under way.
struct Transaction<'a> {
    connection: &'a mut Connection,
    envelope: &'a Envelope,
    message: &'a [u8],
    may_send: MaySend<'a>,
    /// None while a recipient's verdict is open.
    verdicts: Vec<Option<Verdict>>,
    /// Recipients that the relay accepted, by place.
    accepted: Vec<usize>,
    heard: bool,
    mail_accepted: bool,
    data_accepted: bool,
}

/// Hands `message` to the relay, where it `may_send` it still when all but its last octets are out. Recipients get a verdict whatever happens.
pub(crate) async fn run(
    connection: &mut Connection,
    envelope: &Envelope,
    message: &[u8],
    may_send: MaySend<'_>,
    final_timeout: Duration,
) -> Outcome {
    let mut transaction = Transaction {
        verdicts: unsuitable(connection, envelope, message),
        connection,
        envelope,
        message,
        may_send,
        accepted: Vec::new(),
        heard: false,
        mail_accepted: false,
        data_accepted: false,
    };
    let ended = transaction.converse(final_timeout).await;
    transaction.outcome(ended)
}

/// Verdicts on those that the relay does not take, by what it offers: what it would answer if it were asked (RFC 1870 section 6.2, RFC 6531 section 3.5).
fn unsuitable(connection: &Connection, envelope: &Envelope, message: &[u8]) -> Vec<Option<Verdict>> {
    let offered = &connection.capabilities;
    if offered.has_capability(EXT_SIZE) && offered.size > 0 && message.len() > offered.size {
        let reason = format!("the message has {} octets, and the relay takes {} at most", message.len(), offered.size);
        return vec![Some(not_taken(552, TOO_LARGE, &reason)); envelope.recipients.len()];
    }
    if offered.has_capability(EXT_SMTP_UTF8) {
        return vec![None; envelope.recipients.len()];
    }
    if envelope.smtputf8 || envelope.sender.needs_smtputf8() || !message.is_ascii() {
        let reason = "the sender, or an address that the message shows, needs SMTPUTF8, which the relay does not offer";
        return vec![Some(not_taken(553, NOT_ASCII, reason)); envelope.recipients.len()];
    }
    let refusal = |needs: bool| needs.then(|| not_taken(553, NOT_ASCII, "the address needs SMTPUTF8, which the relay does not offer"));
    envelope.recipients.iter().map(|recipient| refusal(recipient.needs_smtputf8())).collect()
}

fn not_taken(code: u16, enhanced: EnhancedCode, reason: &str) -> Verdict {
    Verdict::Rejected(Reply::new(code, Some(enhanced), reason))
}

impl Transaction<'_> {
    async fn converse(&mut self, final_timeout: Duration) -> Result<(), RelayError> {
        let open: Vec<usize> = (0..self.verdicts.len()).filter(|place| matches!(self.verdicts.get(*place), Some(None))).collect();
        if open.is_empty() {
            return Ok(());
        }
        let commands: Vec<Command> =
            [Command::Mail].into_iter().chain(open.into_iter().map(Command::Rcpt)).chain([Command::Data]).collect();
        let at_once = if self.connection.capabilities.has_capability(EXT_PIPELINING) { COMMANDS_AT_ONCE } else { 1 };
        for group in commands.chunks(at_once) {
            self.exchange(group).await?;
        }
        match (self.data_accepted, self.accepted.is_empty()) {
            (true, false) => self.hand_over(final_timeout).await,
            (true, true) => self.hand_over_nothing().await,
            (false, _) if self.mail_accepted => self.connection.reset().await,
            (false, _) => Ok(()),
        }
    }

    /// Sends commands in one write and reads their replies. What has become pointless is not sent.
    async fn exchange(&mut self, commands: &[Command]) -> Result<(), RelayError> {
        let pointless = match commands {
            [Command::Mail, ..] => false,
            [Command::Data] => self.accepted.is_empty(),
            _ => !self.mail_accepted,
        };
        if pointless {
            return Ok(());
        }
        let lines: String = commands.iter().map(|command| self.line(*command)).collect();
        self.connection.send(commands.first().map_or(Phase::Data, |command| command.phase()), lines.as_bytes()).await?;
        for command in commands {
            let reply = self.connection.reply(command.phase()).await?;
            self.take(*command, reply)?;
        }
        Ok(())
    }

    fn line(&self, command: Command) -> String {
        match command {
            Command::Mail => format!("MAIL FROM:<{}>{}\r\n", self.envelope.sender, self.parameters()),
            Command::Rcpt(place) => {
                self.envelope.recipients.get(place).map_or_else(String::new, |recipient| format!("RCPT TO:<{recipient}>\r\n"))
            }
            Command::Data => "DATA\r\n".to_owned(),
        }
    }

    /// MAIL's parameters, where they are offered and of use (RFC 1870, RFC 6152, RFC 6531).
    fn parameters(&self) -> String {
        let offered = &self.connection.capabilities;
        let mut parameters = String::new();
        if offered.has_capability(EXT_SIZE) {
            parameters.push_str(&format!(" SIZE={}", self.message.len()));
        }
        if offered.has_capability(EXT_8BIT_MIME) && !self.message.is_ascii() {
            parameters.push_str(" BODY=8BITMIME");
        }
        let addresses = [&self.envelope.sender].into_iter().chain(&self.envelope.recipients);
        let needs_smtputf8 =
            self.envelope.smtputf8 || !self.message.is_ascii() || addresses.into_iter().any(|address| address.needs_smtputf8());
        if offered.has_capability(EXT_SMTP_UTF8) && needs_smtputf8 {
            parameters.push_str(" SMTPUTF8");
        }
        parameters
    }

    fn take(&mut self, command: Command, reply: Reply) -> Result<(), RelayError> {
        if reply.code() == CLOSING {
            return Err(RelayError::Refused { phase: command.phase(), reply });
        }
        self.heard = true;
        match (command, reply.code()) {
            (Command::Mail, 200..=299) => self.mail_accepted = true,
            (Command::Rcpt(place), 200..=299) if self.mail_accepted => self.accepted.push(place),
            (Command::Data, 354) => self.data_accepted = true,
            (_, 200..=399) => return Err(RelayError::Protocol { phase: command.phase(), flaw: ReplyFlaw::OutOfPlace }),
            // Too many recipients, or a mailbox that is full: without others before it that will show.
            (Command::Rcpt(place), 552) if !self.accepted.is_empty() && is_too_many(&reply) => {
                self.settle(place, &Verdict::Deferred(Deferral::Reply(reply)));
            }
            (Command::Rcpt(place), _) => self.settle(place, &refusal(reply, Verdict::Bounced)),
            // The relay wants us to authenticate or to use TLS: that is about our settings, and not about this message.
            (Command::Mail, code) if ABOUT_US.contains(&code) => self.settle_all(&Verdict::Held(reply.to_string())),
            (Command::Mail | Command::Data, _) => self.settle_all(&refusal(reply, Verdict::Rejected)),
        }
        Ok(())
    }

    async fn hand_over(&mut self, final_timeout: Duration) -> Result<(), RelayError> {
        let mut pieces = dots::stuffed(self.message);
        while let Some((piece, is_last)) = pieces.next() {
            // From the last piece on, the relay may have the whole message.
            let phase = if is_last { Phase::FinalReply } else { Phase::Message };
            if is_last && !(self.may_send)() {
                return Err(RelayError::Withdrawn);
            }
            self.connection.send(phase, piece).await?;
        }
        let reply = self.connection.reply_within(Phase::FinalReply, final_timeout).await?;
        self.connection.served += 1;
        let verdict = match reply.code() {
            200..=299 => Verdict::Delivered(reply),
            300..=399 => return Err(RelayError::Protocol { phase: Phase::FinalReply, flaw: ReplyFlaw::OutOfPlace }),
            CLOSING => return Err(RelayError::Refused { phase: Phase::FinalReply, reply }),
            _ => refusal(reply, Verdict::Rejected),
        };
        self.settle_all(&verdict);
        Ok(())
    }

    /// The relay waits for a message that is for nobody: it gets an empty one (RFC 2920 section 3.1), and its reply is about nothing.
    async fn hand_over_nothing(&mut self) -> Result<(), RelayError> {
        self.connection.send(Phase::Message, b".\r\n").await?;
        self.connection.reply(Phase::FinalReply).await.map(|_| ())
    }

    fn settle(&mut self, place: usize, verdict: &Verdict) {
        if let Some(open @ None) = self.verdicts.get_mut(place) {
            *open = Some(verdict.clone());
        }
    }

    fn settle_all(&mut self, verdict: &Verdict) {
        for open in self.verdicts.iter_mut().filter(|open| open.is_none()) {
            *open = Some(verdict.clone());
        }
    }

    fn outcome(mut self, ended: Result<(), RelayError>) -> Outcome {
        let fate = match &ended {
            Ok(()) => Fate::Reusable,
            Err(RelayError::Withdrawn) => Fate::Withdrawn,
            Err(_) if self.heard => Fate::Spent,
            Err(_) => Fate::Stale,
        };
        // Without an error no verdict is open.
        self.settle_all(&ended.err().map_or_else(|| network("the relay said nothing about this recipient"), |error| verdict_on(&error)));
        Outcome { verdicts: self.verdicts.into_iter().flatten().collect(), fate }
    }
}

impl Command {
    const fn phase(self) -> Phase {
        match self {
            Self::Mail => Phase::Mail,
            Self::Rcpt(_) => Phase::Rcpt,
            Self::Data => Phase::Data,
        }
    }
}

/// What a refusal means for those whom it concerns.
fn refusal(reply: Reply, for_good: fn(Reply) -> Verdict) -> Verdict {
    if reply.is_permanent() { for_good(reply) } else { Verdict::Deferred(Deferral::Reply(reply)) }
}

fn network(reason: &str) -> Verdict {
    Verdict::Deferred(Deferral::network(reason))
}

/// What an error means for the recipients whose verdicts are still open.
pub(crate) fn verdict_on(error: &RelayError) -> Verdict {
    if error.is_lasting() {
        return Verdict::Held(error.to_string());
    }
    match error {
        RelayError::Refused { reply, .. } if (400..500).contains(&reply.code()) => Verdict::Deferred(Deferral::Reply(reply.clone())),
        RelayError::TimedOut(Phase::FinalReply)
        | RelayError::Broken { phase: Phase::FinalReply, .. }
        | RelayError::Protocol { phase: Phase::FinalReply, .. } => Verdict::Deferred(Deferral::ambiguous(&error.to_string())),
        // A 5yz before MAIL as well: the relay refuses us, and no recipient.
        _ => network(&error.to_string()),
    }
}
