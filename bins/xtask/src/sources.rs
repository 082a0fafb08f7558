//! Each source file says what it is in its first line, and is short.

use std::path::Path;

use crate::check::Finding;
use crate::failure::Failure;

/// The most lines that a source file may have.
const MOST_LINES: usize = 400;

/// The Rust files that open without `//!`, and those that are too long.
///
/// # Errors
///
/// [`Failure::File`] for a file that cannot be read.
pub(crate) fn findings(root: &Path, files: &[String]) -> Result<Vec<Finding>, Failure> {
    let mut found = Vec::new();
    for name in files.iter().filter(|name| name.ends_with(".rs")) {
        let path = root.join(name);
        let text = std::fs::read_to_string(&path).map_err(|source| Failure::File { path, source })?;
        found.extend(faults(&text).into_iter().map(|fault| Finding::new(name, fault)));
    }
    Ok(found)
}

fn faults(text: &str) -> Vec<String> {
    let lines = text.lines().count();
    let headless = (!opens_with_docs(text)).then(|| "opens without a `//!` line that says what it is".to_owned());
    let long = (lines > MOST_LINES).then(|| format!("has {lines} lines, at most {MOST_LINES} are allowed"));
    headless.into_iter().chain(long).collect()
}

fn opens_with_docs(text: &str) -> bool {
    let first = text.lines().next().unwrap_or_default();
    first.strip_prefix("//!").is_some_and(|words| !words.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_opens_with_its_own_words() {
        assert!(faults("//! Keys.\n\nfn key() {}\n").is_empty());
        for text in ["", "fn key() {}\n", "// Keys.\n", "//!\n//! Keys.\n", "\n//! Keys.\n"] {
            assert_eq!(faults(text).len(), 1, "{text:?}");
        }
    }

    #[test]
    fn four_hundred_lines_are_the_most() {
        let lines = |count: usize| format!("//! Long.\n{}", "\n".repeat(count - 1));
        assert!(faults(&lines(400)).is_empty());
        assert_eq!(faults(&lines(401)), ["has 401 lines, at most 400 are allowed"]);
    }
}
