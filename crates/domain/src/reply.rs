//! What a relay said, and what that means for a recipient.

use std::fmt;

const MAX_TEXT_CHARACTERS: usize = 1000;

/// An enhanced status code (RFC 3463), such as `5.1.1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnhancedCode {
    /// 2 success, 4 transient, 5 permanent.
    pub class: u16,
    /// What it is about: 1 address, 2 mailbox, 3 mail system, 4 network, 5 protocol, 6 content, 7 policy.
    pub subject: u16,
    /// The detail within the subject.
    pub detail: u16,
}

impl fmt::Display for EnhancedCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

/// An SMTP reply (RFC 5321 section 4.2): its code, its enhanced code where it had one, and its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    code: u16,
    enhanced: Option<EnhancedCode>,
    text: String,
}

impl Reply {
    /// A reply as it came in. Control characters in the text become spaces, and what is beyond 1,000 characters is dropped: a relay's words end
    /// up in answers and logs.
    #[must_use]
    pub fn new(code: u16, enhanced: Option<EnhancedCode>, text: &str) -> Self {
        Self { code, enhanced, text: sanitised(text) }
    }

    /// The three-digit code.
    #[must_use]
    pub const fn code(&self) -> u16 {
        self.code
    }

    /// The enhanced status code.
    #[must_use]
    pub const fn enhanced(&self) -> Option<EnhancedCode> {
        self.enhanced
    }

    /// The text, on one line.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the reply is a 5yz: the same command would fail again.
    #[must_use]
    pub const fn is_permanent(&self) -> bool {
        self.code >= 500
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:03}", self.code)?;
        if let Some(enhanced) = self.enhanced {
            write!(f, " {enhanced}")?;
        }
        if self.text.is_empty() {
            return Ok(());
        }
        write!(f, " {}", self.text)
    }
}

/// Why an attempt is to be made again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deferral {
    /// The relay asked for it, by a 4yz.
    Reply(Reply),
    /// The relay could not be reached, or the conversation broke off before the message was sent.
    Network(String),
    /// The conversation broke off after the message was sent and before the reply: the relay may or may not have taken it.
    Ambiguous(String),
}

impl Deferral {
    /// The conversation never got to the message.
    #[must_use]
    pub fn network(reason: &str) -> Self {
        Self::Network(sanitised(reason))
    }

    /// The message went out and nothing came back.
    #[must_use]
    pub fn ambiguous(reason: &str) -> Self {
        Self::Ambiguous(sanitised(reason))
    }
}

impl fmt::Display for Deferral {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reply(reply) => reply.fmt(f),
            Self::Network(reason) => f.write_str(reason),
            Self::Ambiguous(reason) => write!(f, "the relay may have taken the message: {reason}"),
        }
    }
}

/// What one attempt meant for one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The relay took responsibility for the message.
    Delivered(Reply),
    /// To be tried again, when the [retry policy](crate::RetryPolicy) says.
    Deferred(Deferral),
    /// The relay refused the recipient for good.
    Bounced(Reply),
    /// The relay refused the sender or the message for good, for whomever it is, or does not offer what the message or the address needs.
    Rejected(Reply),
    /// The message cannot be handed over at all, for a reason found on our side (it cannot be read any more, say).
    Undeliverable(String),
    /// The relay cannot be used at present (it refuses our credentials, say): nothing was tried, so nothing counts as an attempt.
    Held(String),
}

pub(crate) fn sanitised(text: &str) -> String {
    let spaced: String = text.chars().take(MAX_TEXT_CHARACTERS).map(|c| if crate::text::is_control(c) { ' ' } else { c }).collect();
    spaced.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_reads_as_on_the_wire() {
        let enhanced = EnhancedCode { class: 5, subject: 1, detail: 1 };
        assert_eq!(Reply::new(550, Some(enhanced), "No such user").to_string(), "550 5.1.1 No such user");
        assert_eq!(Reply::new(250, None, "").to_string(), "250");
    }

    #[test]
    fn a_reply_s_text_is_one_bounded_line() {
        let reply = Reply::new(250, None, &format!("a\r\nb\u{1b}[31m{}", "x".repeat(5000)));
        assert!(reply.text().starts_with("a  b [31m"));
        assert!(reply.text().chars().count() <= 1000);
    }
}
