//! The codes by which a program tells one error from another.

use std::fmt;

use serde::{Serialize, Serializer};

macro_rules! codes {
    ($($Code:ident = $text:literal, $doc:literal, $remedy:literal;)*) => {
        /// The code of an error: what a program looks at. Codes are never renamed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $(
                #[doc = concat!("`", $text, "`: ", $doc)]
                $Code,
            )*
        }

        impl ErrorCode {
            /// Every code, in the order of the list.
            pub const ALL: &'static [Self] = &[$(Self::$Code),*];

            /// The code as answers write it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$Code => $text,)*
                }
            }

            /// What it means, in a few words.
            #[must_use]
            pub const fn description(self) -> &'static str {
                match self {
                    $(Self::$Code => $doc,)*
                }
            }

            /// What whoever is told it can do.
            #[must_use]
            pub const fn remedy(self) -> &'static str {
                match self {
                    $(Self::$Code => $remedy,)*
                }
            }
        }
    };
}

codes! {
    InvalidRequest = "invalid_request", "The request is malformed, or a field is missing or invalid",
        "See `message` and, where it is there, `field`: put the request right and send it again. As it is it will never be accepted.";
    InvalidIdempotencyKey = "invalid_idempotency_key", "The `Idempotency-Key` is not one header of 1..256 visible ASCII characters",
        "Send one `Idempotency-Key`, a random word of your own such as a UUID.";
    UnknownField = "unknown_field", "The body has a field, or the query a parameter, that does not exist",
        "`field` names it: look for a typing error, or at what this route takes.";
    TemplateError = "template_error", "A template cannot be read or rendered; `template`, `part`, `line` and `column` say where",
        "Put the template right where the answer says, or give the data that it needs. `POST /v1/templates/validate` checks a template without keeping it.";
    MissingApiKey = "missing_api_key", "The request has no `Authorization: Bearer` header",
        "Send the key as `Authorization: Bearer <key>`: it is looked for nowhere else.";
    InvalidApiKey = "invalid_api_key", "The API key is not valid: unknown, malformed, revoked or expired",
        "Check that the whole key is sent, and whether it was revoked, switched off or has expired. If it is lost, make another: it cannot be shown again.";
    PermissionDenied = "permission_denied", "The API key does not hold the permission that this needs",
        "The header `WWW-Authenticate` names the permission. Use a key that holds it, or have one made. A key gives no more than it has itself.";
    SenderNotAllowed = "sender_not_allowed", "The API key, or its tenant, may not send from this address",
        "Send from an address that the key's `allowed_senders` and the tenant's `domain` allow.";
    IpNotAllowed = "ip_not_allowed", "The API key may not be used from this address",
        "Use the key from an address in its `allowed_ips`. Behind a proxy the operator has to name it in `TRUSTED_PROXIES`.";
    TenantSuspended = "tenant_suspended", "The tenant is suspended",
        "Nothing is sent for the tenant until the operator resumes it; everything else works.";
    TemplateNotAllowed = "template_not_allowed", "The API key may not use this template",
        "The key sends only what is made from its `allowed_templates`.";
    NotFound = "not_found", "There is nothing here, or nothing that the API key may see",
        "Check the path and the id. What belongs to another tenant is answered so, too.";
    Purged = "purged", "The message was deleted because it was old",
        "Bodies and events are kept for as many days as the operator has set (`RETENTION_DAYS`); what lists show of the email stays.";
    StreamReset = "stream_reset", "The place from which a stream of events was to go on is gone: it begins anew",
        "Read what happened meanwhile with `GET /v1/logs`, and go on from what the stream tells from now on.";
    MethodNotAllowed = "method_not_allowed", "The path exists, but not with this method",
        "The header `Allow` names the methods that this path takes.";
    RequestTimeout = "request_timeout", "The request did not arrive in time",
        "Send it again, over a better connection or in smaller parts.";
    IdempotencyConflict = "idempotency_conflict", "The `Idempotency-Key` was used for another request within 24 hours",
        "Take a new `Idempotency-Key` for a new request, and repeat an old one as it was.";
    IdempotencyInFlight = "idempotency_in_flight", "A request with this `Idempotency-Key` is not done yet; to be tried again after `Retry-After` seconds",
        "Wait as long as `Retry-After` says and repeat the same request: it gets the answer of the first.";
    Conflict = "conflict", "What is there already does not allow it",
        "Look at what is there: somebody has changed it, it has the name already, or it is past the point at which this can be done.";
    PayloadTooLarge = "payload_too_large", "The body is larger than this path takes",
        "Send less: 1 MiB at most, for emails 40 MiB unless the operator has set another bound.";
    UnsupportedMediaType = "unsupported_media_type", "The body is not plain, uncompressed JSON",
        "Send `Content-Type: application/json`, in UTF-8 and without a `Content-Encoding`.";
    HeadersTooLarge = "headers_too_large", "The request line and the headers are larger than 16 KiB",
        "Send fewer or shorter headers, or a shorter query.";
    RateLimited = "rate_limited", "Too many requests; to be tried again after `Retry-After` seconds",
        "Wait as long as `Retry-After` says. `X-RateLimit-Remaining` tells beforehand how many requests are left.";
    QuotaExceeded = "quota_exceeded", "The tenant has sent as many emails as it may today; to be tried again after `Retry-After` seconds",
        "Wait until the next day (UTC), or have the operator raise `emails_per_day`.";
    Internal = "internal", "Something broke on the server",
        "Tell the operator the `request_id`: the server's log has the details under it.";
    RelayFailed = "relay_failed", "The SMTP relay could not be used",
        "`message` has the relay's last answer: check host, port, user, password and TLS.";
    Unavailable = "unavailable", "The server cannot do it at present; to be tried again after `Retry-After` seconds",
        "Send it again after `Retry-After`, with an `Idempotency-Key` where it must not happen twice.";
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for ErrorCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_code_is_a_word_of_its_own() {
        let texts: HashSet<_> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(texts.len(), ErrorCode::ALL.len());
        assert!(texts.iter().all(|text| text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')));
    }
}
