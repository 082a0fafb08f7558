//! Each dependency of the workspace stands under a comment that gives its reason.

use crate::check::Finding;

const TABLE: &str = "[workspace.dependencies]";

/// The lines of the root manifest's dependency table that have no comment above them. Our own crates may share one.
pub(crate) fn findings(manifest: &str) -> Vec<Finding> {
    let mut above = Above::Nothing;
    let mut in_table = false;
    let mut depth = 0_i32;
    let mut found = Vec::new();
    for (index, line) in manifest.lines().enumerate() {
        if depth == 0 && line.starts_with('[') {
            in_table = line.trim_end() == TABLE;
            found.extend(subtable(line).map(|text| Finding::at_line("Cargo.toml", index + 1, text)));
        } else if in_table && depth == 0 {
            let (next, fault) = read(above, line);
            above = next;
            found.extend(fault.map(|text| Finding::at_line("Cargo.toml", index + 1, text)));
        }
        depth += brackets(line);
    }
    found
}

/// What stands directly above a line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Above {
    Nothing,
    Reason,
    OwnCrate,
}

fn read(above: Above, line: &str) -> (Above, Option<String>) {
    if let Some(words) = line.strip_prefix('#') {
        let said = !words.trim().is_empty();
        return (if said { Above::Reason } else { Above::Nothing }, None);
    }
    let Some((name, value)) = line.split_once('=') else {
        return (Above::Nothing, None);
    };
    let own = value.contains("path =") || value.contains("path=");
    let excused = above == Above::Reason || (own && above == Above::OwnCrate);
    let fault = (!excused).then(|| format!("`{}` needs a comment line above it that gives its reason", name.trim()));
    (if own { Above::OwnCrate } else { Above::Nothing }, fault)
}

fn subtable(line: &str) -> Option<String> {
    line.starts_with("[workspace.dependencies.").then(|| format!("write `{}` as one line of {TABLE}, under its reason", line.trim()))
}

/// How many brackets a line leaves open; a dependency may go over several lines.
fn brackets(line: &str) -> i32 {
    let code = line.split('#').next().unwrap_or_default();
    code.chars().fold(0, |open, character| match character {
        '[' | '{' => open + 1,
        ']' | '}' => open - 1,
        _ => open,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(manifest: &str) -> Vec<String> {
        let found = findings(manifest);
        found.into_iter().map(|finding| finding.place).collect()
    }

    #[test]
    fn a_dependency_without_a_reason_is_found() {
        let manifest = "[workspace.dependencies]\n# Words.\nserde = \"1\"\nlog = \"1\"\n\n# Apart.\n\nbytes = \"1\"\n#\nidna = \"1\"\n";
        assert_eq!(lines(manifest), ["Cargo.toml:4", "Cargo.toml:8", "Cargo.toml:10"]);
    }

    #[test]
    fn our_own_crates_share_one_reason() {
        let manifest = "[workspace.dependencies]\n# Ours.\na = { path = \"a\" }\nb = { path = \"b\" }\nc = \"1\"\n";
        assert_eq!(lines(manifest), ["Cargo.toml:5"]);
        assert_eq!(lines("[workspace.dependencies]\na = { path = \"a\" }\n"), ["Cargo.toml:2"]);
    }

    #[test]
    fn other_tables_are_free_and_a_dependency_may_go_over_several_lines() {
        let manifest = "[workspace.package]\nversion = \"1\"\n[workspace.dependencies]\n# Words.\nserde = {\n  version = \"1\", features = [\n  \"derive\",\n  ],\n}\n[profile.dev]\ndebug = 1\n";
        assert_eq!(lines(manifest), Vec::<String>::new());
    }

    #[test]
    fn a_subtable_is_refused() {
        let manifest = "[workspace.dependencies.serde]\nversion = \"1\"\n";
        assert_eq!(lines(manifest), ["Cargo.toml:1"]);
    }
}
