//! Prometheus' text format, version 0.0.4.

use std::fmt::{Display, Write as _};

use crate::{Counter, Histogram};

/// What was told so far.
#[derive(Debug, Default)]
pub struct Exposition(String);

/// A family of series, which differ by their labels.
pub struct Family<'a> {
    name: &'a str,
    text: &'a mut String,
}

/// A label's name and its value.
type Label<'a> = (&'a str, &'a str);

impl Exposition {
    /// How an answer calls it.
    pub const MEDIA_TYPE: &'static str = "text/plain; version=0.0.4; charset=utf-8";

    /// A number that only grows. Its name ends in `_total`.
    pub fn counter(&mut self, name: &str, help: &str, counter: &Counter) {
        self.counters(name, help).sample(&[], counter.value());
    }

    /// A number that goes up and down.
    pub fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.gauges(name, help).sample(&[], value);
    }

    /// How long something took. Its name ends in `_seconds`.
    pub fn histogram(&mut self, name: &str, help: &str, histogram: &Histogram) {
        self.histograms(name, help).histogram(&[], histogram);
    }

    /// Numbers that only grow, by their labels.
    pub fn counters<'a>(&'a mut self, name: &'a str, help: &str) -> Family<'a> {
        self.family(name, help, "counter")
    }

    /// Numbers that go up and down, by their labels.
    pub fn gauges<'a>(&'a mut self, name: &'a str, help: &str) -> Family<'a> {
        self.family(name, help, "gauge")
    }

    /// How long something took, by labels.
    pub fn histograms<'a>(&'a mut self, name: &'a str, help: &str) -> Family<'a> {
        self.family(name, help, "histogram")
    }

    /// All of it.
    #[must_use]
    pub fn into_text(self) -> String {
        self.0
    }

    fn family<'a>(&'a mut self, name: &'a str, help: &str, kind: &str) -> Family<'a> {
        let Self(text) = self;
        // Writing to a text does not fail.
        let _ = write!(text, "# HELP {name} {}\n# TYPE {name} {kind}\n", help.replace('\\', "\\\\").replace('\n', "\\n"));
        Family { name, text }
    }
}

impl Family<'_> {
    /// The series with these labels.
    pub fn sample(&mut self, labels: &[Label<'_>], value: impl Display) {
        self.line("", labels, None, value);
    }

    /// The series of a histogram with these labels.
    pub fn histogram(&mut self, labels: &[Label<'_>], histogram: &Histogram) {
        let reading = histogram.read();
        for (bound, count) in &reading.up_to {
            self.line("_bucket", labels, Some(("le", bound)), count);
        }
        self.line("_bucket", labels, Some(("le", "+Inf")), reading.count);
        let (seconds, micros) = (reading.micros / 1_000_000, reading.micros % 1_000_000);
        self.line("_sum", labels, None, format_args!("{seconds}.{micros:06}"));
        self.line("_count", labels, None, reading.count);
    }

    fn line(&mut self, suffix: &str, labels: &[Label<'_>], more: Option<Label<'_>>, value: impl Display) {
        self.text.push_str(self.name);
        self.text.push_str(suffix);
        for (index, (name, value)) in labels.iter().copied().chain(more).enumerate() {
            let open = if index == 0 { '{' } else { ',' };
            let _ = write!(self.text, "{open}{name}=\"{}\"", escaped(value));
        }
        if !labels.is_empty() || more.is_some() {
            self.text.push('}');
        }
        let _ = writeln!(self.text, " {value}");
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn series_are_told_apart_by_their_labels() {
        let mut exposition = Exposition::default();
        let mut family = exposition.counters("a_total", "Some \\ help\nin lines.");
        family.sample(&[], 1);
        family.sample(&[("route", "/v1/{id}"), ("status", "200")], 2);
        exposition.gauge("b", "B.", 0.5);
        assert_eq!(
            exposition.into_text(),
            "# HELP a_total Some \\\\ help\\nin lines.\n# TYPE a_total counter\na_total 1\na_total{route=\"/v1/{id}\",status=\"200\"} 2\n\
             # HELP b B.\n# TYPE b gauge\nb 0.5\n"
        );
    }

    #[test]
    fn a_histogram_ends_with_all_its_sum_and_its_count() {
        let (mut exposition, histogram) = (Exposition::default(), Histogram::default());
        histogram.observe(Duration::from_millis(2));
        histogram.observe(Duration::from_secs(61));
        exposition.histograms("t_seconds", "T.").histogram(&[("kind", "x")], &histogram);
        let text = exposition.into_text();
        for line in [
            "t_seconds_bucket{kind=\"x\",le=\"0.001\"} 0\n",
            "t_seconds_bucket{kind=\"x\",le=\"0.0025\"} 1\n",
            "t_seconds_bucket{kind=\"x\",le=\"+Inf\"} 2\n",
            "t_seconds_sum{kind=\"x\"} 61.002000\n",
            "t_seconds_count{kind=\"x\"} 2\n",
        ] {
            assert!(text.contains(line), "{line}{text}");
        }
    }

    proptest! {
        #[test]
        fn a_label_s_value_stays_within_its_quotes(value in any::<String>()) {
            let escaped = escaped(&value);
            prop_assert!(!escaped.contains('\n'));
            prop_assert!(!escaped.replace("\\\\", "").replace("\\\"", "").contains('"'));
            let back = escaped.replace("\\\\", "\u{0}").replace("\\\"", "\"").replace("\\n", "\n").replace('\u{0}', "\\");
            prop_assume!(!value.contains('\u{0}'));
            prop_assert_eq!(back, value);
        }
    }
}
