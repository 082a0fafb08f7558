//! When an email is to be sent, and until when that can be changed.

use time::{Duration, OffsetDateTime};

use crate::{EmailStatus, Problem};

/// How far ahead an email may be scheduled.
pub const FURTHEST_AHEAD: Duration = Duration::days(30);

/// How far back a time may lie that still means at once: clocks differ, and requests take their time.
pub const TOLERANCE: Duration = Duration::minutes(1);

/// When an email is to be sent that is scheduled for `at`; `None`: at once.
///
/// # Errors
///
/// [`Problem::Past`], [`Problem::TooFarAhead`].
///
/// ```
/// use selfmx_domain::{Problem, scheduled};
/// use time::macros::datetime;
///
/// let now = datetime!(2026-01-31 08:30 UTC);
/// assert_eq!(scheduled(datetime!(2026-01-31 09:00 UTC), now), Ok(Some(datetime!(2026-01-31 09:00 UTC))));
/// assert_eq!(scheduled(datetime!(2026-01-31 08:29:30 UTC), now), Ok(None));
/// assert_eq!(scheduled(datetime!(2026-01-31 08:00 UTC), now), Err(Problem::Past));
/// ```
pub fn scheduled(at: OffsetDateTime, now: OffsetDateTime) -> Result<Option<OffsetDateTime>, Problem> {
    if at < now - TOLERANCE {
        return Err(Problem::Past);
    }
    if at > now + FURTHEST_AHEAD {
        return Err(Problem::TooFarAhead);
    }
    Ok((at > now).then_some(at))
}

/// Why an email can be neither canceled nor rescheduled any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unchangeable {
    /// An attempt is under way, or its outcome is not known yet.
    #[error("this email is being sent: what comes of it is not known yet")]
    Sending,
    /// An attempt was made. It can still be canceled.
    #[error("an attempt to send this email was made: it can be canceled, and not be rescheduled")]
    Attempted,
    /// Somebody has it.
    #[error("this email was delivered to some of its recipients: it is tried again for the others")]
    PartlyDelivered,
    /// Nothing is left to do for it.
    #[error("nothing is left to do for this email: it is {}", .0.as_str())]
    Done(EmailStatus),
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_time_is_neither_long_past_nor_far_ahead() {
        let now = datetime!(2026-01-31 08:30 UTC);
        let millisecond = Duration::milliseconds(1);
        for (offset, expected) in [
            (-TOLERANCE - millisecond, Err(Problem::Past)),
            (-TOLERANCE, Ok(None)),
            (Duration::ZERO, Ok(None)),
            (millisecond, Ok(Some(now + millisecond))),
            (FURTHEST_AHEAD, Ok(Some(now + FURTHEST_AHEAD))),
            (FURTHEST_AHEAD + millisecond, Err(Problem::TooFarAhead)),
        ] {
            assert_eq!(scheduled(now + offset, now), expected, "{offset}");
        }
    }
}
