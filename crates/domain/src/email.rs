//! An accepted email as it is read back: what it was, and what has become of it.

use time::OffsetDateTime;

use crate::{
    Address, ApiKeyId, EmailId, EmailStatus, EventId, Mailbox, Metadata, Mode, Priority, Problem, RecipientKind, RecipientState, Tag,
    TemplateUsed,
};

/// What a list shows of an email.
#[derive(Clone, Debug)]
pub struct EmailSummary {
    /// Its id.
    pub id: EmailId,
    /// The status of the whole.
    pub status: EmailStatus,
    /// Who it is from.
    pub from: Mailbox,
    /// All recipients, `to` first, then `cc`, then `bcc`.
    pub recipients: Vec<(RecipientKind, Mailbox)>,
    /// The subject.
    pub subject: String,
    /// The caller's tags.
    pub tags: Vec<Tag>,
    /// The key that sent it.
    pub api_key_id: ApiKeyId,
    /// Whether it goes to a relay.
    pub mode: Mode,
    /// When it was accepted.
    pub created_at: OffsetDateTime,
    /// When the last recipient's mail was taken by the relay, once all were.
    pub delivered_at: Option<OffsetDateTime>,
}

/// All that is known of an email, its files aside (they are in the message itself).
#[derive(Clone, Debug)]
pub struct Email {
    /// What a list shows of it.
    pub summary: EmailSummary,
    /// Where answers go.
    pub reply_to: Vec<Mailbox>,
    /// The text as it was given.
    pub text: Option<String>,
    /// The HTML as it was given.
    pub html: Option<String>,
    /// The caller's metadata.
    pub metadata: Metadata,
    /// The order in the queue.
    pub priority: Priority,
    /// The template that it was made from.
    pub template: Option<TemplateUsed>,
    /// When it is, or was, to be sent; `None`: at once.
    pub scheduled_at: Option<OffsetDateTime>,
    /// What has become of it for each recipient, in the order of the summary's.
    pub recipients: Vec<RecipientRecord>,
    /// What happened to it, oldest first.
    pub events: Vec<EmailEvent>,
    /// Whether its text, its HTML, its message and its events are gone because they were old.
    pub purged: bool,
}

/// What has become of an email for one recipient.
#[derive(Clone, Debug)]
pub struct RecipientRecord {
    /// The recipient.
    pub address: Address,
    /// Where it stands in the header.
    pub kind: RecipientKind,
    /// Its state.
    pub state: RecipientState,
    /// What the last attempt brought, as one line.
    pub last_response: Option<String>,
    /// When the next attempt is due.
    pub next_attempt_at: Option<OffsetDateTime>,
}

/// Something that happened to an email.
#[derive(Clone, Debug)]
pub struct EmailEvent {
    /// Its id.
    pub id: EventId,
    /// What happened.
    pub kind: EventKind,
    /// To whose mail; absent where it is about all of it.
    pub recipient: Option<Address>,
    /// When, by the store's clock.
    pub at: OffsetDateTime,
    /// What the relay said, as one line; of a complaint its [type](crate::FeedbackType).
    pub response: Option<String>,
    /// Which attempt it was; 0 before the first.
    pub attempt: u32,
    /// Where the link leads that was followed.
    pub url: Option<String>,
}

/// What can happen to an email.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// It was accepted.
    Queued,
    /// An attempt begins. It is told of where the tenant has a webhook that asks for it, and nowhere else.
    Sending,
    /// An attempt failed and another will follow.
    Deferred,
    /// The relay took it.
    Delivered,
    /// The relay refused it, or it came back later.
    Bounced,
    /// It could not be handed over.
    Failed,
    /// The recipient was on the suppression list: no attempt is made.
    Suppressed,
    /// It was called off.
    Canceled,
    /// It is to be sent at another time.
    Rescheduled,
    /// Somebody complained of it.
    Complained,
    /// Its pictures were fetched.
    Opened,
    /// A link of it was followed.
    Clicked,
}

impl EventKind {
    /// Every kind.
    pub const ALL: [Self; 12] = [
        Self::Queued,
        Self::Sending,
        Self::Deferred,
        Self::Delivered,
        Self::Bounced,
        Self::Failed,
        Self::Suppressed,
        Self::Canceled,
        Self::Rescheduled,
        Self::Complained,
        Self::Opened,
        Self::Clicked,
    ];

    /// The kind as answers write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sending => "sending",
            Self::Deferred => "deferred",
            Self::Delivered => "delivered",
            Self::Bounced => "bounced",
            Self::Failed => "failed",
            Self::Suppressed => "suppressed",
            Self::Canceled => "canceled",
            Self::Rescheduled => "rescheduled",
            Self::Complained => "complained",
            Self::Opened => "opened",
            Self::Clicked => "clicked",
        }
    }
}

impl std::str::FromStr for EventKind {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(Problem::NotOneOf(
            "one of: queued, sending, deferred, delivered, bounced, failed, suppressed, canceled, rescheduled, complained, opened, clicked",
        ))
    }
}

/// Which emails a list shows; all conditions together.
#[derive(Clone, Debug, Default)]
pub struct EmailFilter {
    /// Only those of this status.
    pub status: Option<EmailStatus>,
    /// Only those from this address.
    pub from: Option<Address>,
    /// Only those with this recipient, in `to`, `cc` or `bcc`.
    pub to: Option<Address>,
    /// Only those with a tag of this name.
    pub tag: Option<String>,
    /// Only those accepted at this time or later.
    pub since: Option<OffsetDateTime>,
    /// Only those accepted before this time.
    pub until: Option<OffsetDateTime>,
}
