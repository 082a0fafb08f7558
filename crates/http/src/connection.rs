//! One connection: TLS where there is a certificate, the version of HTTP, and its end.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::Doorkeeper;
use crate::activity::Activity;
use crate::gate::Gate;
use crate::lingering::Lingering;
use crate::service::Connection;
use crate::shared::Shared;
use crate::sniff::{Protocol, Rewound, sniff};

const MAX_STREAMS: u32 = 128;
const MAX_HEADER_LIST: u32 = 16 * 1024;
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;
const SEND_BUFFER: usize = 256 * 1024;
const HTTP1_BUFFER: usize = 64 * 1024;
/// How long a connection that is asked to close may go on doing nothing.
const FAREWELL: Duration = Duration::from_secs(5);

/// Serves a connection to its end.
pub(crate) async fn run<S: Doorkeeper>(socket: TcpStream, peer: SocketAddr, shared: Arc<Shared<S>>) {
    // Without it each answer waits for the client's acknowledgement of the one before.
    if let Err(error) = socket.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY");
    }
    let Some(acceptor) = &shared.tls else {
        return speak(Lingering::new(socket), peer, shared).await;
    };
    if let Some(stream) = in_time(acceptor.accept(socket), &shared).await.and_then(Result::ok) {
        speak(Lingering::new(stream), peer, shared).await;
    }
}

/// Finds out which version of HTTP the client speaks, and speaks it.
async fn speak<S: Doorkeeper, T: AsyncRead + AsyncWrite + Send + Unpin + 'static>(mut io: T, peer: SocketAddr, shared: Arc<Shared<S>>) {
    let Some(Ok(Some((protocol, first)))) = in_time(sniff(&mut io), &shared).await else {
        return;
    };
    match protocol {
        Protocol::Http1 => speak_http1(io, first, peer, shared).await,
        Protocol::Http2 => speak_http2(io, first, peer, shared).await,
    }
}

async fn speak_http1<S, T>(io: T, first: BytesMut, peer: SocketAddr, shared: Arc<Shared<S>>)
where
    S: Doorkeeper,
    T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let activity = Activity::new();
    let gate = Gate::new(io, first, Arc::clone(&activity), shared.settings.header_timeout);
    let verdicts = gate.verdicts();
    let (idle, drain) = (shared.settings.idle_timeout, shared.drain.clone());
    let connection = Connection::new(shared, peer.ip(), Arc::clone(&activity));
    let service = service_fn(move |request| Arc::clone(&connection).answer(request, verdicts.next()));
    // The gate minds the time of heads, from their first octet; hyper's own timer would count the wait for it.
    let serving = http1::Builder::new()
        .header_read_timeout(None)
        .half_close(true)
        .max_buf_size(HTTP1_BUFFER)
        .serve_connection(TokioIo::new(gate), service);
    until_closed(serving, &activity, idle, &drain).await;
}

async fn speak_http2<S, T>(io: T, first: BytesMut, peer: SocketAddr, shared: Arc<Shared<S>>)
where
    S: Doorkeeper,
    T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let activity = Activity::new();
    let (idle, drain) = (shared.settings.idle_timeout, shared.drain.clone());
    let connection = Connection::new(shared, peer.ip(), Arc::clone(&activity));
    let service = service_fn(move |request| Arc::clone(&connection).answer(request, None));
    let serving = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEADER_LIST)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .serve_connection(TokioIo::new(Rewound::new(first, io)), service);
    until_closed(serving, &activity, idle, &drain).await;
}

/// Lets a connection run until it ends, is idle for too long, or the server is to stop; then asks it to close, and drops it if it does nothing.
async fn until_closed<C: GracefulConnection>(connection: C, activity: &Activity, idle: Duration, drain: &CancellationToken) {
    let mut connection = pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        () = drain.cancelled() => {}
        () = activity.idle_for(idle) => {}
    }
    connection.as_mut().graceful_shutdown();
    activity.note();
    tokio::select! {
        _ = connection => {}
        () = activity.idle_for(idle.min(FAREWELL)) => {}
    }
}

/// What a new connection does first, unless it takes too long or the server is to stop.
async fn in_time<S, F: Future>(first: F, shared: &Shared<S>) -> Option<F::Output> {
    tokio::select! {
        () = shared.drain.cancelled() => None,
        outcome = timeout(shared.settings.header_timeout, first) => outcome.ok(),
    }
}
