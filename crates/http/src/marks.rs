//! By what a request is found again: its id, and the trace that it belongs to.

use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, HeaderName};
use selfmx_auth::Secret;
use selfmx_domain::{Clock, Entropy, RequestId, TraceId};

/// The header of the request id, in requests and answers.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const MAX_ID_OCTETS: usize = 128;

/// The caller's request id where it is 1..128 visible ASCII characters and no key, else a new one.
///
/// It comes to stand in the log and in the answer. A made key is told by its form; one that the operator chose by what the request presents, and by
/// `is_operators`.
pub(crate) fn request_id(headers: &HeaderMap, is_operators: impl Fn(&str) -> bool, clock: &dyn Clock, entropy: &dyn Entropy) -> String {
    let mut given = headers.get_all(REQUEST_ID).iter().filter_map(|value| value.to_str().ok());
    match (given.next(), given.next()) {
        (Some(id), None) if is_good(id) && !Secret::is_in(id) && !is_presented(id, headers) && !is_operators(id) => id.to_owned(),
        _ => RequestId::generate(clock, entropy).to_string(),
    }
}

fn is_good(id: &str) -> bool {
    (1..=MAX_ID_OCTETS).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Whether an id holds the key that the request presents.
fn is_presented(id: &str, headers: &HeaderMap) -> bool {
    let words = headers.get_all(AUTHORIZATION).iter().filter_map(|value| value.to_str().ok()?.split_whitespace().last());
    words.filter_map(Secret::presented).any(|secret| id.contains(secret.reveal()))
}

/// The trace that a request belongs to: the one that its one `traceparent` names (W3C Trace Context), else a new one.
pub(crate) fn trace(headers: &HeaderMap, entropy: &dyn Entropy) -> TraceId {
    let mut given = headers.get_all(TRACEPARENT).iter();
    let named = match (given.next(), given.next()) {
        (Some(value), None) => value.to_str().ok().and_then(TraceId::of_traceparent),
        _ => None,
    };
    named.unwrap_or_else(|| TraceId::generate(entropy))
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
        request_id(&headers, |id| id == "metrics-token-0123", &Fixed, &Fixed)
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
        for values in [&[][..], &[""], &["a b"], &["a\tb"], &["a", "b"], &[long.as_str()], &[key.as_str()], &["metrics-token-0123"]] {
            assert!(id(values).starts_with("req_"), "{values:?}");
        }
        let mut headers = HeaderMap::new();
        headers.append(REQUEST_ID, hyper::header::HeaderValue::from_bytes(b"\xc3\xa9").unwrap());
        assert!(request_id(&headers, |_| false, &Fixed, &Fixed).starts_with("req_"));
    }

    #[test]
    fn the_key_that_a_request_presents_is_no_id_of_it_whatever_its_form() {
        let of = |id: &str| {
            let header = |text: &str| text.parse().unwrap();
            let headers = HeaderMap::from_iter([(AUTHORIZATION, header("bearer  the-operators-own-key ")), (REQUEST_ID, header(id))]);
            request_id(&headers, |_| false, &Fixed, &Fixed)
        };
        assert!(of("the-operators-own-key").starts_with("req_") && of("job/the-operators-own-key").starts_with("req_"));
        assert_eq!(of("the-operators-own-ke"), "the-operators-own-ke");
    }

    #[test]
    fn a_request_without_one_good_trace_begins_one() {
        let given = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let of = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(TRACEPARENT, value.parse().unwrap());
            }
            trace(&headers, &Fixed).to_string()
        };
        assert_eq!(of(&[given]), "4bf92f3577b34da6a3ce929d0e0e4736");
        for values in [&[][..], &["canary"], &[given, given]] {
            assert_eq!(of(values), "01".repeat(16), "{values:?}");
        }
    }
}
