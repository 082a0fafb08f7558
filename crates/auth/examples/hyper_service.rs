//! Keys in a small HTTP service of one's own: 401, 403 and 200 as RFC 6750 has them.
//!
//! `cargo run --package selfmx-auth --example hyper_service -- 127.0.0.1:8080` serves; without an address it starts on a free port, asks itself and ends.

use std::convert::Infallible;
use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, USER_AGENT, WWW_AUTHENTICATE};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use selfmx_auth::{
    ApiKey, Authority, Denied, KeyDigests, Moment, Origin, Permission, Permit, Principal, Refused, Secret, StoredKey, Unrecognised, needs,
};
use selfmx_domain::{RateLimit, Tenant, TenantId, TenantProfile, TenantStatus};
use time::OffsetDateTime;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Reads logs and does nothing else.
const READER: &str = "the-key-that-reads-logs";
/// Sends mail, which this service has no use for.
const SENDER: &str = "the-key-that-sends-mail";

type Answer = Response<Full<Bytes>>;

/// The keys. A real service asks its database by the digest.
#[derive(Debug)]
struct Keys(Vec<Arc<StoredKey>>);

impl Keys {
    fn example(now: OffsetDateTime) -> Result<Self, Box<dyn Error>> {
        let profile = TenantProfile::named("Example".parse()?);
        let tenant = Arc::new(Tenant { id: TenantId::DEFAULT, status: TenantStatus::Active, profile, created_at: now, updated_at: now });
        let stored = |text: &str, permission: Permission| -> Result<Arc<StoredKey>, Box<dyn Error>> {
            let authority = Authority { permissions: permission.into(), ..Authority::everything() };
            let key = ApiKey { authority, ..ApiKey::environment(now) };
            Ok(Arc::new(StoredKey { digests: KeyDigests::only(Secret::chosen(text)?.digest()), key, tenant: Arc::clone(&tenant) }))
        };
        Ok(Self(vec![stored(READER, Permission::LogsRead)?, stored(SENDER, Permission::Send)?]))
    }

    fn recognise(&self, secret: &Secret, moment: &Moment) -> Result<Principal, Refused> {
        let digest = secret.digest();
        let stored = self.0.iter().find(|stored| stored.digests.current.matches(&digest)).ok_or(Unrecognised)?;
        Principal::recognise(secret, stored, moment)
    }
}

/// Why there is no answer.
enum Failure {
    /// Nothing was presented.
    Anonymous,
    /// What was presented is no good.
    Refused(Refused),
    /// Who presented it may not do this.
    Denied(Denied),
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl From<Denied> for Failure {
    fn from(denied: Denied) -> Self {
        Self::Denied(denied)
    }
}

/// What the service is there for. Without the permit it cannot be called.
fn logs(permit: &Permit<needs::LogsRead>) -> String {
    format!("the logs of {}\n", permit.tenant())
}

fn handle(keys: &Keys, request: &Request<Incoming>, peer: IpAddr) -> Result<String, Failure> {
    let secret = presented(request)?;
    let agent = request.headers().get(USER_AGENT).and_then(|agent| agent.to_str().ok());
    let origin = Arc::new(Origin::new(peer, agent, "req_1"));
    let principal = keys.recognise(&secret, &Moment { now: now(), origin, usual_rate: RateLimit::Unlimited })?;
    Ok(logs(&principal.permit()?))
}

/// RFC 6750 section 2.1.
fn presented(request: &Request<Incoming>) -> Result<Secret, Failure> {
    let credentials = request.headers().get(AUTHORIZATION).ok_or(Failure::Anonymous)?;
    let bearer =
        credentials.to_str().ok().and_then(|text| text.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("Bearer"));
    bearer.and_then(|(_, text)| Secret::presented(text)).ok_or_else(|| Failure::Refused(Unrecognised.into()))
}

/// RFC 6750 section 3: who presents nothing is told how, and no more.
fn answer(result: Result<String, Failure>) -> Answer {
    let (status, challenge, text) = match result {
        Ok(text) => return Response::new(Full::from(text)),
        Err(Failure::Anonymous) => (StatusCode::UNAUTHORIZED, String::new(), "a key is needed".to_owned()),
        Err(Failure::Refused(refused @ Refused::Unrecognised(_))) => {
            (StatusCode::UNAUTHORIZED, r#", error="invalid_token""#.to_owned(), refused.to_string())
        }
        Err(Failure::Refused(refused @ Refused::Address { .. })) => (StatusCode::FORBIDDEN, String::new(), refused.to_string()),
        Err(Failure::Denied(denied)) => {
            let scope = denied.permission().map(|permission| format!(r#", error="insufficient_scope", scope="{permission}""#));
            (StatusCode::FORBIDDEN, scope.unwrap_or_default(), denied.to_string())
        }
    };
    let mut answer = Response::new(Full::from(text + "\n"));
    *answer.status_mut() = status;
    if let Ok(challenge) = format!(r#"Bearer realm="example"{challenge}"#).parse() {
        answer.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }
    answer
}

async fn serve(listener: TcpListener, keys: Arc<Keys>) -> Result<(), Box<dyn Error>> {
    loop {
        let (stream, peer) = listener.accept().await?;
        let keys = Arc::clone(&keys);
        let service = service_fn(move |request: Request<Incoming>| {
            let answer = answer(handle(&keys, &request, peer.ip()));
            async move { Ok::<_, Infallible>(answer) }
        });
        tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

/// Asks once; answers the status line with the challenge, where there is one.
async fn asked(address: SocketAddr, key: Option<&str>) -> Result<String, Box<dyn Error>> {
    let credentials = key.map(|key| format!("Authorization: Bearer {key}\r\n")).unwrap_or_default();
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{credentials}\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let challenge = answer.lines().find_map(|line| line.strip_prefix("www-authenticate: ")).unwrap_or("no challenge");
    Ok(format!("{}: {challenge}", answer.lines().next().unwrap_or_default()))
}

async fn ask_all(address: SocketAddr) -> Result<(), Box<dyn Error>> {
    let expected = [
        (None, r#"HTTP/1.1 401 Unauthorized: Bearer realm="example""#),
        (Some("a-key-that-nobody-has"), r#"HTTP/1.1 401 Unauthorized: Bearer realm="example", error="invalid_token""#),
        (Some(SENDER), r#"HTTP/1.1 403 Forbidden: Bearer realm="example", error="insufficient_scope", scope="logs:read""#),
        (Some(READER), "HTTP/1.1 200 OK: no challenge"),
    ];
    for (key, expected) in expected {
        let answer = asked(address, key).await?;
        println!("{} -> {answer}", key.unwrap_or("no key"));
        if answer != expected {
            return Err(format!("expected {expected}").into());
        }
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "the example has no clock to be given")]
fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

/// Serves at `address`, or asks itself everything once.
pub(crate) async fn run(address: Option<SocketAddr>) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind(address.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0)))).await?;
    let (own, keys) = (listener.local_addr()?, Arc::new(Keys::example(now())?));
    if address.is_some() {
        return serve(listener, keys).await;
    }
    tokio::select! {
        ended = serve(listener, keys) => ended,
        asked = ask_all(own) => asked,
    }
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).map(|address| address.parse()).transpose()?;
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run(address))
}
