//! Looks over a source before the grammar does: the grammar descends once for each level, goes back where a comment has no end, and knows what we do not offer.
//!
//! The scan passes the source once, and never goes back.

use std::borrow::Cow;

use crate::Bounds;
use crate::error::{Fault, Flaw, Place};

/// A source that the grammar may read.
#[derive(Debug)]
pub(crate) struct Scanned<'s> {
    /// The source, octet for octet in its place.
    pub(crate) source: Cow<'s, str>,
    /// Where blocks do not fit each other: what is to be said should the grammar not be able to read the source, since it would only tell what it expected.
    pub(crate) loose: Option<Fault>,
}

/// Refuses a source that is too long, too deep, has too many tags, or has what is not offered.
pub(crate) fn scan(source: &str) -> Result<Scanned<'_>, Fault> {
    if source.len() > Bounds::SOURCE {
        return Err(Fault::new(Place::START, Flaw::SourceTooLong));
    }
    let mut scan = Scan { source, at: 0, tags: 0, blocks: Vec::new(), loose: None, quotes: Vec::new() };
    let fault = |(at, flaw)| Fault::new(place(source, at), flaw);
    scan.run().map_err(fault)?;
    let open = scan.blocks.pop().map(|block| (block.start, Flaw::OpenBlock(block.name.to_owned())));
    Ok(Scanned { source: with_single_quotes(source, &scan.quotes), loose: scan.loose.or(open).map(fault) })
}

/// The source with single quotes at these octets: the grammar knows no others around the name of a partial.
fn with_single_quotes<'s>(source: &'s str, quotes: &[usize]) -> Cow<'s, str> {
    if quotes.is_empty() {
        return Cow::Borrowed(source);
    }
    let mut text = String::with_capacity(source.len());
    let mut from = 0;
    for &quote in quotes {
        text.push_str(source.get(from..quote).unwrap_or_default());
        text.push('\'');
        from = quote + 1;
    }
    text.push_str(source.get(from..).unwrap_or_default());
    Cow::Owned(text)
}

/// The line and column of an octet.
pub(crate) fn place(source: &str, at: usize) -> Place {
    let before = source.get(..at).unwrap_or(source);
    let line = before.rsplit('\n').next().unwrap_or(before);
    Place { line: 1 + before.matches('\n').count(), column: 1 + line.chars().count() }
}

type Found = Result<(), (usize, Flaw)>;

/// A block that is open.
struct Block<'s> {
    start: usize,
    name: &'s str,
    /// How many `{{else if}}` it has had.
    chain: usize,
}

struct Scan<'s> {
    source: &'s str,
    at: usize,
    tags: usize,
    blocks: Vec<Block<'s>>,
    /// The first end of a block that ends none, or another than its own.
    loose: Option<(usize, Flaw)>,
    /// Where double quotes stand around the names of partials.
    quotes: Vec<usize>,
}

impl<'s> Scan<'s> {
    fn run(&mut self) -> Found {
        while let Some(found) = self.rest().find(['\\', '{']) {
            self.at += found;
            let backslashes = self.rest().len() - self.rest().trim_start_matches('\\').len();
            self.at += backslashes;
            let opens = self.rest().starts_with("{{");
            if opens && backslashes == 1 {
                // An escaped tag is text, up to and with its braces.
                self.at += if self.rest().starts_with("{{{{") { 4 } else { 2 };
                continue;
            }
            if opens {
                self.tag()?;
                continue;
            }
            self.at += usize::from(backslashes == 0);
        }
        Ok(())
    }

