//! From the `Authorization` header to a principal (RFC 6750 section 2.1). A key is looked for nowhere else.

use std::sync::Arc;

use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;
use selfmx_app::SignInError;
use selfmx_auth::{Origin, Principal, Secret};

use crate::{Doorkeeper, Failure, HeadFault};

/// What a request presents.
#[derive(Debug)]
pub(crate) enum Presented {
    /// No bearer token.
    Nothing,
    /// A token that can be nobody's key.
    Malformed,
    /// A key.
    Key(Secret),
}

/// Reads the header.
pub(crate) fn presented(headers: &HeaderMap) -> Result<Presented, HeadFault> {
    let mut given = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = given.next() else {
        return Ok(Presented::Nothing);
    };
    if given.next().is_some() {
        return Err(HeadFault::Authorization);
    }
    let Ok(text) = value.to_str() else {
        return Ok(Presented::Malformed);
    };
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    let token = token.trim_matches(' ');
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() {
        return Ok(Presented::Nothing);
    }
    Ok(Secret::presented(token).map_or(Presented::Malformed, Presented::Key))
}

/// Finds out who asks. A key that is none counts against the address that it came from, and a good one never does.
pub(crate) async fn sign_in<S: Doorkeeper>(state: &S, presented: Presented, origin: Arc<Origin>) -> Result<Principal, Failure> {
    let client = origin.address;
    let failed = || match state.sign_in_failed(client) {
        Ok(()) => Failure::InvalidKey,
        Err(too_many) => too_many.into(),
    };
    let secret = match presented {
        Presented::Nothing => return Err(Failure::MissingKey),
        Presented::Malformed => return Err(failed()),
        Presented::Key(secret) => secret,
    };
    state.sign_in(&secret, origin).await.map_err(|error| match error {
        SignInError::Unrecognised(_) => failed(),
        SignInError::Address => Failure::Misplaced,
        SignInError::Broken(error) => error.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "0123456789abcdef";

    fn read(values: &[&[u8]]) -> Result<&'static str, HeadFault> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, hyper::header::HeaderValue::from_bytes(value).unwrap());
        }
        presented(&headers).map(|presented| match presented {
            Presented::Nothing => "nothing",
            Presented::Malformed => "malformed",
            Presented::Key(secret) if secret.reveal() == KEY => "key",
            Presented::Key(_) => "another",
        })
    }

    #[test]
    fn the_scheme_s_case_and_spaces_do_not_matter() {
        for value in ["Bearer 0123456789abcdef", "bearer 0123456789abcdef", "BEARER  0123456789abcdef "] {
            assert_eq!(read(&[value.as_bytes()]), Ok("key"), "{value}");
        }
    }

    #[test]
    fn what_is_no_bearer_token_is_nothing() {
        for value in ["", "Bearer", "Bearer ", "Basic dTpw", KEY, "Bearer0123456789abcdef"] {
            assert_eq!(read(&[value.as_bytes()]), Ok("nothing"), "{value}");
        }
        assert_eq!(read(&[]), Ok("nothing"));
    }

    #[test]
    fn a_token_that_can_be_no_key_is_malformed() {
        for value in [&b"Bearer short"[..], b"Bearer 0123456789 abcdef", b"Bearer 0123456789abcd\xc3\xa9", b"Bearer \xff\xff"] {
            assert_eq!(read(&[value]), Ok("malformed"), "{value:?}");
        }
    }

    #[test]
    fn two_headers_are_refused() {
        assert_eq!(read(&[b"Bearer 0123456789abcdef", b"Bearer 0123456789abcdef"]), Err(HeadFault::Authorization));
    }
}
