//! The server itself.

use selfmx_metrics::Exposition;
use selfmx_wire::ErrorCode::{InvalidApiKey, MissingApiKey, RelayFailed};

use crate::docs;
use crate::openapi::Operation;
use crate::openapi::operation::Content::{Json, Other};
use crate::routes::tracking::PICTURE_TYPE;

pub(super) const SERVER: &[Operation] = &[
    Operation::get("/health", "findHealth", "Show how the server is").answers(&[(200, Json("Health"))]),
    Operation::get("/health/live", "probeLiveness", "Tell that the process answers").answers(&[(200, Json("Fine"))]),
    Operation::get("/health/ready", "probeReadiness", "Tell whether the server should get requests").answers(&[(200, Json("Fine"))]),
    Operation::get("/metrics", "findMetrics", "Show what is counted, for Prometheus")
        .answers(&[(200, Other(Exposition::MEDIA_TYPE))])
        .fails(&[MissingApiKey, InvalidApiKey]),
    Operation::get("/openapi.json", "findOpenApi", "Show this document").answers(&[(200, Json("OpenApi"))]),
    Operation::get("/docs", "readReference", "Read this document as a page").answers(&[(200, Other(docs::MEDIA_TYPE))]),
    Operation::get("/docs/errors", "readErrors", "Read what each error means, and what to do about it")
        .answers(&[(200, Other(docs::MEDIA_TYPE))]),
    Operation::get("/t/o/{token}", "showPicture", "Show the picture of a tracked email, which tells that it was opened")
        .answers(&[(200, Other(PICTURE_TYPE))]),
    Operation::get("/t/c/{token}", "followLink", "Follow a link of a tracked email").answers(&[(302, Json("Redirect"))]),
    Operation::get("/v1/audit-logs", "listAuditLog", "List changes, and management calls that were refused")
        .answers(&[(200, Json("AuditEntryList"))]),
    Operation::post("/v1/test-smtp", "testRelay", "Ask the relay whether it would take mail")
        .answers(&[(200, Json("Fine"))])
        .fails(&[RelayFailed]),
];