    fn rest(&self) -> &'s str {
        self.source.get(self.at..).unwrap_or_default()
    }

    fn tag(&mut self) -> Found {
        let start = self.at;
        self.tags += 1;
        if self.tags > Bounds::TAGS {
            return Err((start, Flaw::TooManyTags));
        }
        let rest = self.rest();
        if rest.starts_with("{{{{") {
            return Err((start, Flaw::Unsupported("raw blocks")));
        }
        if rest.starts_with("{{!") {
            let end = if rest.starts_with("{{!--") { "--}}" } else { "}}" };
            return self.skip_past(end).ok_or((start, Flaw::Unclosed(end)));
        }
        self.at += 2;
        self.open(start)?;
        self.inside(start)
    }

    fn skip_past(&mut self, end: &str) -> Option<()> {
        // The dashes that open a comment do not close it.
        let from = self.rest().get(if end == "}}" { 3 } else { 5 }..)?;
        let skipped = self.rest().len() - from.len();
        self.at += skipped + from.find(end)? + end.len();
        Some(())
    }

    /// Keeps account of blocks, by what a tag begins with.
    fn open(&mut self, start: usize) -> Found {
        let tag = self.rest().trim_start_matches(blank);
        let tag = tag.strip_prefix('~').unwrap_or(tag).trim_start_matches(blank);
        if tag.starts_with('*') {
            return Err((start, Flaw::Unsupported("decorators")));
        }
        if let Some(block) = tag.strip_prefix('#') {
            let block = block.trim_start_matches(blank);
            if block.starts_with('*') {
                return Err((start, Flaw::Unsupported("decorators and inline partials")));
            }
            if block.starts_with('>') {
                return Err((start, Flaw::Unsupported("partials with a block")));
            }
            self.blocks.push(Block { start, name: first_word(block), chain: 0 });
        }
        if let Some(name) = tag.strip_prefix('/') {
            self.close(start, first_word(name.trim_start_matches(blank)));
        }
        if let Some(partial) = tag.strip_prefix('>') {
            self.quoted(partial.trim_start_matches(blank));
        }
        if let (true, Some(block)) = (inverts(tag), self.blocks.last_mut()) {
            block.chain += 1;
        }
        let deep = self.blocks.len() > Bounds::DEPTH || self.blocks.iter().map(|block| block.chain).sum::<usize>() > Bounds::CHAIN;
        if deep { Err((start, Flaw::TooDeep)) } else { Ok(()) }
    }

    /// Ends a block; the grammar lets the name be left out.
    fn close(&mut self, start: usize, name: &'s str) {
        let loose = match self.blocks.pop() {
            None => Some((start, Flaw::NothingToClose(name.to_owned()))),
            Some(block) if !name.is_empty() && name != block.name => Some((block.start, Flaw::OpenBlock(block.name.to_owned()))),
            Some(_) => None,
        };
        self.loose = self.loose.take().or(loose);
    }

    /// Notes the double quotes around the name of a partial, where single ones say the same.
    fn quoted(&mut self, partial: &'s str) {
        let Some((name, _)) = partial.strip_prefix('"').and_then(|rest| rest.split_once('"')) else { return };
        if !name.contains(['\'', '\\']) {
            // What is passed here is the end of the source.
            let open = self.source.len() - partial.len();
            self.quotes.extend([open, open + 1 + name.len()]);
        }
    }

    /// Passes what stands between a tag's braces, counting what is open in it.
    fn inside(&mut self, start: usize) -> Found {
        let mut depth = 0_usize;
        let mut quote = None;
        let mut escaped = false;
        let mut bracket = false;
        let mut end = None;
        for (at, c) in self.rest().char_indices() {
            if escaped {
                escaped = false;
                continue;
            }
            match (quote, c) {
                (Some(_), '\\') => escaped = true,
                (Some(open), c) if c == open => quote = None,
                (Some(_), _) => {}
                (None, '"' | '\'') if !bracket => quote = Some(c),
                (None, '(' | '[' | '{') => {
                    depth += 1;
                    bracket = c == '[';
                }
                (None, ')' | ']') => {
                    depth = depth.saturating_sub(1);
                    bracket = false;
                }
                (None, '}') if self.rest().get(at..).is_some_and(|rest| rest.starts_with("}}")) => {
                    end = Some(at + 2);
                    break;
                }
                (None, '}') => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth > Bounds::DEPTH {
                return Err((start, Flaw::TooDeep));
            }
        }
        self.at += end.ok_or((start, Flaw::Unclosed("}}")))?;
        // The third brace of `{{{x}}}`.
        self.at += usize::from(depth > 0 && self.rest().starts_with('}'));
        Ok(())
    }
}

/// What a block or its end is called.
fn first_word(text: &str) -> &str {
    text.split(|c| blank(c) || matches!(c, '~' | '}' | '(')).next().unwrap_or_default()
}

/// Whether a tag is `{{else}}`, `{{^}}` or one of their chain.
fn inverts(tag: &str) -> bool {
    let word = tag.strip_prefix("else").is_some_and(|rest| rest.starts_with(['~', '}']) || rest.starts_with(blank));
    word || tag.starts_with('^')
}

/// What the grammar takes for white space.
const fn blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}
