//! The words of which schemas are made.

use serde_json::{Map, Value, json};

/// An object and its members. What it does not name it does not have.
pub(super) struct Object {
    about: &'static str,
    members: Map<String, Value>,
    required: Vec<&'static str>,
}

impl Object {
    pub(super) fn new(about: &'static str) -> Self {
        Self { about, members: Map::new(), required: Vec::new() }
    }

    /// A member that is always there.
    pub(super) fn has(mut self, name: &'static str, shape: Value) -> Self {
        self.required.push(name);
        self.may(name, shape)
    }

    /// A member that may be absent.
    pub(super) fn may(mut self, name: &'static str, shape: Value) -> Self {
        self.members.insert(name.to_owned(), shape);
        self
    }

    /// A member of a request that may be absent or, which means the same, `null`.
    pub(super) fn option(self, name: &'static str, shape: Value) -> Self {
        self.may(name, nullable(shape))
    }

    /// All members of another one as well.
    pub(super) fn and(mut self, other: Self) -> Self {
        self.members.extend(other.members);
        self.required.extend(other.required);
        self
    }

    pub(super) fn into_json(self) -> Value {
        let Self { about, members, required } = self;
        let about = (!about.is_empty()).then(|| ("description", json!(about)));
        let required = (!required.is_empty()).then(|| ("required", json!(required)));
        let object = json!({"type": "object", "properties": members, "additionalProperties": false});
        about.into_iter().chain(required).fold(object, |object, (name, value)| with(object, name, value))
    }
}

/// A string.
pub(super) fn string() -> Value {
    json!({"type": "string"})
}

/// A string of which this is to be said.
pub(super) fn text(about: &str) -> Value {
    json!({"type": "string", "description": about})
}

/// A string of so many characters.
pub(super) fn text_of(least: usize, most: usize, about: &str) -> Value {
    json!({"type": "string", "minLength": least, "maxLength": most, "description": about})
}

/// One of these words.
pub(super) fn word<'a>(words: impl IntoIterator<Item = &'a str>) -> Value {
    json!({"type": "string", "enum": words.into_iter().collect::<Vec<_>>()})
}

/// An id: its prefix, and 26 characters of Crockford's base 32.
pub(super) fn id(prefix: &str) -> Value {
    let default = if ["key", "tenant"].contains(&prefix) { "default|" } else { "" };
    json!({"type": "string", "pattern": format!("^{prefix}_({default}[0-7][0-9a-hjkmnp-tv-z]{{25}})$")})
}

/// A time (RFC 3339). Answers write it in UTC with milliseconds.
pub(super) fn time() -> Value {
    json!({"type": "string", "format": "date-time"})
}

/// Of everything that holds no control character, as `selfmx_domain::is_control` has them.
pub(super) const NO_CONTROLS: &str = r"^[^\u0000-\u001f\u007f-\u009f\u2028\u2029]*$";
/// A text with a local part and a domain somewhere in it, and no control character.
const AROUND_AT: &str = r"^[^\u0000-\u001f\u007f-\u009f\u2028\u2029]*[^@]@[^@][^\u0000-\u001f\u007f-\u009f\u2028\u2029]*$";
/// A text that is not blank and has control characters among the white space at its ends at most, which is taken off.
const NAME: &str = r"^[\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]*[^\u0000- \u007f-\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000][^\u0000-\u001f\u007f-\u009f\u2028\u2029]*[\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]*$";

/// A string of this form.
pub(super) fn formed(shape: Value, pattern: &str) -> Value {
    with(shape, "pattern", pattern.into())
}

/// What people call something.
pub(super) fn name(about: &str) -> Value {
    formed(text_of(1, 100, about), NAME)
}

/// A string that the store can keep: without NUL.
pub(super) fn kept() -> Value {
    formed(string(), r"^[^\u0000]*$")
}

/// An address, `local@domain`.
pub(super) fn address() -> Value {
    json!({"type": "string", "minLength": 3, "pattern": AROUND_AT, "description": "`local@domain`"})
}

/// An address with or without a name.
pub(super) fn mailbox() -> Value {
    json!({"type": "string", "minLength": 3, "pattern": AROUND_AT, "description": "`local@domain` or `Name <local@domain>`", "examples": ["Anna <anna@recipient.example>"]})
}

/// A whole number within these bounds.
pub(super) fn number(least: u64, most: u64) -> Value {
    json!({"type": "integer", "minimum": least, "maximum": most})
}

/// How many.
pub(super) fn count() -> Value {
    json!({"type": "integer", "minimum": 0})
}

/// Yes or no.
pub(super) fn flag() -> Value {
    json!({"type": "boolean"})
}

/// Always this.
pub(super) fn always(value: impl Into<Value>) -> Value {
    json!({"const": value.into()})
}

/// A list.
pub(super) fn list(of: Value) -> Value {
    json!({"type": "array", "items": of})
}

/// A list of at least one and at most so many.
pub(super) fn some(most: usize, of: Value) -> Value {
    json!({"type": "array", "items": of, "minItems": 1, "maxItems": most})
}

/// One, or a list of them.
pub(super) fn one_or_many(of: Value) -> Value {
    json!({"anyOf": [of, {"type": "array", "items": of}]})
}

/// An object whose names are the caller's.
pub(super) fn map_of(of: Value) -> Value {
    json!({"type": "object", "additionalProperties": of})
}

/// A shape by its name.
pub(super) fn named(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// The same, with what is to be said of it.
pub(super) fn said(shape: Value, about: &str) -> Value {
    with(shape, "description", about.into())
}

/// This, or `null`.
pub(super) fn nullable(shape: Value) -> Value {
    match (shape.get("type").and_then(Value::as_str), shape.get("enum")) {
        (Some(kind), None) => {
            let kinds = json!([kind, "null"]);
            with(shape, "type", kinds)
        }
        _ => json!({"anyOf": [shape, {"type": "null"}]}),
    }
}

/// The same shape with this keyword.
pub(super) fn with(mut shape: Value, keyword: &str, value: Value) -> Value {
    if let Some(members) = shape.as_object_mut() {
        members.insert(keyword.to_owned(), value);
    }
    shape
}
