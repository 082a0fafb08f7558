//! What became of posts to webhooks, counted.

use selfmx_metrics::{Counter, Exposition, Source};
use selfmx_storage::Posted;

/// What became of posts since the worker was made. Each only grows.
#[derive(Debug, Default)]
pub struct WebhookCounts {
    accepted: Counter,
    refused: Counter,
    unanswered: Counter,
    disabled: Counter,
}

impl WebhookCounts {
    /// A post ended so. What was not posted at all does not count.
    pub(crate) fn posted(&self, posted: &Posted) {
        if !posted.asked {
            return;
        }
        let counter = match (posted.accepted, posted.status) {
            (true, _) => &self.accepted,
            (false, Some(_)) => &self.refused,
            (false, None) => &self.unanswered,
        };
        counter.increment();
    }

    /// A webhook was disabled.
    pub(crate) fn add_disabled(&self) {
        self.disabled.increment();
    }
}

impl Source for WebhookCounts {
    fn tell(&self, exposition: &mut Exposition) {
        let help = "Posts to webhooks, by how they ended: accepted with 2xx, refused with another answer, or unanswered.";
        let mut posts = exposition.counters("selfmx_webhook_posts_total", help);
        for (outcome, counter) in [("accepted", &self.accepted), ("refused", &self.refused), ("unanswered", &self.unanswered)] {
            posts.sample(&[("outcome", outcome)], counter.value());
        }
        let help = "Webhooks that were disabled: gone, or failing for five days.";
        exposition.counter("selfmx_webhooks_disabled_total", help, &self.disabled);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_post_counts_once_by_how_it_ended() {
        let counts = WebhookCounts::default();
        for (accepted, status) in [(true, Some(200)), (false, Some(500)), (false, Some(410)), (false, None)] {
            let took = Duration::ZERO;
            counts.posted(&Posted { asked: true, accepted, gone: false, retry_after: None, status, error: None, answer: None, took });
        }
        counts.add_disabled();
        let mut exposition = Exposition::default();
        counts.tell(&mut exposition);
        let text = exposition.into_text();
        for line in
            ["{outcome=\"accepted\"} 1", "{outcome=\"refused\"} 2", "{outcome=\"unanswered\"} 1", "selfmx_webhooks_disabled_total 1"]
        {
            assert!(text.contains(line), "{line}: {text}");
        }
    }
}
