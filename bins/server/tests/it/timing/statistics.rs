//! What two columns of times differ by, and by how much chance alone would let them.

use std::fmt;
use std::ops::Range;

use selfmx_testing::SeededEntropy;

/// Of the times of a column those count that are among its fastest so many of a hundred: whatever else a machine does makes an answer later and
/// never earlier, and what the server does for one kind of key alone makes all answers for it later. The fewer, the less a busy machine matters;
/// the more, the less a single one does.
pub(super) const VIEWS: [(&str, Range<usize>); 2] = [("the fastest", 0..6), ("the faster ones", 2..40)];
const RESAMPLES: usize = 60;

/// A difference, and its standard error.
#[derive(Clone, Copy, Debug)]
pub(super) struct Difference {
    microseconds: f64,
    error: f64,
}

impl Difference {
    /// What so many standard errors are, in microseconds.
    pub(super) fn beyond(self, errors: f64) -> f64 {
        self.error * errors
    }

    /// How many standard errors it is.
    pub(super) fn score(self) -> f64 {
        self.microseconds.abs() / self.error.max(f64::MIN_POSITIVE)
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:+7.1} us, noise {:5.1} us, {:4.1} times that", self.microseconds, self.error, self.score())
    }
}

/// How much later the other's answers are, and the error of that by the bootstrap: over blocks of times that were measured one after the other, since
/// a machine that is busy now is so a moment later.
pub(super) fn difference(one: &[f64], other: &[f64], counted: &Range<usize>, chance: &SeededEntropy) -> Difference {
    const BLOCK: usize = 20;
    let blocks: Vec<_> = one.chunks(BLOCK).zip(other.chunks(BLOCK)).collect();
    let resampled = || {
        let draw = || blocks[usize::try_from(chance.below(u64::try_from(blocks.len()).unwrap())).unwrap()];
        let drawn: Vec<_> = (0..blocks.len()).map(|_| draw()).collect();
        let one: Vec<f64> = drawn.iter().flat_map(|block| block.0).copied().collect();
        let other: Vec<f64> = drawn.iter().flat_map(|block| block.1).copied().collect();
        mean_of(counted, other) - mean_of(counted, one)
    };
    let resampled: Vec<f64> = (0..RESAMPLES).map(|_| resampled()).collect();
    Difference { microseconds: mean_of(counted, other.to_vec()) - mean_of(counted, one.to_vec()), error: deviation(&resampled) }
}

pub(super) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// The mean of those that count.
fn mean_of(counted: &Range<usize>, mut values: Vec<f64>) -> f64 {
    let (begin, end) = (values.len() * counted.start / 100, values.len() * counted.end / 100);
    let (fast, ..) = values.select_nth_unstable_by(end, f64::total_cmp);
    fast.select_nth_unstable_by(begin, f64::total_cmp);
    mean(&fast[begin..])
}

#[expect(clippy::cast_precision_loss, reason = "so many measurements there are never")]
fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn deviation(values: &[f64]) -> f64 {
    let centre = mean(values);
    mean(&values.iter().map(|value| (value - centre).powi(2)).collect::<Vec<_>>()).sqrt()
}

#[test]
fn what_is_no_difference_is_within_the_noise_and_what_is_one_is_not() {
    let chance = SeededEntropy::new(1);
    let noisy = |centre: u32| -> Vec<f64> {
        let late = || if chance.below(10) == 0 { 5_000 } else { 0 };
        (0..1_000).map(|_| f64::from(centre + late() + u32::try_from(chance.below(400)).unwrap())).collect()
    };
    let (one, same, slower) = (noisy(1_000), noisy(1_000), noisy(1_050));
    for (name, counted) in VIEWS {
        assert!(difference(&one, &same, &counted, &chance).score() < 4.0, "{name}");
        let found = difference(&one, &slower, &counted, &chance);
        assert!(found.score() > 5.0 && (30.0..70.0).contains(&found.microseconds), "{name}: {found}");
    }
}
