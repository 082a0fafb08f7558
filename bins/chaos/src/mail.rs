//! The mails of a run: each says whose it is, and can be checked to its last line.

use serde_json::{Value, json};

/// How many lines of text each has.
const LINES: usize = 24;
const LINE: &str = "This line is one of many, all of the same length, and none is missing.";

/// What is asked of the server for a mail to `address`.
pub(crate) fn request(address: &str) -> Value {
    json!({"from": "chaos@sender.example", "to": address, "subject": format!("For {address}"), "text": text(address)})
}

/// The id in a message's Message-ID.
pub(crate) fn id(octets: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(octets);
    let (head, _) = text.split_once("\r\n\r\n")?;
    let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with("message-id:"))?;
    let (_, rest) = line.split_once('<')?;
    rest.split_once('@').map(|(id, _)| id.to_owned())
}

/// Whether a message's text is the one for `address`, from its first line to its last.
pub(crate) fn is_whole(octets: &[u8], address: &str) -> bool {
    let message = String::from_utf8_lossy(octets);
    let text = text(address);
    let Some((_, body)) = message.split_once("\r\n\r\n") else { return false };
    body.trim_end().lines().eq(text.trim_end().lines())
}

fn text(address: &str) -> String {
    let lines: String = (1..=LINES).map(|number| format!("{number} {LINE}\n")).collect();
    format!("For {address}\n{lines}This is the end of what is for {address}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> Vec<u8> {
        format!("Subject: x\r\nMessage-ID: <msg_1@sender.example>\r\n\r\n{}", text.replace('\n', "\r\n")).into_bytes()
    }

    #[test]
    fn a_message_tells_its_id_and_whether_it_is_whole() {
        let whole = message(&text("a@b.example"));
        assert_eq!(id(&whole).as_deref(), Some("msg_1"));
        assert!(is_whole(&whole, "a@b.example"));
        assert!(!is_whole(&whole, "c@b.example"));
        for cut in [1, 20, 200, whole.len() - 40] {
            assert!(!is_whole(&whole[..whole.len() - cut - 2], "a@b.example"), "{cut}");
        }
        assert!(!is_whole(b"Subject: x\r\n", "a@b.example"));
        assert_eq!(id(b"Subject: x\r\n\r\n"), None);
    }
}
