//! The reference libraries of Standard Webhooks as independent verifiers.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test without the verifiers has failed")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

/// Where the set-up puts them.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/verifiers");

/// A reference library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verifier {
    /// `standardwebhooks` from PyPI.
    Python,
    /// `standardwebhooks` from npm.
    JavaScript,
}

/// What is to be verified: the secret, header fields by their names, and the body.
#[derive(Clone, Debug)]
pub struct Signed<'a> {
    /// With its `whsec_`.
    pub secret: &'a str,
    /// By lower-case names.
    pub headers: Vec<(&'a str, &'a str)>,
    /// As it came.
    pub body: &'a [u8],
}

impl Verifier {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Python, Self::JavaScript];

    /// What the library says of each: nothing where it is genuine, else why it is not.
    ///
    /// # Panics
    ///
    /// Without the library, with the line that installs it.
    #[must_use]
    pub fn verify(self, all: &[Signed<'_>]) -> Vec<Option<String>> {
        let folder = PathBuf::from(FOLDER);
        assert!(folder.join("done").is_file(), "the verifiers of Standard Webhooks are needed: cargo xtask setup");
        let given = |signed: &Signed<'_>| {
            let headers: serde_json::Map<_, _> = signed.headers.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
            json!({"secret": signed.secret, "headers": headers, "body": std::str::from_utf8(signed.body).unwrap()})
        };
        let input = Value::from(all.iter().map(given).collect::<Vec<_>>()).to_string();
        serde_json::from_slice(&self.run(&folder, input.as_bytes())).unwrap()
    }

    fn run(self, folder: &Path, input: &[u8]) -> Vec<u8> {
        let mut command = match self {
            Self::Python => Command::new(folder.join("python/bin/python")),
            Self::JavaScript => Command::new("node"),
        };
        match self {
            Self::Python => command.args(["-I", "-c", include_str!("standard_webhooks/verify.py")]),
            Self::JavaScript => command.args(["-e", include_str!("standard_webhooks/verify.js")]),
        };
        command.current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the verifiers of Standard Webhooks are needed: cargo xtask setup");
        let mut stdin = child.stdin.take().unwrap();
        let output = std::thread::scope(|scope| {
            scope.spawn(move || stdin.write_all(input));
            child.wait_with_output().unwrap()
        });
        assert!(output.status.success(), "{self:?} failed: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }
}
