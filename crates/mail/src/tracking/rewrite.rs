//! From an HTML text to the same with tracked links and a picture.

use std::ops::Range;

use selfmx_domain::LinkTarget;

use super::Tracks;
use super::find::{Found, Link, find};

/// So many links of a mail are tracked; those beyond stay as they are. It bounds how much a mail grows.
const MAX_LINKS: usize = 1_000;

/// The HTML with the picture and the links, as far as they are asked for.
pub(super) fn rewritten(html: &str, tracks: &Tracks) -> String {
    let Found { links, end } = find(html);
    let mut edits = Vec::new();
    if tracks.tracking.clicks {
        let own = tracks.own();
        edits.extend(links.into_iter().filter_map(|link| edit(link, &own, tracks)).take(MAX_LINKS));
    }
    if tracks.tracking.opens {
        edits.extend(tracks.picture().map(|picture| (end..end, picture)));
    }
    edits.sort_by_key(|(place, _)| place.start);
    applied(html, &edits)
}

/// What is put in the place of a link; nothing where it stays as it is.
fn edit(link: Link, own: &str, tracks: &Tracks) -> Option<(Range<usize>, String)> {
    match link {
        Link::Untracked(place, instead) => Some((place, instead.to_owned())),
        Link::To { target, .. } if target.trim_start().starts_with(own) => None,
        // A token means nothing in HTML, with or without quotes, and neither does what is before it.
        Link::To { place, target } => Some((place, tracks.link(LinkTarget::read(&target)?)?)),
    }
}

/// The text with each place replaced; they do not overlap.
fn applied(html: &str, edits: &[(Range<usize>, String)]) -> String {
    let grown = edits.iter().map(|(_, new)| new.len()).sum::<usize>();
    let (mut written, mut done) = (String::with_capacity(html.len() + grown), 0);
    for (place, new) in edits {
        written.push_str(html.get(done..place.start).unwrap_or_default());
        written.push_str(new);
        done = place.end;
    }
    written.push_str(html.get(done..).unwrap_or_default());
    written
}

#[cfg(test)]
mod tests;
