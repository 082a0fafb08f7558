//! How much a runner claims at once: a little at first, more while its mail goes out quickly and more is due.

use std::num::NonZeroU16;
use std::time::Duration;

use crate::settings::WorkerSettings;

/// How many claims a worker's runners may have together, unless its connections need more.
const ALL_TOGETHER: u16 = 256;
/// The most claims of one runner, whatever is set.
const MOST: u16 = 200;
/// What is recorded within this time lets the next claim be larger.
const QUICK: Duration = Duration::from_millis(50);
/// What takes longer lets it be smaller.
const SLOW: Duration = Duration::from_millis(200);

/// How many claims one runner may have at present. What is claimed waits for no other's claim, and whoever comes later waits for it: so it is
/// never more than goes out within a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pace {
    least: u16,
    most: u16,
    now: u16,
}

impl Pace {
    /// That of one of the runners: enough that its connections need not wait for the next lease.
    pub(crate) fn of(settings: &WorkerSettings) -> Self {
        let runners = NonZeroU16::new(settings.runners).unwrap_or(NonZeroU16::MIN);
        let connections = settings.sending.div_ceil(runners.get()).max(1);
        let least = connections.saturating_mul(4).min(MOST);
        Self { least, most: (ALL_TOGETHER / runners).clamp(least, MOST), now: least }
    }

    /// The most that there will ever be.
    pub(crate) const fn most(self) -> u16 {
        self.most
    }

    /// How many claims there may be now.
    pub(crate) const fn now(self) -> u16 {
        self.now
    }

    /// Takes note of how long it took after a claim until half of all places were free again, and whether that claim had all that it wanted.
    pub(crate) fn heard(&mut self, had_all: bool, took: Duration) {
        let next = match had_all {
            true if took <= QUICK => self.now.saturating_mul(2),
            true if took <= SLOW => self.now,
            _ => self.now / 2,
        };
        self.now = next.clamp(self.least, self.most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(runners: u16, sending: u16) -> Pace {
        Pace::of(&WorkerSettings { runners, sending, ..WorkerSettings::default() })
    }

    #[test]
    fn it_grows_while_mail_goes_out_quickly_and_more_is_due_and_shrinks_where_it_does_not() {
        let mut pace = pace(4, 10);
        let mut heard = |had_all, millis| {
            pace.heard(had_all, Duration::from_millis(millis));
            pace.now()
        };
        assert_eq!([(); 4].map(|()| heard(true, 10)), [24, 48, 64, 64]);
        assert_eq!(heard(true, 100), 64, "neither quick nor slow");
        assert_eq!([(); 4].map(|()| heard(true, 1_000)), [32, 16, 12, 12]);
        heard(true, 10);
        assert_eq!(heard(false, 10), 12, "nothing more is due");
    }

    #[test]
    fn all_runners_together_claim_no_more_than_their_bound_unless_their_connections_need_it() {
        assert_eq!((pace(4, 10).now(), pace(4, 10).most()), (12, 64));
        assert_eq!((pace(1, 1).now(), pace(1, 1).most()), (4, 200));
        assert_eq!((pace(256, 10).now(), pace(256, 10).most()), (4, 4));
        assert_eq!((pace(4, 1000).now(), pace(4, 1000).most()), (200, 200));
        assert_eq!((pace(0, 0).now(), pace(0, 0).most()), (4, 200));
    }
}
