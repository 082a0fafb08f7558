//! Bounces of Exim's that are no `multipart/report`: `X-Failed-Recipients` names who failed, the text says why, and the mail itself follows.

use selfmx_domain::{FeedbackKind, FeedbackReport, Reply, ReportedRecipient};

use super::entity::Entity;
use super::{MAX_RECIPIENTS, ORIGINALS, ReportError, diagnosis, reported};

/// As much of the text is looked at.
const MAX_TEXT: usize = 64 * 1024;

/// Reads the report, if it is one.
pub(super) fn read(message: &Entity<'_>, parts: &[Entity<'_>]) -> Result<FeedbackReport, ReportError> {
    let named: Vec<_> = message.fields("X-Failed-Recipients").flat_map(|list| list.split(',')).take(MAX_RECIPIENTS + 1).collect();
    if named.is_empty() {
        return Err(ReportError::NotAReport);
    }
    if named.len() > MAX_RECIPIENTS {
        return Err(ReportError::TooManyRecipients);
    }
    let body = parts.iter().find(|part| part.media_type() == "text/plain").unwrap_or(message).decoded();
    let text = String::from_utf8_lossy(body.get(..MAX_TEXT).unwrap_or(&body));
    let (said, copy) = before_copy(&text);
    let enclosed = parts.iter().find(|part| ORIGINALS.contains(&part.media_type().as_str())).map(Entity::decoded);
    let email = match enclosed {
        Some(original) => Entity::read(&original).email(),
        None => Entity::read(copy.trim_start().as_bytes()).email(),
    };
    let recipients = named.into_iter().map(|name| recipient(name.trim(), said)).collect();
    let email = email.or_else(|| message.answered());
    Ok(FeedbackReport { kind: FeedbackKind::Bounce, email, at: message.date("Date"), recipients })
}

/// What is said of the failure, and the copy of the mail below the line that announces it.
fn before_copy(text: &str) -> (&str, &str) {
    let mut begin = 0;
    for line in text.split_inclusive('\n') {
        let end = begin + line.len();
        if line.starts_with("------") && line.contains("copy of") {
            return text.split_at_checked(end).unwrap_or((text, ""));
        }
        begin = end;
    }
    (text, "")
}

/// The reply that stands in the paragraph that begins with the address.
fn recipient(name: &str, said: &str) -> ReportedRecipient {
    let after = said.lines().skip_while(|line| line.trim() != name).skip(1).take_while(|line| !line.trim().is_empty());
    let replied = after.map(str::trim).find_map(diagnosis::said);
    let bounce = replied.map_or_else(|| diagnosis::reply(None, None), |(code, enhanced, text)| Reply::new(code, enhanced, text));
    ReportedRecipient { addresses: reported::addresses(name), bounce: Some(bounce) }
}
