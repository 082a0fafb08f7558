//! Addresses to which a tenant's mail is not sent any more.

use std::str::FromStr;

use time::OffsetDateTime;

use crate::{Address, EmailId, Problem, SuppressionId};

/// An address on a tenant's suppression list. A recipient with it is recorded as suppressed when a mail is accepted, and never attempted.
#[derive(Clone, Debug)]
pub struct Suppression {
    /// Its id, by which a list is paged.
    pub id: SuppressionId,
    /// The address. Addresses that differ in the case of ASCII letters are the same here.
    pub address: Address,
    /// Why.
    pub reason: SuppressionReason,
    /// The email that bounced or was complained of, where it was one.
    pub email_id: Option<EmailId>,
    /// What the relay said then.
    pub response: Option<String>,
    /// Since when, by the store's clock.
    pub created_at: OffsetDateTime,
}

/// Why an address is suppressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SuppressionReason {
    /// Mail to it bounced for good.
    Bounce,
    /// Its owner complained of mail.
    Complaint,
    /// Somebody put it there.
    Manual,
}

impl SuppressionReason {
    /// Every reason.
    pub const ALL: [Self; 3] = [Self::Bounce, Self::Complaint, Self::Manual];

    /// `bounce`, `complaint` or `manual`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bounce => "bounce",
            Self::Complaint => "complaint",
            Self::Manual => "manual",
        }
    }
}

impl FromStr for SuppressionReason {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text).ok_or(Problem::NotOneOf("one of: bounce, complaint, manual"))
    }
}

/// The form by which addresses are compared on a suppression list: without regard to the case of ASCII letters. RFC 5321 section 2.4 leaves the local
/// part's case to its host, and hardly one tells them apart; a list that did would be walked round by a capital.
#[must_use]
pub fn folded(address: &Address) -> String {
    address.to_string().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_reads_back() {
        for reason in SuppressionReason::ALL {
            assert_eq!(reason.as_str().parse(), Ok(reason));
        }
        assert!("Manual".parse::<SuppressionReason>().is_err());
    }

    #[test]
    fn addresses_that_differ_in_case_are_the_same_on_a_list() {
        let folded = |text: &str| super::folded(&text.parse().unwrap());
        assert_eq!(folded("Jane.DOE@X.Example"), "jane.doe@x.example");
        assert_eq!(folded("ÄB@x.example"), "Äb@x.example");
    }
}
