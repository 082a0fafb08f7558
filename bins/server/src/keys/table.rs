//! Keys as people read them.

use selfmx_auth::{ApiKey, Permission};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

const HEAD: [&str; 7] = ["ID", "NAME", "TENANT", "PERMISSIONS", "STATE", "HINT", "LAST USED"];

/// A line for each key below a line that names the columns.
pub(super) fn table(keys: &[ApiKey], now: OffsetDateTime) -> String {
    let rows: Vec<[String; 7]> = std::iter::once(HEAD.map(str::to_owned)).chain(keys.iter().map(|key| row(key, now))).collect();
    let widths: [usize; 7] = std::array::from_fn(|column| rows.iter().map(|row| width(row, column)).max().unwrap_or_default());
    rows.iter().map(|row| line(row, widths)).collect()
}

/// The tenant that a key is confined to.
pub(super) fn tenant(key: &ApiKey) -> String {
    key.authority.tenant.map_or_else(|| "(platform)".to_owned(), |tenant| tenant.to_string())
}

/// What a key may do, in one word.
pub(super) fn permissions(key: &ApiKey) -> String {
    key.authority.permissions.iter().map(Permission::as_str).collect::<Vec<_>>().join(",")
}

/// A time to the second, in UTC.
pub(super) fn written(time: Option<OffsetDateTime>) -> String {
    let whole = time.and_then(|time| time.replace_nanosecond(0).ok());
    whole.and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_else(|| "never".to_owned())
}

fn row(key: &ApiKey, now: OffsetDateTime) -> [String; 7] {
    [
        key.id.to_string(),
        key.name.to_string(),
        tenant(key),
        permissions(key),
        state(key, now).to_owned(),
        key.hint.as_ref().map(|hint| format!("...{hint}")).unwrap_or_else(|| "-".to_owned()),
        written(key.last_use.as_ref().map(|last| last.at)),
    ]
}

/// Whether a key is recognised, or why not.
fn state(key: &ApiKey, now: OffsetDateTime) -> &'static str {
    match key {
        key if key.is_live(now) => "active",
        ApiKey { revoked_at: Some(_), .. } => "revoked",
        ApiKey { enabled: false, .. } => "disabled",
        _ => "expired",
    }
}

fn width(row: &[String; 7], column: usize) -> usize {
    row.get(column).map_or(0, |cell| cell.chars().count())
}

/// Cells filled up to their columns' widths, two spaces between them, none at the end.
fn line(row: &[String; 7], widths: [usize; 7]) -> String {
    let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}  "));
    format!("{}\n", cells.collect::<String>().trim_end())
}

#[cfg(test)]
mod tests {
    use selfmx_auth::KeyUse;
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-01-01 00:00 UTC);

    #[test]
    fn columns_stand_below_their_names_whatever_is_in_them() {
        let key = ApiKey::environment(NOW);
        let last_use = KeyUse { at: datetime!(2025-12-31 23:59:59.7 UTC), address: None, user_agent: None };
        let long = ApiKey { name: "Größe 🎉 & Söhne".parse().unwrap(), last_use: Some(last_use), ..key.clone() };
        let text = table(&[long, key], NOW);
        let lines: Vec<&str> = text.lines().collect();
        let [head, first, second] = lines[..] else { panic!("{text}") };
        assert!(head.starts_with("ID           NAME             TENANT") && head.ends_with("LAST USED"), "{text}");
        assert!(first.ends_with("  active  -     2025-12-31T23:59:59Z") && second.ends_with("  active  -     never"), "{text}");
        let column = |line: &str, word: &str| line.split_once(word).unwrap().0.chars().count();
        assert_eq!([first, second].map(|line| column(line, "(platform)")), [column(head, "TENANT"); 2]);
    }

    #[test]
    fn a_key_that_is_refused_says_why() {
        let mut key = ApiKey::environment(NOW);
        key.authority.expires_at = Some(NOW);
        assert_eq!(state(&key, NOW - time::Duration::SECOND), "active");
        assert_eq!(state(&key, NOW), "expired");
        let disabled = ApiKey { enabled: false, ..key };
        assert_eq!(state(&disabled, NOW - time::Duration::SECOND), "disabled");
        assert_eq!(state(&ApiKey { revoked_at: Some(NOW), ..disabled }, NOW), "revoked");
    }

    #[test]
    fn no_key_is_a_line_of_names_alone() {
        assert_eq!(table(&[], NOW), "ID  NAME  TENANT  PERMISSIONS  STATE  HINT  LAST USED\n");
    }
}
