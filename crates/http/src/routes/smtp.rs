//! The relay.

use selfmx_app::App;
use selfmx_auth::{Permit, needs};
use selfmx_wire::Fine;

use crate::{Answer, Call, Reply};

/// `POST /v1/test-smtp`.
pub(crate) async fn test(permit: Permit<needs::All>, call: Call<App>) -> Answer {
    let message = call.state().smtp_test(&permit).await?;
    Reply::ok(&Fine::with_message(&message))
}
