//! How the server is.

use selfmx_app::{App, HealthStatus};
use selfmx_wire::{Fine, HealthView};

use crate::{Answer, Call, Reply};

/// `GET /health`.
pub(crate) async fn health(call: Call<App>) -> Answer {
    let health = call.state().health().await;
    let status = match health.status {
        HealthStatus::Ok => "ok",
        HealthStatus::Degraded => "degraded",
    };
    Reply::ok(&HealthView {
        status,
        version: env!("CARGO_PKG_VERSION"),
        database: health.database,
        smtp: health.smtp,
        queue_depth: health.queue_depth,
        relays_paused: health.relays_paused,
        warnings: &health.warnings,
    })
}

/// `GET /health/live`: the process answers.
pub(crate) async fn live(_call: Call<App>) -> Answer {
    Reply::ok(&Fine::plain())
}

/// `GET /health/ready`: it should get requests.
pub(crate) async fn ready(call: Call<App>) -> Answer {
    call.state().ready().await?;
    Reply::ok(&Fine::plain())
}
