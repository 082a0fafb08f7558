//! The rows of an email and what they mean.

use diesel::{Queryable, Selectable};
use selfmx_domain::{
    ApiKeyId, BounceType, Email, EmailEvent, EmailId, EmailStatus, EmailSummary, EnhancedCode, EventId, Mailbox, Priority, Queued,
    RecipientKind, RecipientRecord, RecipientState, Reply, TemplateId, TemplateUsed,
};
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::schema::{emails, events, recipients};
use crate::{Error, details};

#[derive(Queryable, Selectable)]
#[diesel(table_name = emails, check_for_backend(diesel::pg::Pg))]
pub(crate) struct EmailRow {
    pub(crate) id: Uuid,
    api_key_id: Uuid,
    mode: String,
    priority: i16,
    status: String,
    from_name: Option<String>,
    from_address: String,
    subject: String,
    reply_to: Value,
    tags: Value,
    metadata: Value,
    created_at: OffsetDateTime,
    delivered_at: Option<OffsetDateTime>,
    scheduled_at: Option<OffsetDateTime>,
    template_id: Option<Uuid>,
    template_version: Option<i32>,
}

/// What the row itself does not tell of an email that waits.
#[derive(Clone, Copy, Queryable)]
#[diesel(check_for_backend(diesel::pg::Pg))]
pub(crate) struct Wait {
    /// Whether a worker is at it.
    leased: bool,
    /// Whether it is not due yet.
    early: bool,
}

impl Wait {
    const fn status(self) -> EmailStatus {
        match (self.early, self.leased) {
            (true, _) => EmailStatus::Scheduled,
            (false, true) => EmailStatus::Sending,
            (false, false) => EmailStatus::Queued,
        }
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = recipients, check_for_backend(diesel::pg::Pg))]
pub(crate) struct RecipientRow {
    pub(crate) email_id: Uuid,
    pub(crate) ordinal: i16,
    kind: String,
    name: Option<String>,
    address: String,
    status: String,
    attempts: i32,
    bounce_type: Option<String>,
    reply_code: Option<i16>,
    reply_enhanced: Option<String>,
    reply_text: Option<String>,
    next_attempt_at: Option<OffsetDateTime>,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = events, check_for_backend(diesel::pg::Pg))]
pub(crate) struct EventRow {
    id: Uuid,
    kind: String,
    ordinal: Option<i16>,
    attempt: i32,
    response: Option<String>,
    at: OffsetDateTime,
    url: Option<String>,
}

impl EmailRow {
    pub(crate) fn summary(&self, wait: Wait, told: &[&RecipientRow]) -> Result<EmailSummary, Error> {
        let stored: EmailStatus = self.status.parse().or(Err(Error::Unreadable("emails.status")))?;
        Ok(EmailSummary {
            id: EmailId::from_uuid(self.id),
            status: if stored == EmailStatus::Queued { wait.status() } else { stored },
            from: mailbox(self.from_name.as_deref(), &self.from_address)?,
            recipients: told
                .iter()
                .map(|row| Ok((row.kind()?, mailbox(row.name.as_deref(), &row.address)?)))
                .collect::<Result<_, Error>>()?,
            subject: self.subject.clone(),
            tags: details::tags_from_json(&self.tags)?,
            api_key_id: ApiKeyId::from_uuid(self.api_key_id),
            mode: self.mode.parse().or(Err(Error::Unreadable("emails.mode")))?,
            created_at: self.created_at,
            delivered_at: self.delivered_at,
        })
    }

    fn template(&self) -> Result<Option<TemplateUsed>, Error> {
        let (Some(id), Some(version)) = (self.template_id, self.template_version) else { return Ok(None) };
        let version = u32::try_from(version).or(Err(Error::Unreadable("emails.template_version")))?;
        Ok(Some(TemplateUsed { id: TemplateId::from_uuid(id), version }))
    }

