//! The query string: known names only, each at most once.

use std::str::FromStr;

use selfmx_domain::{IdError, PageLimit, PageRequest, PageStart, Problem};
use selfmx_wire::{RequestError, time_of};
use time::OffsetDateTime;

use crate::Failure;

/// The highest page that can be asked for by its number. Beyond, a cursor costs the same however far down the list.
const MAX_PAGE: u32 = 10_000;
const MAX_NAME_CHARACTERS: usize = 64;

/// A query string, decoded.
#[derive(Debug, Default)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Reads a query string that may have the parameters `known`.
    pub(crate) fn read(raw: Option<&str>, known: &[&str]) -> Result<Self, Failure> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for (name, value) in form_urlencoded::parse(raw.unwrap_or_default().as_bytes()) {
            if !known.contains(&name.as_ref()) {
                return Err(Failure::UnknownParameter { name: name.chars().take(MAX_NAME_CHARACTERS).collect() });
            }
            if pairs.iter().any(|(other, _)| *other == name) {
                return Err(RequestError::Repeated { field: name.into_owned() }.into());
            }
            pairs.push((name.into_owned(), value.into_owned()));
        }
        Ok(Self(pairs))
    }

    /// The parameter `name` as it was given.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The parameter `name` as a value of the domain.
    ///
    /// # Errors
    ///
    /// [`Failure`] that names the parameter where it is none.
    pub fn parsed<T: FromStr<Err = Problem>>(&self, name: &'static str) -> Result<Option<T>, Failure> {
        self.text(name).map(str::parse).transpose().map_err(|problem: Problem| wrong(problem, name))
    }

    /// The parameter `name` as yes or no.
    ///
    /// # Errors
    ///
    /// [`Failure`] that names the parameter where it is neither `true` nor `false`.
    pub fn flag(&self, name: &'static str) -> Result<Option<bool>, Failure> {
        let read = |text: &str| text.parse().or(Err(wrong(Problem::NotOneOf("one of: true, false"), name)));
        self.text(name).map(read).transpose()
    }

    /// The parameter `name` as an id.
    ///
    /// # Errors
    ///
    /// [`Failure`] that names the parameter where it is none.
    pub fn id<I: FromStr<Err = IdError>>(&self, name: &'static str) -> Result<Option<I>, Failure> {
        let refusal = |source| RequestError::Id { field: name.to_owned(), source }.into();
        self.text(name).map(|text| text.parse().map_err(refusal)).transpose()
    }

    /// The parameter `name` as a time (RFC 3339).
    ///
    /// # Errors
    ///
    /// [`Failure`] that names the parameter where it is none.
    pub fn time(&self, name: &'static str) -> Result<Option<OffsetDateTime>, Failure> {
        let refusal = || RequestError::Time { field: name.to_owned() }.into();
        self.text(name).map(|text| time_of(text).ok_or_else(refusal)).transpose()
    }

    /// The page that `limit`, `after` and `page` ask for; `None` where none of them is given.
    ///
    /// # Errors
    ///
    /// [`Failure`] that names the parameter that is wrong.
    pub fn page<I: FromStr<Err = IdError>>(&self) -> Result<Option<PageRequest<I>>, Failure> {
        if ["limit", "after", "page"].iter().all(|name| self.text(name).is_none()) {
            return Ok(None);
        }
        let limit = self.text("limit").map(limit).transpose()?.unwrap_or_default();
        let start = match (self.text("after"), self.text("page")) {
            (None, None) => PageStart::First,
            (Some(after), None) => PageStart::After(cursor(after)?),
            (None, Some(page)) => PageStart::Number(number(page)?),
            (Some(_), Some(_)) => return Err(wrong(Problem::NotOneOf("used without `after`"), "page")),
        };
        Ok(Some(PageRequest { start, limit }))
    }

    /// The same, and the first page where nothing is asked for.
    ///
    /// # Errors
    ///
    /// [`Failure`] that names the parameter that is wrong.
    pub fn page_or_first<I: FromStr<Err = IdError>>(&self) -> Result<PageRequest<I>, Failure> {
        Ok(self.page()?.unwrap_or(PageRequest { start: PageStart::First, limit: PageLimit::default() }))
    }
}

fn limit(text: &str) -> Result<PageLimit, Failure> {
    digits(text).and_then(|limit| PageLimit::new(limit).ok()).ok_or_else(|| wrong(Problem::NotOneOf("a number from 1 to 100"), "limit"))
}

fn number(text: &str) -> Result<u32, Failure> {
    let page = digits(text).filter(|page| (1..=MAX_PAGE).contains(page));
    page.ok_or_else(|| wrong(Problem::NotOneOf("a number from 1 to 10000; beyond, use `after`"), "page"))
}

fn cursor<I: FromStr<Err = IdError>>(text: &str) -> Result<I, Failure> {
    text.parse().map_err(|source| RequestError::Id { field: "after".to_owned(), source }.into())
}

/// Digits alone: no sign.
fn digits<T: FromStr>(text: &str) -> Option<T> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn wrong(problem: Problem, name: &'static str) -> Failure {
    RequestError::from(problem.at(name)).into()
}

#[cfg(test)]
mod tests {
    use selfmx_domain::EmailId;

    use super::*;

    const KNOWN: &[&str] = &["limit", "after", "page", "since"];
    const ID: &str = "msg_01h455vb4pex5vsknk084sn02q";

    fn page(raw: &str) -> Result<Option<PageRequest<EmailId>>, Option<String>> {
        let field = |failure: Failure| failure.field().map(str::to_owned);
        Query::read(Some(raw), KNOWN).map_err(field)?.page().map_err(field)
    }

    fn request(start: PageStart<EmailId>, limit: u16) -> Option<PageRequest<EmailId>> {
        Some(PageRequest { start, limit: PageLimit::new(limit).unwrap() })
    }

    #[test]
    fn a_page_is_read_from_its_parameters() {
        assert_eq!(page(""), Ok(None));
        assert_eq!(page("limit=100"), Ok(request(PageStart::First, 100)));
        assert_eq!(page(&format!("after={ID}")), Ok(request(PageStart::After(ID.parse().unwrap()), 20)));
        assert_eq!(page("page=2&limit=5"), Ok(request(PageStart::Number(2), 5)));
        assert_eq!(page("%6cimit=%31"), Ok(request(PageStart::First, 1)));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (raw, field) in [
            ("limit=0", "limit"),
            ("limit=101", "limit"),
            ("limit=+5", "limit"),
            ("limit=", "limit"),
            ("limit=a", "limit"),
            ("limit=99999999999", "limit"),
            ("after=key_default", "after"),
            ("after=", "after"),
            ("page=0", "page"),
            ("page=10001", "page"),
            ("page=-1", "page"),
            ("page=1&after=msg_01h455vb4pex5vsknk084sn02q", "page"),
            ("limit=1&limit=1", "limit"),
            ("limits=1", "limits"),
            ("api_key=x", "api_key"),
            ("LIMIT=1", "LIMIT"),
        ] {
            assert_eq!(page(raw), Err(Some(field.to_owned())), "{raw}");
        }
    }

    #[test]
    fn a_time_is_read_in_any_offset() {
        let query = |raw| Query::read(Some(raw), KNOWN).unwrap();
        assert!(query("since=2026-01-02T03:04:05Z").time("since").unwrap().is_some());
        assert!(query("since=2026-01-02T03:04:05%2B01:00").time("since").unwrap().is_some());
        assert_eq!(query("since=yesterday").time("since").unwrap_err().field(), Some("since"));
    }
}
