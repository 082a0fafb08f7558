//! Where the links and the end of an HTML text are.
//!
//! It reads tokens and builds no tree, and it never writes HTML anew: what is found are places in the text, so that all that is not a place stays as it is.

use std::ops::Range;

use html5gum::emitters::callback::{CallbackEmitter, CallbackEvent};
use html5gum::{Span, State, Tokenizer};

/// So much of the HTML is read: ten times what mail readers show before they cut a mail off. Links beyond stay as they are.
const MAX_READ: usize = 1024 * 1024;

/// The attribute that says of a link that it is not to be tracked.
const NO_TRACK: &[u8] = b"data-selfmx-no-track";

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// The links, in their order.
    pub(super) links: Vec<Link>,
    /// Where the body ends: before the last `</body>`, else before the last `</html>`, else at the end of all.
    pub(super) end: usize,
}

/// A start tag that leads somewhere.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Link {
    /// Where, with its character references read.
    To {
        /// The octets of the attribute's value, without its quotes.
        place: Range<usize>,
        /// What the value says.
        target: String,
    },
    /// It is not to be tracked: the octets that say so, and what takes their place.
    Untracked(Range<usize>, &'static str),
}

/// Reads the HTML: `a` and `area` with their first `href`, and the end of the body.
pub(super) fn find(html: &str) -> Found {
    let read = html.get(..html.floor_char_boundary(MAX_READ)).unwrap_or_default();
    let mut finder = Finder { html: read.as_bytes(), links: Vec::new(), tag: Tag::default(), body: None, document: None };
    {
        let emitter = CallbackEmitter::new(|event: CallbackEvent<'_>, span: Span<usize>| finder.see(&event, span.start));
        let mut tokenizer = Tokenizer::new_with_emitter(read, emitter);
        // Reading from memory does not fail.
        while let Some(Ok(state)) = tokenizer.next() {
            tokenizer.set_state(state);
        }
    }
    let end = finder.body.or(finder.document).filter(|_| read.len() == html.len());
    Found { links: finder.links, end: end.unwrap_or(html.len()) }
}

struct Finder<'a> {
    html: &'a [u8],
    links: Vec<Link>,
    tag: Tag,
    /// Where the last `</body>` and the last `</html>` begin.
    body: Option<usize>,
    document: Option<usize>,
}

/// The start tag that is being read.
#[derive(Default)]
struct Tag {
    leads: bool,
    /// The first `href`: where its name begins, and its value.
    link: Option<(usize, String)>,
    /// Whether the attribute that is being read is that one.
    reading: bool,
    /// Where the names of attributes begin that say that it is not to be tracked.
    untracked: Vec<usize>,
    /// How what follows is read, where that is no HTML.
    raw: Option<State>,
}

