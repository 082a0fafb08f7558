//! Which web pages may call: the Fetch standard's CORS protocol.

use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS,
    ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ALLOW, HeaderValue, ORIGIN, VARY,
};
use hyper::{HeaderMap, StatusCode};
use selfmx_wire::Allowed;

use crate::{Answer, CorsOrigins, Reply};

const REQUEST_HEADERS: &str = "authorization, content-type, idempotency-key, last-event-id, traceparent, x-request-id";
const ANSWER_HEADERS: &str =
    "allow, idempotency-replayed, retry-after, www-authenticate, x-ratelimit-limit, x-ratelimit-remaining, x-ratelimit-reset, x-request-id";
const MAX_AGE_SECONDS: &str = "600";

/// The answer to `OPTIONS`: the methods that a path takes, and what a preflight asks for.
pub(crate) fn options(request: &HeaderMap, allow: &[&'static str]) -> Answer {
    let mut reply = Reply::json(StatusCode::OK, &Allowed { allow })?;
    let Ok(methods) = HeaderValue::from_str(&allow.join(", ")) else {
        return Ok(reply);
    };
    if request.contains_key(ORIGIN) && request.contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
        reply = reply
            .with(ACCESS_CONTROL_ALLOW_METHODS, methods.clone())
            .with(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(REQUEST_HEADERS))
            .with(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE_SECONDS));
    }
    Ok(reply.with(ALLOW, methods))
}

/// Lets the page of `origin` read an answer, where it may.
pub(crate) fn admit(answer: &mut HeaderMap, origin: Option<&HeaderValue>, origins: &CorsOrigins) {
    if matches!(origins, CorsOrigins::Only(_)) {
        answer.append(VARY, HeaderValue::from_static("origin"));
    }
    let allowed = origin.and_then(|origin| origins.allowed(origin.to_str().ok()?)).and_then(|value| HeaderValue::from_str(value).ok());
    if let Some(allowed) = allowed {
        answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        answer.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(ANSWER_HEADERS));
        return;
    }
    for name in [ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_MAX_AGE] {
        answer.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(origins: &CorsOrigins, origin: &'static str) -> HeaderMap {
        let origin = HeaderValue::from_static(origin);
        let request = HeaderMap::from_iter([(ORIGIN, origin.clone()), (ACCESS_CONTROL_REQUEST_METHOD, HeaderValue::from_static("POST"))]);
        let mut headers = options(&request, &["POST", "OPTIONS"]).unwrap().headers;
        admit(&mut headers, Some(&origin), origins);
        headers
    }

    #[test]
    fn a_preflight_is_told_what_is_allowed() {
        let headers = answered(&CorsOrigins::Any, "https://a.example");
        assert_eq!(headers[ACCESS_CONTROL_ALLOW_ORIGIN], "*");
        assert_eq!(headers[ACCESS_CONTROL_ALLOW_METHODS], "POST, OPTIONS");
        assert_eq!(headers[ACCESS_CONTROL_ALLOW_HEADERS], REQUEST_HEADERS);
        // What a page's own reader of events goes on with: it cannot use the browser's, which sends no `Authorization`.
        assert!(REQUEST_HEADERS.split(", ").any(|name| name == "last-event-id"));
        assert!(!headers.contains_key(VARY));
    }

    #[test]
    fn another_origin_is_told_nothing() {
        let origins = CorsOrigins::Only(vec!["https://a.example".to_owned()]);
        let headers = answered(&origins, "https://a.example");
        assert_eq!(
            (&headers[ACCESS_CONTROL_ALLOW_ORIGIN], &headers[VARY]),
            (&"https://a.example".parse().unwrap(), &"origin".parse().unwrap())
        );
        let headers = answered(&origins, "https://b.example");
        assert!(headers.keys().all(|name| !name.as_str().starts_with("access-control-")));
        assert_eq!(headers[VARY], "origin");
    }

    #[test]
    fn a_plain_options_is_told_the_methods() {
        let headers = options(&HeaderMap::new(), &["GET", "HEAD", "OPTIONS"]).unwrap().headers;
        assert_eq!(headers[ALLOW], "GET, HEAD, OPTIONS");
        assert!(!headers.contains_key(ACCESS_CONTROL_ALLOW_METHODS));
    }
}
