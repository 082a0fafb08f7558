//! Values with bounds: whole numbers, yes and no, lists of some.

use std::ops::RangeInclusive;

use selfmx_domain::Problem;

use super::{Field, wrong_kind};
use crate::RequestError;
use crate::value::Value;

impl<'a> Field<'a> {
    /// Each element of a list of at least one and at most `limit`.
    pub(crate) fn each_of<T>(self, limit: usize, read: impl Fn(Field<'a>) -> Result<T, RequestError>) -> Result<Vec<T>, RequestError> {
        match &self.value {
            Value::List(elements) if elements.is_empty() => Err(Problem::Empty.at(self.path).into()),
            Value::List(elements) if elements.len() > limit => Err(Problem::TooMany { limit, unit: "entries" }.at(self.path).into()),
            _ => self.each(read),
        }
    }

    /// A whole number within `range`, written without a fraction and an exponent.
    pub(crate) fn integer<T>(self, range: RangeInclusive<T>) -> Result<T, RequestError>
    where
        T: Copy + Into<u64> + PartialOrd + TryFrom<u64>,
    {
        let Value::Number(number) = self.value else {
            return Err(wrong_kind(self.path, "a number", &self.value));
        };
        let found = number.as_u64().and_then(|number| T::try_from(number).ok()).filter(|number| range.contains(number));
        found.ok_or(RequestError::Integer { field: self.path, least: (*range.start()).into(), most: (*range.end()).into() })
    }

    /// `true` or `false`.
    pub(crate) fn boolean(self) -> Result<bool, RequestError> {
        match self.value {
            Value::Boolean(value) => Ok(value),
            other => Err(wrong_kind(self.path, "a boolean", &other)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::Fields;

    fn fields(json: &str) -> Fields<'_> {
        Fields::of_body(json.as_bytes()).unwrap()
    }

    #[test]
    fn a_number_is_whole_and_within_its_range() {
        let read = |number: &str| fields(&format!("{{\"n\": {number}}}")).take("n").required().and_then(|field| field.integer(1..=20_u16));
        assert_eq!((read("1"), read("20")), (Ok(1), Ok(20)));
        for number in ["0", "21", "-1", "-0", "1.5", "1.0", "1e1", "65537", "18446744073709551617"] {
            assert_eq!(read(number), Err(RequestError::Integer { field: "n".to_owned(), least: 1, most: 20 }), "{number}");
        }
        assert_eq!(read("0").unwrap_err().field(), Some("n"));
        for (value, found) in [("\"1\"", "a string"), ("true", "a boolean"), ("[1]", "a list")] {
            assert_eq!(read(value), Err(RequestError::WrongKind { field: "n".to_owned(), expected: "a number", found }));
        }
        assert_eq!(
            fields(r#"{"n": 18446744073709551615}"#).take("n").required().and_then(|field| field.integer(0..=u64::MAX)),
            Ok(u64::MAX)
        );
    }

    #[test]
    fn a_boolean_is_true_or_false() {
        let read = |value: &str| fields(&format!("{{\"b\": {value}}}")).take("b").required().and_then(Field::boolean);
        assert_eq!((read("true"), read("false")), (Ok(true), Ok(false)));
        for (value, found) in [("1", "a number"), ("\"true\"", "a string")] {
            assert_eq!(read(value), Err(RequestError::WrongKind { field: "b".to_owned(), expected: "a boolean", found }));
        }
    }

    #[test]
    fn a_list_of_some_is_neither_empty_nor_too_long() {
        let text = |field: Field<'_>| Ok(field.text()?.into_owned());
        let read = |list: &str| fields(&format!("{{\"l\": {list}}}")).take("l").required().and_then(|field| field.each_of(2, text));
        assert_eq!(read(r#"["a", "b"]"#), Ok(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(read("[]"), Err(Problem::Empty.at("l").into()));
        assert_eq!(read(r#"["a", "b", "c"]"#), Err(Problem::TooMany { limit: 2, unit: "entries" }.at("l").into()));
        assert_eq!(read("[1]").unwrap_err().field(), Some("l[0]"));
        assert_eq!(read("\"a\"").unwrap_err().field(), Some("l"));
    }
}
