//! What must be on the machine, and how it gets there.

use crate::apt;
use crate::environment;
use crate::failure::Failure;
use crate::programs;

/// Something that a task cannot do without.
#[derive(Debug)]
pub(crate) struct Need {
    /// In words, for the message.
    pub(crate) what: &'static str,
    /// The Debian packages that bring it.
    pub(crate) packages: &'static [&'static str],
    /// The variable that says where to look for it; where it is set, nothing that is installed is looked at.
    pub(crate) variable: Option<&'static str>,
    /// Whether the machine has it already.
    pub(crate) present: fn() -> bool,
}

/// PostgreSQL's programs, for a private server.
pub(crate) const POSTGRES: Need = Need {
    what: "PostgreSQL's programs (initdb, postgres)",
    packages: &["postgresql"],
    variable: Some("POSTGRES_BIN_DIR"),
    present: programs::postgres_present,
};

/// What a Python has to be able to do.
const DKIM: &str = "import dkim, nacl.signing";

/// What the tests run against, besides PostgreSQL.
pub(crate) const FOR_TESTS: &[Need] = &[
    Need {
        what: "Postfix (postfix, smtp-sink, smtp-source)",
        packages: &["postfix"],
        variable: None,
        present: || ["postfix", "smtp-sink", "smtp-source"].iter().all(|name| programs::present(name)),
    },
    Need {
        what: "SASL for Postfix (saslpasswd2 and the PLAIN mechanism)",
        packages: &["sasl2-bin", "libsasl2-modules"],
        variable: None,
        present: || programs::present("saslpasswd2") && programs::library_present("sasl2", "libplain.so"),
    },
    Need {
        what: "Python 3 (an independent reader of mail)",
        packages: &["python3"],
        variable: None,
        present: || programs::present("python3"),
    },
    Need {
        what: "dkimpy and PyNaCl for Debian's Python (an independent verifier of signatures)",
        packages: &["python3-dkim", "python3-nacl"],
        variable: None,
        present: || programs::succeeds("/usr/bin/python3", &["-I", "-c", DKIM]) || programs::succeeds("python3", &["-I", "-c", DKIM]),
    },
    Need {
        what: "venv for Python, Node and npm (what the verifiers of Standard Webhooks run in)",
        packages: &["python3-venv", "nodejs", "npm"],
        variable: None,
        present: || {
            programs::present("node") && programs::present("npm") && programs::succeeds("python3", &["-c", "import ensurepip, venv"])
        },
    },
    Need {
        what: "OpenSSL (keys as operators make them)",
        packages: &["openssl"],
        variable: None,
        present: || programs::present("openssl"),
    },
    Need { what: "curl", packages: &["curl"], variable: None, present: || programs::present("curl") },
    Need { what: "git (the list of files to check)", packages: &["git"], variable: None, present: || programs::present("git") },
];

/// Installs what is missing, where that is allowed; `otherwise` is another way out, told with the line to run.
///
/// # Errors
///
/// [`Failure::Missing`] when something is missing and may not be installed from here, or is missing still after it was
/// installed; [`Failure::Install`] and [`Failure::Run`] when the package manager fails.
pub(crate) fn ensure(needs: &[&Need], otherwise: &str) -> Result<(), Failure> {
    let missing = absent(needs);
    if missing.is_empty() {
        return Ok(());
    }
    if let Some(refusal) = missing.iter().find_map(|need| elsewhere(need)) {
        return Err(refusal);
    }
    let packages: Vec<&str> = missing.iter().flat_map(|need| need.packages).copied().collect();
    if !apt::allowed() {
        return Err(refusal(&missing, &packages, otherwise));
    }
    println!("installing {}", packages.join(" "));
    apt::install(&packages)?;
    let missing = absent(needs);
    if missing.is_empty() {
        return Ok(());
    }
    let remedy = format!("The packages {} are installed and did not bring it. {otherwise}", packages.join(" "));
    Err(Failure::Missing { what: in_words(&missing), remedy })
}

fn absent<'a>(needs: &[&'a Need]) -> Vec<&'a Need> {
    needs.iter().copied().filter(|need| !(need.present)()).collect()
}

/// The refusal for something that was to be found where a variable says, and is not there.
fn elsewhere(need: &Need) -> Option<Failure> {
    let name = need.variable?;
    let value = environment::setting(name)?;
    let remedy = format!("{name} is {value:?}, and they are not there: correct it, or unset it to have them found or installed.");
    let what = need.what.to_owned();
    Some(Failure::Missing { what, remedy })
}

fn refusal(missing: &[&Need], packages: &[&str], otherwise: &str) -> Failure {
    let line = apt::line(packages);
    let remedy = format!("On Debian and Ubuntu run\n  {line}\nelsewhere install them by the system's own means. {otherwise}");
    Failure::Missing { what: in_words(missing), remedy }
}

fn in_words(missing: &[&Need]) -> String {
    let words: Vec<&str> = missing.iter().map(|need| need.what).collect();
    words.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRESENT: Need = Need { what: "air", packages: &["air"], variable: None, present: || true };
    const ABSENT: Need = Need { what: "water", packages: &["well", "rope"], variable: None, present: || false };

    #[test]
    fn nothing_is_installed_when_nothing_is_missing() {
        assert!(ensure(&[&PRESENT], "").is_ok());
    }

    #[test]
    fn a_refusal_names_what_is_missing_the_line_and_the_other_way_out() {
        let missing = absent(&[&PRESENT, &ABSENT]);
        let text = refusal(&missing, ABSENT.packages, "Or drink tea.").to_string();
        assert!(text.starts_with("missing: water\n"), "{text}");
        assert!(text.contains("sudo apt-get install -y --no-install-recommends well rope\n"), "{text}");
        assert!(text.ends_with("Or drink tea."), "{text}");
    }
}
