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

/// What a handler may ask for as its first argument. It is the route's declaration of access: a handler that asks for nothing is no handler of
/// [`Route::get`](crate::Route::get) and its like.
///
/// ```compile_fail
/// use selfmx_http::{Answer, Call, Route};
/// use selfmx_app::App;
///
/// async fn undeclared(call: Call<App>) -> Answer { unimplemented!() }
///
/// let route: Route<App> = Route::get("/v1/secrets", undeclared);
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
