//! TLS towards a relay: 1.2 or later, one provider, verification unless it was turned off.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_rustls::TlsConnector;

use crate::{RelayError, RelaySettings, Verification};

/// What a DER certificate begins with: a SEQUENCE.
const DER_SEQUENCE: u8 = 0x30;

/// TLS to one relay.
#[derive(Clone)]
pub(crate) struct Tls {
    /// Makes the connections.
    pub(crate) connector: TlsConnector,
    /// Whom the relay's certificate must be for.
    pub(crate) name: ServerName<'static>,
}

impl Tls {
    /// Loads the certificate authorities and sets TLS up: once for a relay, since loading takes about 2 ms.
    pub(crate) fn new(settings: &RelaySettings) -> Result<Self, RelayError> {
        let name = ServerName::try_from(settings.host.clone()).or(Err(RelayError::HostName))?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier: Arc<dyn ServerCertVerifier> = match settings.verification {
            Verification::Verify => verifier(settings, &provider)?,
            Verification::Accept => Arc::new(AcceptAny(Arc::clone(&provider))),
        };
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(RelayError::TlsSetup)?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        Ok(Self { connector: TlsConnector::from(Arc::new(config)), name })
    }
}

/// The usual verification, against the operating system's authorities and the settings' own.
fn verifier(settings: &RelaySettings, provider: &Arc<CryptoProvider>) -> Result<Arc<WebPkiServerVerifier>, RelayError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    for given in &settings.extra_roots {
        for certificate in certificates(given)? {
            roots.add(certificate).or(Err(RelayError::BadRoot))?;
        }
    }
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider)).build().or(Err(RelayError::NoRoots))
}

fn certificates(given: &[u8]) -> Result<Vec<CertificateDer<'static>>, RelayError> {
    if given.first() == Some(&DER_SEQUENCE) {
        return Ok(vec![CertificateDer::from(given.to_vec())]);
    }
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(given).collect();
    certificates.ok().filter(|certificates| !certificates.is_empty()).ok_or(RelayError::BadRoot)
}

/// Trusts any certificate, and still checks that the relay holds its key.
#[derive(Debug)]
struct AcceptAny(Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptAny {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
