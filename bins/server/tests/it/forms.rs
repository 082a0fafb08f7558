//! The forms that ids, times and secrets have in every answer.

use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

const CROCKFORD: &str = "0123456789abcdefghjkmnpqrstvwxyz";

/// Whether it is a TypeID: the prefix, and 26 characters of Crockford's base 32.
pub(crate) fn is_id(prefix: &str, value: &Value) -> bool {
    let rest = value.as_str().and_then(|text| text.strip_prefix(prefix)?.strip_prefix('_'));
    rest.is_some_and(|rest| rest.len() == 26 && rest.chars().all(|c| CROCKFORD.contains(c)))
}

/// Whether it is a time of RFC 3339 in UTC with milliseconds.
pub(crate) fn is_time(value: &Value) -> bool {
    let milliseconds = |text: &str| text.len() == "2024-01-15T10:30:00.000Z".len() && text.ends_with('Z');
    value.as_str().is_some_and(|text| milliseconds(text) && OffsetDateTime::parse(text, &Rfc3339).is_ok())
}

/// Whether it is a made key's secret: the prefix and 49 letters and digits.
pub(crate) fn is_secret(prefix: &str, value: &Value) -> bool {
    let rest = value.as_str().and_then(|text| text.strip_prefix(prefix));
    rest.is_some_and(|rest| rest.len() == 49 && rest.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}
