//! A place in the order in which a tenant's events were committed.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::Problem;

/// A place in the order in which a tenant's events were committed: after one of them, or before the first.
///
/// Its text is opaque to whoever reads it: 20 hexadecimal digits for the [epoch](Self::epoch), the transaction's number, and the event's 128 bits, with dots between.
///
/// ```
/// use selfmx_domain::EventPosition;
///
/// let text = "0000000000000000002a.1f.00000000000000000000000000000007";
/// let position: EventPosition = text.parse()?;
/// assert_eq!((position.epoch, position.xact, position.to_string()), (42, 31, text.to_owned()));
/// # Ok::<(), selfmx_domain::Problem>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventPosition {
    /// Which count of transactions it is of, in at most 80 bits.
    pub epoch: u128,
    /// The transaction that wrote the event; 0 before the first.
    pub xact: u64,
    /// The event's 128 bits.
    pub id: Uuid,
}

impl fmt::Display for EventPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:020x}.{:x}.{}", self.epoch, self.xact, self.id.simple())
    }
}

impl FromStr for EventPosition {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        // One spelling for each: whatever reads otherwise was not given by us.
        read(text).filter(|position| position.to_string() == text).ok_or(Problem::NotOneOf("an `id` that the stream gave"))
    }
}

fn read(text: &str) -> Option<EventPosition> {
    let (epoch, rest) = text.split_once('.')?;
    let (xact, id) = rest.split_once('.')?;
    let epoch = u128::from_str_radix(epoch, 16).ok().filter(|epoch| epoch >> 80 == 0)?;
    Some(EventPosition { epoch, xact: u64::from_str_radix(xact, 16).ok()?, id: Uuid::try_parse(id).ok()? })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_no_stream_gave_is_no_position() {
        for text in [
            "",
            ".",
            "..",
            "0000000000000000002a.1f",
            "0000000000000000002a.1f.0",
            "2a.1f.00000000000000000000000000000007",
            "0000000000000000002A.1f.00000000000000000000000000000007",
            "0000000000000000002a.01f.00000000000000000000000000000007",
            "0000000000000000002a.+1f.00000000000000000000000000000007",
            "0000000000000000002a.1f.00000000-0000-0000-0000-000000000007",
            "0000000000000000002a.1ffffffffffffffff.00000000000000000000000000000007",
            "10000000000000000002a.1f.00000000000000000000000000000007",
            "0000000000000000002a.1f.00000000000000000000000000000007 ",
            "é.é.é",
        ] {
            assert!(text.parse::<EventPosition>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_position_is_read_as_it_was_written(epoch in 0_u128..1 << 80, xact: u64, id: u128) {
            let position = EventPosition { epoch, xact, id: Uuid::from_u128(id) };
            prop_assert_eq!(position.to_string().parse(), Ok(position));
        }
    }
}
