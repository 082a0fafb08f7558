//! One row of the route table.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use selfmx_auth::{Denied, Permission, Principal};
use selfmx_domain::AuditAction;

use crate::{Access, Admit, Call, Failure, Reply};

/// What a handler answers.
pub type Answer = Result<Reply, Failure>;

/// A handler at work.
pub(crate) type Answering = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// A handler that holds the proof that its caller may call.
pub(crate) type Admitted<S> = Box<dyn FnOnce(Call<S>) -> Answering + Send>;

/// Decides whether a caller may call, and gives the handler that holds the proof.
pub(crate) type Gatekeeper<S> = dyn Fn(&Principal) -> Result<Admitted<S>, Denied> + Send + Sync;

/// A method that a route may have. `HEAD` and `OPTIONS` follow from them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Verb {
    /// The method's name.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// The way to a route's handler.
pub(crate) enum Entry<S> {
    /// Open to anybody.
    Public(Box<dyn Fn(Call<S>) -> Answering + Send + Sync>),
    /// Open to whom the handler's first argument admits.
    Keyed(Box<Gatekeeper<S>>),
}

/// How large a route's body may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodySize {
    Usual,
    Email,
}

/// For which tenant whoever calls a route acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ActsFor {
    /// Its key's own.
    Own,
    /// The one that the path's segment `{tenant_id}` names: for the platform alone.
    Named,
}

/// One row of the route table: a method, a pattern, who may call, and the handler.
pub struct Route<S> {
    pub(crate) verb: Verb,
    pub(crate) pattern: &'static str,
    pub(crate) access: Access,
    pub(crate) entry: Entry<S>,
    pub(crate) body: BodySize,
    pub(crate) parameters: &'static [&'static str],
    pub(crate) action: Option<AuditAction>,
    pub(crate) actor: ActsFor,
}

/// A row of the route table as data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteInfo {
    /// The method's name.
    pub method: &'static str,
    /// The path; `{name}` stands for one segment.
    pub pattern: &'static str,
    /// Who may call.
    pub access: Access,
    /// The query parameters that it takes.
    pub parameters: &'static [&'static str],
    /// Under which action its refusals stand in the audit log; none where they are not noted.
    pub action: Option<AuditAction>,
}

impl<S: 'static> Route<S> {
    /// `GET`, for whom the handler's first argument admits.
    pub fn get<A, F, Fut>(pattern: &'static str, handler: F) -> Self
    where
        A: Admit,
        F: Fn(A, Call<S>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Answer> + Send + 'static,
    {
        Self::keyed(Verb::Get, pattern, handler)
    }

    /// `POST`, for whom the handler's first argument admits.
    pub fn post<A, F, Fut>(pattern: &'static str, handler: F) -> Self
    where
        A: Admit,
        F: Fn(A, Call<S>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Answer> + Send + 'static,
    {
        Self::keyed(Verb::Post, pattern, handler)
    }

    /// `PUT`, for whom the handler's first argument admits.
    pub fn put<A, F, Fut>(pattern: &'static str, handler: F) -> Self
    where
        A: Admit,
        F: Fn(A, Call<S>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Answer> + Send + 'static,
    {
        Self::keyed(Verb::Put, pattern, handler)
    }

    /// `PATCH`, for whom the handler's first argument admits.
    pub fn patch<A, F, Fut>(pattern: &'static str, handler: F) -> Self
    where
        A: Admit,
        F: Fn(A, Call<S>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Answer> + Send + 'static,
    {
        Self::keyed(Verb::Patch, pattern, handler)
    }

    /// `DELETE`, for whom the handler's first argument admits.
    pub fn delete<A, F, Fut>(pattern: &'static str, handler: F) -> Self
    where
        A: Admit,
        F: Fn(A, Call<S>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Answer> + Send + 'static,
    {
        Self::keyed(Verb::Delete, pattern, handler)
    }

    /// `GET`, for anybody.
    pub fn public<F, Fut>(pattern: &'static str, handler: F) -> Self
    where
        F: Fn(Call<S>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Answer> + Send + 'static,
    {
        let entry = Entry::Public(Box::new(move |call| Box::pin(handler(call))));
        Self {
            verb: Verb::Get,
            pattern,
            access: Access::Public,
            entry,
            body: BodySize::Usual,
            parameters: &[],
            action: None,
            actor: ActsFor::Own,
        }
    }

    /// The same route with query parameters; others are refused.
    #[must_use]
    pub fn with_parameters(self, parameters: &'static [&'static str]) -> Self {
        Self { parameters, ..self }
    }

    /// The same route with room for an email and its files.
    #[must_use]
    pub fn with_email_body(self) -> Self {
        Self { body: BodySize::Email, ..self }
    }

    /// The same route for the tenant that the path's segment `{tenant_id}` names: whoever calls it needs a platform key with `*`, and then may there
    /// what the handler asks for.
    #[must_use]
    pub fn for_tenant(self) -> Self {
        Self { access: Access::Platform(Permission::All), actor: ActsFor::Named, ..self }
    }

    /// The same route as a management call: its refusals are noted in the audit log.
    #[must_use]
    pub fn audited(self, action: AuditAction) -> Self {
        Self { action: Some(action), ..self }
    }

    /// The route as data.
    #[must_use]
    pub const fn info(&self) -> RouteInfo {
        let Self { verb, pattern, access, parameters, action, .. } = self;
        RouteInfo { method: verb.as_str(), pattern, access: *access, parameters, action: *action }
    }

    fn keyed<A, F, Fut>(verb: Verb, pattern: &'static str, handler: F) -> Self
    where
        A: Admit,
        F: Fn(A, Call<S>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Answer> + Send + 'static,
    {
        let handler = Arc::new(handler);
        let entry = Entry::Keyed(Box::new(move |principal| {
            let admitted = A::admit(principal)?;
            let handler = Arc::clone(&handler);
            Ok(Box::new(move |call| Box::pin(handler(admitted, call))))
        }));
        Self { verb, pattern, access: A::ACCESS, entry, body: BodySize::Usual, parameters: &[], action: None, actor: ActsFor::Own }
    }
}
