//! JSON text (RFC 8259) to a bounded tree that borrows from it.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value as Json};

use crate::RequestError;
use crate::path::shortened;

/// How deep lists and objects may nest.
pub(crate) const MAX_DEPTH: usize = 32;
/// How many elements a list, and members an object, may have.
pub(crate) const MAX_MEMBERS: usize = 1_000;
/// How many values a text may hold in all.
pub(crate) const MAX_VALUES: usize = 10_000;

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value<'a> {
    Null,
    Boolean(bool),
    Number(Number),
    /// Borrowed from the text unless it has escapes: 40 MiB of base64 are not copied.
    Text(Cow<'a, str>),
    List(Vec<Self>),
    /// In the order of the text, each name once.
    Object(Vec<(Cow<'a, str>, Self)>),
}

impl Value<'_> {
    /// The same as a value that borrows nothing; no deeper than was read.
    pub(crate) fn into_json(self) -> Json {
        match self {
            Self::Null => Json::Null,
            Self::Boolean(flag) => Json::Bool(flag),
            Self::Number(number) => Json::Number(number),
            Self::Text(text) => Json::String(text.into_owned()),
            Self::List(elements) => elements.into_iter().map(Value::into_json).collect(),
            Self::Object(members) => members.into_iter().map(|(name, value)| (name.into_owned(), value.into_json())).collect(),
        }
    }

    /// The kind of value, in words.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "a string",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
        }
    }
}

/// Reads one JSON value and nothing after it.
pub(crate) fn parse(text: &[u8]) -> Result<Value<'_>, RequestError> {
    parse_up_to(MAX_VALUES, text)
}

/// The same with another bound on how many values the text may hold.
pub(crate) fn parse_up_to(most: usize, text: &[u8]) -> Result<Value<'_>, RequestError> {
    let state = State { most, ..State::default() };
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let outcome = Node { depth: 0, state: &state }.deserialize(&mut deserializer).and_then(|value| deserializer.end().map(|()| value));
    let refusal = state.refusal.into_inner();
    outcome.map_err(|error| refusal.unwrap_or(RequestError::Malformed { line: error.line(), column: error.column() }))
}

/// What the whole tree shares while it is read: the count, and our own refusal, which serde's error could carry as a text only.
#[derive(Default)]
struct State {
    most: usize,
    values: Cell<usize>,
    refusal: RefCell<Option<RequestError>>,
}

impl State {
    fn refuse<E: serde::de::Error>(&self, refusal: RequestError) -> E {
        self.refusal.replace(Some(refusal));
        E::custom("refused")
    }
}

/// One value of the tree, at its depth.
#[derive(Clone, Copy)]
struct Node<'s> {
    depth: usize,
    state: &'s State,
}

