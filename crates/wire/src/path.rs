//! Paths of fields, as errors name them: `to[1]`, `attachments[0].filename`.

const MAX_NAME_CHARACTERS: usize = 64;

/// The path of the member `name` of what is at `parent`, which is empty for the whole body.
pub(crate) fn member(parent: &str, name: &str) -> String {
    if parent.is_empty() {
        return shortened(name);
    }
    format!("{parent}.{}", shortened(name))
}

/// The path of the element `index` of the list at `parent`.
pub(crate) fn element(parent: &str, index: usize) -> String {
    format!("{parent}[{index}]")
}

/// A name that the caller chose, short enough to be repeated in an answer.
pub(crate) fn shortened(name: &str) -> String {
    if name.chars().count() <= MAX_NAME_CHARACTERS {
        return name.to_owned();
    }
    name.chars().take(MAX_NAME_CHARACTERS).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_read_as_in_the_contract() {
        assert_eq!(element(&member("", "to"), 1), "to[1]");
        assert_eq!(member(&element("attachments", 0), "filename"), "attachments[0].filename");
    }

    #[test]
    fn a_long_name_is_cut() {
        assert_eq!(shortened(&"é".repeat(64)), "é".repeat(64));
        assert_eq!(shortened(&"é".repeat(65)), format!("{}…", "é".repeat(64)));
    }
}
