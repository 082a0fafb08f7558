//! The top level of the repository holds what was agreed and nothing else.

use std::collections::BTreeSet;

use crate::check::Finding;

/// The files that may stand at the top.
pub(crate) const TOP_FILES: &[&str] =
    &["CHANGELOG.md", "Cargo.lock", "Cargo.toml", "LICENSE", "README.md", "deny.toml", "rust-toolchain.toml"];

/// The folders that may stand at the top.
pub(crate) const TOP_FOLDERS: &[&str] = &["bins", "crates", "docs", "migrations"];

/// The entries at the top that were not agreed; names that begin with a dot are free.
pub(crate) fn findings(files: &[String]) -> Vec<Finding> {
    let strangers: BTreeSet<&str> = files.iter().filter_map(|path| stranger(path)).collect();
    let text = "is not among the agreed top-level entries; move it, or add it to bins/xtask/src/layout.rs";
    strangers.into_iter().map(|top| Finding::new(top, text)).collect()
}

fn stranger(path: &str) -> Option<&str> {
    let (top, agreed) = match path.split_once('/') {
        Some((top, _)) => (top, TOP_FOLDERS),
        None => (path, TOP_FILES),
    };
    (!top.starts_with('.') && !agreed.contains(&top)).then_some(top)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_at_the_top_are_named_once() {
        let paths = ["Cargo.toml", ".ci/run", "docs/api.md", "src/a.rs", "src/b.rs", "notes.txt", "bins"];
        let found = findings(&paths.map(str::to_owned));
        let places: Vec<&str> = found.iter().map(|finding| finding.place.as_str()).collect();
        assert_eq!(places, ["bins", "notes.txt", "src"]);
    }
}