impl Finder<'_> {
    /// How what follows is read, where that changes.
    fn see(&mut self, event: &CallbackEvent<'_>, at: usize) -> Option<State> {
        match event {
            CallbackEvent::OpenStartTag { name } => {
                self.tag = Tag { leads: matches!(*name, b"a" | b"area"), raw: raw(name), ..Tag::default() };
            }
            CallbackEvent::AttributeName { name } => self.tag.attribute(name, at),
            CallbackEvent::AttributeValue { value } if self.tag.reading => {
                if let Some((_, said)) = &mut self.tag.link {
                    *said = String::from_utf8_lossy(value).into_owned();
                }
            }
            CallbackEvent::CloseStartTag { .. } => return self.close(),
            CallbackEvent::EndTag { name } => match *name {
                b"body" => self.body = Some(at),
                b"html" => self.document = Some(at),
                _ => {}
            },
            _ => {}
        }
        None
    }

    /// The tag is whole: one that the text breaks off in does not count.
    fn close(&mut self) -> Option<State> {
        let Tag { link, untracked, raw, .. } = std::mem::take(&mut self.tag);
        if !untracked.is_empty() {
            let places = untracked.into_iter().filter_map(|at| self.attribute_at(at, NO_TRACK)).filter_map(|(whole, _)| self.cut(whole));
            self.links.extend(places.map(|(place, instead)| Link::Untracked(place, instead)).collect::<Vec<_>>());
            return raw;
        }
        if let Some((at, target)) = link
            && let Some((_, Some(place))) = self.attribute_at(at, b"href")
        {
            self.links.push(Link::To { place, target });
        }
        raw
    }

    /// The octets of an attribute whose name begins at `at`, and those of its value (HTML Standard section 13.1.2.3). They are looked for by themselves, so
    /// that nothing but an attribute of this name is ever touched, whatever the tokenizer says.
    fn attribute_at(&self, at: usize, name: &[u8]) -> Option<(Range<usize>, Option<Range<usize>>)> {
        let after_name = at.checked_add(name.len())?;
        if !self.html.get(at..after_name)?.eq_ignore_ascii_case(name) {
            return None;
        }
        let equals = self.after_blanks(after_name);
        if self.html.get(equals) != Some(&b'=') {
            return Some((at..after_name, None));
        }
        let begin = self.after_blanks(equals + 1);
        let value = match self.html.get(begin)? {
            b'>' => return Some((at..begin, None)),
            quote @ (b'"' | b'\'') => {
                let inner = self.html.get(begin + 1..)?;
                let value = begin + 1..begin + 1 + inner.iter().position(|octet| octet == quote)?;
                return Some((at..value.end + 1, Some(value)));
            }
            _ => {
                let rest = self.html.get(begin..)?;
                begin..begin + rest.iter().position(|octet| is_blank(*octet) || *octet == b'>')?
            }
        };
        Some((at..value.end, Some(value)))
    }

    /// How an attribute is taken away: with the blank before it where its neighbours then stay apart. A blank alone means nothing in a tag, so where there was
    /// none it leaves one. It stays where it keeps a `=` from the name before it.
    fn cut(&self, attribute: Range<usize>) -> Option<(Range<usize>, &'static str)> {
        let octet = |at: Option<usize>| at.and_then(|at| self.html.get(at)).copied();
        if octet(Some(self.after_blanks(attribute.end))) == Some(b'=') {
            return None;
        }
        let before = attribute.start.checked_sub(1);
        if !octet(before).is_some_and(is_blank) {
            return Some((attribute, " "));
        }
        let parts = octet(Some(attribute.end)).is_some_and(|octet| is_blank(octet) || octet == b'>');
        // A `/` that would come to stand before the `>` would close an element of SVG.
        let closes = octet(attribute.start.checked_sub(2)) == Some(b'/');
        let start = before.filter(|_| parts && !closes).unwrap_or(attribute.start);
        Some((start..attribute.end, ""))
    }

    fn after_blanks(&self, at: usize) -> usize {
        let rest = self.html.get(at..).unwrap_or_default();
        at + rest.iter().take_while(|octet| is_blank(**octet)).count()
    }
}

impl Tag {
    fn attribute(&mut self, name: &[u8], at: usize) {
        self.reading = self.leads && self.link.is_none() && name == b"href";
        if self.reading {
            self.link = Some((at, String::new()));
        }
        if self.leads && name == NO_TRACK {
            self.untracked.push(at);
        }
    }
}

const fn is_blank(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t' | b'\n' | b'\r' | 0x0c)
}

/// Elements whose content is no HTML, and how it is read. Scripting is off in mail, so that `noscript` is not among them.
fn raw(name: &[u8]) -> Option<State> {
    match name {
        b"script" => Some(State::ScriptData),
        b"title" | b"textarea" => Some(State::RcData),
        b"style" | b"xmp" | b"iframe" | b"noembed" | b"noframes" => Some(State::RawText),
        b"plaintext" => Some(State::PlainText),
        _ => None,
    }
}
