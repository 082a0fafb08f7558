//! Where settings come from: the environment, `.env`, and files that `NAME_FILE` names.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::{Path, PathBuf};

use crate::secrets::SecretKeyError;

/// A setting that stops the start: which variable, what it held, what is allowed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingError {
    /// The value is not allowed.
    #[error("{name}={value} is not allowed: {allowed}")]
    Value {
        /// The variable.
        name: String,
        /// What it held; hidden where it is a secret.
        value: String,
        /// What is allowed.
        allowed: String,
    },
    /// A file that a variable names cannot be read.
    #[error("{name} names the file {path}, which cannot be read: {source}")]
    File {
        /// The variable.
        name: String,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Both a variable and its `_FILE` are set.
    #[error("{name} and {name}_FILE are both set: keep one of them")]
    Both {
        /// The variable.
        name: String,
    },
    /// The `.env` file cannot be read or is malformed.
    #[error("the file .env cannot be read: {0}")]
    DotEnv(String),
    /// A variable is set without the one that it needs.
    #[error("{name} is set without {needed}: set both or neither")]
    Alone {
        /// The variable.
        name: &'static str,
        /// The other.
        needed: &'static str,
    },
    /// Some variables are set of several that mean nothing without each other.
    #[error("{missing} is not set: set all of {all}, or none of them")]
    Incomplete {
        /// The first that is not set.
        missing: &'static str,
        /// All of them.
        all: &'static str,
    },
    /// The key that secrets are sealed with cannot be had.
    #[error(transparent)]
    SecretKey(#[from] SecretKeyError),
}

/// All variables, gathered once. What is empty counts as not set.
pub(crate) struct Environment {
    values: HashMap<String, String>,
    /// Those whose value is not UTF-8. They count as set: to pass over them would be to run with a default that nobody asked for.
    unreadable: HashSet<String>,
}

impl Environment {
    /// The process's environment, and below it the `.env` file of the working directory.
    pub(crate) fn gather() -> Result<Self, SettingError> {
        let mut values = dot_env(Path::new(".env"))?;
        #[expect(clippy::disallowed_methods, reason = "this is the one place where the environment is read")]
        let set = std::env::vars_os();
        let mut unreadable = HashSet::new();
        for (name, value) in set.filter_map(|(name, value)| Some((name.into_string().ok()?, value))) {
            if let Ok(value) = value.into_string() {
                values.insert(name, value);
                continue;
            }
            unreadable.insert(name);
        }
        Ok(Self { values, unreadable })
    }

    /// The value of `name`, or the content of the file that `NAME_FILE` names, its trailing line break taken off.
    pub(crate) fn text(&self, name: &str) -> Result<Option<String>, SettingError> {
        let file_name = format!("{name}_FILE");
        if let Some(name) = [name, &file_name].into_iter().find(|name| self.unreadable.contains(*name)) {
            return Err(SettingError::Value {
                name: name.to_owned(),
                value: "(not UTF-8)".to_owned(),
                allowed: "text in UTF-8".to_owned(),
            });
        }
        let value = self.values.get(name).filter(|value| !value.is_empty());
        let Some(path) = self.values.get(&file_name).filter(|path| !path.is_empty()) else {
            return Ok(value.cloned());
        };
        if value.is_some() {
            return Err(SettingError::Both { name: name.to_owned() });
        }
        let content = std::fs::read_to_string(path).map_err(|source| SettingError::File { name: file_name, path: path.into(), source })?;
        let content = content.trim_end_matches(['\r', '\n']);
        Ok(Some(content.to_owned()).filter(|content| !content.is_empty()))
    }

    /// The value of `name`, read by `read`; `None` from `read` means that it is not allowed.
    pub(crate) fn read<T>(&self, name: &str, allowed: &str, read: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>, SettingError> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let refused = || SettingError::Value { name: name.to_owned(), value: shown(&text), allowed: allowed.to_owned() };
        read(&text).map(Some).ok_or_else(refused)
    }

    /// As [`read`](Self::read), for a secret: a refusal hides the value, and says why instead.
    pub(crate) fn read_secret<T, E: fmt::Display>(
        &self,
        name: &str,
        read: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, SettingError> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let refused = |error: E| SettingError::Value { name: name.to_owned(), value: "(hidden)".to_owned(), allowed: error.to_string() };
        read(&text).map(Some).map_err(refused)
    }

    /// A whole number within `range`.
    pub(crate) fn number<N>(&self, name: &str, range: std::ops::RangeInclusive<N>, default: N) -> Result<N, SettingError>
    where
        N: std::str::FromStr + PartialOrd + fmt::Display,
    {
        let allowed = format!("a whole number from {} to {}", range.start(), range.end());
        let read = self.read(name, &allowed, |text| text.parse().ok().filter(|number| range.contains(number)))?;
        Ok(read.unwrap_or(default))
    }

    /// `true` or `false`.
    pub(crate) fn flag(&self, name: &str, default: bool) -> Result<bool, SettingError> {
        let read = self.read(name, "true or false", |text| match text {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        })?;
        Ok(read.unwrap_or(default))
    }

    #[cfg(test)]
    pub(crate) fn of(pairs: &[(&str, &str)]) -> Self {
        let values = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { values, unreadable: HashSet::new() }
    }
}

fn dot_env(path: &Path) -> Result<HashMap<String, String>, SettingError> {
    if !path.exists() {
        return Ok(HashMap::new());
    }
    // The library's text quotes the line, which may hold a secret: only its number of the kind is told.
    let malformed = |error: dotenvy::Error| {
        SettingError::DotEnv(match error {
            dotenvy::Error::Io(error) => error.to_string(),
            _ => "a line is no `NAME=value`".to_owned(),
        })
    };
    dotenvy::from_path_iter(path).map_err(malformed)?.map(|pair| pair.map_err(malformed)).collect()
}

/// A value as an error shows it: one short line.
fn shown(text: &str) -> String {
    let line: String = text.chars().take(80).map(|c| if c.is_control() { '?' } else { c }).collect();
    if line.len() < text.len() { format!("{line}…") } else { line }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_value_counts_as_not_set() {
        assert_eq!(Environment::of(&[("A", "")]).text("A").unwrap(), None);
        assert_eq!(Environment::of(&[]).number("N", 1..=5, 3).unwrap(), 3);
    }

    #[test]
    fn a_file_gives_the_value_and_both_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, "from-a-file\n").unwrap();
        let path = path.to_str().unwrap();
        assert_eq!(Environment::of(&[("A_FILE", path)]).text("A").unwrap().as_deref(), Some("from-a-file"));
        assert!(matches!(Environment::of(&[("A_FILE", path), ("A", "x")]).text("A"), Err(SettingError::Both { .. })));
        assert!(matches!(Environment::of(&[("A_FILE", "/nowhere")]).text("A"), Err(SettingError::File { .. })));
    }

    #[test]
    fn a_refusal_names_the_variable_the_value_and_what_is_allowed() {
        let error = Environment::of(&[("PORT", "99999")]).number("PORT", 0_u32..=65535, 1).unwrap_err();
        assert_eq!(error.to_string(), "PORT=99999 is not allowed: a whole number from 0 to 65535");
        let error = Environment::of(&[("F", "yes")]).flag("F", true).unwrap_err();
        assert_eq!(error.to_string(), "F=yes is not allowed: true or false");
    }

    #[test]
    fn a_value_that_is_no_text_is_refused_and_not_passed_over() {
        for unreadable in ["SMTP_HOST", "SMTP_HOST_FILE"] {
            let environment = Environment { unreadable: HashSet::from([unreadable.to_owned()]), ..Environment::of(&[("SMTP_PORT", "25")]) };
            let refused = environment.text("SMTP_HOST").unwrap_err().to_string();
            assert_eq!(refused, format!("{unreadable}=(not UTF-8) is not allowed: text in UTF-8"));
            assert_eq!(environment.text("SMTP_PORT").unwrap().as_deref(), Some("25"));
        }
    }

    #[test]
    fn a_secret_is_not_shown() {
        let error = Environment::of(&[("API_KEY", "hunter2")]).read_secret("API_KEY", |_| Err::<(), _>("too short")).unwrap_err();
        assert_eq!(error.to_string(), "API_KEY=(hidden) is not allowed: too short");
    }

    #[test]
    fn a_malformed_env_file_is_refused_without_quoting_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".env");
        std::fs::write(&path, "API_KEY='hunter2\nPORT=1\n").unwrap();
        let error = dot_env(&path).unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{error}");
        std::fs::write(&path, "# a comment\nexport PORT=8081\nNAME=\"a b\"\n").unwrap();
        let values = dot_env(&path).unwrap();
        assert_eq!((values["PORT"].as_str(), values["NAME"].as_str()), ("8081", "a b"));
    }
}
