//! What a body asks for, in 32 octets: the SHA-256 of one form of its value.
//!
//! Fingerprints are kept for a day and compared by whichever version of the program runs then: the form must not change.

use selfmx_domain::Fingerprint;
use sha2::{Digest as _, Sha256};

use crate::value::Value;

/// Stands before everything, so that this hash is no other use's.
const DOMAIN: &[u8] = b"selfmx request\0";

/// The fingerprint of the body of a request of this kind.
pub(crate) fn of(kind: &str, body: &Value<'_>) -> Fingerprint {
    let mut hash = Sha256::new_with_prefix(DOMAIN);
    text(&mut hash, kind);
    value(&mut hash, body);
    Fingerprint(hash.finalize().into())
}

/// Each value begins by its kind, and what has a length by that: no two values are written alike.
fn value(hash: &mut Sha256, value: &Value<'_>) {
    match value {
        Value::Null => hash.update(b"n"),
        Value::Boolean(true) => hash.update(b"t"),
        Value::Boolean(false) => hash.update(b"f"),
        Value::Number(number) => match number.as_u64() {
            Some(number) => {
                hash.update(b"i");
                hash.update(number.to_be_bytes());
            }
            None => {
                hash.update(b"x");
                text(hash, &number.to_string());
            }
        },
        Value::Text(string) => {
            hash.update(b"s");
            text(hash, string);
        }
        Value::List(elements) => {
            hash.update(b"l");
            length(hash, elements.len());
            elements.iter().for_each(|element| self::value(hash, element));
        }
        Value::Object(members) => {
            let mut there: Vec<_> = members.iter().filter(|(_, value)| *value != Value::Null).collect();
            there.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
            hash.update(b"o");
            length(hash, there.len());
            for (name, member) in there {
                text(hash, name);
                self::value(hash, member);
            }
        }
    }
}

fn text(hash: &mut Sha256, text: &str) {
    length(hash, text.len());
    hash.update(text);
}

fn length(hash: &mut Sha256, length: usize) {
    hash.update(u64::try_from(length).unwrap_or(u64::MAX).to_be_bytes());
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;
    use crate::value::parse;

    fn print(json: &str) -> Fingerprint {
        of("send", &parse(json.as_bytes()).unwrap())
    }

    #[test]
    fn how_a_body_is_written_makes_no_difference() {
        let plain = print(r#"{"to":["a","b"],"metadata":{"k":"é","l":""},"n":10}"#);
        for same in [
            r#" { "n" : 10 , "to" : [ "a" , "b" ] , "metadata" : { "l" : "" , "k" : "é" } } "#,
            r#"{"metadata":{"l":"","k":"\u00e9"},"to":["\u0061","b"],"n":10}"#,
            r#"{"cc":null,"to":["a","b"],"metadata":{"k":"é","l":""},"n":10}"#,
        ] {
            assert_eq!(print(same), plain, "{same}");
        }
    }

    #[test]
    fn what_a_body_says_does() {
        let bodies = [
            r#"{"to":["a","b"]}"#,
            r#"{"to":["b","a"]}"#,
            r#"{"to":["ab"]}"#,
            r#"{"to":"ab"}"#,
            r#"{"to":["a",["b"]]}"#,
            r#"{"to":["a","b",null]}"#,
            r#"{"cc":["a","b"]}"#,
            r#"{"to":{"a":"b"}}"#,
            r#"{"to":{"a":{"b":""}}}"#,
            r#"{"to":["A","b"]}"#,
            r#"{"to":["a","b "]}"#,
            r#"{"to":true}"#,
            r#"{"to":false}"#,
            r#"{"to":1}"#,
            r#"{"to":-1}"#,
            r#"{"to":-2}"#,
            r#"{"to":1.5}"#,
            r#"{"to":"1"}"#,
            r#"{"to":[]}"#,
            r#"{"to":{}}"#,
            "{}",
            "[]",
            "null",
        ];
        let prints: HashSet<_> = bodies.iter().map(|body| print(body).0).collect();
        assert_eq!(prints.len(), bodies.len());
        assert_ne!(of("batch", &parse(b"{}").unwrap()), print("{}"));
    }

    /// Those that are kept were made by earlier versions.
    #[test]
    fn the_form_stays_what_it_is() {
        let hex: String =
            print(r#"{"to":["a"],"n":1,"b":true,"f":false,"o":{"k":"v"}}"#).0.iter().map(|octet| format!("{octet:02x}")).collect();
        assert_eq!(hex, "496d3b290122bf934fce0a25fb708b55bd644010fa7a93635ba821b70737d031");
    }

    fn any_value() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![any::<bool>().prop_map(Into::into), any::<u32>().prop_map(Into::into), "[ab]{0,2}".prop_map(Into::into)];
        leaf.prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..3).prop_map(serde_json::Value::from),
                proptest::collection::btree_map("[ab]{0,2}", inner, 0..3).prop_map(|members| members.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn two_values_have_the_same_where_they_are_the_same(one in any_value(), other in any_value()) {
            prop_assert_eq!(print(&one.to_string()) == print(&other.to_string()), one == other);
            prop_assert_eq!(print(&serde_json::to_string_pretty(&one).unwrap()), print(&one.to_string()));
        }
    }
}
