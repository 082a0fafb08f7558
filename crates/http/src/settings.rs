//! What an operator can set about HTTP.

use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use rustls::ServerConfig;

const MIB: usize = 1024 * 1024;

/// What an operator can set about HTTP. The defaults are those of the contract.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// The most octets of a body.
    pub max_body: usize,
    /// The most octets of the body of `POST /v1/send`, in which attachments are base64.
    pub max_send_body: usize,
    /// The most octets of all bodies together that are being read or worked on; beyond, `503`. At least [`max_send_body`](Self::max_send_body).
    pub max_bodies: usize,
    /// The most octets of large answers that clients have not taken yet, all of them together. Past it, `503`.
    pub max_answers: usize,
    /// How long a TLS handshake may take, and then the first octet, and then each head from its first octet to its last.
    pub header_timeout: Duration,
    /// How long a body may take, and longer only as far as [`min_body_rate`](Self::min_body_rate) earns it.
    pub body_timeout: Duration,
    /// Each so many octets of a body that have arrived lengthen its time by a second.
    pub min_body_rate: usize,
    /// How long a connection may stay open on which nothing is asked, or on which nothing of an answer is taken.
    pub idle_timeout: Duration,
    /// The most connections.
    pub max_connections: usize,
    /// The most connections from one address (IPv6: from one /64). Trusted proxies are not counted.
    pub max_connections_per_address: usize,
    /// How long open requests may take to finish once the server is to stop.
    pub drain_timeout: Duration,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Which web pages may read answers.
    pub cors_origins: CorsOrigins,
    /// The certificate and key; without, HTTP in clear. Its ALPN protocols are set by the server.
    pub tls: Option<Arc<ServerConfig>>,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            max_body: MIB,
            max_send_body: 40 * MIB,
            max_bodies: 256 * MIB,
            max_answers: 256 * MIB,
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            min_body_rate: 64 * 1024,
            idle_timeout: Duration::from_secs(60),
            max_connections: 4096,
            max_connections_per_address: 256,
            drain_timeout: Duration::from_secs(25),
            trusted_proxies: Vec::new(),
            cors_origins: CorsOrigins::Any,
            tls: None,
        }
    }
}

/// Which web pages may read answers (the Fetch standard's CORS protocol).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CorsOrigins {
    /// All.
    Any,
    /// Those of these origins, each as a browser sends it: `https://app.example`.
    Only(Vec<String>),
}

impl CorsOrigins {
    /// The value of `Access-Control-Allow-Origin` for a request from `origin`; `None` where it gets none.
    pub(crate) fn allowed<'a>(&self, origin: &'a str) -> Option<&'a str> {
        match self {
            Self::Any => Some("*"),
            Self::Only(origins) => origins.iter().any(|known| known == origin).then_some(origin),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_allowed_as_a_whole_or_not_at_all() {
        let origins = CorsOrigins::Only(vec!["https://app.example".to_owned()]);
        assert_eq!(origins.allowed("https://app.example"), Some("https://app.example"));
        for origin in ["https://app.example.evil.example", "http://app.example", "null", "*", ""] {
            assert_eq!(origins.allowed(origin), None, "{origin}");
        }
        assert_eq!(CorsOrigins::Any.allowed("https://anywhere.example"), Some("*"));
    }
}
