//! Figures: what was measured and what it was measured against, in the same run.

/// One run: ours and the reference's, in the same unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Pair {
    pub(crate) ours: f64,
    pub(crate) reference: f64,
}

/// The middle of several figures, the least and the greatest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

/// What ours should be to the reference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Goal {
    AtLeast(f64),
    AtMost(f64),
    Within(f64, f64),
    /// Ours alone, in its own unit.
    OursAtMost(f64),
}

/// Where a figure came from, and what is asked of it.
#[derive(Clone, Debug)]
pub(crate) struct Figures {
    /// What was measured.
    pub(crate) what: String,
    /// What it was measured against.
    pub(crate) reference: String,
    pub(crate) unit: &'static str,
    pub(crate) goal: Goal,
    pub(crate) pairs: Vec<Pair>,
}

impl Figures {
    /// None yet.
    pub(crate) fn new(what: impl Into<String>, reference: impl Into<String>, unit: &'static str, goal: Goal) -> Self {
        Self { what: what.into(), reference: reference.into(), unit, goal, pairs: Vec::new() }
    }

    /// Adds a run.
    pub(crate) fn push(&mut self, ours: f64, reference: f64) {
        self.pairs.push(Pair { ours, reference });
    }

    pub(crate) fn ours(&self) -> Option<Spread> {
        Spread::of(self.pairs.iter().map(|pair| pair.ours))
    }

    pub(crate) fn references(&self) -> Option<Spread> {
        Spread::of(self.pairs.iter().map(|pair| pair.reference))
    }

    /// Ours by the reference's, of each run.
    pub(crate) fn ratios(&self) -> Option<Spread> {
        Spread::of(self.pairs.iter().map(|pair| pair.ours / pair.reference))
    }

    /// Whether the median reaches the goal.
    pub(crate) fn reaches(&self) -> Option<bool> {
        let ratio = self.ratios()?.median;
        Some(match self.goal {
            Goal::AtLeast(least) => ratio >= least,
            Goal::AtMost(most) => ratio <= most,
            Goal::Within(least, most) => (least..=most).contains(&ratio),
            Goal::OursAtMost(most) => self.ours()?.median <= most,
        })
    }
}

impl Spread {
    /// Nothing, of nothing.
    pub(crate) fn of(figures: impl Iterator<Item = f64>) -> Option<Self> {
        let mut figures: Vec<f64> = figures.collect();
        figures.sort_unstable_by(f64::total_cmp);
        let median = *figures.get(figures.len().checked_sub(1)? / 2)?;
        Some(Self { median, least: *figures.first()?, most: *figures.last()? })
    }
}

/// The figure below which this share of the figures is; nothing, of nothing.
pub(crate) fn percentile(figures: &mut [f64], share: f64) -> Option<f64> {
    figures.sort_unstable_by(f64::total_cmp);
    let last = figures.len().checked_sub(1)?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a place among a few million")]
    let place = (last as f64 * share).ceil() as usize;
    figures.get(place.min(last)).copied()
}

/// A count as a figure.
#[expect(clippy::cast_precision_loss, reason = "counts here are far below 2^52")]
pub(crate) const fn count(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_of_the_ratios_of_each_run() {
        let mut figures = Figures::new("", "", "/s", Goal::AtLeast(1.0));
        assert_eq!((figures.ratios(), figures.reaches()), (None, None));
        for (ours, reference) in [(10.0, 5.0), (1.0, 2.0), (9.0, 3.0)] {
            figures.push(ours, reference);
        }
        assert_eq!(figures.ratios(), Some(Spread { median: 2.0, least: 0.5, most: 3.0 }));
        assert_eq!(figures.reaches(), Some(true));
    }

    #[test]
    fn each_goal_is_read_as_it_is_meant() {
        let reaches = |goal| {
            let mut figures = Figures::new("", "", "ms", goal);
            figures.push(300.0, 100.0);
            figures.reaches().unwrap()
        };
        assert!(reaches(Goal::AtLeast(3.0)) && !reaches(Goal::AtLeast(3.1)));
        assert!(reaches(Goal::AtMost(3.0)) && !reaches(Goal::AtMost(2.9)));
        assert!(reaches(Goal::Within(1.0, 3.0)) && !reaches(Goal::Within(0.5, 1.5)));
        assert!(reaches(Goal::OursAtMost(300.0)) && !reaches(Goal::OursAtMost(299.0)));
    }

    #[test]
    fn a_percentile_is_one_of_the_figures() {
        let mut figures: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert_eq!(percentile(&mut figures, 0.5), Some(51.0));
        assert_eq!(percentile(&mut figures, 0.99), Some(100.0));
        assert_eq!(percentile(&mut [], 0.5), None);
    }
}
