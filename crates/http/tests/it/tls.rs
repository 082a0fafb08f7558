//! TLS, and which version of HTTP it agrees on.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use selfmx_http::HttpSettings;
use selfmx_testing::Certificate;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::raw::Raw;
use crate::server::{Server, start};

async fn serve(settings: HttpSettings) -> (Server, Certificate) {
    let certificate = Certificate::for_loopback();
    let tls = Some(certificate.server_config());
    (start(HttpSettings { tls, ..settings }).await, certificate)
}

async fn connect(server: &Server, certificate: &Certificate, protocols: &[&[u8]]) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(certificate.pem().as_bytes()).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let mut config = builder.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    let stream = TcpStream::connect(server.address).await.unwrap();
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("localhost").unwrap(), stream).await.unwrap()
}

fn request(target: &str) -> Request<Full<Bytes>> {
    Request::get(target).header("host", "localhost").body(Full::default()).unwrap()
}

#[tokio::test]
async fn http_2_is_agreed_on_where_the_client_offers_it() {
    let (server, certificate) = serve(HttpSettings::default()).await;
    let stream = connect(&server, &certificate, &[b"h2", b"http/1.1"]).await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    assert_eq!(sender.send_request(request("https://localhost/open")).await.unwrap().status(), 200);
}

#[tokio::test]
async fn http_1_1_is_spoken_otherwise() {
    let (server, certificate) = serve(HttpSettings::default()).await;
    for (offered, agreed) in [(&[&b"http/1.1"[..]][..], Some(&b"http/1.1"[..])), (&[], None)] {
        let stream = connect(&server, &certificate, offered).await;
        assert_eq!(stream.get_ref().1.alpn_protocol(), agreed);
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        assert_eq!(sender.send_request(request("/open")).await.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn a_handshake_that_is_not_finished_is_closed() {
    let (server, _) = serve(HttpSettings { header_timeout: Duration::from_millis(300), ..HttpSettings::default() }).await;
    for begun in [&b""[..], b"\x16\x03\x01\x02\x00\x01"] {
        let mut raw = Raw::connect(server.address).await;
        raw.send(begun).await;
        raw.ended().await;
    }
}

#[tokio::test]
async fn http_in_clear_on_a_tls_port_gets_nothing() {
    let (server, _) = serve(HttpSettings::default()).await;
    let mut raw = Raw::connect(server.address).await;
    raw.send("GET /open HTTP/1.1\r\nHost: x.example\r\n\r\n").await;
    assert!(!raw.ended().await.starts_with(b"HTTP"));
}
