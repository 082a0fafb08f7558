//! Whether a refusal is about the address, for good, or about something else that may be another next time.

use crate::{EnhancedCode, Reply};

/// Whether there is any use in writing to the address again. Either way this email is not offered again.
///
/// ```
/// use selfmx_domain::{BounceType, EnhancedCode, Reply};
///
/// let full = EnhancedCode { class: 5, subject: 2, detail: 2 };
/// assert_eq!(BounceType::of_recipient(&Reply::new(552, Some(full), "mailbox full")), BounceType::Soft);
/// assert_eq!(BounceType::of_recipient(&Reply::new(550, None, "no such user")), BounceType::Hard);
/// assert_eq!(BounceType::of_message(&Reply::new(550, None, "this looks like spam")), BounceType::Soft);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BounceType {
    /// The address takes no mail: there is none, or it is closed.
    Hard,
    /// The mailbox is full, the message, its sender or its size was not wanted, or the relay kept asking to come back (4yz) until the attempts ran out.
    Soft,
}

impl BounceType {
    /// What a 5yz for a recipient means: by its enhanced code, or where that says nothing by the code itself.
    #[must_use]
    pub fn of_recipient(reply: &Reply) -> Self {
        reply.enhanced().and_then(by_enhanced_code).unwrap_or_else(|| by_code(reply.code()))
    }

    /// What a 5yz for the sender or the message means, which concerns the address only where the enhanced code says so.
    #[must_use]
    pub fn of_message(reply: &Reply) -> Self {
        reply.enhanced().and_then(by_enhanced_code).unwrap_or(Self::Soft)
    }

    /// `hard` or `soft`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hard => "hard",
            Self::Soft => "soft",
        }
    }
}

/// The table of RFC 3463 and of what was registered later (RFC 5248, RFC 7505, RFC 7293). `None` where the code says nothing.
const fn by_enhanced_code(code: EnhancedCode) -> Option<BounceType> {
    match (code.class, code.subject, code.detail) {
        // The sender's address: bad syntax, a bad domain; or a system that does not keep the rules.
        (5, 1, 7..=9) => Some(BounceType::Soft),
        // No such mailbox or domain, bad syntax, ambiguous, moved away, a null MX.
        (5, 1, _) => Some(BounceType::Hard),
        // The mailbox is disabled.
        (5, 2, 1) => Some(BounceType::Hard),
        // It is full, or takes no message of this length; a list cannot be expanded.
        (5, 2, _) => Some(BounceType::Soft),
        // No route to the domain.
        (5, 4, 4) => Some(BounceType::Hard),
        // The account is disabled, or mailbox or domain have another owner.
        (5, 7, 13 | 17 | 18) => Some(BounceType::Hard),
        // The system, the network, the protocol, the content, a policy.
        (5, 3..=7, _) => Some(BounceType::Soft),
        _ => None,
    }
}

/// RFC 5321 section 4.2.3 and RFC 7504: no such mailbox, not here, not a mailbox's name, a domain or host that takes no mail.
const fn by_code(code: u16) -> BounceType {
    match code {
        521 | 550 | 551 | 553 | 556 => BounceType::Hard,
        _ => BounceType::Soft,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enhanced(subject: u16, detail: u16) -> Option<EnhancedCode> {
        Some(EnhancedCode { class: 5, subject, detail })
    }

    /// All that is registered of the class 5, and more.
    #[test]
    fn an_enhanced_code_that_says_something_decides() {
        let hard: [(u16, &[u16]); 4] = [(1, &[0, 1, 2, 3, 4, 5, 6, 10]), (2, &[1]), (4, &[4]), (7, &[13, 17, 18])];
        for subject in 1..=7 {
            for detail in 0..=30 {
                let is_hard = hard.iter().any(|(of, details)| *of == subject && details.contains(&detail)) || (subject == 1 && detail > 10);
                let expected = if is_hard { BounceType::Hard } else { BounceType::Soft };
                for code in [550, 552, 554] {
                    let reply = Reply::new(code, enhanced(subject, detail), "");
                    let found = (BounceType::of_recipient(&reply), BounceType::of_message(&reply));
                    assert_eq!(found, (expected, expected), "{code} 5.{subject}.{detail}");
                }
            }
        }
    }

    #[test]
    fn without_one_the_code_decides_of_a_recipient_and_never_of_a_message() {
        for code in 500..=599 {
            let expected = if [521, 550, 551, 553, 556].contains(&code) { BounceType::Hard } else { BounceType::Soft };
            for says_nothing in [None, enhanced(0, 0), enhanced(8, 1), Some(EnhancedCode { class: 4, subject: 1, detail: 1 })] {
                let reply = Reply::new(code, says_nothing, "");
                assert_eq!((BounceType::of_recipient(&reply), BounceType::of_message(&reply)), (expected, BounceType::Soft), "{reply}");
            }
        }
    }
}
