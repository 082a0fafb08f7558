//! The API's description.

use selfmx_app::App;

use crate::{Answer, Call, Reply, openapi};

/// `GET /openapi.json`.
pub(crate) async fn description(_call: Call<App>) -> Answer {
    Ok(Reply::still("application/json", openapi::written()))
}
