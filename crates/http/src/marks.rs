//! By what a request is found again: its id, and the trace that it belongs to.

use hyper::HeaderMap;
use hyper::header::HeaderName;
use selfmx_auth::Secret;
use selfmx_domain::{Clock, Entropy, RequestId};

/// The header of the request id, in requests and answers.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const MAX_ID_OCTETS: usize = 128;

/// The caller's request id where it is 1..128 visible ASCII characters and no key, else a new one.
pub(crate) fn request_id(headers: &HeaderMap, clock: &dyn Clock, entropy: &dyn Entropy) -> String {
    let mut given = headers.get_all(REQUEST_ID).iter().filter_map(|value| value.to_str().ok());
    match (given.next(), given.next()) {
        (Some(id), None) if is_kept(id) => id.to_owned(),
        _ => RequestId::generate(clock, entropy).to_string(),
    }
}

/// Whether a caller's own id is good: it comes to stand in the log, where no key may.
fn is_kept(id: &str) -> bool {
    (1..=MAX_ID_OCTETS).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic()) && !Secret::is_in(id)
}

/// The trace id of a `traceparent` header (W3C Trace Context, version 00 and later).
pub(crate) fn trace_id(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get(TRACEPARENT)?.to_str().ok()?;
    let mut parts = text.split('-');
    let (version, trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let well_formed = is_hex(version, 2) && is_hex(trace, 32) && is_hex(parent, 16) && is_hex(flags, 2);
    let known = version != "ff" && (version != "00" || parts.next().is_none());
    let named = [trace, parent].iter().all(|id| id.bytes().any(|byte| byte != b'0'));
    (well_formed && known && named).then_some(trace)
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    struct Fixed;

    impl Clock for Fixed {
        fn now(&self) -> time::OffsetDateTime {
            datetime!(2026-01-02 03:04 UTC)
        }
    }

    impl Entropy for Fixed {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(1);
        }
    }

    fn id(values: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(REQUEST_ID, value.parse().unwrap());
        }
        request_id(&headers, &Fixed, &Fixed)
    }

    #[test]
    fn a_caller_s_visible_id_is_kept() {
        let longest = "x".repeat(128);
        for text in ["a", "7f3b-22", "{\"a\"}", longest.as_str()] {
            assert_eq!(id(&[text]), text);
        }
    }

    #[test]
    fn any_other_is_replaced() {
        let (long, key) = ("x".repeat(129), format!("sk_live_{}", "x".repeat(49)));
        for values in [&[][..], &[""], &["a b"], &["a\tb"], &["a", "b"], &[long.as_str()], &[key.as_str()]] {
            assert!(id(values).starts_with("req_"), "{values:?}");
        }
        let mut headers = HeaderMap::new();
        headers.append(REQUEST_ID, hyper::header::HeaderValue::from_bytes(b"\xc3\xa9").unwrap());
        assert!(request_id(&headers, &Fixed, &Fixed).starts_with("req_"));
    }

    #[test]
    fn a_trace_id_is_read_from_a_well_formed_traceparent() {
        let trace = |value: &str| {
            let headers = HeaderMap::from_iter([(TRACEPARENT, value.parse().unwrap())]);
            trace_id(&headers).map(str::to_owned)
        };
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(trace(&format!("00-{id}-00f067aa0ba902b7-01")).as_deref(), Some(id));
        assert_eq!(trace(&format!("01-{id}-00f067aa0ba902b7-01-more")).as_deref(), Some(id));
        for text in [
            String::new(),
            format!("00-{id}-00f067aa0ba902b7"),
            format!("00-{id}-00f067aa0ba902b7-01-more"),
            format!("ff-{id}-00f067aa0ba902b7-01"),
            format!("00-{id}-0000000000000000-01"),
            format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)),
            format!("00-{}-00f067aa0ba902b7-01", id.to_uppercase()),
        ] {
            assert_eq!(trace(&text), None, "{text}");
        }
    }
}
