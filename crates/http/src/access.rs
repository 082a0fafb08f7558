//! Who may call a route: read off the type of its handler's first argument.

use selfmx_auth::{Denied, Permission, Permit, PlatformPermit, Principal, Scope};

/// Who may call a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// Anybody.
    Public,
    /// Whoever has a valid key.
    AnyKey,
    /// Whoever has a key that holds the permission.
    Permission(Permission),
    /// Whoever has a platform key that holds the permission.
    Platform(Permission),
}

/// What a handler may ask for as its first argument. It is the route's declaration of access:
///
/// ```
/// use selfmx_app::App;
/// use selfmx_auth::{Permission, Permit, needs};
/// use selfmx_http::{Access, Answer, Call, Failure, Route};
///
/// async fn declared(_permit: Permit<needs::Send>, _call: Call<App>) -> Answer { Err(Failure::NotFound) }
///
/// let route: Route<App> = Route::get("/v1/secrets", declared);
/// assert_eq!(route.info().access, Access::Permission(Permission::Send));
/// ```
///
/// A handler that asks for nothing is no handler of [`Route::get`](crate::Route::get) and its like:
///
/// ```compile_fail,E0593
/// use selfmx_app::App;
/// use selfmx_http::{Answer, Call, Failure, Route};
///
/// async fn undeclared(_call: Call<App>) -> Answer { Err(Failure::NotFound) }
///
/// let route: Route<App> = Route::get("/v1/secrets", undeclared);
/// ```
///
/// nor is one that asks for what proves nothing:
///
/// ```compile_fail,E0277
/// use selfmx_app::App;
/// use selfmx_auth::Secret;
/// use selfmx_http::{Answer, Call, Failure, Route};
///
/// async fn unproven(_secret: Secret, _call: Call<App>) -> Answer { Err(Failure::NotFound) }
///
/// let route: Route<App> = Route::get("/v1/secrets", unproven);
/// ```
pub trait Admit: Sized + Send + 'static {
    /// Whom it admits.
    const ACCESS: Access;

    /// The proof that `principal` may call.
    ///
    /// # Errors
    ///
    /// [`Denied`] names the permission that is missing.
    fn admit(principal: &Principal) -> Result<Self, Denied>;
}

impl Admit for Principal {
    const ACCESS: Access = Access::AnyKey;

    fn admit(principal: &Principal) -> Result<Self, Denied> {
        Ok(principal.clone())
    }
}

impl<P: Scope + 'static> Admit for Permit<P> {
    const ACCESS: Access = Access::Permission(P::PERMISSION);

    fn admit(principal: &Principal) -> Result<Self, Denied> {
        principal.permit()
    }
}

impl<P: Scope + 'static> Admit for PlatformPermit<P> {
    const ACCESS: Access = Access::Platform(P::PERMISSION);

    fn admit(principal: &Principal) -> Result<Self, Denied> {
        principal.platform_permit()
    }
}
