//! The log of requests: one line for each, without bodies, query strings or anything else that the caller chose freely.

use std::error::Error as _;
use std::net::IpAddr;

use hyper::{Method, StatusCode};
use selfmx_domain::TraceId;
use tokio::time::Instant;

use crate::Failure;
use crate::service::Known;

/// The route of a request whose path is none of ours.
pub(crate) const NOWHERE: &str = "-";

/// One request. Each value is from a list of ours, a number, or checked to be visible ASCII.
pub(crate) fn line(
    (method, route): (&str, &str),
    known: &Known,
    status: StatusCode,
    begin: Instant,
    client: IpAddr,
    (request_id, trace): (&str, TraceId),
) {
    tracing::info!(
        method,
        route,
        status = status.as_u16(),
        duration_us = u64::try_from(begin.elapsed().as_micros()).unwrap_or(u64::MAX),
        key_id = known.key.map(tracing::field::display),
        client = %client,
        request_id,
        trace_id = %trace,
        "request"
    );
}

/// Why a request failed, where that is our side's matter. The caller is not told.
pub(crate) fn failed(failure: &Failure) {
    if matches!(failure, Failure::Panicked) {
        tracing::error!("a handler panicked");
        return;
    }
    let mut causes = Vec::new();
    let mut cause = failure.source();
    while let Some(error) = cause {
        causes.push(error.to_string());
        cause = error.source();
    }
    if !causes.is_empty() {
        // As `Debug` writes a text: with its control characters escaped.
        tracing::error!(code = failure.code().as_str(), causes = ?causes.join(": "), "request failed");
    }
}

/// A method's name where it is a known one: others are the caller's words.
pub(crate) fn name(method: &Method) -> &'static str {
    let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"];
    known.into_iter().find(|known| *known == method.as_str()).unwrap_or("other")
}
