//! Reports on mail that a relay had taken: bounces (RFC 3464, RFC 6533) and complaints (RFC 5965), read from the message as it came in.
//!
//! Whatever stands in one is somebody else's word. It is read within bounds and without recursion: a report is a list of parts, and what is within a part that it
//! returns is never taken apart.

mod complaint;
mod delivery_status;
mod diagnosis;
mod entity;
mod failed_recipients;
mod reported;

use selfmx_domain::{EmailId, FeedbackReport};

use self::entity::Entity;

/// The most recipients that one report may name.
const MAX_RECIPIENTS: usize = 100;

/// What may hold the returned mail, or its header (RFC 3462, RFC 6533).
const ORIGINALS: [&str; 5] =
    ["message/rfc822", "text/rfc822-headers", "message/rfc822-headers", "message/global", "message/global-headers"];

/// Why a message is no report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// It is none of those that are understood.
    #[error(
        "the body is no report: send the message as it came in, an abuse report (RFC 5965: multipart/report with message/feedback-report) or a delivery status notification (RFC 3464: multipart/report with message/delivery-status)"
    )]
    NotAReport,
    /// It names more recipients than any mail of ours has.
    #[error("the report names more than {MAX_RECIPIENTS} recipients")]
    TooManyRecipients,
}

/// Reads a report: the RFC 5322 octets of the message that a relay hands on, with or without the `From ` line that some put before it.
///
/// ```
/// use selfmx_domain::FeedbackKind;
///
/// let report = "Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n\
///     --b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.x.example\r\n\r\n\
///     Final-Recipient: rfc822; gone@y.example\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n\
///     --b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: <msg_01h455vb4pex5vsknk084sn02q@x.example>\r\n\r\n--b--\r\n";
/// let report = selfmx_mail::read_report(report.as_bytes())?;
/// assert_eq!(report.kind, FeedbackKind::Bounce);
/// assert_eq!(report.email, "msg_01h455vb4pex5vsknk084sn02q".parse().ok());
/// # Ok::<(), selfmx_mail::ReportError>(())
/// ```
///
/// # Errors
///
/// [`ReportError`] where it is none.
pub fn read_report(octets: &[u8]) -> Result<FeedbackReport, ReportError> {
    let message = Entity::read(without_envelope_line(octets));
    let parts = message.children();
    let of = |types: &[&str]| parts.iter().find(|part| types.contains(&part.media_type().as_str()));
    let (kind, at, recipients) = if let Some(part) = of(&["message/feedback-report"]) {
        complaint::read(&part.decoded())?
    } else if let Some(part) = of(&["message/delivery-status", "message/global-delivery-status"]) {
        delivery_status::read(&part.decoded())?
    } else {
        return failed_recipients::read(&message, &parts);
    };
    let original = of(&ORIGINALS).and_then(|part| Entity::read(&part.decoded()).email());
    let at = at.or_else(|| message.date("Date"));
    Ok(FeedbackReport { kind, email: original.or_else(|| message.answered()), at, recipients })
}

/// The email whose `Message-ID` this is: we make them of its id.
fn email_of(message_id: &str) -> Option<EmailId> {
    message_id.split_once('@')?.0.parse().ok()
}

/// The message without the line that a mailbox file begins with.
fn without_envelope_line(octets: &[u8]) -> &[u8] {
    if !octets.starts_with(b"From ") {
        return octets;
    }
    let end = octets.iter().position(|octet| *octet == b'\n').map_or(octets.len(), |end| end + 1);
    octets.get(end..).unwrap_or_default()
}

#[cfg(test)]
mod tests;
