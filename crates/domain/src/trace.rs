//! The trace that a request belongs to, by which what follows from it is found in the logs of all who took part.

use std::fmt;

use uuid::Uuid;

use crate::Entropy;

/// The id of a trace (W3C Trace Context): 16 octets, not all of them zero, written as 32 hexadecimal digits.
///
/// ```
/// use selfmx_domain::TraceId;
///
/// let trace = TraceId::of_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
/// assert_eq!(trace.map(|trace| trace.to_string()).as_deref(), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
/// assert_eq!(TraceId::of_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736"), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceId(Uuid);

impl TraceId {
    /// A new one.
    #[must_use]
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let mut octets = [0; 16];
        entropy.fill(&mut octets);
        // All zero would be no trace.
        if octets == [0; 16] {
            octets = [1; 16];
        }
        Self(Uuid::from_bytes(octets))
    }

    /// The one that a `traceparent` names, of version 00 or a later one; `None` where it is malformed.
    #[must_use]
    pub fn of_traceparent(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let (version, trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let well_formed = is_hex(version, 2) && is_hex(trace, 32) && is_hex(parent, 16) && is_hex(flags, 2);
        let known = version != "ff" && (version != "00" || parts.next().is_none());
        let named = [trace, parent].iter().all(|id| id.bytes().any(|byte| byte != b'0'));
        (well_formed && known && named).then(|| Uuid::try_parse(trace).ok().map(Self)).flatten()
    }

    /// The `traceparent` of what we do next within this trace: a parent id of its own, and the flag that says that it was recorded, which our log does.
    ///
    /// ```
    /// use selfmx_domain::{Entropy, TraceId};
    ///
    /// struct Sevens;
    ///
    /// impl Entropy for Sevens {
    ///     fn fill(&self, bytes: &mut [u8]) {
    ///         bytes.fill(7);
    ///     }
    /// }
    ///
    /// let text = TraceId::generate(&Sevens).traceparent(&Sevens);
    /// assert_eq!(text, "00-07070707070707070707070707070707-0707070707070707-01");
    /// ```
    #[must_use]
    pub fn traceparent(&self, entropy: &dyn Entropy) -> String {
        let mut octets = [0; 8];
        entropy.fill(&mut octets);
        // All zero would be no parent.
        format!("00-{self}-{:016x}-01", u64::from_be_bytes(octets).max(1))
    }

    /// The one that a store kept.
    #[must_use]
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid)
    }

    /// Its 128 bits, for a store.
    #[must_use]
    pub const fn as_uuid(&self) -> Uuid {
        self.0
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_simple().fmt(f)
    }
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Zero;

    impl Entropy for Zero {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0);
        }
    }

    #[test]
    fn a_trace_is_read_from_a_well_formed_traceparent() {
        let trace = |value: &str| TraceId::of_traceparent(value).map(|trace| trace.to_string());
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(trace(&format!("00-{id}-00f067aa0ba902b7-01")).as_deref(), Some(id));
        assert_eq!(trace(&format!("01-{id}-00f067aa0ba902b7-01-more")).as_deref(), Some(id));
        for text in [
            String::new(),
            format!("00-{id}-00f067aa0ba902b7"),
            format!("00-{id}-00f067aa0ba902b7-01-more"),
            format!("ff-{id}-00f067aa0ba902b7-01"),
            format!("00-{id}-0000000000000000-01"),
            format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)),
            format!("00-{}-00f067aa0ba902b7-01", id.to_uppercase()),
            format!("0-{id}-00f067aa0ba902b7-01"),
        ] {
            assert_eq!(trace(&text), None, "{text}");
        }
    }

    #[test]
    fn a_new_one_is_never_all_zero() {
        let made = TraceId::generate(&Zero);
        assert_eq!(TraceId::of_traceparent(&format!("00-{made}-00f067aa0ba902b7-01")), Some(made));
        assert_eq!(TraceId::from_uuid(made.as_uuid()), made);
        assert_eq!(TraceId::of_traceparent(&made.traceparent(&Zero)), Some(made));
    }
}
