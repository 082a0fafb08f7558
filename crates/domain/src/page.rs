//! Pages of a list, newest first.

use crate::Problem;

/// How many rows a page holds: 1..100, 20 unless told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageLimit(u16);

impl PageLimit {
    /// The most rows.
    pub const MAX: u16 = 100;
    /// The longest page.
    pub const MOST: Self = Self(Self::MAX);

    /// A limit.
    ///
    /// # Errors
    ///
    /// [`Problem::NotOneOf`] outside 1..100.
    pub const fn new(limit: u16) -> Result<Self, Problem> {
        match limit {
            1..=Self::MAX => Ok(Self(limit)),
            _ => Err(Problem::NotOneOf("a number from 1 to 100")),
        }
    }

    /// The number of rows.
    #[must_use]
    pub const fn rows(self) -> u16 {
        self.0
    }
}

impl Default for PageLimit {
    fn default() -> Self {
        Self(20)
    }
}

/// Which page of a list is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageStart<I> {
    /// The first one.
    First,
    /// The one that begins after this id: costs the same however far down the list.
    After(I),
    /// The n-th one, from 1, with a total.
    Number(u32),
}

/// A page wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageRequest<I> {
    /// Where it begins.
    pub start: PageStart<I>,
    /// How many rows at most.
    pub limit: PageLimit,
}

/// One page of a list.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// Its rows, newest first.
    pub items: Vec<T>,
    /// Whether there are more after it.
    pub has_more: bool,
    /// How many there are in all, where the page was asked for by its number.
    pub total: Option<Total>,
}

/// How many rows a list has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Total {
    /// So many.
    Exactly(u32),
    /// More than can be counted cheaply: this many and more.
    AtLeast(u32),
}

impl Total {
    /// Beyond this many rows a list is not counted to its end.
    pub const CAP: u32 = 10_000;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_1_to_100_rows() {
        assert_eq!(PageLimit::default().rows(), 20);
        assert!(PageLimit::new(0).is_err());
        assert!(PageLimit::new(101).is_err());
        assert_eq!(PageLimit::new(100).map(PageLimit::rows), Ok(100));
    }
}
