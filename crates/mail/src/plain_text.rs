//! The text part of a mail that has HTML only.
//!
//! It reads tokens and builds no tree: a tree of hostile HTML costs memory and time that grow with the square of its length and more (31 KB of
//! unclosed `<font>` in paragraphs became 5.5 GB in a renderer that builds one), and the text of a mail needs none.

use std::cell::RefCell;

use html5ever::tokenizer::states::RawKind;
use html5ever::tokenizer::{BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts};

/// So much of the HTML is read: twice what mail readers show before they cut a mail off. It bounds the time that a tag of very many attributes takes.
const MAX_HTML_OCTETS: usize = 256 * 1024;

/// Text for those who do not read HTML: paragraphs, lists, where links lead to and what images show. Never fails.
pub(crate) fn of(html: &str) -> String {
    let read = html.get(..html.floor_char_boundary(MAX_HTML_OCTETS)).unwrap_or_default();
    let input = BufferQueue::default();
    input.push_back(read.into());
    let tokenizer = Tokenizer::new(Sink(RefCell::default()), TokenizerOpts::default());
    let _ = tokenizer.feed(&input);
    tokenizer.end();
    tokenizer.sink.0.into_inner().finish()
}

/// html5ever hands tokens to a shared reference.
struct Sink(RefCell<Writer>);

impl TokenSink for Sink {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        let mut writer = self.0.borrow_mut();
        match token {
            Token::CharacterTokens(text) => writer.characters(&text),
            Token::TagToken(tag) if tag.kind == TagKind::StartTag => return writer.start(&tag),
            Token::TagToken(tag) => writer.end(&tag.name),
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

/// What may stand between two words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Gap {
    #[default]
    None,
    Space,
    Line,
    Paragraph,
}

/// The text so far, and what is open.
#[derive(Default)]
struct Writer {
    text: String,
    title: String,
    gap: Gap,
    preformatted: usize,
    /// The element whose content is not shown, `title` among them.
    hidden: Option<String>,
    /// Where the open link leads, and where its text began.
    link: Option<(String, usize)>,
    /// For each open list the number of its next item; none where it has bullets.
    lists: Vec<Option<u32>>,
    /// What goes before the next text: the bullet or number of an item.
    marker: String,
}

impl Writer {
    fn characters(&mut self, characters: &str) {
        if let Some(hidden) = &self.hidden {
            if hidden == "title" {
                self.title.push_str(characters);
            }
            return;
        }
        if self.preformatted > 0 {
            self.push(characters);
            return;
        }
        for c in characters.chars() {
            if matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{c}') {
                self.gap = self.gap.max(Gap::Space);
            } else {
                self.push(c.encode_utf8(&mut [0; 4]));
            }
        }
    }

    fn start(&mut self, tag: &Tag) -> TokenSinkResult<()> {
        if self.hidden.is_some() {
            return TokenSinkResult::Continue;
        }
        let name: &str = &tag.name;
        if let Some(kind) = raw_kind(name) {
            self.hidden = Some(name.to_owned());
            return TokenSinkResult::RawData(kind);
        }
        self.gap = self.gap.max(self.gap_at(name));
        match name {
            "a" => self.link = attribute(tag, "href").map(|href| (href, self.text.len())),
            "br" => self.line_break(),
            "hr" => self.push("---"),
            "img" => self.push(attribute(tag, "alt").unwrap_or_default().trim()),
            "li" => self.item(),
            "ol" => self.lists.push(Some(1)),
            "pre" => self.preformatted += 1,
            "ul" => self.lists.push(None),
            _ => {}
        }
        if name == "hr" {
            self.gap = Gap::Paragraph;
        }
        TokenSinkResult::Continue
    }

    fn end(&mut self, name: &str) {
        if let Some(hidden) = &self.hidden {
            if hidden == name {
                self.hidden = None;
            }
            return;
        }
        match name {
            "a" => self.end_of_link(),
            "ol" | "ul" => drop(self.lists.pop()),
            "pre" => self.preformatted = self.preformatted.saturating_sub(1),
            _ => {}
        }
        self.gap = self.gap.max(self.gap_at(name));
    }

    /// The gap before and after an element; a list within a list makes no paragraph.
    fn gap_at(&self, name: &str) -> Gap {
        if matches!(name, "ol" | "ul") && !self.lists.is_empty() { Gap::Line } else { gap_at(name) }
    }

    fn item(&mut self) {
        let Some(Some(number)) = self.lists.last_mut() else {
            "- ".clone_into(&mut self.marker);
            return;
        };
        self.marker = format!("{number}. ");
        *number = number.saturating_add(1);
    }

    fn end_of_link(&mut self) {
        let Some((href, began)) = self.link.take() else { return };
        let target = href.trim();
        let shown = self.text.get(began..).unwrap_or_default().trim();
        let known = ["https://", "http://", "mailto:", "tel:"].iter().find(|scheme| target.starts_with(**scheme));
        let Some(scheme) = known else { return };
        if shown.is_empty() || target.strip_prefix(scheme).is_some_and(|bare| shown.ends_with(bare)) {
            return;
        }
        let note = format!("({target})");
        self.gap = self.gap.max(Gap::Space);
        self.push(&note);
    }

