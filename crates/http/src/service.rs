//! One request, from its head to its answer.

use std::convert::Infallible;
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt as _;
use hyper::body::Incoming;
use hyper::header::{CACHE_CONTROL, CONTENT_LENGTH, HeaderValue, ORIGIN, USER_AGENT};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use selfmx_app::{Refusal, Standing};
use selfmx_auth::{Origin, Principal};
use selfmx_domain::{ApiKeyId, TraceId, is_id};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tracing::Instrument as _;

use crate::activity::Activity;
use crate::body::Body;
use crate::client_address::client_address;
use crate::reply::Outgoing;
use crate::route::{ActsFor, Entry, Gatekeeper, Route};
use crate::router::{METHODS, Segments};
use crate::shared::Shared;
use crate::{Answer, Call, Doorkeeper, Failure, HeadFault, Query, Reply, access_log, cors, credentials, host, marks, rate_headers};

/// How many requests of one connection may be worked on at once, those whose client has lost interest among them.
pub(crate) const MAX_REQUESTS: usize = 128;

/// What the requests of one connection have in common.
pub(crate) struct Connection<S> {
    shared: Arc<Shared<S>>,
    peer: IpAddr,
    activity: Arc<Activity>,
    requests: Arc<Semaphore>,
}

/// What is known of a request for the log and the headers, filled in as it becomes known.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// The pattern of its route.
    pub(crate) pattern: Option<&'static str>,
    /// The key that asks.
    pub(crate) key: Option<ApiKeyId>,
    /// How its rate limit stands.
    pub(crate) standing: Option<Standing>,
}

impl<S: Doorkeeper> Connection<S> {
    /// A connection from `peer`.
    pub(crate) fn new(shared: Arc<Shared<S>>, peer: IpAddr, activity: Arc<Activity>) -> Arc<Self> {
        Arc::new(Self { shared, peer, activity, requests: Arc::new(Semaphore::new(MAX_REQUESTS)) })
    }

