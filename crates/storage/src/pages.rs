//! Windows on lists: one row more than asked for tells whether there is more.

use selfmx_domain::{Page, PageLimit, PageRequest, PageStart, Total};

/// How many rows are counted before a total is only a lower bound.
pub(crate) const COUNTED: i64 = Total::CAP as i64 + 1;

/// What a statement is to fetch.
#[derive(Clone, Copy)]
pub(crate) struct Window {
    pub(crate) rows: i64,
    pub(crate) offset: i64,
}

impl Window {
    pub(crate) fn of<I>(page: PageRequest<I>) -> Self {
        let rows = i64::from(page.limit.rows());
        let offset = match page.start {
            PageStart::Number(number) => i64::from(number.saturating_sub(1)) * rows,
            PageStart::First | PageStart::After(_) => 0,
        };
        Self { rows: rows + 1, offset }
    }
}

/// The id that the page begins after.
pub(crate) fn after<I>(start: PageStart<I>) -> Option<I> {
    match start {
        PageStart::After(id) => Some(id),
        PageStart::First | PageStart::Number(_) => None,
    }
}

/// Whether the page was asked for by its number, and so wants a total.
pub(crate) const fn is_numbered<I>(start: &PageStart<I>) -> bool {
    matches!(start, PageStart::Number(_))
}

/// The total that a count up to [`COUNTED`] rows gives.
pub(crate) fn total(counted: i64) -> Total {
    match u32::try_from(counted) {
        Ok(counted) if counted <= Total::CAP => Total::Exactly(counted),
        _ => Total::AtLeast(Total::CAP),
    }
}

/// The page that the fetched rows make.
pub(crate) fn page<T>(mut rows: Vec<T>, limit: PageLimit, total: Option<Total>) -> Page<T> {
    let wanted = usize::from(limit.rows());
    let has_more = rows.len() > wanted;
    rows.truncate(wanted);
    Page { items: rows, has_more, total }
}
