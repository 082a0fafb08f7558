//! The one shape of a list: `{"data": [...], "has_more": bool, "next_cursor": ...}`.

use selfmx_domain::{Page, Total};
use serde::Serialize;

/// A page of a list, each element as a view `V`.
#[derive(Debug, Serialize)]
pub struct List<V> {
    data: Vec<V>,
    has_more: bool,
    next_cursor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pagination: Option<Pagination>,
}

/// Where a numbered page stands in its list.
#[derive(Debug, Serialize)]
pub struct Pagination {
    page: u32,
    limit: u16,
    total: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    total_capped: Option<bool>,
}

impl<V> List<V> {
    /// A page as a view of each of its items; `cursor` gives the text by which the page after an item is asked for.
    pub fn new<'a, T>(page: &'a Page<T>, cursor: impl FnOnce(&'a T) -> String) -> Self
    where
        V: From<&'a T>,
    {
        let next_cursor = page.items.last().filter(|_| page.has_more).map(cursor);
        Self { data: page.items.iter().map(V::from).collect(), has_more: page.has_more, next_cursor, pagination: None }
    }

    /// The same with another place where the next page begins; `None`: there is none.
    #[must_use]
    pub fn with_cursor(self, next_cursor: Option<String>) -> Self {
        Self { next_cursor, ..self }
    }

    /// The same with its place in the list, for a page that was asked for by its number.
    #[must_use]
    pub fn with_pagination(self, pagination: Pagination) -> Self {
        Self { pagination: Some(pagination), ..self }
    }
}

impl Pagination {
    /// The place of page `page` (from 1) of `limit` rows in a list of `total`.
    #[must_use]
    pub const fn new(page: u32, limit: u16, total: Total) -> Self {
        let (total, total_capped) = match total {
            Total::Exactly(total) => (total, None),
            Total::AtLeast(total) => (total, Some(true)),
        };
        Self { page, limit, total, total_capped }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct View(u32);

    impl From<&u32> for View {
        fn from(number: &u32) -> Self {
            Self(*number)
        }
    }

    fn list(items: Vec<u32>, has_more: bool) -> List<View> {
        List::new(&Page { items, has_more, total: None }, u32::to_string)
    }

    #[test]
    fn the_envelope_has_a_cursor_only_where_there_is_more() {
        let json = |list: List<View>| serde_json::to_string(&list).unwrap();
        assert_eq!(json(list(vec![3, 2], true)), r#"{"data":[3,2],"has_more":true,"next_cursor":"2"}"#);
        assert_eq!(json(list(vec![3, 2], false)), r#"{"data":[3,2],"has_more":false,"next_cursor":null}"#);
        assert_eq!(json(list(vec![], false)), r#"{"data":[],"has_more":false,"next_cursor":null}"#);
    }

    #[test]
    fn a_numbered_page_says_where_it_stands() {
        let shown = |total| serde_json::to_value(list(vec![], false).with_pagination(Pagination::new(2, 20, total))).unwrap();
        assert_eq!(shown(Total::Exactly(33))["pagination"], serde_json::json!({"page": 2, "limit": 20, "total": 33}));
        assert_eq!(shown(Total::AtLeast(10_000))["pagination"]["total_capped"], true);
    }
}
