//! A corpus in the shapes of common mail servers, and what somebody might make of it.

use proptest::prelude::*;
use selfmx_domain::{BounceType, FeedbackKind, FeedbackType, ReportedRecipient};
use time::OffsetDateTime;
use time::macros::datetime;

use super::*;

const POSTFIX: &str = include_str!("corpus/postfix.eml");
const EXCHANGE: &str = include_str!("corpus/exchange.eml");
const GMAIL: &str = include_str!("corpus/gmail.eml");
const EXIM: &str = include_str!("corpus/exim.eml");
const COMPLAINT: &str = include_str!("corpus/complaint.eml");
const GLOBAL: &str = include_str!("corpus/global.eml");
const ALL: [&str; 6] = [POSTFIX, EXCHANGE, GMAIL, EXIM, COMPLAINT, GLOBAL];

const ID: &str = "msg_01h455vb4pex5vsknk084sn02q";

/// The report, with the line ends of a file and with those of a mail.
fn read(text: &str) -> FeedbackReport {
    let report = read_report(text.as_bytes()).unwrap();
    assert_eq!(read_report(text.replace('\n', "\r\n").as_bytes()), Ok(report.clone()));
    report
}

/// What is said of each: its addresses, and by what it bounced how.
fn told(report: &FeedbackReport) -> Vec<(String, Option<(String, BounceType)>)> {
    let line = |recipient: &ReportedRecipient| {
        let addresses: Vec<_> = recipient.addresses.iter().map(ToString::to_string).collect();
        (addresses.join(" "), recipient.bounce.as_ref().map(|reply| (reply.to_string(), BounceType::of_recipient(reply))))
    };
    report.recipients.iter().map(line).collect()
}

fn failed(address: &str, reply: &str, bounce: BounceType) -> (String, Option<(String, BounceType)>) {
    (address.to_owned(), Some((reply.to_owned(), bounce)))
}

fn about_ours(report: &FeedbackReport, kind: FeedbackKind, at: OffsetDateTime) {
    assert_eq!((report.kind, report.email, report.at), (kind, ID.parse().ok(), Some(at)));
}

#[test]
fn postfix_tells_of_each_recipient_what_became_of_it() {
    let report = read(POSTFIX);
    about_ours(&report, FeedbackKind::Bounce, datetime!(2026-11-28 10:00:05 UTC));
    let unknown = "550 5.1.1 <gone@recipient.example>: Recipient address rejected: User unknown";
    assert_eq!(told(&report)[0], failed("Gone@recipient.example gone@recipient.example", unknown, BounceType::Hard));
    assert_eq!(told(&report)[1], ("slow@recipient.example".to_owned(), None));
    let timed_out = "450 4.4.1 connect to mx.recipient.example: Connection timed out";
    assert_eq!(told(&report)[2], failed("expired@recipient.example", timed_out, BounceType::Soft));
    assert_eq!(report.recipients.len(), 3);
}

#[test]
fn exchange_may_return_no_message_id_and_answers_the_mail_instead() {
    let report = read(EXCHANGE);
    about_ours(&report, FeedbackKind::Bounce, datetime!(2026-11-28 10:29:58 UTC));
    let said = "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient gone@recipient.example not found by SMTP address lookup";
    assert_eq!(told(&report), [failed("gone@recipient.example", said, BounceType::Hard)]);
}

#[test]
fn what_the_other_server_said_counts_for_more_than_a_status_that_says_nothing() {
    let report = read(GMAIL);
    about_ours(&report, FeedbackKind::Bounce, datetime!(2026-11-28 09:59:58 UTC));
    let full = "552 5.2.2 The recipient's inbox is out of storage space. 552 5.2.2 See the help.";
    assert_eq!(told(&report), [failed("full@recipient.example", full, BounceType::Soft)]);
}

#[test]
fn exim_names_who_failed_in_the_header_and_encloses_the_mail() {
    let report = read(EXIM);
    about_ours(&report, FeedbackKind::Bounce, datetime!(2026-11-28 10:00 UTC));
    let expected = [
        failed("gone@recipient.example", "550 5.1.1 No such user", BounceType::Hard),
        failed("other@recipient.example", "554", BounceType::Soft),
    ];
    assert_eq!(told(&report), expected);
}

#[test]
fn a_complaint_has_a_type_and_those_to_whom_the_mail_went() {
    let report = read(COMPLAINT);
    about_ours(&report, FeedbackKind::Complaint(FeedbackType::Abuse), datetime!(2026-11-28 10:00:05 UTC));
    let named = ["anna@recipient.example", "ben@recipient.example"].map(|address| (address.to_owned(), None));
    assert_eq!(told(&report), named);
    for (written, kind) in [
        ("opt-out-list", FeedbackKind::Complaint(FeedbackType::OptOutList)),
        ("FRAUD", FeedbackKind::Complaint(FeedbackType::Fraud)),
        ("not-spam", FeedbackKind::Ignored),
        ("auth-failure", FeedbackKind::Ignored),
        ("what is that", FeedbackKind::Ignored),
    ] {
        assert_eq!(read(&COMPLAINT.replace("Feedback-Type: Abuse", &format!("Feedback-Type: {written}"))).kind, kind, "{written}");
    }
    assert_eq!(
        read(&COMPLAINT.replace("Original-Rcpt-To: <anna", "X-Was: <anna").replace("<ben@recipient.example>", "<redacted>")).recipients[0]
            .addresses,
        []
    );
}

