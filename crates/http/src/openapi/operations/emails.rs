//! Sending, reading, and not writing to somebody again.

use selfmx_wire::ErrorCode::{
    Conflict, IdempotencyConflict, IdempotencyInFlight, InvalidIdempotencyKey, Purged, QuotaExceeded, SenderNotAllowed, StreamReset,
    TemplateError, TemplateNotAllowed, TenantSuspended,
};

use crate::openapi::Operation;
use crate::openapi::operation::Content::{Json, Other};

/// Why an email may not be sent.
const REFUSED: &[selfmx_wire::ErrorCode] = &[
    SenderNotAllowed,
    TemplateError,
    TemplateNotAllowed,
    TenantSuspended,
    QuotaExceeded,
    IdempotencyConflict,
    IdempotencyInFlight,
    InvalidIdempotencyKey,
];

pub(super) const SENDING: &[Operation] = &[
    Operation::post("/v1/send", "sendEmail", "Send an email")
        .takes("SendEmail")
        .answers(&[(202, Json("EmailAccepted"))])
        .fails(REFUSED)
        .idempotent(),
    Operation::post("/v1/send/batch", "sendBatch", "Send up to 500 emails at once")
        .takes("SendBatch")
        .answers(&[(202, Json("BatchAccepted"))])
        .fails(REFUSED)
        .idempotent(),
    Operation::patch("/v1/emails/{id}", "rescheduleEmail", "Give a scheduled email another time")
        .takes("RescheduleEmail")
        .answers(&[(200, Json("EmailAccepted"))])
        .fails(&[Conflict, TenantSuspended]),
    Operation::post("/v1/emails/{id}/cancel", "cancelEmail", "Call off an email that was not sent yet")
        .answers(&[(200, Json("EmailAccepted"))])
        .fails(&[Conflict, TenantSuspended]),
];

pub(super) const READING: &[Operation] = &[
    Operation::get("/v1/emails", "listEmails", "List emails").answers(&[(200, Json("EmailSummaryList"))]),
    Operation::get("/v1/emails/{id}", "findEmail", "Show an email, its recipients and what happened to it")
        .answers(&[(200, Json("Email"))]),
    Operation::get("/v1/emails/{id}/raw", "findMessage", "Show an email's message as it is sent (RFC 5322)")
        .answers(&[(200, Other("message/rfc822"))])
        .fails(&[Purged]),
    Operation::get("/v1/logs", "listLog", "List what happened to emails, and what a key did").answers(&[(200, Json("LogEntryList"))]),
    Operation::get(
        "/v1/events/stream",
        "streamEvents",
        "Tell what happens to emails as it happens: server-sent events, each with an entry of the log",
    )
    .answers(&[(200, Other("text/event-stream"))])
    .fails(&[StreamReset])
    .resumable(),
];

pub(super) const FEEDBACK: &[Operation] = &[Operation::post(
    "/v1/feedback",
    "reportFeedback",
    "Report that mail came back or was complained of: the report as it came in, by mail",
)
.takes_other("message/rfc822")
.answers(&[(200, Json("Feedback"))])];

pub(super) const SUPPRESSIONS: &[Operation] = &[
    Operation::post("/v1/suppressions", "createSuppression", "Write to an address no more")
        .takes("CreateSuppression")
        .answers(&[(201, Json("Suppression")), (200, Json("Suppression"))]),
    Operation::get("/v1/suppressions", "listSuppressions", "List the addresses that are not written to")
        .answers(&[(200, Json("SuppressionList"))]),
    Operation::get("/v1/suppressions/{address}", "findSuppression", "Show why an address is not written to")
        .answers(&[(200, Json("Suppression"))]),
    Operation::delete("/v1/suppressions/{address}", "deleteSuppression", "Let an address be written to again")
        .answers(&[(200, Json("SuppressionDeleted"))]),
];
