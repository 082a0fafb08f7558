//! From a method and a path to a row of the route table.

use hyper::Method;
use percent_encoding::percent_decode_str;

use crate::route::Route;
use crate::{Failure, RouteInfo};

/// Every method that a path may take, in the order in which `Allow` names them.
pub(crate) const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// All routes, ready to be looked up.
pub struct Router<S> {
    paths: matchit::Router<usize>,
    resources: Vec<Resource<S>>,
}

/// What stands at one pattern.
pub(crate) struct Resource<S> {
    pub(crate) pattern: &'static str,
    routes: Vec<Route<S>>,
    /// The methods that it takes, `HEAD` and `OPTIONS` among them.
    pub(crate) allow: Vec<&'static str>,
}

/// The segments of a path that stand for a pattern's names, decoded.
#[derive(Debug, Default)]
pub(crate) struct Segments(Vec<(String, String)>);

/// Two rows of a route table cannot both stand.
#[derive(Debug, thiserror::Error)]
#[error("the route {method} {pattern} cannot stand beside the others")]
pub struct TableError {
    method: &'static str,
    pattern: &'static str,
    source: Option<matchit::InsertError>,
}

impl<S: 'static> Router<S> {
    /// The router of a table.
    ///
    /// # Errors
    ///
    /// [`TableError`] where a row is there twice, or two patterns contradict each other.
    pub fn new(routes: Vec<Route<S>>) -> Result<Self, TableError> {
        let mut router = Self { paths: matchit::Router::new(), resources: Vec::new() };
        for route in routes {
            router.add(route)?;
        }
        Ok(router)
    }

    /// Every row, as data.
    #[must_use]
    pub fn routes(&self) -> Vec<RouteInfo> {
        self.resources.iter().flat_map(|resource| resource.routes.iter().map(Route::info)).collect()
    }

    /// What stands at `path`.
    pub(crate) fn find(&self, path: &str) -> Result<(&Resource<S>, Segments), Failure> {
        let matched = self.paths.at(path).or(Err(Failure::NotFound))?;
        let resource = self.resources.get(*matched.value).ok_or(Failure::NotFound)?;
        // A segment that is no UTF-8 once decoded names nothing.
        let decode = |value: &str| percent_decode_str(value).decode_utf8().ok().map(|value| value.into_owned());
        let segments: Option<Vec<_>> = matched.params.iter().map(|(name, value)| Some((name.to_owned(), decode(value)?))).collect();
        Ok((resource, Segments(segments.ok_or(Failure::NotFound)?)))
    }

    fn add(&mut self, route: Route<S>) -> Result<(), TableError> {
        let (method, pattern) = (route.verb.as_str(), route.pattern);
        let found = self.resources.iter_mut().find(|resource| resource.pattern == pattern);
        if let Some(resource) = found {
            if resource.routes.iter().any(|known| known.verb == route.verb) {
                return Err(TableError { method, pattern, source: None });
            }
            resource.routes.push(route);
            resource.allow = allowed(&resource.routes);
            return Ok(());
        }
        let inserted = self.paths.insert(pattern, self.resources.len());
        inserted.map_err(|source| TableError { method, pattern, source: Some(source) })?;
        let routes = vec![route];
        self.resources.push(Resource { pattern, allow: allowed(&routes), routes });
        Ok(())
    }
}

impl<S> Resource<S> {
    /// The row for `method`; `HEAD` is `GET` without the body.
    pub(crate) fn route(&self, method: &Method) -> Result<&Route<S>, Failure> {
        let wanted = if method == Method::HEAD { Method::GET.as_str() } else { method.as_str() };
        let route = self.routes.iter().find(|route| route.verb.as_str() == wanted);
        route.ok_or_else(|| Failure::Method { allow: self.allow.clone() })
    }
}

impl Segments {
    /// The segment that stands for `name`.
    pub(crate) fn named(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

fn allowed<S>(routes: &[Route<S>]) -> Vec<&'static str> {
    let takes = |method: &str| routes.iter().any(|route| route.verb.as_str() == method);
    let follows = |method: &str| method == "OPTIONS" || (method == "HEAD" && takes("GET"));
    METHODS.into_iter().filter(|method| takes(method) || follows(method)).collect()
}

#[cfg(test)]
mod tests {
    use selfmx_auth::Principal;

    use super::*;
    use crate::{Answer, Call};

    struct Nobody;

    async fn handler(_call: Call<Nobody>) -> Answer {
        Err(Failure::NotFound)
    }

    async fn keyed(_principal: Principal, _call: Call<Nobody>) -> Answer {
        Err(Failure::NotFound)
    }

    fn router(patterns: &[&'static str]) -> Result<Router<Nobody>, TableError> {
        Router::new(patterns.iter().map(|pattern| Route::public(pattern, handler)).collect())
    }

    #[test]
    fn segments_are_decoded_and_static_ones_win() {
        let router = router(&["/keys", "/keys/me", "/keys/{id}"]).unwrap();
        let at =
            |path: &str| router.find(path).ok().map(|(resource, segments)| (resource.pattern, segments.named("id").map(str::to_owned)));
        assert_eq!(at("/keys/me"), Some(("/keys/me", None)));
        assert_eq!(at("/keys/a%20b"), Some(("/keys/{id}", Some("a b".to_owned()))));
        assert_eq!(at("/keys/a%2Fb"), Some(("/keys/{id}", Some("a/b".to_owned()))));
        for path in ["/keys/", "/keys/a/b", "/Keys", "/keys/%ff", "", "*", "/keys//"] {
            assert_eq!(at(path), None, "{path}");
        }
    }

    #[test]
    fn head_is_get_and_other_methods_are_named() {
        let router = router(&["/keys"]).unwrap();
        let (resource, _) = router.find("/keys").ok().unwrap();
        assert!(resource.route(&Method::GET).is_ok() && resource.route(&Method::HEAD).is_ok());
        assert_eq!(resource.allow, ["GET", "HEAD", "OPTIONS"]);
        assert!(matches!(resource.route(&Method::POST), Err(Failure::Method { .. })));
    }

    #[test]
    fn each_verb_finds_its_row_and_is_named_where_there_is_one() {
        let made = [Route::post, Route::delete, Route::put, Route::patch].map(|make| make("/keys", keyed));
        let router = Router::new(made.into_iter().chain([Route::get("/keys", keyed)]).collect()).ok().unwrap();
        let (resource, _) = router.find("/keys").ok().unwrap();
        assert_eq!(resource.allow, METHODS);
        for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            assert_eq!(resource.route(&method).ok().unwrap().verb.as_str(), method.as_str());
        }
        let router = Router::new(vec![Route::patch("/keys", keyed)]).ok().unwrap();
        assert_eq!(router.find("/keys").ok().unwrap().0.allow, ["PATCH", "OPTIONS"]);
        assert!(Router::new(vec![Route::put("/keys", keyed), Route::put("/keys", keyed)]).is_err());
    }

    #[test]
    fn a_row_that_is_there_twice_is_refused() {
        assert!(router(&["/keys", "/keys"]).is_err());
        assert!(router(&["/keys/{id}", "/keys/{key}"]).is_err());
        assert!(router(&["/keys/{id"]).is_err());
    }
}
