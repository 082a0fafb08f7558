//! The tables in the document that people read, so that no hand copies one into the place of another.

use std::path::Path;

use crate::failure::Failure;
use crate::stage::Size;

/// The document, from the workspace's root.
pub(crate) const DOCUMENT: &str = "docs/reliability.md";

/// How the line before the table of this size begins.
const fn heading(size: Size) -> &'static str {
    match size {
        Size::Short => "`cargo xtask chaos`:",
        Size::Full => "`cargo xtask chaos --all`",
    }
}

/// Puts the table into the place of the former one of its size.
///
/// # Errors
///
/// [`Failure::File`] where the document cannot be read or written, [`Failure::Answer`] where there is no such place in it.
pub(crate) fn write(document: &Path, size: Size, table: &str) -> Result<(), Failure> {
    let before = std::fs::read_to_string(document).map_err(Failure::file(document))?;
    let after = replaced(&before, heading(size), table)
        .ok_or_else(|| Failure::Answer(format!("{} has no table below {}", document.display(), heading(size))))?;
    std::fs::write(document, after).map_err(Failure::file(document))
}

/// The text with another table below the heading.
fn replaced(text: &str, heading: &str, table: &str) -> Option<String> {
    let below = text.find(&format!("\n{heading}"))? + 1;
    let begin = below + text.get(below..)?.find("\n|")? + 1;
    let rest = text.get(begin..)?;
    let end = rest.split_inclusive('\n').take_while(|line| line.starts_with('|')).map(str::len).sum();
    Some(format!("{}{}\n{}", text.get(..begin)?, table.trim_end(), rest.get(end..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "intro, `cargo xtask chaos`: not here\n| other |\n\n`cargo xtask chaos`:\n\n| a |\n| b |\n\n`cargo xtask chaos --all` (more):\n\n| c |\n\nend\n";

    #[test]
    fn each_table_has_its_own_place() {
        let short = replaced(BEFORE, heading(Size::Short), "| x |\n| y |\n| z |\n").unwrap();
        assert_eq!(short, BEFORE.replace("| a |\n| b |\n", "| x |\n| y |\n| z |\n"));
        let full = replaced(BEFORE, heading(Size::Full), "| x |\n").unwrap();
        assert_eq!(full, BEFORE.replace("| c |\n", "| x |\n"));
    }

    #[test]
    fn a_document_without_the_place_is_left_alone() {
        assert_eq!(replaced("no table\n", heading(Size::Full), "| x |"), None);
        assert_eq!(replaced("\n`cargo xtask chaos --all`\n", heading(Size::Full), "| x |"), None);
        let folder = tempfile::tempdir().unwrap();
        let document = folder.path().join("document.md");
        std::fs::write(&document, "no table\n").unwrap();
        assert!(matches!(write(&document, Size::Short, "| x |"), Err(Failure::Answer(_))));
        assert_eq!(std::fs::read_to_string(&document).unwrap(), "no table\n");
    }

    #[test]
    fn the_document_has_both_places() {
        let document = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(DOCUMENT)).unwrap();
        for size in [Size::Short, Size::Full] {
            assert!(replaced(&document, heading(size), "| x |").is_some(), "{size:?}");
        }
    }
}
