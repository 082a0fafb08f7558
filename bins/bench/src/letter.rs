//! The mails of all loads: 2 KB of text that is about as hard to compress as what people write.

use crate::node::KEY;

/// How long the text is.
const OCTETS: usize = 2_048;

/// Who writes.
pub(crate) const SENDER: &str = "load@sender.example";

const WORDS: [&str; 32] = [
    "the",
    "order",
    "has",
    "been",
    "sent",
    "today",
    "and",
    "will",
    "reach",
    "you",
    "within",
    "three",
    "days",
    "please",
    "keep",
    "this",
    "number",
    "for",
    "questions",
    "about",
    "delivery",
    "invoice",
    "attached",
    "below",
    "thank",
    "your",
    "account",
    "password",
    "reset",
    "confirm",
    "address",
    "again",
];

/// The text, always the same: words and numbers in no order, in lines.
pub(crate) fn text() -> String {
    let (mut text, mut state) = (String::new(), 88_172_645_463_325_252_u64);
    while text.len() < OCTETS {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let word = usize::try_from(state % 32).ok().and_then(|place| WORDS.get(place)).unwrap_or(&"and");
        let separator = if text.len() / 70 == (text.len() + word.len() + 7) / 70 { ' ' } else { '\n' };
        text.push_str(&format!("{word} {}{separator}", state >> 52));
    }
    text.truncate(OCTETS);
    text
}

/// Requests for mails, each to another recipient, all equally long.
#[derive(Clone, Debug)]
pub(crate) struct Letters {
    before: String,
    after: String,
}

impl Letters {
    pub(crate) fn new() -> Self {
        let body = serde_json::json!({"from": SENDER, "to": "________@load.example", "subject": "Your order", "text": text()}).to_string();
        let head = format!(
            "POST /v1/send HTTP/1.1\r\nHost: bench.example\r\nAuthorization: Bearer {KEY}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let (before, after) = body.split_once("________").unwrap_or_default();
        Self { before: head + before, after: after.to_owned() }
    }

    /// The request for the mail of this number.
    pub(crate) fn request(&self, number: u64) -> Vec<u8> {
        format!("{}{:08}{}", self.before, number % 100_000_000, self.after).into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_that_is_told_is_the_body_s() {
        let request = String::from_utf8(Letters::new().request(7)).unwrap();
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        assert!(head.ends_with(&format!("Content-Length: {}", body.len())));
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["to"], "00000007@load.example");
        assert_eq!(body["text"].as_str().unwrap().len(), OCTETS);
    }
}
