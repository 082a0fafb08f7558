//! The API's description, for programs and for people.

use hyper::header::{CONTENT_SECURITY_POLICY, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use selfmx_app::App;

use crate::{Answer, Call, Reply, docs, openapi};

/// `GET /openapi.json`.
pub(crate) async fn description(_call: Call<App>) -> Answer {
    Ok(Reply::still("application/json", openapi::written()))
}

/// `GET /docs`: every route.
pub(crate) async fn reference(_call: Call<App>) -> Answer {
    Ok(page(docs::reference()))
}

/// `GET /docs/errors`: every error, under the anchor that errors name.
pub(crate) async fn errors(_call: Call<App>) -> Answer {
    Ok(page(docs::errors()))
}

fn page(html: &'static str) -> Reply {
    let page = Reply::still(docs::MEDIA_TYPE, html).with(CONTENT_SECURITY_POLICY, HeaderValue::from_static(docs::POLICY));
    page.with(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"))
}
