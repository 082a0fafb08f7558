//! The server's own certificate.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::environment::{Environment, SettingError};

/// What `TLS_CERT` and `TLS_KEY`, two PEM files, make; `None` where neither is set.
pub(crate) fn server_config(environment: &Environment) -> Result<Option<Arc<ServerConfig>>, SettingError> {
    match (environment.text("TLS_CERT")?, environment.text("TLS_KEY")?) {
        (None, None) => Ok(None),
        (Some(certificate), Some(key)) => load(&certificate, &key).map(Some),
        (Some(_), None) => Err(SettingError::Alone { name: "TLS_CERT", needed: "TLS_KEY" }),
        (None, Some(_)) => Err(SettingError::Alone { name: "TLS_KEY", needed: "TLS_CERT" }),
    }
}

fn load(certificate: &str, key: &str) -> Result<Arc<ServerConfig>, SettingError> {
    let chain = CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let chain = chain.map_err(|error| refused("TLS_CERT", certificate, &format!("a PEM file with a certificate chain ({error})")))?;
    if chain.is_empty() {
        return Err(refused("TLS_CERT", certificate, "a PEM file with a certificate chain, and this one holds none"));
    }
    let key_der =
        PrivateKeyDer::from_pem_file(key).map_err(|error| refused("TLS_KEY", key, &format!("a PEM file with a private key ({error})")))?;
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key_der));
    config.map(Arc::new).map_err(|error| refused("TLS_CERT", certificate, &format!("a certificate that fits TLS_KEY ({error})")))
}

fn refused(name: &str, value: &str, allowed: &str) -> SettingError {
    SettingError::Value { name: name.to_owned(), value: value.to_owned(), allowed: allowed.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> (tempfile::TempDir, String, String) {
        let folder = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let (certificate, key) = (path("certificate.pem"), path("key.pem"));
        std::fs::write(&certificate, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        (folder, certificate, key)
    }

    #[test]
    fn a_certificate_and_its_key_are_taken() {
        let (_folder, certificate, key) = files();
        assert!(server_config(&Environment::of(&[("TLS_CERT", &certificate), ("TLS_KEY", &key)])).unwrap().is_some());
        assert!(server_config(&Environment::of(&[])).unwrap().is_none());
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let ((_folder, certificate, key), (_other_folder, _, other_key)) = (files(), files());
        for (certificate, key, words) in
            [(&key, &key, "TLS_CERT="), (&certificate, &certificate, "TLS_KEY="), (&certificate, &other_key, "that fits TLS_KEY")]
        {
            let error = server_config(&Environment::of(&[("TLS_CERT", certificate), ("TLS_KEY", key)])).unwrap_err();
            assert!(error.to_string().contains(words), "{error}");
        }
    }
}
