//! The real `curl`.

use std::process::{Command, Output, Stdio};

use serde_json::Value;

const INSTALL: &str = "curl is needed: apt-get install curl";

/// What curl showed.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    /// As curl writes it: `1.1` or `2`.
    pub(crate) version: String,
    pub(crate) body: Value,
}

/// Runs a shell command in which `curl` stands, as somebody types it who has only told curl's own configuration file to say what it got.
pub(crate) fn shell(line: &str) -> Shown {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join(".curlrc"), "silent\nshow-error\nwrite-out = \"\\n%{http_code} %{http_version} %{content_type}\"\n")
        .unwrap();
    let mut command = Command::new("/bin/sh");
    command.args(["-c", line]).env("CURL_HOME", home.path()).env_remove("http_proxy").env_remove("https_proxy").stdin(Stdio::null());
    let output = command.output().expect(INSTALL);
    assert!(output.status.success(), "{line}: {}\n{INSTALL}", String::from_utf8_lossy(&output.stderr));
    let output = String::from_utf8(output.stdout).unwrap();
    let (body, told) = output.rsplit_once('\n').unwrap();
    let mut told = told.splitn(3, ' ');
    let mut next = || told.next().unwrap().to_owned();
    let (status, version, content_type) = (next().parse().unwrap(), next(), next());
    Shown { status, content_type, version, body: serde_json::from_str(body).unwrap() }
}

/// Runs a shell command in which `curl` gets no answer, and gives its exit code.
pub(crate) fn fails(line: &str) -> Option<i32> {
    run(line).status.code()
}

fn run(line: &str) -> Output {
    let home = tempfile::tempdir().unwrap();
    let told = "silent\nshow-error\nmax-time = 60\nwrite-out = \"\\n%{http_code} %{http_version} %{content_type}\"\n";
    std::fs::write(home.path().join(".curlrc"), told).unwrap();
    let mut command = Command::new("/bin/sh");
    command.args(["-c", line]).env("CURL_HOME", home.path()).env_remove("http_proxy").env_remove("https_proxy").stdin(Stdio::null());
    command.output().expect(INSTALL)
}
