//! The header by which a caller says that a request may be a repetition.

use hyper::HeaderMap;
use selfmx_domain::IdempotencyKey;

use crate::HeadFault;

const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// The request's key, where it has one.
pub(crate) fn key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, HeadFault> {
    let mut given = headers.get_all(IDEMPOTENCY_KEY).iter();
    match (given.next(), given.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => {
            let key = value.to_str().ok().and_then(|text| text.parse().ok());
            key.map(Some).ok_or(HeadFault::IdempotencyKey)
        }
        (Some(_), Some(_)) => Err(HeadFault::IdempotencyKey),
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn read(values: &[&[u8]]) -> Result<Option<String>, HeadFault> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(IDEMPOTENCY_KEY, HeaderValue::from_bytes(value).unwrap());
        }
        key(&headers).map(|key| key.map(|key| key.reveal().to_owned()))
    }

    #[test]
    fn one_key_or_none_is_read_and_nothing_else() {
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&[b"order-7"]), Ok(Some("order-7".to_owned())));
        for wrong in [&[&b""[..]][..], &[b"two words"], &[b"\xc3\xa9"], &[&[b'x'; 257]], &[b"a", b"a"], &[b"a", b""]] {
            assert_eq!(read(wrong), Err(HeadFault::IdempotencyKey), "{wrong:?}");
        }
    }
}
