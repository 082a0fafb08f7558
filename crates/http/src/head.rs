//! What can be wrong with a request before its path is looked at.

use selfmx_wire::ErrorCode;

/// What is wrong with a request's head. Its text is for the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeadFault {
    /// A line ends by a bare LF or holds a bare CR, which two servers in a row may read differently (RFC 9112 section 2.2).
    #[error("each line of the request's head must end by CRLF")]
    LineEnd,
    /// The first line is no `method target HTTP/1.x` (RFC 9112 section 3).
    #[error("the request line is malformed")]
    RequestLine,
    /// A header line is malformed: no name, a space before the colon, a folded line, a control character (RFC 9112 section 5).
    #[error("a header line is malformed")]
    HeaderLine,
    /// The head is too large.
    #[error("the request line and the headers must not exceed 16 KiB or 100 headers")]
    TooLarge,
    /// The head did not arrive in time.
    #[error("the request line and the headers did not arrive in time")]
    TooSlow,
    /// Content-Length is malformed, given twice, or given beside Transfer-Encoding (RFC 9112 section 6.3).
    #[error("the length of the body is not clear: one Content-Length of digits, or `Transfer-Encoding: chunked`")]
    Length,
    /// There is no `Host`, more than one, or one that is no host (RFC 9112 section 3.2).
    #[error("exactly one valid Host is required")]
    Host,
    /// There is more than one `Authorization`.
    #[error("exactly one Authorization header is allowed")]
    Authorization,
    /// There is more than one `Idempotency-Key`, or one that is none.
    #[error("at most one Idempotency-Key is allowed, of 1 to 256 visible ASCII characters without spaces")]
    IdempotencyKey,
}

impl HeadFault {
    /// The code of the answer.
    #[must_use]
    pub const fn code(self) -> ErrorCode {
        match self {
            Self::TooLarge => ErrorCode::HeadersTooLarge,
            Self::TooSlow => ErrorCode::RequestTimeout,
            Self::IdempotencyKey => ErrorCode::InvalidIdempotencyKey,
            _ => ErrorCode::InvalidRequest,
        }
    }
}
