//! The paths that the documents name exist.

use std::path::{Component, Path, PathBuf};

use crate::check::Finding;
use crate::failure::Failure;
use crate::layout::{TOP_FILES, TOP_FOLDERS};
use crate::markdown::{self, Mention};

/// Folders outside the agreed ones in which a named path is ours as well.
const DOT_FOLDERS: &[&str] = &[".cargo", ".ci"];

/// Characters that stand for something else in a path, such as `*` in `docs/*.md`: what comes before them must exist.
const PLACEHOLDERS: &[char] = &['*', '<', '{', '…', '?'];

/// The paths in `README.md` and under `docs` that lead nowhere: those between backticks, from the root, and the
/// targets of relative links.
///
/// # Errors
///
/// [`Failure::File`] for a document that cannot be read.
pub(crate) fn findings(root: &Path, files: &[String]) -> Result<Vec<Finding>, Failure> {
    let mut found = Vec::new();
    for name in files.iter().filter(|name| is_document(name)) {
        let path = root.join(name);
        let text = std::fs::read_to_string(&path).map_err(|source| Failure::File { path, source })?;
        let exists = |path: &Path| root.join(path).exists();
        found.extend(dangling(name, &text, exists));
    }
    Ok(found)
}

fn is_document(name: &str) -> bool {
    name == "README.md" || (name.starts_with("docs/") && name.ends_with(".md"))
}

fn dangling(name: &str, text: &str, exists: impl Fn(&Path) -> bool) -> Vec<Finding> {
    let mentions = markdown::mentions(text);
    let spans = mentions.spans.iter().map(|span| (span, path_in_span(&span.text)));
    let links = mentions.links.iter().map(|link| (link, path_in_link(name, &link.text)));
    let missing = |(mention, path): (&Mention, Option<PathBuf>)| {
        let path = path.filter(|path| !exists(path))?;
        let text = format!("names `{}`, and there is no {}", mention.text, path.display());
        Some(Finding::at_line(name, mention.line, text))
    };
    spans.chain(links).filter_map(missing).collect()
}

/// The path that a code span names, when it names one inside the repository.
fn path_in_span(span: &str) -> Option<PathBuf> {
    if span.contains(char::is_whitespace) {
        return None;
    }
    let span = without_position(span);
    if TOP_FILES.contains(&span) {
        return Some(PathBuf::from(span));
    }
    let (top, _) = span.split_once('/')?;
    if !TOP_FOLDERS.contains(&top) && !DOT_FOLDERS.contains(&top) {
        return None;
    }
    let fixed = span.split('/').take_while(|part| !part.contains(PLACEHOLDERS));
    Some(fixed.collect())
}

/// `crates/auth/src/key.rs:12` names a file and a line in it.
fn without_position(span: &str) -> &str {
    match span.split_once(':') {
        Some((path, position)) if position.starts_with(|first: char| first.is_ascii_digit()) => path,
        _ => span,
    }
}

/// The path that a relative link leads to from its document; `None` for other sites and for places within the page.
fn path_in_link(document: &str, target: &str) -> Option<PathBuf> {
    let path = target.split(['#', '?']).next().filter(|path| !path.is_empty())?;
    if path.contains(':') || path.starts_with("//") {
        return None;
    }
    if let Some(from_root) = path.strip_prefix('/') {
        return Some(PathBuf::from(from_root));
    }
    let folder = Path::new(document).parent().unwrap_or(Path::new(""));
    Some(normalised(&folder.join(path)))
}

fn normalised(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir if plain.file_name().is_some() => {
                plain.pop();
            }
            Component::CurDir => {}
            other => plain.push(other),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRESENT: &[&str] = &["crates/auth", "crates/auth/src/key.rs", "docs/api.md", "README.md", "docs"];

    fn texts(name: &str, text: &str) -> Vec<String> {
        let found = dangling(name, text, |path| PRESENT.iter().any(|present| Path::new(present) == path));
        found.into_iter().map(|finding| format!("{}: {}", finding.place, finding.text)).collect()
    }

    #[test]
    fn paths_between_backticks_are_looked_up_from_the_root() {
        let text = "`crates/auth/src/key.rs:12`, `docs/*.md`, `crates/auth/`, `README.md`\nbut `crates/attic/src/lib.rs` and `deny.toml`";
        let expected = [
            "docs/x.md:2: names `crates/attic/src/lib.rs`, and there is no crates/attic/src/lib.rs",
            "docs/x.md:2: names `deny.toml`, and there is no deny.toml",
        ];
        assert_eq!(texts("docs/x.md", text), expected);
    }

    #[test]
    fn what_is_no_path_of_ours_is_left_alone() {
        let text = "`text/html` `POST /v1/send` `Permit<P>` `cargo run bins/none` `src/lib.rs` `./selfmx-data` `notes.txt`";
        assert_eq!(texts("docs/x.md", text), Vec::<String>::new());
    }

    #[test]
    fn relative_links_are_looked_up_from_their_document() {
        let text = "[a](api.md#keys) [b](../README.md) [c](https://example.org/x) [d](#here) [e](/docs/api.md)";
        assert_eq!(texts("docs/x.md", text), Vec::<String>::new());
        let expected = ["README.md:1: names `api.md`, and there is no api.md"];
        assert_eq!(texts("README.md", "[a](api.md) [b](docs/./api.md)"), expected);
    }

    #[test]
    fn a_placeholders_folder_must_exist() {
        assert_eq!(texts("README.md", "`crates/attic/*.rs`").len(), 1);
        assert_eq!(texts("README.md", "`crates/auth/{a,b}.rs`"), Vec::<String>::new());
    }
}
