//! Typed reading of a JSON object: each field is taken once, and what is left over is unknown.

mod bounded;
mod merge;

use std::borrow::Cow;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_PAD_INDIFFERENT;
use selfmx_domain::{IdError, Problem};
use time::OffsetDateTime;

use crate::value::{self, Value};
use crate::{RequestError, path, timestamp};

/// The members of an object that nobody has taken yet.
pub(crate) struct Fields<'a> {
    path: String,
    members: Vec<(Cow<'a, str>, Value<'a>)>,
}

impl<'a> Fields<'a> {
    /// The members of the object that is the whole body.
    pub(crate) fn of_body(body: &'a [u8]) -> Result<Self, RequestError> {
        Self::of_value(value::parse(body)?)
    }

    /// The members of the object that is the whole body, which was parsed.
    pub(crate) fn of_value(body: Value<'a>) -> Result<Self, RequestError> {
        Field { path: String::new(), value: body }.object()
    }

    /// Takes the member `name`; `null` counts as absent, but for a [change](Member::change).
    pub(crate) fn take(&mut self, name: &str) -> Member<'a> {
        let path = path::member(&self.path, name);
        #[cfg(test)]
        taken::note(&path);
        let value = self.members.iter().position(|(known, _)| known == name).map(|index| self.members.remove(index).1);
        Member { path, value }
    }

    /// Refuses what nobody took, so that a typo never passes silently.
    pub(crate) fn end(self) -> Result<(), RequestError> {
        match self.members.first() {
            Some((name, _)) => Err(RequestError::Unknown { field: path::member(&self.path, name) }),
            None => Ok(()),
        }
    }

    /// All of them, as they were given.
    pub(crate) fn into_json(self) -> serde_json::Value {
        Value::Object(self.members).into_json()
    }

    /// Each member with its name, for an object whose names are the caller's.
    pub(crate) fn into_each(self) -> impl Iterator<Item = (Cow<'a, str>, Field<'a>)> {
        self.members.into_iter().map(move |(name, value)| {
            let path = path::member(&self.path, &name);
            (name, Field { path, value })
        })
    }
}

/// A member that may be absent.
pub(crate) struct Member<'a> {
    path: String,
    value: Option<Value<'a>>,
}

impl<'a> Member<'a> {
    /// The field, or that it is missing.
    pub(crate) fn required(self) -> Result<Field<'a>, RequestError> {
        match self.value {
            Some(Value::Null) | None => Err(Problem::Missing.at(self.path).into()),
            Some(value) => Ok(Field { path: self.path, value }),
        }
    }

    /// The field where there is one, read by `read`.
    pub(crate) fn optional<T>(self, read: impl FnOnce(Field<'a>) -> Result<T, RequestError>) -> Result<Option<T>, RequestError> {
        self.value.filter(|value| *value != Value::Null).map(|value| read(Field { path: self.path, value })).transpose()
    }

    /// Each element of a list, or the one value that stands for a list of one; nothing where absent.
    pub(crate) fn one_or_many<T>(self, read: impl Fn(Field<'a>) -> Result<T, RequestError>) -> Result<Vec<T>, RequestError> {
        match self.value {
            Some(Value::Null) | None => Ok(Vec::new()),
            Some(Value::List(elements)) => each(&self.path, elements).map(read).collect(),
            Some(value) => Ok(vec![read(Field { path: self.path, value })?]),
        }
    }

    /// Each element of a list; nothing where absent.
    pub(crate) fn many<T>(self, read: impl Fn(Field<'a>) -> Result<T, RequestError>) -> Result<Vec<T>, RequestError> {
        Ok(self.optional(|field| field.each(read))?.unwrap_or_default())
    }
}

/// A value and where it is.
pub(crate) struct Field<'a> {
    path: String,
    value: Value<'a>,
}

impl<'a> Field<'a> {
    /// What is wrong with it, whatever it is.
    pub(crate) fn refused(self, problem: Problem) -> RequestError {
        problem.at(self.path).into()
    }

    /// A string.
    pub(crate) fn text(self) -> Result<Cow<'a, str>, RequestError> {
        match self.value {
            Value::Text(text) => Ok(text),
            other => Err(wrong_kind(self.path, "a string", &other)),
        }
    }

    /// A string that is a value of the domain.
    pub(crate) fn parsed<T: FromStr<Err = Problem>>(self) -> Result<T, RequestError> {
        self.converted(|text| text.parse(), |field, problem: Problem| problem.at(field).into())
    }

    /// A string that is an id.
    pub(crate) fn id<T: FromStr<Err = IdError>>(self) -> Result<T, RequestError> {
        self.converted(|text| text.parse(), |field, source| RequestError::Id { field, source })
    }

    /// A string that is a time (RFC 3339).
    pub(crate) fn time(self) -> Result<OffsetDateTime, RequestError> {
        self.converted(|text| timestamp::time_of(text).ok_or(()), |field, ()| RequestError::Time { field })
    }

    /// A string that is base64, with or without padding.
    pub(crate) fn base64(self) -> Result<Vec<u8>, RequestError> {
        self.converted(|text| STANDARD_PAD_INDIFFERENT.decode(text), |field, _| RequestError::Base64 { field })
    }

    /// The members of an object.
    pub(crate) fn object(self) -> Result<Fields<'a>, RequestError> {
        match self.value {
            Value::Object(members) => Ok(Fields { path: self.path, members }),
            other => Err(wrong_kind(self.path, "an object", &other)),
        }
    }

    /// Each element of a list.
    pub(crate) fn each<T>(self, read: impl Fn(Field<'a>) -> Result<T, RequestError>) -> Result<Vec<T>, RequestError> {
        match self.value {
            Value::List(elements) => each(&self.path, elements).map(read).collect(),
            other => Err(wrong_kind(self.path, "a list", &other)),
        }
    }

    /// The name of this member, `name`, as a value of the domain.
    pub(crate) fn checked_name<T: FromStr<Err = Problem>>(&self, name: &str) -> Result<T, RequestError> {
        name.parse().map_err(|problem: Problem| problem.at(self.path.clone()).into())
    }

    /// Each element of a list, or the one value that stands for a list of one.
    pub(crate) fn one_or_many<T>(self, read: impl Fn(Field<'a>) -> Result<T, RequestError>) -> Result<Vec<T>, RequestError> {
        Member { path: self.path, value: Some(self.value) }.one_or_many(read)
    }

    /// Whether it is an object.
    pub(crate) const fn is_object(&self) -> bool {
        matches!(self.value, Value::Object(_))
    }

    /// A string that `convert` makes something of, or `refusal` with the field's path.
    pub(crate) fn converted<T, E>(
        self,
        convert: impl FnOnce(&str) -> Result<T, E>,
        refusal: impl FnOnce(String, E) -> RequestError,
    ) -> Result<T, RequestError> {
        let path = self.path.clone();
        convert(&self.text()?).map_err(|error| refusal(path, error))
    }
}

fn each<'a>(path: &str, elements: Vec<Value<'a>>) -> impl Iterator<Item = Field<'a>> {
    elements.into_iter().enumerate().map(move |(index, value)| Field { path: path::element(path, index), value })
}

