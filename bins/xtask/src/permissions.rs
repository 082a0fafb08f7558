//! `docs/permissions.md`: the permissions as `selfmx-auth` lists them.

use selfmx_auth::Permission;

const HEAD: &str = "\
# Permissions

Written by `cargo xtask check --bless` from the one list in `crates/auth`; edits here are overwritten.

A key holds a set of permissions; each route names the one that it needs. A key may give a key that it creates no
permission that it does not hold itself.

";

/// The whole document.
pub(crate) fn document() -> String {
    let rows: Vec<(&str, &str)> = Permission::ALL.iter().map(|permission| (permission.as_str(), permission.description())).collect();
    format!("{HEAD}{}", table(&rows))
}

/// A markdown table with its columns aligned, as a person would write it.
fn table(rows: &[(&str, &str)]) -> String {
    let head = ("permission", "what it allows");
    let names: Vec<String> = rows.iter().map(|(name, _)| format!("`{name}`")).collect();
    let texts = rows.iter().map(|(_, text)| text.trim_end_matches('.').replace('|', "\\|"));
    let texts: Vec<String> = texts.collect();
    let width = widest(head.0, &names);
    let text_width = widest(head.1, &texts);
    let mut lines =
        vec![format!("| {:<width$} | {:<text_width$} |", head.0, head.1), format!("| {:-<width$} | {:-<text_width$} |", "", "")];
    let row = |(name, text)| format!("| {name:<width$} | {text:<text_width$} |");
    lines.extend(names.iter().zip(&texts).map(row));
    lines.join("\n") + "\n"
}

fn widest(head: &str, cells: &[String]) -> usize {
    let cells = cells.iter().map(|cell| cell.chars().count());
    cells.chain([head.chars().count()]).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_aligned_and_its_cells_cannot_break_it() {
        let expected = "\
| permission | what it allows |
| ---------- | -------------- |
| `a:b`      | One \\| two     |
";
        assert_eq!(table(&[("a:b", "One | two.")]), expected);
    }

    #[test]
    fn every_permission_has_a_row() {
        let document = document();
        for permission in Permission::ALL {
            let start = format!("\n| `{}` ", permission.as_str());
            assert!(document.contains(&start), "{start}");
        }
    }
}