    pub(crate) fn into_email(
        self,
        wait: Wait,
        said: Option<(Option<String>, Option<String>)>,
        told: Vec<RecipientRow>,
        happened: Vec<EventRow>,
    ) -> Result<Email, Error> {
        let purged = said.is_none();
        let (text, html) = said.unwrap_or_default();
        let rows: Vec<_> = told.iter().collect();
        let summary = self.summary(wait, &rows)?;
        let events = happened.into_iter().map(|row| row.into_event(&told)).collect::<Result<_, _>>()?;
        let priority = match self.priority {
            0 => Priority::High,
            1 => Priority::Normal,
            _ => Priority::Low,
        };
        Ok(Email {
            summary,
            reply_to: details::mailboxes_from_json(&self.reply_to)?,
            text,
            html,
            metadata: details::metadata_from_json(&self.metadata)?,
            priority,
            template: self.template()?,
            scheduled_at: self.scheduled_at,
            recipients: told.into_iter().map(RecipientRow::into_record).collect::<Result<_, _>>()?,
            events,
            purged,
        })
    }
}

impl RecipientRow {
    fn kind(&self) -> Result<RecipientKind, Error> {
        let kinds = [RecipientKind::To, RecipientKind::Cc, RecipientKind::Bcc];
        kinds.into_iter().find(|kind| kind.as_str() == self.kind).ok_or(Error::Unreadable("recipients.kind"))
    }

    fn reply(&self) -> Option<Reply> {
        let code = u16::try_from(self.reply_code?).ok()?;
        let enhanced = self.reply_enhanced.as_deref().and_then(enhanced);
        Some(Reply::new(code, enhanced, self.reply_text.as_deref().unwrap_or_default()))
    }

    pub(crate) fn into_record(self) -> Result<RecipientRecord, Error> {
        let attempts = u32::try_from(self.attempts).or(Err(Error::Unreadable("recipients.attempts")))?;
        let reply = self.reply();
        let last_response = reply.as_ref().map(ToString::to_string).or_else(|| self.reply_text.clone());
        let state = match (self.status.as_str(), reply) {
            ("queued", _) => RecipientState::Queued(Queued::after(attempts)),
            ("delivered", Some(reply)) => RecipientState::Delivered { attempts, reply },
            ("bounced", Some(reply)) => RecipientState::Bounced { attempts, bounce: bounce(self.bounce_type.as_deref())?, reply },
            ("suppressed", _) => RecipientState::Suppressed,
            ("canceled", _) => RecipientState::Canceled { attempts },
            ("failed", _) => RecipientState::Failed { attempts, reason: self.reply_text.clone().unwrap_or_default() },
            _ => return Err(Error::Unreadable("recipients.status")),
        };
        let next_attempt_at = if matches!(state, RecipientState::Queued(_)) { self.next_attempt_at } else { None };
        let address = self.address.parse().or(Err(Error::Unreadable("recipients.address")))?;
        Ok(RecipientRecord { address, kind: self.kind()?, state, last_response, next_attempt_at })
    }
}

impl EventRow {
    fn into_event(self, told: &[RecipientRow]) -> Result<EmailEvent, Error> {
        let recipient = self.ordinal.and_then(|ordinal| told.iter().find(|row| row.ordinal == ordinal));
        Ok(EmailEvent {
            id: EventId::from_uuid(self.id),
            kind: self.kind.parse().or(Err(Error::Unreadable("events.kind")))?,
            recipient: recipient.map(|row| row.address.parse()).transpose().or(Err(Error::Unreadable("recipients.address")))?,
            at: self.at,
            response: self.response,
            attempt: u32::try_from(self.attempt).or(Err(Error::Unreadable("events.attempt")))?,
            url: self.url,
        })
    }
}

fn mailbox(name: Option<&str>, address: &str) -> Result<Mailbox, Error> {
    let name = name.map(str::parse).transpose().or(Err(Error::Unreadable("emails.from_name")))?;
    Ok(Mailbox::new(name, address.parse().or(Err(Error::Unreadable("emails.from_address")))?))
}

fn bounce(text: Option<&str>) -> Result<BounceType, Error> {
    let types = [BounceType::Hard, BounceType::Soft];
    types.into_iter().find(|bounce| Some(bounce.as_str()) == text).ok_or(Error::Unreadable("recipients.bounce_type"))
}

fn enhanced(text: &str) -> Option<EnhancedCode> {
    let mut parts = text.split('.').map(str::parse);
    let (class, subject, detail) = (parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?);
    Some(EnhancedCode { class, subject, detail })
}
