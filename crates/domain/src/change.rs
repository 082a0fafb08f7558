//! What a partial update says of one member (RFC 7396): nothing, that it is to go, or its new value.

/// What a partial update says of one member.
///
/// ```
/// use selfmx_domain::Change;
///
/// assert_eq!(Change::Keep.apply(Some("old")), Some("old"));
/// assert_eq!(Change::Clear.apply(Some("old")), None);
/// assert_eq!(Change::Set("new").apply(Some("old")), Some("new"));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Change<T> {
    /// The member is absent: it stays as it is.
    #[default]
    Keep,
    /// The member is `null`: there is to be none.
    Clear,
    /// The member's new value.
    Set(T),
}

impl<T> Change<T> {
    /// The member after the change.
    pub fn apply(self, old: Option<T>) -> Option<T> {
        match self {
            Self::Keep => old,
            Self::Clear => None,
            Self::Set(new) => Some(new),
        }
    }

    /// Whether nothing is said.
    #[must_use]
    pub const fn is_keep(&self) -> bool {
        matches!(self, Self::Keep)
    }

    /// The new value, where there is one.
    #[must_use]
    pub const fn as_set(&self) -> Option<&T> {
        match self {
            Self::Set(new) => Some(new),
            Self::Keep | Self::Clear => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_change_is_told_apart() {
        for old in [None, Some(1)] {
            assert_eq!(Change::Keep.apply(old), old);
            assert_eq!(Change::Clear.apply(old), None);
            assert_eq!(Change::Set(2).apply(old), Some(2));
        }
        assert!(Change::<u8>::default().is_keep() && !Change::<u8>::Clear.is_keep() && !Change::Set(1).is_keep());
        assert_eq!((Change::Set(1).as_set(), Change::<u8>::Clear.as_set(), Change::<u8>::Keep.as_set()), (Some(&1), None, None));
    }
}
