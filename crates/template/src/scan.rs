//! Looks over a source before the grammar does: the grammar descends once for each level, goes back where a comment has no end, and knows what we do not offer.
//!
//! The scan passes the source once, and never goes back.

use crate::Bounds;
use crate::error::{Fault, Flaw, Place};

/// Refuses a source that is too long, too deep, has too many tags, or has what is not offered.
pub(crate) fn scan(source: &str) -> Result<(), Fault> {
    if source.len() > Bounds::SOURCE {
        return Err(Fault::new(Place::START, Flaw::SourceTooLong));
    }
    let mut scan = Scan { source, at: 0, tags: 0, chains: Vec::new() };
    scan.run().map_err(|(at, flaw)| Fault::new(place(source, at), flaw))
}

/// The line and column of an octet.
pub(crate) fn place(source: &str, at: usize) -> Place {
    let before = source.get(..at).unwrap_or(source);
    let line = before.rsplit('\n').next().unwrap_or(before);
    Place { line: 1 + before.matches('\n').count(), column: 1 + line.chars().count() }
}

type Found = Result<(), (usize, Flaw)>;

struct Scan<'s> {
    source: &'s str,
    at: usize,
    tags: usize,
    /// For each open block, how many `{{else if}}` it has had.
    chains: Vec<usize>,
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
            self.chains.push(0);
        }
        if tag.starts_with('/') {
            self.chains.pop();
        }
        if let (true, Some(chain)) = (inverts(tag), self.chains.last_mut()) {
            *chain += 1;
        }
        let deep = self.chains.len() > Bounds::DEPTH || self.chains.iter().sum::<usize>() > Bounds::CHAIN;
        if deep { Err((start, Flaw::TooDeep)) } else { Ok(()) }
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

/// Whether a tag is `{{else}}`, `{{^}}` or one of their chain.
fn inverts(tag: &str) -> bool {
    let word = tag.strip_prefix("else").is_some_and(|rest| rest.starts_with(['~', '}']) || rest.starts_with(blank));
    word || tag.starts_with('^')
}

/// What the grammar takes for white space.
const fn blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}
