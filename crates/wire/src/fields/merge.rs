//! What the members of a partial update say (RFC 7396): absent, `null` and a value are three things.

use selfmx_domain::Change;

use super::{Field, Member};
use crate::RequestError;
use crate::value::Value;

impl<'a> Member<'a> {
    /// What a partial update says of something that may be absent: `null` clears it.
    pub(crate) fn change<T>(self, read: impl FnOnce(Field<'a>) -> Result<T, RequestError>) -> Result<Change<T>, RequestError> {
        match self.value {
            None => Ok(Change::Keep),
            Some(Value::Null) => Ok(Change::Clear),
            Some(value) => read(Field { path: self.path, value }).map(Change::Set),
        }
    }

    /// The new value of something that is always there, where the update names it; `null` is not of its kind, as `read` says.
    pub(crate) fn replacement<T>(self, read: impl FnOnce(Field<'a>) -> Result<T, RequestError>) -> Result<Option<T>, RequestError> {
        self.value.map(|value| read(Field { path: self.path, value })).transpose()
    }
}

#[cfg(test)]
mod tests {
    use selfmx_domain::{Name, Problem};

    use super::*;
    use crate::fields::Fields;

    fn name<T>(json: &str, read: impl FnOnce(Member<'_>) -> T) -> T {
        let mut fields = Fields::of_body(json.as_bytes()).unwrap();
        read(fields.take("name"))
    }

    #[test]
    fn absent_and_null_and_a_value_are_three_things() {
        let change = |json: &str| name(json, |member| member.change(Field::parsed::<Name>));
        assert_eq!(change("{}"), Ok(Change::Keep));
        assert_eq!(change(r#"{"name": null}"#), Ok(Change::Clear));
        assert_eq!(change(r#"{"name": "n"}"#), Ok(Change::Set("n".parse().unwrap())));
        assert_eq!(change(r#"{"name": ""}"#), Err(Problem::Empty.at("name").into()));
    }

    #[test]
    fn what_is_always_there_cannot_be_cleared() {
        let replacement = |json: &str| name(json, |member| member.replacement(Field::parsed::<Name>));
        assert_eq!(replacement("{}"), Ok(None));
        assert_eq!(replacement(r#"{"name": "n"}"#), Ok(Some("n".parse().unwrap())));
        let refused = RequestError::WrongKind { field: "name".to_owned(), expected: "a string", found: "null" };
        assert_eq!(replacement(r#"{"name": null}"#), Err(refused));
    }
}