fn wrong_kind(field: String, expected: &'static str, found: &Value<'_>) -> RequestError {
    RequestError::WrongKind { field, expected, found: found.kind() }
}

/// Which members were asked for, by their paths: what a request's schema has to name.
#[cfg(test)]
pub(crate) mod taken {
    use std::cell::RefCell;

    thread_local! {
        static TAKEN: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    }

    pub(super) fn note(path: &str) {
        TAKEN.with_borrow_mut(|taken| taken.push(path.to_owned()));
    }

    pub(crate) fn clear() {
        TAKEN.with_borrow_mut(Vec::clear);
    }

    pub(crate) fn all() -> Vec<String> {
        TAKEN.with_borrow(Vec::clone)
    }
}

#[cfg(test)]
mod tests {
    use selfmx_domain::Name;

    use super::*;

    fn fields(json: &str) -> Fields<'_> {
        Fields::of_body(json.as_bytes()).unwrap()
    }

    fn texts(member: Member<'_>) -> Result<Vec<String>, RequestError> {
        member.one_or_many(|field| Ok(field.text()?.into_owned()))
    }

    #[test]
    fn the_body_is_an_object() {
        for (json, found) in [("[]", "a list"), ("1", "a number"), ("\"a\"", "a string"), ("null", "null"), ("true", "a boolean")] {
            let error = Fields::of_body(json.as_bytes()).err();
            assert_eq!(error, Some(RequestError::WrongKind { field: String::new(), expected: "an object", found }), "{json}");
        }
    }

    #[test]
    fn what_nobody_took_is_unknown_and_the_first_is_named() {
        let mut fields = fields(r#"{"to": "a", "b": 1, "a": 2}"#);
        assert!(fields.take("to").required().is_ok());
        assert_eq!(fields.end(), Err(RequestError::Unknown { field: "b".to_owned() }));
    }

    #[test]
    fn null_is_absent() {
        let mut fields = fields(r#"{"cc": null, "tags": null, "mode": null, "name": null}"#);
        assert_eq!(fields.take("tags").many(|field| Ok(field.text()?.into_owned())), Ok(vec![]));
        assert_eq!(fields.take("mode").optional(Field::text), Ok(None));
        assert_eq!(texts(fields.take("cc")), Ok(vec![]));
        assert_eq!(fields.take("name").required().err(), Some(Problem::Missing.at("name").into()));
        assert_eq!(fields.end(), Ok(()));
    }

    #[test]
    fn one_or_many_names_the_element_that_is_wrong() {
        assert_eq!(texts(fields(r#"{"to": "a"}"#).take("to")), Ok(vec!["a".to_owned()]));
        assert_eq!(texts(fields(r#"{"to": ["a", "b"]}"#).take("to")), Ok(vec!["a".to_owned(), "b".to_owned()]));
        let error = texts(fields(r#"{"to": ["a", 1]}"#).take("to"));
        assert_eq!(error, Err(RequestError::WrongKind { field: "to[1]".to_owned(), expected: "a string", found: "a number" }));
        let error = texts(fields(r#"{"to": {}}"#).take("to"));
        assert_eq!(error, Err(RequestError::WrongKind { field: "to".to_owned(), expected: "a string", found: "an object" }));
    }

    #[test]
    fn a_domain_s_problem_gets_the_path() {
        let error = fields(r#"{"name": ""}"#).take("name").required().and_then(Field::parsed::<Name>);
        assert_eq!(error.err(), Some(Problem::Empty.at("name").into()));
    }

    #[test]
    fn base64_is_strict_but_for_its_padding() {
        let decode = |text: &str| fields(&format!("{{\"c\": {text:?}}}")).take("c").required().and_then(Field::base64);
        for (text, bytes) in [("", &b""[..]), ("aGk=", b"hi"), ("aGk", b"hi"), ("+/8=", b"\xfb\xff"), ("aGkh", b"hi!")] {
            assert_eq!(decode(text).as_deref(), Ok(bytes), "{text}");
        }
        for text in ["a", "aG k=", "aGk=\n", "aGk==", "=", "-_8=", "aGl=", "aGk=aGk=", "é"] {
            assert_eq!(decode(text), Err(RequestError::Base64 { field: "c".to_owned() }), "{text:?}");
        }
    }
}
