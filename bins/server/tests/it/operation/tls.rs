//! HTTPS, and HTTP/2 with and without TLS, as the real curl speaks them.

use std::fs;

use selfmx_testing::Certificate;
use tempfile::TempDir;

use crate::curl::{Shown, fails, shell};
use crate::process::KEY;
use crate::world::World;

async fn shown(line: String) -> Shown {
    tokio::task::spawn_blocking(move || shell(&line)).await.unwrap()
}

/// A server with a certificate, and the certificate's file.
async fn secured() -> (World, TempDir, String) {
    let (certificate, folder) = (Certificate::for_loopback(), tempfile::tempdir().unwrap());
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("certificate.pem"), certificate.pem()).unwrap();
    fs::write(path("key.pem"), certificate.key_pem()).unwrap();
    let world = World::start_with(&[("TLS_CERT", &path("certificate.pem")), ("TLS_KEY", &path("key.pem"))]).await;
    let certificate = path("certificate.pem");
    (world, folder, certificate)
}

#[tokio::test]
async fn with_a_certificate_both_versions_of_http_are_spoken_and_clear_text_is_not() {
    let (world, _folder, certificate) = secured().await;
    let url = format!("https://localhost:{}/v1/api-keys/me", world.server.address().port());
    let curl = format!("curl --cacert {certificate} -H 'Authorization: Bearer {KEY}'");
    for (options, version) in [("", "2"), ("--http2", "2"), ("--http1.1", "1.1"), ("--tls-max 1.2", "2"), ("--tlsv1.3", "2")] {
        let shown = shown(format!("{curl} {options} {url}")).await;
        assert_eq!((shown.status, shown.version.as_str(), &shown.body["id"]), (200, version, &"key_default".into()), "{options}");
    }
    let posted =
        shown(format!("{curl} -d '{{\"name\": \"Acme\"}}' -H 'Content-Type: application/json' {}", url.replace("api-keys/me", "tenants")))
            .await;
    assert_eq!((posted.status, posted.version.as_str()), (201, "2"));
    // By curl's own codes: a certificate that it does not trust, and an answer that is no HTTP.
    for (line, code) in [(format!("curl {url}"), 60), (format!("curl --http1.1 {}", url.replace("https", "http")), 1)] {
        assert_eq!(tokio::task::spawn_blocking(move || fails(&line)).await.unwrap(), Some(code));
    }
    assert_eq!(world.server.stop().await.code, Some(0));
}

#[tokio::test]
async fn without_a_certificate_both_versions_of_http_are_spoken_in_clear() {
    let world = World::start().await;
    let url = format!("http://{}/v1/emails?limit=1", world.server.address());
    for (options, version) in [("", "1.1"), ("--http2-prior-knowledge", "2"), ("--http2", "1.1")] {
        let shown = shown(format!("curl {options} -H 'Authorization: Bearer {KEY}' {url}")).await;
        assert_eq!((shown.status, shown.version.as_str()), (200, version), "{options}");
    }
}
