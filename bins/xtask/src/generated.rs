//! The files that are generated from the code, and whether they are fresh.

use std::io::ErrorKind;
use std::path::Path;

use crate::check::Finding;
use crate::failure::Failure;
use crate::permissions;

/// What to do with generated files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Generated {
    /// Compare them with what the code says.
    Compare,
    /// Write what the code says.
    Rewrite,
}

/// One generated file.
#[derive(Debug)]
pub(crate) struct Document {
    /// Its path from the root.
    pub(crate) name: &'static str,
    /// What the code says that it holds.
    pub(crate) fresh: String,
}

/// Every generated file of the repository.
pub(crate) fn documents() -> Vec<Document> {
    vec![Document { name: "docs/permissions.md", fresh: permissions::document() }]
}

/// The generated files that are not what the code says; none after rewriting them.
///
/// # Errors
///
/// [`Failure::File`] for a file that cannot be read or written.
pub(crate) fn findings(root: &Path, files: &[Document], generated: Generated) -> Result<Vec<Finding>, Failure> {
    let mut found = Vec::new();
    for Document { name, fresh } in files {
        let stale = is_stale(&root.join(name), fresh)?;
        match generated {
            Generated::Compare if stale => {
                found.push(Finding::new(name, "is not what the code says; run `cargo xtask check --bless`"));
            }
            Generated::Rewrite if stale => write(&root.join(name), fresh)?,
            Generated::Compare | Generated::Rewrite => {}
        }
    }
    Ok(found)
}

fn is_stale(path: &Path, fresh: &str) -> Result<bool, Failure> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(text != fresh),
        Err(source) if source.kind() == ErrorKind::NotFound => Ok(true),
        Err(source) => Err(Failure::File { path: path.to_owned(), source }),
    }
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let written = std::fs::write(path, text);
    written.map_err(|source| Failure::File { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_file_is_found_rewritten_and_then_fresh() {
        let root = std::env::temp_dir().join(format!("xtask-generated-{}", std::process::id()));
        std::fs::create_dir_all(&root).unwrap();
        let files = [Document { name: "table.md", fresh: "# Table\n".to_owned() }];
        let count = |generated| findings(&root, &files, generated).unwrap().len();
        let absent = count(Generated::Compare);
        let rewritten = count(Generated::Rewrite);
        let fresh = count(Generated::Compare);
        std::fs::write(root.join("table.md"), "# Table\n\nEdited.\n").unwrap();
        let stale = count(Generated::Compare);
        std::fs::remove_dir_all(&root).unwrap();
        assert_eq!((absent, rewritten, fresh, stale), (1, 0, 0, 1));
    }
}
