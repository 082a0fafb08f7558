//! Times as requests and answers write them: RFC 3339.

use serde::ser::Error as _;
use serde::{Serialize, Serializer};
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};

/// A time as answers write it: in UTC, with milliseconds, `2026-01-31T08:30:00.000Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Timestamp(pub(crate) OffsetDateTime);

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let layout = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
        let utc = self.0.checked_to_offset(UtcOffset::UTC).ok_or_else(|| S::Error::custom("the time is out of range"))?;
        serializer.serialize_str(&utc.format(layout).map_err(S::Error::custom)?)
    }
}

/// The time that `text` says (RFC 3339, any offset), in UTC; `None` where it says none, or one beyond the year 9999.
///
/// ```
/// use time::macros::datetime;
///
/// assert_eq!(selfmx_wire::time_of("2026-01-31T10:30:00+02:00"), Some(datetime!(2026-01-31 08:30 UTC)));
/// assert_eq!(selfmx_wire::time_of("2026-01-31"), None);
/// ```
#[must_use]
pub fn time_of(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text, &Rfc3339).ok()?.checked_to_offset(UtcOffset::UTC)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;

    fn written(time: OffsetDateTime) -> String {
        serde_json::to_value(Timestamp(time)).unwrap().as_str().unwrap().to_owned()
    }

    #[test]
    fn times_are_written_in_utc_with_milliseconds() {
        assert_eq!(written(datetime!(2024-01-15 12:30:00.1239 +2)), "2024-01-15T10:30:00.123Z");
        assert_eq!(written(datetime!(2024-01-15 10:30 UTC)), "2024-01-15T10:30:00.000Z");
    }

    #[test]
    fn what_is_no_time_is_refused_without_a_panic() {
        for text in
            ["", "now", "2026-01-31", "2026-02-30T00:00:00Z", "2026-01-31T08:30:00", "2026-01-31T25:00:00Z", "9999-12-31T23:59:59-23:59"]
        {
            assert_eq!(time_of(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_to_the_millisecond(seconds in 0_i64..253_402_300_799, millis in 0_i64..1_000) {
            let time = OffsetDateTime::from_unix_timestamp(seconds).unwrap() + time::Duration::milliseconds(millis);
            prop_assert_eq!(time_of(&written(time)), Some(time));
        }

        #[test]
        fn no_text_whatever_makes_it_panic(text in any::<String>(), near in "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[+-][0-9]{2}:[0-9]{2}") {
            let _ = (time_of(&text), time_of(&near));
        }
    }
}
