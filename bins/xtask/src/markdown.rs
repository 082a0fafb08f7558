//! The code spans and links of a markdown text, outside fenced blocks.

/// One code span or link target, and the line on which it begins.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Mention {
    /// Counted from 1.
    pub(crate) line: usize,
    /// The text between the backticks, or the link's target.
    pub(crate) text: String,
}

/// What a text mentions.
#[derive(Debug, Default)]
pub(crate) struct Mentions {
    /// Texts between backticks.
    pub(crate) spans: Vec<Mention>,
    /// Targets of `[words](target)` and of `[words]: target`.
    pub(crate) links: Vec<Mention>,
}

/// Reads a whole document.
pub(crate) fn mentions(text: &str) -> Mentions {
    let mut found = Mentions::default();
    let mut paragraph = Paragraph::default();
    let mut fence: Option<&str> = None;
    for (index, line) in text.lines().enumerate() {
        let marker = fence_marker(line);
        if let Some(open) = fence {
            if marker.is_some_and(|close| close.starts_with(open)) {
                fence = None;
            }
            continue;
        }
        if marker.is_some() || line.trim().is_empty() {
            paragraph.drain_into(&mut found);
            fence = marker;
            continue;
        }
        paragraph.push(index + 1, line);
    }
    paragraph.drain_into(&mut found);
    found
}

/// The run of backticks or tildes that opens or closes a fenced block.
fn fence_marker(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let first = line.chars().next().filter(|first| matches!(first, '`' | '~'))?;
    let rest = line.trim_start_matches(first);
    let marker = line.get(..line.len() - rest.len())?;
    (marker.len() >= 3 && !rest.contains('`')).then_some(marker)
}

/// Consecutive lines of text: a span may begin on one and end on the next.
#[derive(Default)]
struct Paragraph {
    first_line: usize,
    text: String,
}

impl Paragraph {
    fn push(&mut self, line: usize, text: &str) {
        if self.text.is_empty() {
            self.first_line = line;
        }
        self.text.push_str(text);
        self.text.push('\n');
    }

    fn drain_into(&mut self, found: &mut Mentions) {
        let text = std::mem::take(&mut self.text);
        let mut line = self.first_line;
        let mut rest = text.as_str();
        while let Some((before, span, after)) = split_at_span(rest) {
            links(line, before, &mut found.links);
            line += newlines(before);
            found.spans.push(Mention { line, text: span.trim().to_owned() });
            line += newlines(span);
            rest = after;
        }
        links(line, rest, &mut found.links);
    }
}

/// The text before the first whole code span, the span's own text, and what follows it.
fn split_at_span(text: &str) -> Option<(&str, &str, &str)> {
    let start = text.find('`')?;
    let (before, from_ticks) = text.split_at_checked(start)?;
    let body = from_ticks.trim_start_matches('`');
    let ticks = from_ticks.get(..from_ticks.len() - body.len())?;
    let mut end = 0;
    loop {
        let run = end + body.get(end..)?.find('`')?;
        let after = body.get(run..)?.trim_start_matches('`');
        end = body.len() - after.len();
        if end - run == ticks.len() {
            return Some((before, body.get(..run)?, after));
        }
    }
}

fn links(first_line: usize, text: &str, found: &mut Vec<Mention>) {
    for (offset, _) in text.match_indices("](") {
        let Some((head, tail)) = text.split_at_checked(offset + 2) else {
            continue;
        };
        let Some((target, _)) = tail.split_once([')', ' ', '\n']) else {
            continue;
        };
        let line = first_line + newlines(head);
        found.push(Mention { line, text: target.trim_matches(['<', '>']).to_owned() });
    }
    for (index, line) in text.lines().enumerate() {
        let definition = line.trim_start().strip_prefix('[').and_then(|rest| rest.split_once("]: "));
        if let Some((_, target)) = definition {
            let target = target.split_whitespace().next().unwrap_or_default();
            found.push(Mention { line: first_line + index, text: target.to_owned() });
        }
    }
}

fn newlines(text: &str) -> usize {
    text.matches('\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(mentions: &[Mention]) -> Vec<(usize, &str)> {
        mentions.iter().map(|found| (found.line, found.text.as_str())).collect()
    }

    #[test]
    fn spans_are_found_with_their_lines() {
        let found = mentions("# One `a/b`\n\ntext `c\nd` and ``e`f``, an odd ` here.\n\n`g`\n");
        assert_eq!(pairs(&found.spans), [(1, "a/b"), (3, "c\nd"), (4, "e`f"), (6, "g")]);
    }

    #[test]
    fn fenced_blocks_are_left_out() {
        let found = mentions("`a`\n```sh\n`b` [x](y)\n~~~\n```\n`c`\n~~~~\n`d`\n~~~\n`e`\n~~~~\n`f`\n");
        assert_eq!(pairs(&found.spans), [(1, "a"), (6, "c"), (12, "f")]);
        assert!(found.links.is_empty());
    }

    #[test]
    fn links_are_found_outside_spans() {
        let text = "See [one](a.md#top) and\n[two](<b.md> \"title\"), not `[x](y)`; ![p](c.png)\n\n[three]: d.md\n";
        let found = mentions(text);
        assert_eq!(pairs(&found.links), [(1, "a.md#top"), (2, "b.md"), (2, "c.png"), (4, "d.md")]);
    }
}
