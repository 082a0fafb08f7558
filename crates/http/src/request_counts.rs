//! How many requests there were, how long they took, and what went wrong.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::StatusCode;
use selfmx_metrics::{Exposition, Histogram, Source};
use selfmx_wire::ErrorCode;

/// What is counted of requests. Its labels are words of ours: methods, patterns of routes, statuses and codes.
#[derive(Debug, Default)]
pub(crate) struct RequestCounts(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    /// By method and pattern.
    routes: BTreeMap<(&'static str, &'static str), Answered>,
    errors: BTreeMap<&'static str, u64>,
}

#[derive(Debug, Default)]
struct Answered {
    took: Histogram,
    statuses: BTreeMap<u16, u64>,
}

impl RequestCounts {
    /// A request to this route was answered so, after so long.
    pub(crate) fn answered(&self, route: (&'static str, &'static str), status: StatusCode, took: Duration) {
        let mut counts = self.lock();
        let answered = counts.routes.entry(route).or_default();
        answered.took.observe(took);
        *answered.statuses.entry(status.as_u16()).or_default() += 1;
    }

    /// A request was answered with this code.
    pub(crate) fn failed(&self, code: ErrorCode) {
        *self.lock().errors.entry(code.as_str()).or_default() += 1;
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Source for RequestCounts {
    fn tell(&self, exposition: &mut Exposition) {
        let counts = self.lock();
        let mut requests = exposition.counters("selfmx_api_requests_total", "Requests that were answered.");
        for ((method, route), answered) in &counts.routes {
            for (status, count) in &answered.statuses {
                requests.sample(&[("method", method), ("route", route), ("status", &status.to_string())], count);
            }
        }
        let help = "How long requests took, from their head to their answer.";
        let mut took = exposition.histograms("selfmx_api_request_duration_seconds", help);
        for ((method, route), answered) in &counts.routes {
            took.histogram(&[("method", method), ("route", route)], &answered.took);
        }
        let mut errors = exposition.counters("selfmx_api_errors_total", "Requests that were answered with an error, by its code.");
        counts.errors.iter().for_each(|(code, count)| errors.sample(&[("code", code)], count));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_route_and_status() {
        let counts = RequestCounts::default();
        for status in [StatusCode::OK, StatusCode::OK, StatusCode::NOT_FOUND] {
            counts.answered(("GET", "/v1/emails/{id}"), status, Duration::from_millis(3));
        }
        counts.failed(ErrorCode::NotFound);
        let mut exposition = Exposition::default();
        counts.tell(&mut exposition);
        let text = exposition.into_text();
        for line in [
            "selfmx_api_requests_total{method=\"GET\",route=\"/v1/emails/{id}\",status=\"200\"} 2\n",
            "selfmx_api_requests_total{method=\"GET\",route=\"/v1/emails/{id}\",status=\"404\"} 1\n",
            "selfmx_api_request_duration_seconds_count{method=\"GET\",route=\"/v1/emails/{id}\"} 3\n",
            "selfmx_api_errors_total{code=\"not_found\"} 1\n",
        ] {
            assert!(text.contains(line), "{line}{text}");
        }
    }
}
