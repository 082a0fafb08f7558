//! A request on its way to a handler.

use std::str::FromStr;
use std::sync::Arc;

use hyper::{HeaderMap, Method};
use selfmx_app::Error;
use selfmx_domain::{Address, IdError, TenantId, WebhookDeliveryId};
use selfmx_wire::RequestError;

use crate::body::{Body, Media};
use crate::router::Segments;
use crate::{Failure, Query};

/// A body larger than this is taken apart on a thread of its own, so that no other request waits for it.
const READ_HERE: usize = 64 * 1024;

/// A request on its way to a handler, which its caller may call.
pub struct Call<S> {
    state: Arc<S>,
    method: Method,
    headers: HeaderMap,
    segments: Segments,
    query: Query,
    body: Body,
}

impl<S> Call<S> {
    pub(crate) fn new(state: Arc<S>, (method, headers): (Method, HeaderMap), segments: Segments, query: Query, body: Body) -> Self {
        Self { state, method, headers, segments, query, body }
    }

    /// What handlers work on.
    #[must_use]
    pub fn state(&self) -> &S {
        &self.state
    }

    /// The same, for what goes on after the call.
    pub(crate) fn shared_state(&self) -> Arc<S> {
        Arc::clone(&self.state)
    }

    /// The request's headers.
    #[must_use]
    pub const fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Whether the head of the answer alone is asked for.
    pub(crate) fn is_head(&self) -> bool {
        self.method == Method::HEAD
    }

    /// The path's segment `{token}`.
    pub(crate) fn token(&self) -> Option<&str> {
        self.segments.named("token")
    }

    /// The query string.
    #[must_use]
    pub const fn query(&self) -> &Query {
        &self.query
    }

    /// The id in the path's segment `{id}`.
    ///
    /// # Errors
    ///
    /// [`Failure::NotFound`] where it is no id: the same answer as for an id of nothing.
    pub fn id<I: FromStr<Err = IdError>>(&self) -> Result<I, Failure> {
        self.segments.named("id").and_then(|text| text.parse().ok()).ok_or(Failure::NotFound)
    }

    /// The tenant whose id is the path's segment `{tenant_id}`.
    ///
    /// # Errors
    ///
    /// [`Failure::NotFound`] where it is no id: the same answer as for an id of nothing.
    pub fn tenant_id(&self) -> Result<TenantId, Failure> {
        self.segments.named("tenant_id").and_then(|text| text.parse().ok()).ok_or(Failure::NotFound)
    }

    /// The address in the path's segment `{address}`.
    ///
    /// # Errors
    ///
    /// [`Failure::NotFound`] where it is no address: the same answer as for one of which nothing is known.
    pub fn address(&self) -> Result<Address, Failure> {
        self.segments.named("address").and_then(|text| text.parse().ok()).ok_or(Failure::NotFound)
    }

    /// The number of a version in the path's segment `{version}`.
    ///
    /// # Errors
    ///
    /// [`Failure::NotFound`] where it is no number: the same answer as for a version that there is not.
    pub fn version(&self) -> Result<u32, Failure> {
        self.segments.named("version").and_then(|text| text.parse().ok()).ok_or(Failure::NotFound)
    }

    /// The delivery whose id is the path's segment `{delivery_id}`.
    ///
    /// # Errors
    ///
    /// [`Failure::NotFound`] where it is no id: the same answer as for an id of nothing.
    pub fn delivery_id(&self) -> Result<WebhookDeliveryId, Failure> {
        self.segments.named("delivery_id").and_then(|text| text.parse().ok()).ok_or(Failure::NotFound)
    }

    /// Reads the body and makes `T` of it.
    ///
    /// # Errors
    ///
    /// [`Failure`] where the body is too large, too slow or no plain JSON, or where `read` refuses it.
    pub async fn read<T: Send + 'static>(&mut self, read: fn(&[u8]) -> Result<T, RequestError>) -> Result<T, Failure> {
        self.read_as(Media::Json, read).await
    }

    /// Reads the body, which is a mail, and makes `T` of it.
    ///
    /// # Errors
    ///
    /// [`Failure`] where the body is too large, too slow or not said to be a mail, or where `read` refuses it.
    pub async fn read_message<T: Send + 'static>(&mut self, read: fn(&[u8]) -> Result<T, Error>) -> Result<T, Failure> {
        self.read_as(Media::Message, read).await
    }

    async fn read_as<T, E>(&mut self, media: Media, read: fn(&[u8]) -> Result<T, E>) -> Result<T, Failure>
    where
        T: Send + 'static,
        E: Send + 'static,
        Failure: From<E>,
    {
        let octets = self.body.collect(&self.headers, media).await?;
        if octets.len() <= READ_HERE {
            return Ok(read(&octets)?);
        }
        let apart = tokio::task::spawn_blocking(move || read(&octets));
        Ok(apart.await.or(Err(Failure::Panicked))??)
    }
}
