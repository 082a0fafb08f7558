//! Reports of what became of mail after a relay had taken it: bounces that come later, and complaints.

use std::str::FromStr;

use time::OffsetDateTime;

use crate::{Address, EmailId, EventKind, Problem, Reply};

/// What a complaint is of (RFC 5965 section 7.3): the kinds that say that somebody does not want the mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedbackType {
    /// Unsolicited mail, or whatever else its reader calls abuse.
    Abuse,
    /// Fraud or phishing.
    Fraud,
    /// A virus was found in it.
    Virus,
    /// Another complaint.
    Other,
    /// The reader wants no more mail of this sender.
    OptOut,
    /// The reader wants no more mail of this list.
    OptOutList,
}

impl FeedbackType {
    /// Every type.
    pub const ALL: [Self; 6] = [Self::Abuse, Self::Fraud, Self::Virus, Self::Other, Self::OptOut, Self::OptOutList];

    /// The type as reports and answers write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Abuse => "abuse",
            Self::Fraud => "fraud",
            Self::Virus => "virus",
            Self::Other => "other",
            Self::OptOut => "opt-out",
            Self::OptOutList => "opt-out-list",
        }
    }
}

impl FromStr for FeedbackType {
    type Err = Problem;

    /// Without regard to case, as RFC 5965 section 3.1 has it.
    fn from_str(text: &str) -> Result<Self, Problem> {
        let known = Self::ALL.into_iter().find(|kind| kind.as_str().eq_ignore_ascii_case(text));
        known.ok_or(Problem::NotOneOf("one of: abuse, fraud, virus, other, opt-out, opt-out-list"))
    }
}

/// What a report is about as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedbackKind {
    /// Somebody complains.
    Complaint(FeedbackType),
    /// Mail came back.
    Bounce,
    /// Nothing that changes anything: a delay, a success, what was found not to be spam, how authentication went.
    Ignored,
}

impl FeedbackKind {
    /// `complaint`, `bounce` or `ignored`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Complaint(_) => "complaint",
            Self::Bounce => "bounce",
            Self::Ignored => "ignored",
        }
    }
}

/// A report: which mail it is about, and what it says of whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedbackReport {
    /// What it is about as a whole.
    pub kind: FeedbackKind,
    /// The email, where the report names it by our own `Message-ID`.
    pub email: Option<EmailId>,
    /// When the mail arrived where the report was made, or else when the report was made.
    pub at: Option<OffsetDateTime>,
    /// Whom it names. A complaint may name nobody.
    pub recipients: Vec<ReportedRecipient>,
}

/// What a report says of one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportedRecipient {
    /// Its addresses, the one that the mail was sent to before the one that it ended at. None where the report hides them.
    pub addresses: Vec<Address>,
    /// By what it bounced; `None`: it did not.
    pub bounce: Option<Reply>,
}

/// What came of a report for one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedbackResult {
    /// The recipient: of the email where one was found, else as the report has it.
    pub recipient: Option<Address>,
    /// The email, where one was found.
    pub email: Option<EmailId>,
    /// What happened to it.
    pub event: Option<EventKind>,
    /// What was done.
    pub outcome: FeedbackOutcome,
}

/// What was done with what a report says of one recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedbackOutcome {
    /// It was recorded.
    Recorded,
    /// It had been recorded before.
    AlreadyRecorded,
    /// There is no such mail, or none that the caller may know of: the two are not told apart.
    NoMatch,
    /// It changes nothing.
    Ignored,
}

impl FeedbackOutcome {
    /// Every outcome.
    pub const ALL: [Self; 4] = [Self::Recorded, Self::AlreadyRecorded, Self::NoMatch, Self::Ignored];

    /// `recorded`, `already_recorded`, `no_match` or `ignored`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Recorded => "recorded",
            Self::AlreadyRecorded => "already_recorded",
            Self::NoMatch => "no_match",
            Self::Ignored => "ignored",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_reads_back_in_any_case() {
        for kind in FeedbackType::ALL {
            assert_eq!((kind.as_str().parse(), kind.as_str().to_uppercase().parse()), (Ok(kind), Ok(kind)));
        }
        for other in ["not-spam", "auth-failure", "dmarc", "", "abuse "] {
            assert!(other.parse::<FeedbackType>().is_err(), "{other}");
        }
    }
}