    /// A `br`: a second one in a row makes an empty line.
    fn line_break(&mut self) {
        self.gap = if self.gap >= Gap::Line { Gap::Paragraph } else { Gap::Line };
    }

    /// Writes the gap that is due, then `text`.
    fn push(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        if !self.text.is_empty() {
            self.text.push_str(match self.gap {
                Gap::None => "",
                Gap::Space => " ",
                Gap::Line => "\n",
                Gap::Paragraph => "\n\n",
            });
        }
        self.gap = Gap::None;
        self.text.push_str(&std::mem::take(&mut self.marker));
        self.text.push_str(text);
    }

    fn finish(self) -> String {
        let text = self.text.trim();
        let text = if text.is_empty() { self.title.trim() } else { text };
        if text.is_empty() { String::new() } else { format!("{text}\n") }
    }
}

/// Elements whose content is no text of the mail, and how the tokenizer reads it.
fn raw_kind(name: &str) -> Option<RawKind> {
    match name {
        "script" => Some(RawKind::ScriptData),
        "title" | "textarea" => Some(RawKind::Rcdata),
        "style" | "xmp" | "iframe" | "noembed" | "noframes" => Some(RawKind::Rawtext),
        _ => None,
    }
}

/// The gap before and after an element, wherever it stands.
fn gap_at(name: &str) -> Gap {
    match name {
        "p" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "ul" | "ol" | "dl" | "table" | "blockquote" | "pre" | "hr" | "form" => {
            Gap::Paragraph
        }
        "div" | "li" | "tr" | "dt" | "dd" | "section" | "article" | "header" | "footer" | "main" | "nav" | "aside" | "center"
        | "address" | "body" | "caption" | "figure" | "figcaption" | "fieldset" => Gap::Line,
        "td" | "th" | "option" => Gap::Space,
        _ => Gap::None,
    }
}

fn attribute(tag: &Tag, name: &str) -> Option<String> {
    tag.attrs.iter().find(|attribute| &*attribute.name.local == name).map(|attribute| attribute.value.to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paragraphs_lists_links_and_pictures_are_kept() {
        for (html, text) in [
            ("<p>One</p><p>Two<br>three</p>", "One\n\nTwo\nthree\n"),
            ("a<br><br>b <b>bold</b>\n  c", "a\n\nb bold c\n"),
            ("<ul><li>a</li><li>b<ul><li>c</ul></ul><p>d", "- a\n- b\n- c\n\nd\n"),
            ("<ol><li>a<li><p>b</p></ol>", "1. a\n\n2. b\n"),
            ("<a href=\"https://x.example/a?b=1&amp;c=2\">here</a>.", "here (https://x.example/a?b=1&c=2).\n"),
            (
                "<a href=\"https://x.example\">https://x.example</a> <a href=\"mailto:a@x.example\">a@x.example</a>",
                "https://x.example a@x.example\n",
            ),
            ("<a href=\"javascript:alert(1)\">x</a> <a name=y>y</a>", "x y\n"),
            ("<img alt=\"A cat\" src=c.png><hr>end", "A cat\n\n---\n\nend\n"),
            ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc\n"),
            ("<pre>  a\n    b</pre>", "a\n    b\n"),
            ("&lt;p&gt; &amp; &eacute; &#x1F389; &nbsp;&#0;", "<p> & é 🎉 \u{a0}\u{fffd}\n"),
            ("<style>p { color: red }</style><script>if (a < b) { }</script><!-- no -->yes", "yes\n"),
            ("<title>Only a title</title><body></body>", "Only a title\n"),
            ("<title>Not the title</title>text", "text\n"),
            ("no tags, 1 < 2 & 3 > 2", "no tags, 1 < 2 & 3 > 2\n"),
            ("", ""),
            ("<p>", ""),
        ] {
            assert_eq!(of(html), text, "{html}");
        }
    }

    #[test]
    fn hostile_html_costs_no_more_than_its_length() {
        let fonts: String = (0..3000).map(|n| format!("<font size={n}>")).collect();
        for html in [
            format!("{}x{}", "<div>".repeat(100_000), "</div>".repeat(100_000)),
            format!("<p>{fonts}{}", "<p>x".repeat(12_000)),
            "<ul><li>".repeat(50_000) + "x",
            "<table><tr><td>".repeat(50_000),
            "<a href=x>".repeat(50_000),
            "<".repeat(500_000),
            "&amp".repeat(100_000),
            "<!--".repeat(100_000),
            format!("<p {}>", "é ".repeat(10_000)),
            "é".repeat(300_000),
        ] {
            assert!(of(&html).len() <= 2 * MAX_HTML_OCTETS);
        }
    }

    proptest! {
        #[test]
        fn nothing_whatever_panics(html in "(<|>|/|&|;|p|li|ol|ul|a href=|pre|br|title|script|style|\"|=| |\n|é|x|!--|-->){0,60}") {
            let text = of(&html);
            prop_assert!(text.is_empty() || text.ends_with('\n'));
        }
    }
}
