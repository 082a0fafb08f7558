//! Values while a template is rendered: borrowed or small, never copies of the data.

use std::cmp::Ordering;

use serde_json::{Number, Value as Json};

/// What an expression comes to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Val<'a> {
    /// A part of the data, or a literal of the template.
    Data(&'a Json),
    /// A key of an object in the data.
    Key(&'a str),
    /// A place in a list, or a length.
    Count(usize),
    /// What a comparison came to.
    Flag(bool),
    /// Nothing.
    Missing,
}

/// What zero counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Zero {
    True,
    False,
}

/// A value that can be compared.
#[derive(Clone, Copy, Debug)]
enum Scalar<'a> {
    Null,
    Flag(bool),
    Number(f64),
    Whole(i128),
    Text(&'a str),
}

impl<'a> Val<'a> {
    /// Whether there is nothing at all; `null` is something.
    pub(crate) const fn is_missing(self) -> bool {
        matches!(self, Self::Missing)
    }

    /// What a value holds under a name: a field of an object, or a place in a list.
    pub(crate) fn field(self, name: &str) -> Self {
        let Self::Data(value) = self else { return Self::Missing };
        let found = match value {
            Json::Object(fields) => fields.get(name),
            Json::Array(list) => name.parse().ok().and_then(|at: usize| list.get(at)),
            _ => None,
        };
        found.map_or(Self::Missing, Self::Data)
    }

    /// What `{{lookup}}` finds under a key that was worked out.
    pub(crate) fn lookup(self, key: Self) -> Self {
        match key.scalar() {
            Some(Scalar::Text(name)) => self.field(name),
            Some(Scalar::Whole(number)) => self.field(&number.to_string()),
            _ => Self::Missing,
        }
    }

    /// Whether `{{#if}}` takes it for true: not missing, `null`, `false`, empty or zero (unless zero is to count).
    pub(crate) fn is_true(self, zero: Zero) -> bool {
        match self {
            Self::Missing => false,
            Self::Flag(flag) => flag,
            Self::Key(text) => !text.is_empty(),
            Self::Count(number) => number != 0 || zero == Zero::True,
            Self::Data(Json::Null) => false,
            Self::Data(Json::Bool(flag)) => *flag,
            Self::Data(Json::Number(number)) => zero == Zero::True || number.as_f64().is_some_and(|number| number != 0.0),
            Self::Data(Json::String(text)) => !text.is_empty(),
            Self::Data(Json::Array(list)) => !list.is_empty(),
            Self::Data(Json::Object(fields)) => !fields.is_empty(),
        }
    }

    /// How many things a list or an object holds, or characters a text; others hold nothing.
    pub(crate) fn len(self) -> usize {
        match self {
            Self::Data(Json::Array(list)) => list.len(),
            Self::Data(Json::Object(fields)) => fields.len(),
            Self::Data(Json::String(text)) => text.chars().count(),
            Self::Key(text) => text.chars().count(),
            _ => 0,
        }
    }

    /// How many octets reading it whole passes.
    pub(crate) const fn octets(self) -> usize {
        match self {
            Self::Data(Json::String(text)) => text.len(),
            Self::Key(text) => text.len(),
            _ => 0,
        }
    }

    /// Whether two are the same text, number or flag. What is missing is `null`; lists and objects are never the same.
    pub(crate) fn same(self, other: Self) -> bool {
        match (self.scalar(), other.scalar()) {
            (Some(Scalar::Null), Some(Scalar::Null)) => true,
            (Some(Scalar::Flag(one)), Some(Scalar::Flag(two))) => one == two,
            _ => self.order(other) == Some(Ordering::Equal),
        }
    }

    /// The order of two numbers or two texts; others have none.
    pub(crate) fn order(self, other: Self) -> Option<Ordering> {
        match (self.scalar()?, other.scalar()?) {
            (Scalar::Text(one), Scalar::Text(two)) => Some(one.cmp(two)),
            (Scalar::Whole(one), Scalar::Whole(two)) => Some(one.cmp(&two)),
            (one, two) => one.number()?.partial_cmp(&two.number()?),
        }
    }

    fn scalar(self) -> Option<Scalar<'a>> {
        Some(match self {
            Self::Missing | Self::Data(Json::Null) => Scalar::Null,
            Self::Flag(flag) => Scalar::Flag(flag),
            Self::Data(Json::Bool(flag)) => Scalar::Flag(*flag),
            Self::Count(number) => Scalar::Whole(i128::try_from(number).ok()?),
            Self::Data(Json::Number(number)) => Scalar::of(number)?,
            Self::Key(text) => Scalar::Text(text),
            Self::Data(Json::String(text)) => Scalar::Text(text),
            Self::Data(Json::Array(_) | Json::Object(_)) => return None,
        })
    }
}

impl Scalar<'_> {
    fn of(number: &Number) -> Option<Self> {
        let whole = number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
        whole.map(Self::Whole).or_else(|| number.as_f64().map(Self::Number))
    }

    #[expect(
        clippy::as_conversions,
        clippy::cast_precision_loss,
        reason = "beside a fraction a number counts as precisely as a fraction can"
    )]
    const fn number(self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(number),
            Self::Whole(number) => Some(number as f64),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_empty_is_false() {
        for value in [json!(null), json!(false), json!(0), json!(0.0), json!(""), json!([]), json!({})] {
            assert!(!Val::Data(&value).is_true(Zero::False), "{value}");
        }
        for value in [json!(true), json!(1), json!(-0.5), json!("0"), json!([0]), json!({"a": null})] {
            assert!(Val::Data(&value).is_true(Zero::False), "{value}");
        }
        assert!(Val::Data(&json!(0)).is_true(Zero::True));
        assert!(!Val::Data(&json!(null)).is_true(Zero::True));
    }

    #[test]
    fn numbers_are_the_same_however_they_are_written() {
        assert!(Val::Data(&json!(1)).same(Val::Data(&json!(1.0))));
        assert!(Val::Data(&json!(3)).same(Val::Count(3)));
        assert!(!Val::Data(&json!(9_007_199_254_740_993_i64)).same(Val::Data(&json!(9_007_199_254_740_992_i64))));
        assert!(!Val::Data(&json!("1")).same(Val::Data(&json!(1))));
        assert!(Val::Missing.same(Val::Data(&json!(null))));
        assert!(!Val::Data(&json!([1])).same(Val::Data(&json!([1]))));
    }

    #[test]
    fn only_numbers_and_texts_have_an_order() {
        assert_eq!(Val::Data(&json!(2)).order(Val::Data(&json!(10))), Some(Ordering::Less));
        assert_eq!(Val::Data(&json!("2")).order(Val::Data(&json!("10"))), Some(Ordering::Greater));
        assert_eq!(Val::Data(&json!("2")).order(Val::Data(&json!(10))), None);
        assert_eq!(Val::Missing.order(Val::Missing), None);
    }
}
