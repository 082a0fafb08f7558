//! The route table: parse, call the application, answer.
//!
//! | noun | what it is |
//! |---|---|
//! | [`serve`], [`HttpSettings`] | the server: HTTP/1.1 and HTTP/2 on one port, TLS where there is a certificate |
//! | [`routes`], [`Route`], [`Access`] | the route table, as data and as rows |
//! | [`openapi`] | the same described, as an OpenAPI document |
//! | [`Admit`] | what a handler asks for as its first argument, and with it who may call |
//! | [`Call`], [`Query`] | a request on its way to a handler |
//! | [`Reply`], [`Failure`] | an answer; what went wrong, and the one place that makes a status of it |
//!
//! ```no_run
//! use std::sync::Arc;
//! use selfmx_http::{HttpSettings, serve};
//! use tokio_util::sync::CancellationToken;
//!
//! # async fn run(app: Arc<selfmx_app::App>) -> Result<(), Box<dyn std::error::Error>> {
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
//! let drain = CancellationToken::new();
//! serve(listener, app, HttpSettings::default(), drain).await?;
//! # Ok(())
//! # }
//! ```
//!
//! The checks of a request, in this order: head, path and method, declared length, authentication, permission, parameters, id in the path, body. What
//! fails first is answered, and no body is read or parsed for someone who may not send it.
//!
//! Invariant: a route whose handler does not say by its type who may call does not compile.
//!
//! Invariant: every answer has a request id and, a message's source, the metrics and the documentation aside, a JSON body; none says an SQL text, a path or a cause.
//!
//! Invariant: each wait for a client is bounded in time, and each buffer in size.

mod access;
mod access_log;
mod activity;
mod body;
mod call;
mod client_address;
mod connection;
mod cors;
mod credentials;
mod docs;
mod doorkeeper;
mod event_text;
mod failure;
mod following;
mod gate;
mod head;
mod host;
mod idempotency;
mod lingering;
mod marks;
mod openapi;
mod places;
mod query;
mod rate_headers;
mod reply;
mod request_counts;
mod route;
mod router;
mod routes;
mod serve;
mod service;
mod settings;
mod shared;
mod sniff;
mod table;

pub use access::{Access, Admit};
pub use call::Call;
pub use doorkeeper::Doorkeeper;
pub use failure::Failure;
pub use head::HeadFault;
pub use openapi::openapi;
pub use query::Query;
pub use reply::Reply;
pub use route::{Answer, Route, RouteInfo};
pub use router::{Router, TableError};
pub use serve::{Drained, serve, serve_routes};
pub use settings::{CorsOrigins, HttpSettings};
pub use table::routes;
