//! What is counted.

use selfmx_app::App;
use selfmx_metrics::Exposition;

use crate::credentials::{Presented, presented};
use crate::{Answer, Call, Failure, Reply};

/// `GET /metrics`: for whoever shows the operator's token, or for anybody where there is none.
pub(crate) async fn metrics(call: Call<App>) -> Answer {
    let shown = match presented(call.headers())? {
        Presented::Key(token) => Some(token),
        Presented::Nothing if !call.state().may_watch(None) => return Err(Failure::MissingToken),
        Presented::Nothing | Presented::Malformed => None,
    };
    if !call.state().may_watch(shown.as_ref()) {
        return Err(Failure::WrongToken);
    }
    Ok(Reply::octets(Exposition::MEDIA_TYPE, call.state().metrics().await.into_bytes()))
}