#[test]
fn addresses_beyond_ascii_and_parts_that_are_encoded_are_read() {
    let report = read(GLOBAL);
    about_ours(&report, FeedbackKind::Bounce, datetime!(2026-11-28 10:00:07 UTC));
    assert_eq!(told(&report), [failed("Jörg@recipient.example jörg@xn--bcher-kva.example", "554 5.2.1", BounceType::Hard)]);
}

#[test]
fn what_did_not_fail_is_ignored() {
    for action in ["delayed", "delivered", "relayed", "expanded"] {
        let report = read(&EXCHANGE.replace("Action: failed", &format!("Action: {action}")));
        assert_eq!((report.kind, report.recipients[0].bounce.clone()), (FeedbackKind::Ignored, None), "{action}");
    }
    let without = EXCHANGE.replace("Action: failed\n", "");
    assert_eq!(read(&without).kind, FeedbackKind::Bounce);
    assert_eq!(read(&without.replace("Status: 5", "Status: 4")).kind, FeedbackKind::Ignored);
}

#[test]
fn a_message_id_that_is_not_ours_names_no_email() {
    for other in ["<0100018@relay.example>", "<tenant_default@x.example>", "<msg_01h455vb4pex5vsknk084sn02q>", ""] {
        let text = COMPLAINT.replace("<msg_01h455vb4pex5vsknk084sn02q@sender.example>", other);
        assert_eq!(read(&text).email, None, "{other}");
    }
}

#[test]
fn what_is_no_report_is_refused() {
    let plain = "From: a@x.example\nSubject: Hi\n\nmessage/delivery-status\n";
    let truncated = POSTFIX.split("Content-Type: message/delivery-status").next().unwrap();
    let unbounded = COMPLAINT.replace("boundary=", "bound=");
    for text in ["", "\n", "{}", "From ", plain, truncated, &unbounded] {
        assert_eq!(read_report(text.as_bytes()), Err(ReportError::NotAReport), "{text}");
    }
}

#[test]
fn a_report_names_so_many_recipients_and_no_more() {
    let group = "Final-Recipient: rfc822; a@x.example\nAction: failed\nStatus: 5.1.1\n\n";
    let with = |count: usize| GLOBAL.replace("Original-Recipient", &format!("{}Original-Recipient", group.repeat(count)));
    assert_eq!(read(&with(MAX_RECIPIENTS - 1)).recipients.len(), MAX_RECIPIENTS);
    assert_eq!(read_report(with(MAX_RECIPIENTS).as_bytes()), Err(ReportError::TooManyRecipients));
    let of_nobody = GLOBAL.replace("Original-Recipient", &format!("{}Original-Recipient", "X-Note: a\n\n".repeat(MAX_RECIPIENTS)));
    assert_eq!(read_report(of_nobody.as_bytes()), Err(ReportError::TooManyRecipients));
    let line = "Original-Rcpt-To: <a@x.example>\n";
    let many = COMPLAINT.replace("Source-IP", &format!("{}Source-IP", line.repeat(MAX_RECIPIENTS)));
    assert_eq!(read_report(many.as_bytes()), Err(ReportError::TooManyRecipients));
    let names = vec!["a@x.example"; MAX_RECIPIENTS].join(",");
    let many = EXIM.replace("Recipients: ", &format!("Recipients: {names},"));
    assert_eq!(read_report(many.as_bytes()), Err(ReportError::TooManyRecipients));
}

/// A mail that is deep, long or of many parts costs no more than its length, and no stack.
#[test]
fn nothing_is_taken_apart_that_need_not_be() {
    let deep = "Content-Type: message/rfc822\n\n".repeat(200_000);
    let boundaries: String = (0..30_000).map(|n| format!("Content-Type: multipart/mixed; boundary={n}\n\n--{n}\n")).collect();
    let returned = COMPLAINT.replace("Subject: Receipt\nMessage", &format!("\n{deep}Message"));
    for text in [&deep, &boundaries, &returned, &"--part1_13d.2e68ed54_boundary\n".repeat(100_000), &"a".repeat(3_000_000)] {
        let _ = read_report(text.as_bytes());
        let _ = read_report(COMPLAINT.replace("Hello\n", text).as_bytes());
        let _ = read_report(POSTFIX.replace("Reporting-MTA: ", text).as_bytes());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Pieces of reports cut out, repeated, and overwritten with anything.
    #[test]
    fn a_report_that_was_tampered_with_breaks_nothing(
        which in 0..ALL.len(),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), prop::collection::vec(any::<u8>(), 0..8), any::<bool>()), 1..6),
    ) {
        let mut octets = ALL[which].as_bytes().to_vec();
        for (from, to, with, again) in cuts {
            let (a, b) = (from.index(octets.len() + 1), to.index(octets.len() + 1));
            let (a, b) = (a.min(b), a.max(b).min(a.min(b) + 200));
            let cut: Vec<_> = octets.splice(a..b, with).collect();
            if again {
                octets.extend(cut);
            }
        }
        let _ = read_report(&octets);
    }

    #[test]
    fn anything_at_all_breaks_nothing(octets in prop::collection::vec(any::<u8>(), 0..2_000)) {
        let _ = read_report(&octets);
        let _ = read_report(&[b"X-Failed-Recipients: ", octets.as_slice()].concat());
        let _ = read_report(&[b"Content-Type: multipart/report; boundary=b\n\n--b\nContent-Type: message/delivery-status\n\n", octets.as_slice()].concat());
    }
}
