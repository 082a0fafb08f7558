//! What a tenant has used in a month.

use std::fmt;
use std::str::FromStr;

use time::{Date, Month as MonthName, OffsetDateTime, UtcOffset};

use crate::{Problem, TenantId};

/// A month of a year, in UTC: `2026-01`.
///
/// ```
/// use selfmx_domain::Month;
///
/// let month: Month = "2026-12".parse()?;
/// assert_eq!((month.first_day().to_string(), month.next().first_day().to_string()), ("2026-12-01".to_owned(), "2027-01-01".to_owned()));
/// assert!("2026-13".parse::<Month>().is_err());
/// # Ok::<(), selfmx_domain::Problem>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    first_day: Date,
}

impl Month {
    /// The month that `time` is in.
    #[must_use]
    pub fn of(time: OffsetDateTime) -> Self {
        let date = time.to_offset(UtcOffset::UTC).date();
        Self { first_day: date.replace_day(1).unwrap_or(date) }
    }

    /// Its first day.
    #[must_use]
    pub const fn first_day(self) -> Date {
        self.first_day
    }

    /// The month after it; the last month of the year 9999 is followed by itself.
    #[must_use]
    pub fn next(self) -> Self {
        let year = self.first_day.year() + i32::from(self.first_day.month() == MonthName::December);
        let first_day = Date::from_calendar_date(year, self.first_day.month().next(), 1);
        Self { first_day: first_day.unwrap_or(self.first_day) }
    }
}

impl FromStr for Month {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        let month_of = || {
            let (year, month) = text.split_once('-')?;
            let digits = |text: &str, count| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
            if !digits(year, 4) || !digits(month, 2) {
                return None;
            }
            let name = MonthName::try_from(month.parse::<u8>().ok()?).ok()?;
            Date::from_calendar_date(year.parse().ok()?, name, 1).ok()
        };
        month_of().map(|first_day| Self { first_day }).ok_or(Problem::NotOneOf("a month, such as `2026-01`"))
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.first_day.year(), u8::from(self.first_day.month()))
    }
}

/// What a tenant has used in a month. Mail of test keys is not among it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TenantUsage {
    /// The tenant.
    pub tenant_id: TenantId,
    /// The month.
    pub period: Month,
    /// How many emails were accepted.
    pub emails_sent: u64,
    /// How many of these were delivered since, to all of their recipients.
    pub emails_delivered: u64,
    /// How many of these have bounced since, for one of their recipients at least.
    pub emails_bounced: u64,
    /// How many requests its keys have made.
    pub api_requests: u64,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_month_is_written_in_one_way() {
        for text in ["2026-01", "2026-12", "0001-02", "0000-01", "9999-12"] {
            assert_eq!(text.parse::<Month>().map(|month| month.to_string()).as_deref(), Ok(text));
        }
        for text in [
            "",
            "2026",
            "2026-",
            "2026-1",
            "2026-00",
            "2026-13",
            "26-01",
            "2026-01-01",
            "2026/01",
            "+026-01",
            "2026-+1",
            " 2026-01",
            "10000-01",
            "２０２６-01",
        ] {
            assert_eq!(text.parse::<Month>(), Err(Problem::NotOneOf("a month, such as `2026-01`")), "{text}");
        }
    }

    #[test]
    fn a_time_is_in_a_month_of_utc() {
        assert_eq!(Month::of(datetime!(2026-01-31 23:30 -1)).to_string(), "2026-02");
        assert_eq!(Month::of(datetime!(2026-01-01 00:30 +1)).to_string(), "2025-12");
        assert_eq!(Month::of(datetime!(2024-02-29 12:00 UTC)).to_string(), "2024-02");
    }

    proptest! {
        #[test]
        fn a_time_is_from_its_month_s_first_day_on_and_before_the_next_one(seconds in 0_i64..253_000_000_000) {
            let time = OffsetDateTime::from_unix_timestamp(seconds).unwrap();
            let month = Month::of(time);
            prop_assert!(month.first_day() <= time.date() && time.date() < month.next().first_day());
            prop_assert_eq!(month.to_string().parse(), Ok(month));
        }

        #[test]
        fn no_text_whatever_makes_it_panic(text: String, near in "[0-9]{4}-[0-9]{2}") {
            for text in [text, near] {
                let _ = text.parse::<Month>().map(Month::next);
            }
        }
    }
}
