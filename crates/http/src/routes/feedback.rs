//! Reports of bounces and complaints, as a relay hands them on.

use selfmx_app::App;
use selfmx_auth::{Permit, needs};
use selfmx_wire::FeedbackView;

use crate::{Answer, Call, Reply};

/// `POST /v1/feedback`.
pub(crate) async fn report(permit: Permit<needs::All>, mut call: Call<App>) -> Answer {
    let report = call.read_message(App::feedback_read).await?;
    let results = call.state().feedback_record(&permit, &report).await?;
    Reply::ok(&FeedbackView::new(&report, &results))
}
