//! `cargo xtask check`: every rule of the house that can be read off the files.

use std::fmt;

use crate::failure::Failure;
use crate::generated::{self, Generated};
use crate::workspace::Workspace;
use crate::{docs, floors, git, layout, reasons, sources};

/// One broken rule.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// Where: a package, or a file with or without its line.
    pub(crate) place: String,
    /// What is wrong there.
    pub(crate) text: String,
}

impl Finding {
    /// About a package or a whole file.
    pub(crate) fn new(place: &str, text: impl Into<String>) -> Self {
        Self { place: place.to_owned(), text: text.into() }
    }

    /// About a line of a file, counted from 1.
    pub(crate) fn at_line(file: &str, line: usize, text: impl Into<String>) -> Self {
        Self::new(&format!("{file}:{line}"), text)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.text)
    }
}

/// Checks every rule and prints what is broken.
///
/// # Errors
///
/// [`Failure::Findings`] when a rule is broken; the others when the files, git or cargo cannot be read.
pub(crate) fn run(generated: Generated) -> Result<(), Failure> {
    let workspace = Workspace::load()?;
    let files = git::files(&workspace.root)?;
    let root = &workspace.root;
    let manifest = root.join("Cargo.toml");
    let manifest = std::fs::read_to_string(&manifest).map_err(|source| Failure::File { path: manifest, source })?;
    let rules = [
        ("floors", floors::findings(&workspace.members)),
        ("top level", layout::findings(&files)),
        ("sources", sources::findings(root, &files)?),
        ("reasons of dependencies", reasons::findings(&manifest)),
        ("generated files", generated::findings(root, &generated::documents(), generated)?),
        ("paths in documents", docs::findings(root, &files)?),
    ];
    report(&rules)
}

fn report(rules: &[(&str, Vec<Finding>)]) -> Result<(), Failure> {
    let mut count = 0;
    for (rule, findings) in rules {
        let verdict = if findings.is_empty() { "ok" } else { "broken" };
        println!("check {rule}: {verdict}");
        for finding in findings {
            println!("  {finding}");
        }
        count += findings.len();
    }
    if count > 0 {
        return Err(Failure::Findings(count));
    }
    Ok(())
}
