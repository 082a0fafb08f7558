//! The server's own DKIM key.

use selfmx_domain::{Dkim, DkimKey, DkimSelector, Domain, Problem};
use selfmx_mail::{Signer, read_dkim_key};

use crate::environment::{Environment, SettingError};

const DOMAIN: &str = "DKIM_DOMAIN";
const SELECTOR: &str = "DKIM_SELECTOR";
const KEY: &str = "DKIM_KEY";
const ALL: &str = "DKIM_DOMAIN, DKIM_SELECTOR and DKIM_KEY";

/// What `DKIM_DOMAIN`, `DKIM_SELECTOR` and `DKIM_KEY` make; `None` where none is set.
pub(crate) fn signer(environment: &Environment) -> Result<Option<Signer>, SettingError> {
    let domain = environment.read(DOMAIN, "a domain name, such as yourdomain.example", |text| text.parse::<Domain>().ok())?;
    let selector = "a selector: labels of letters, digits and hyphens, separated by dots, such as mail2026";
    let selector = environment.read(SELECTOR, selector, |text| text.parse::<DkimSelector>().ok())?;
    let key = environment.read_secret(KEY, read_dkim_key)?;
    match (domain, selector, key) {
        (None, None, None) => Ok(None),
        (Some(domain), Some(selector), Some(key)) => made(domain, selector, &key).map(Some),
        (None, ..) => Err(SettingError::Incomplete { missing: DOMAIN, all: ALL }),
        (_, None, _) => Err(SettingError::Incomplete { missing: SELECTOR, all: ALL }),
        (.., None) => Err(SettingError::Incomplete { missing: KEY, all: ALL }),
    }
}

fn made(domain: Domain, selector: DkimSelector, key: &DkimKey) -> Result<Signer, SettingError> {
    let refused =
        |name: &str, value: String, problem: Problem| SettingError::Value { name: name.to_owned(), value, allowed: problem.to_string() };
    let dkim = Dkim { domain, selector: selector.clone(), public_key: key.public().clone() };
    let dkim = dkim.nameable().map_err(|problem| refused(SELECTOR, selector.to_string(), problem))?;
    Signer::new(dkim, key).map_err(|problem| refused(KEY, "(hidden)".to_owned(), problem))
}

/// Tells the log which record others verify by.
pub(crate) fn tell(signer: &Signer) {
    let dkim = signer.dkim();
    tracing::info!(name = dkim.record_name(), value = dkim.record_value(), "mail is signed: the domain has to publish this TXT record");
}

#[cfg(test)]
mod tests {
    use selfmx_testing::openssl;

    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Option<String>, String> {
        let signer = signer(&Environment::of(pairs)).map_err(|error| error.to_string())?;
        Ok(signer.map(|signer| format!("{} {}", signer.dkim().record_name(), signer.dkim().public_key.algorithm().as_str())))
    }

    #[test]
    fn all_three_are_set_or_none() {
        let key = openssl("genrsa 2048");
        let all = [(DOMAIN, "Shop.example"), (SELECTOR, "mail2026"), (KEY, key.as_str())];
        assert_eq!(read(&all).unwrap().as_deref(), Some("mail2026._domainkey.shop.example rsa-sha256"));
        assert_eq!(read(&[]).unwrap(), None);
        for missing in [DOMAIN, SELECTOR, KEY] {
            let others: Vec<_> = all.into_iter().filter(|(name, _)| *name != missing).collect();
            let told = format!("{missing} is not set: set all of DKIM_DOMAIN, DKIM_SELECTOR and DKIM_KEY, or none of them");
            assert_eq!(read(&others).unwrap_err(), told);
        }
    }

    #[test]
    fn a_key_is_read_from_a_file_and_what_is_wrong_is_named_and_not_shown() {
        let (folder, key) = (tempfile::tempdir().unwrap(), openssl("genpkey -algorithm ed25519"));
        let path = folder.path().join("dkim.pem");
        std::fs::write(&path, &key).unwrap();
        let file = [(DOMAIN, "shop.example"), (SELECTOR, "s"), ("DKIM_KEY_FILE", path.to_str().unwrap())];
        assert_eq!(read(&file).unwrap().as_deref(), Some("s._domainkey.shop.example ed25519-sha256"));
        let (weak, long) = (openssl("genrsa 1024"), ["s".repeat(60).as_str(); 4].join("."));
        for (domain, selector, key, words) in [
            ("a b", "s", &key, "DKIM_DOMAIN=a b is not allowed: a domain name"),
            ("shop.example", "a_b", &key, "DKIM_SELECTOR=a_b is not allowed: a selector"),
            ("shop.example", &long, &key, "is too long: at most 253 octets in the record's name"),
            (
                "shop.example",
                "s",
                &weak,
                "DKIM_KEY=(hidden) is not allowed: must be a private key in PEM without a passphrase: RSA of 2048 to 4096 bits",
            ),
            ("shop.example", "s", &"canary".to_owned(), "DKIM_KEY=(hidden) is not allowed"),
        ] {
            let told = read(&[(DOMAIN, domain), (SELECTOR, selector), (KEY, key)]).unwrap_err();
            assert!(told.contains(words) && !told.contains("canary") && !told.contains(key.lines().nth(1).unwrap_or("canary")), "{told}");
        }
    }
}
