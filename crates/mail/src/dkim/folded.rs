//! A header field that is folded as it is written, so that no line is longer than it should be (RFC 5322 section 2.1.1).

/// The longest line, in octets; only a domain name or a selector can make one longer.
const MAX_LINE: usize = 78;

/// A field that is being written.
pub(super) struct Folded {
    text: String,
    column: usize,
}

impl Folded {
    /// A field that begins so: its name and the colon.
    pub(super) fn new(begin: &str) -> Self {
        Self { text: begin.to_owned(), column: begin.len() }
    }

    /// Adds a word after a space or a fold.
    pub(super) fn word(&mut self, word: &str) {
        if self.column + 1 + word.len() > MAX_LINE {
            self.fold();
        } else {
            self.push(" ");
        }
        self.push(word);
    }

    /// Adds what stands directly behind what there is, or after a fold.
    pub(super) fn piece(&mut self, piece: &str) {
        if self.column + piece.len() > MAX_LINE {
            self.fold();
        }
        self.push(piece);
    }

    /// Adds what may be folded at any place: base64.
    pub(super) fn cut_anywhere(&mut self, text: &str) {
        let mut rest = text;
        while !rest.is_empty() {
            if self.column >= MAX_LINE {
                self.fold();
            }
            let room = rest.floor_char_boundary(MAX_LINE - self.column);
            let (piece, after) = rest.split_at(room.max(1));
            self.push(piece);
            rest = after;
        }
    }

    /// The field as it is so far.
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// The whole field with its line end.
    pub(super) fn ended(mut self) -> String {
        self.text.push_str("\r\n");
        self.text
    }

    fn fold(&mut self) {
        self.text.push_str("\r\n ");
        self.column = 1;
    }

    fn push(&mut self, text: &str) {
        self.text.push_str(text);
        self.column += text.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_folded_where_they_may_be() {
        let mut field = Folded::new("Name:");
        field.word("d=x.example;");
        field.word(&"y".repeat(70));
        field.piece("abcdefghij:");
        field.cut_anywhere(&"z".repeat(200));
        let written = field.ended();
        let lines: Vec<&str> = written.split("\r\n").collect();
        assert_eq!(lines[0], "Name: d=x.example;");
        assert_eq!(lines[1], format!(" {}", "y".repeat(70)));
        assert!(lines[2].starts_with(" abcdefghij:zzz") && lines[2].len() == 78, "{lines:?}");
        assert!(lines.iter().all(|line| line.len() <= 78), "{lines:?}");
        assert_eq!(written.replace("\r\n ", "").trim_end().matches('z').count(), 200);
    }

    #[test]
    fn a_word_that_does_not_fit_has_a_line_to_itself() {
        let mut field = Folded::new("Name:");
        let long = "d".repeat(253);
        field.word(&long);
        field.word("t=1;");
        assert_eq!(field.ended(), format!("Name:\r\n {long}\r\n t=1;\r\n"));
    }
}