    /// Answers a request, which is refused where its head has a `fault`.
    ///
    /// The work goes on when the client has gone: what was begun is finished, and its end is in the log.
    pub(crate) fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
        fault: Option<HeadFault>,
    ) -> impl Future<Output = Result<Response<Outgoing>, Infallible>> + Send + 'static {
        let work = self.activity.work();
        let place = Arc::clone(&self.requests).try_acquire_owned();
        let (head, body) = request.into_parts();
        let working = self.shared.tasks.spawn({
            let connection = Arc::clone(&self);
            async move {
                let begin = Instant::now();
                let state = &connection.shared.state;
                let id = marks::request_id(&head.headers, |id| state.is_operators(id), state.clock(), state.entropy());
                let trace = marks::trace(&head.headers, state.entropy());
                let span = tracing::info_span!("request", request_id = %id, trace_id = %trace);
                let refused = match (fault, &place) {
                    (Some(fault), _) => Some(fault.into()),
                    (None, Err(_)) => Some(Failure::Busy),
                    (None, Ok(_)) => None,
                };
                let response = connection.logged(begin, (&id, trace), head, body, refused).instrument(span).await;
                drop((work, place));
                response
            }
        });
        async move { Ok(working.await.unwrap_or_else(|_| self.stopped())) }
    }

    /// The answer with all that every answer has, and its line in the log.
    async fn logged(
        &self,
        begin: Instant,
        (id, trace): (&str, TraceId),
        head: Parts,
        body: Incoming,
        refused: Option<Failure>,
    ) -> Response<Outgoing> {
        let (method, origin) = (head.method.clone(), head.headers.get(ORIGIN).cloned());
        let client = client_address(self.peer, &head.headers, &self.shared.settings.trusted_proxies);
        let mut known = Known::default();
        let answer = match refused {
            Some(failure) => Err(failure),
            None => AssertUnwindSafe(self.handled(head, body, (client, id, trace), &mut known))
                .catch_unwind()
                .await
                .unwrap_or(Err(Failure::Panicked)),
        };
        // What a client does not take is to fill no more memory than there is room.
        let held = answer.and_then(|reply| reply.hold(&self.shared.answers).map(|room| (reply, room)));
        let (mut reply, room) = held.unwrap_or_else(|failure| {
            access_log::failed(&failure);
            self.shared.counts.failed(failure.code());
            known.standing = failure.standing().or(known.standing);
            (failure.reply(id), None)
        });
        if let Some(standing) = &known.standing {
            rate_headers::tell(&mut reply.headers, standing, self.shared.state.clock().now());
        }
        let route = (access_log::name(&method), known.pattern.unwrap_or(access_log::NOWHERE));
        self.shared.counts.answered(route, reply.status, begin.elapsed());
        access_log::line(route, &known, reply.status, begin, client, (id, trace));
        cors::admit(&mut reply.headers, origin.as_ref(), &self.shared.settings.cors_origins);
        if let Ok(id) = HeaderValue::from_str(id) {
            reply = reply.with(marks::REQUEST_ID, id);
        }
        self.outgoing(reply.with(CACHE_CONTROL, HeaderValue::from_static("no-store")), room, &method)
    }

    /// From the head to the handler, in the contract's order of checks.
    async fn handled(&self, head: Parts, body: Incoming, from: (IpAddr, &str, TraceId), known: &mut Known) -> Answer {
        host::check(&head)?;
        if head.method == Method::OPTIONS && head.uri.path() == "*" {
            return cors::options(&head.headers, &METHODS);
        }
        let (resource, segments) = self.shared.router.find(head.uri.path())?;
        known.pattern = Some(resource.pattern);
        if head.method == Method::OPTIONS {
            return cors::options(&head.headers, &resource.allow);
        }
        self.called(resource.route(&head.method)?, head, segments, body, from, known).await
    }

    async fn called(
        &self,
        route: &Route<S>,
        head: Parts,
        segments: Segments,
        body: Incoming,
        (client, id, trace): (IpAddr, &str, TraceId),
        known: &mut Known,
    ) -> Answer {
        let bounds = self.shared.bounds(route.body);
        bounds.check_declared(&head.headers)?;
        let body = Body::new(body, bounds, Arc::clone(&self.shared.room));
        let state = Arc::clone(&self.shared.state);
        match &route.entry {
            Entry::Public(handler) => handler(Call::new(state, (head.method, head.headers), segments, Query::default(), body)).await,
            Entry::Keyed(admit) => {
                let presented = credentials::presented(&head.headers)?;
                let agent = head.headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
                let origin = Arc::new(Origin::new(client, agent, id).traced(trace));
                let principal = credentials::sign_in(&*state, presented, origin).await?;
                known.key = Some(principal.key().id);
                known.standing = state.spend(&principal)?;
                // Whatever else stands there is the caller's own words.
                let target = segments.named("id").or_else(|| segments.named("tenant_id")).filter(|text| is_id(text)).map(str::to_owned);
                let (mut actor, from) = (principal, (head, segments, body));
                let answer = self.admitted(admit, &mut actor, route, from).await;
                if let (Err(failure), Some(action)) = (&answer, route.action)
                    && failure.is_refusal()
                {
                    state.refused(&actor, Refusal { action, code: failure.code().as_str(), target }).await;
                }
                answer
            }
        }
    }

    /// From the permission to the handler. The actor acts for the tenant that the path names from the moment at which it may.
    async fn admitted(
        &self,
        admit: &Gatekeeper<S>,
        actor: &mut Principal,
        route: &Route<S>,
        (head, segments, body): (Parts, Segments, Body),
    ) -> Answer {
        if let ActsFor::Named = route.actor {
            *actor = self.acting(actor, &segments).await?;
        }
        let admitted = admit(actor)?;
        let query = Query::read(head.uri.query(), route.parameters)?;
        admitted(Call::new(Arc::clone(&self.shared.state), (head.method, head.headers), segments, query, body)).await
    }

    /// The caller, acting for the tenant that the path names.
    async fn acting(&self, principal: &Principal, segments: &Segments) -> Result<Principal, Failure> {
        let permit = principal.platform_permit()?;
        let tenant = segments.named("tenant_id").and_then(|text| text.parse().ok()).ok_or(Failure::NotFound)?;
        Ok(self.shared.state.acting_for(&permit, tenant).await?)
    }

    fn outgoing(&self, reply: Reply, room: Option<OwnedSemaphorePermit>, method: &Method) -> Response<Outgoing> {
        let Reply { status, mut headers, mut body, stream } = reply;
        let activity = Arc::clone(&self.activity);
        let outgoing = match stream {
            Some(parts) if *method != Method::HEAD => Outgoing::stream(parts, activity, self.shared.drain.clone()),
            _ => {
                if *method == Method::HEAD && stream.is_none() {
                    headers.insert(CONTENT_LENGTH, body.len().into());
                }
                if *method == Method::HEAD {
                    body.clear();
                }
                Outgoing::new(body, activity, room)
            }
        };
        let mut response = Response::new(outgoing);
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response
    }

    /// The answer where the runtime stopped the work: the server is at its end.
    fn stopped(&self) -> Response<Outgoing> {
        let reply = Reply { status: StatusCode::SERVICE_UNAVAILABLE, headers: HeaderMap::new(), body: Default::default(), stream: None };
        self.outgoing(reply, None, &Method::GET)
    }
}