impl<'s> Node<'s> {
    fn inner<E: serde::de::Error>(self) -> Result<Node<'s>, E> {
        if self.depth == MAX_DEPTH {
            return Err(self.state.refuse(RequestError::TooDeep { limit: MAX_DEPTH }));
        }
        Ok(Node { depth: self.depth + 1, ..self })
    }

    fn room<E: serde::de::Error>(self, members: usize) -> Result<(), E> {
        if members == MAX_MEMBERS {
            return Err(self.state.refuse(RequestError::TooManyMembers { limit: MAX_MEMBERS }));
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value<'de>, D::Error> {
        let values = self.state.values.get() + 1;
        self.state.values.set(values);
        if values > self.state.most {
            return Err(self.state.refuse(RequestError::TooManyValues { limit: self.state.most }));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value<'de>, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value<'de>, E> {
        Ok(Value::Boolean(value))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value<'de>, E> {
        Ok(Value::Number(number.into()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value<'de>, E> {
        Ok(Value::Number(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value<'de>, E> {
        // A JSON text holds no number that is not finite.
        Ok(Number::from_f64(number).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Borrowed(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value<'de>, A::Error> {
        let inner = self.inner()?;
        let mut elements = Vec::new();
        while let Some(element) = list.next_element_seed(inner)? {
            self.room(elements.len())?;
            elements.push(element);
        }
        Ok(Value::List(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value<'de>, A::Error> {
        let inner = self.inner()?;
        let mut members: Vec<(Cow<'de, str>, Value<'de>)> = Vec::new();
        while let Some(name) = object.next_key_seed(MemberName)? {
            self.room(members.len())?;
            // A linear search is bounded by the number of members.
            if members.iter().any(|(known, _)| *known == name) {
                return Err(self.state.refuse(RequestError::Repeated { field: shortened(&name) }));
            }
            members.push((name, object.next_value_seed(inner)?));
        }
        Ok(Value::Object(members))
    }
}

/// A member's name, borrowed where it has no escapes.
struct MemberName;

impl<'de> DeserializeSeed<'de> for MemberName {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Cow<'de, str>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for MemberName {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a member")
    }

    fn visit_str<E>(self, text: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(text.to_owned()))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(text))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(value: &str) -> Value<'_> {
        Value::Text(Cow::Borrowed(value))
    }

    #[test]
    fn a_string_without_escapes_is_not_copied() {
        let json = br#"{"a": "plain", "b": "with \u00e9"}"#;
        let Value::Object(members) = parse(json).unwrap() else { panic!("an object") };
        assert!(matches!(&members[0], (Cow::Borrowed("a"), Value::Text(Cow::Borrowed("plain")))));
        assert!(matches!(&members[1].1, Value::Text(Cow::Owned(owned)) if owned == "with é"));
    }

    #[test]
    fn a_member_given_twice_is_refused_however_it_is_written() {
        for json in [r#"{"to": 1, "to": 1}"#, r#"{"to": 1, "\u0074o": 2}"#, r#"[{"x": {"to": 1, "cc": 2, "to": 3}}]"#] {
            assert_eq!(parse(json.as_bytes()), Err(RequestError::Repeated { field: "to".to_owned() }), "{json}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse(nested(32).as_bytes()).is_ok());
        for depth in [33, 100_000] {
            assert_eq!(parse(nested(depth).as_bytes()), Err(RequestError::TooDeep { limit: 32 }));
        }
        let objects = format!("{}1{}", "{\"a\":".repeat(33), "}".repeat(33));
        assert_eq!(parse(objects.as_bytes()), Err(RequestError::TooDeep { limit: 32 }));
    }

    #[test]
    fn members_and_values_are_bounded() {
        let list = |count: usize| format!("[{}]", vec!["1"; count].join(","));
        assert!(parse(list(1_000).as_bytes()).is_ok());
        assert_eq!(parse(list(1_001).as_bytes()), Err(RequestError::TooManyMembers { limit: 1_000 }));
        let object = format!("{{{}}}", (0..1_001).map(|n| format!("\"{n}\":1")).collect::<Vec<_>>().join(","));
        assert_eq!(parse(object.as_bytes()), Err(RequestError::TooManyMembers { limit: 1_000 }));
        let lists = format!("[{}]", vec![list(999); 10].join(","));
        assert_eq!(parse(lists.as_bytes()), Err(RequestError::TooManyValues { limit: 10_000 }));
    }

    #[test]
    fn what_is_no_json_is_refused_with_its_place() {
        assert_eq!(parse(b"{\n  \"a\": tru }"), Err(RequestError::Malformed { line: 2, column: 11 }));
        for json in [
            "",
            " ",
            "{",
            "{\"a\":1,}",
            "[1,]",
            "{a:1}",
            "'a'",
            "1 2",
            "{} {}",
            "NaN",
            "01",
            "1e999",
            "\"\\ud800\"",
            "\"a\nb\"",
            "\u{feff}{}",
        ] {
            assert!(matches!(parse(json.as_bytes()), Err(RequestError::Malformed { .. })), "{json}");
        }
        for bytes in [&b"\"\xff\""[..], b"\"\xed\xa0\x80\"", b"{\"\xc0\x80\":1}", b"\xff"] {
            assert!(matches!(parse(bytes), Err(RequestError::Malformed { .. })), "{bytes:?}");
        }
    }

    /// The tree that serde_json itself reads, as ours.
    fn converted(value: &serde_json::Value) -> Value<'_> {
        match value {
            serde_json::Value::Null => Value::Null,
            serde_json::Value::Bool(value) => Value::Boolean(*value),
            serde_json::Value::Number(number) => Value::Number(number.clone()),
            serde_json::Value::String(string) => text(string),
            serde_json::Value::Array(elements) => Value::List(elements.iter().map(converted).collect()),
            serde_json::Value::Object(members) => {
                Value::Object(members.iter().map(|(name, value)| (Cow::Borrowed(name.as_str()), converted(value))).collect())
            }
        }
    }

    fn any_json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<i16>().prop_map(|number| (f64::from(number) / 8.0).into()),
            any::<String>().prop_map(Into::into),
        ];
        leaf.prop_recursive(8, 64, 8, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..8).prop_map(Into::into),
                proptest::collection::btree_map(any::<String>(), inner, 0..8).prop_map(|members| members.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_bytes_whatever_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn nor_any_text_that_is_nearly_json(json in "[\\[\\]{}:,\"\\\\a0-9.eE+tfun -]{0,60}") {
            if let Ok(value) = serde_json::from_str::<serde_json::Value>(&json) {
                let ours = parse(json.as_bytes());
                let repeated = matches!(ours, Err(RequestError::Repeated { .. }));
                prop_assert!(repeated || ours == Ok(converted(&value)));
            } else {
                prop_assert!(parse(json.as_bytes()).is_err());
            }
        }

        #[test]
        fn what_is_written_reads_back(value in any_json()) {
            let json = serde_json::to_vec(&value).unwrap();
            prop_assert_eq!(parse(&json), Ok(converted(&value)));
        }
    }
}
