//! Tracked pictures and links: for whoever reads a mail, without a key.

use hyper::header::{HeaderName, HeaderValue, LOCATION, REFERRER_POLICY};
use selfmx_app::App;
use selfmx_domain::{Tracked, TrackedAct};
use selfmx_wire::Redirect;

use crate::{Answer, Call, Failure, Reply};

/// A transparent picture of one pixel (GIF89a).
const PICTURE: &[u8] = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff!\xf9\x04\x01\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;";

/// What it is.
pub(crate) const PICTURE_TYPE: &str = "image/gif";

const ROBOTS: HeaderName = HeaderName::from_static("x-robots-tag");

/// `GET /t/o/{token}`: the picture, and that it was asked for.
pub(crate) async fn open(call: Call<App>) -> Answer {
    let tracked = told(&call)?;
    if tracked.act != TrackedAct::Opened {
        return Err(Failure::NotFound);
    }
    noted(&call, tracked);
    Ok(discreet(Reply::octets(PICTURE_TYPE, PICTURE.to_vec())))
}

/// `GET /t/c/{token}`: on to where the link leads, and that it was followed.
pub(crate) async fn click(call: Call<App>) -> Answer {
    let tracked = told(&call)?;
    let target = tracked.act.target().ok_or(Failure::NotFound)?;
    // It is visible ASCII, so that it is a header's value; one that were none would lead nowhere.
    let location = HeaderValue::from_str(target.as_str()).or(Err(Failure::NotFound))?;
    let reply = Reply::found(&Redirect::to(target))?.with(LOCATION, location);
    noted(&call, tracked);
    Ok(discreet(reply))
}

/// What the token in the path tells: whatever has none of ours is not there.
fn told(call: &Call<App>) -> Result<Tracked, Failure> {
    call.token().and_then(|token| call.state().tracked_read(token)).ok_or(Failure::NotFound)
}

/// Whoever asks for the head alone has seen nothing.
fn noted(call: &Call<App>, tracked: Tracked) {
    if !call.is_head() {
        call.state().tracked_noted(tracked);
    }
}

/// Where a reader came from is nobody's business, and none of this is to be found.
fn discreet(reply: Reply) -> Reply {
    reply.with(REFERRER_POLICY, HeaderValue::from_static("no-referrer")).with(ROBOTS, HeaderValue::from_static("noindex"))
}
