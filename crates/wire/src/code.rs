//! The codes by which a program tells one error from another.

use std::fmt;

use serde::{Serialize, Serializer};

macro_rules! codes {
    ($($Code:ident = $text:literal, $doc:literal;)*) => {
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
        }
    };
}

codes! {
    InvalidRequest = "invalid_request", "The request is malformed, or a field is missing or invalid";
    InvalidIdempotencyKey = "invalid_idempotency_key", "The `Idempotency-Key` is not one header of 1..256 visible ASCII characters";
    UnknownField = "unknown_field", "The body has a field, or the query a parameter, that does not exist";
    TemplateError = "template_error", "A template cannot be read or rendered; `template`, `part`, `line` and `column` say where";
    MissingApiKey = "missing_api_key", "The request has no `Authorization: Bearer` header";
    InvalidApiKey = "invalid_api_key", "The API key is not valid: unknown, malformed, revoked or expired";
    PermissionDenied = "permission_denied", "The API key does not hold the permission that this needs";
    SenderNotAllowed = "sender_not_allowed", "The API key, or its tenant, may not send from this address";
    IpNotAllowed = "ip_not_allowed", "The API key may not be used from this address";
    TenantSuspended = "tenant_suspended", "The tenant is suspended";
    TemplateNotAllowed = "template_not_allowed", "The API key may not use this template";
    NotFound = "not_found", "There is nothing here, or nothing that the API key may see";
    Purged = "purged", "The message was deleted because it was old";
    StreamReset = "stream_reset", "The place from which a stream of events was to go on is gone: it begins anew";
    MethodNotAllowed = "method_not_allowed", "The path exists, but not with this method";
    RequestTimeout = "request_timeout", "The request did not arrive in time";
    IdempotencyConflict = "idempotency_conflict", "The `Idempotency-Key` was used for another request within 24 hours";
    IdempotencyInFlight = "idempotency_in_flight", "A request with this `Idempotency-Key` is not done yet; to be tried again after `Retry-After` seconds";
    Conflict = "conflict", "What is there already does not allow it";
    PayloadTooLarge = "payload_too_large", "The body is larger than this path takes";
    UnsupportedMediaType = "unsupported_media_type", "The body is not plain, uncompressed JSON";
    HeadersTooLarge = "headers_too_large", "The request line and the headers are larger than 16 KiB";
    RateLimited = "rate_limited", "Too many requests; to be tried again after `Retry-After` seconds";
    QuotaExceeded = "quota_exceeded", "The tenant has sent as many emails as it may today; to be tried again after `Retry-After` seconds";
    Internal = "internal", "Something broke on the server";
    RelayFailed = "relay_failed", "The SMTP relay could not be used";
    Unavailable = "unavailable", "The server cannot do it at present; to be tried again after `Retry-After` seconds";
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
