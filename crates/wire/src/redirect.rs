//! Where a tracked link leads on to.

use selfmx_domain::LinkTarget;
use serde::Serialize;

/// `{location}`: what the answer's `Location` says.
#[derive(Debug, Serialize)]
pub struct Redirect<'a> {
    location: &'a str,
}

impl<'a> Redirect<'a> {
    /// On to there.
    #[must_use]
    pub fn to(target: &'a LinkTarget) -> Self {
        Self { location: target.as_str() }
    }
}
