//! Tracking: the picture and the links that tell who reads a mail, and what is read from them when they are asked for.
//!
//! Nothing is kept of a link: it holds all that it tells, and a signature. Whoever has no key makes none, so that nobody is led anywhere but where a
//! mail of this server led.

mod find;
mod rewrite;
mod token;

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::hmac::{HMAC_SHA256, Key};
use selfmx_domain::{EmailId, LinkTarget, PublicUrl, Tracked, TrackedAct, Tracking};

/// Makes tracked links, and reads them.
pub struct Tracker {
    base: Option<PublicUrl>,
    /// The first of them signs.
    keys: Vec<Key>,
}

/// What the links of one email are made of.
#[derive(Clone, Debug)]
pub struct Tracks {
    tracker: Arc<Tracker>,
    tracking: Tracking,
    email: EmailId,
    ordinal: Option<u8>,
}

impl Tracker {
    /// For what the keys are that sign links, where they are derived from others.
    pub const KEYS: &str = "tracking links 1";

    /// A tracker whose links begin with `base`, signed by the first of `keys`. All of them are accepted. Without `base` it makes none.
    pub fn new<K: AsRef<[u8]>>(base: Option<PublicUrl>, keys: impl IntoIterator<Item = K>) -> Self {
        Self { base, keys: keys.into_iter().map(|key| Key::new(HMAC_SHA256, key.as_ref())).collect() }
    }

    /// Where links would lead.
    #[must_use]
    pub const fn base(&self) -> Option<&PublicUrl> {
        self.base.as_ref()
    }

    /// What an email to so many recipients is tracked by; nothing where nothing of it is to be tracked, or nothing can be.
    #[must_use]
    pub fn tracks(self: &Arc<Self>, tracking: Tracking, email: EmailId, recipients: usize) -> Option<Tracks> {
        let makes = tracking.is_on() && self.base.is_some();
        makes.then(|| Tracks { tracker: Arc::clone(self), tracking, email, ordinal: (recipients == 1).then_some(0) })
    }

    /// What a link or a picture tells by its token. `None`: it is none of ours.
    #[must_use]
    pub fn read(&self, token: &str) -> Option<Tracked> {
        token::read(&self.keys, token)
    }

    fn made(&self, path: &str, tracked: &Tracked) -> Option<String> {
        let (base, key) = (self.base.as_ref()?, self.keys.first()?);
        Some(format!("{base}{path}{}", token::write(key, tracked)))
    }
}

impl Tracks {
    /// The HTML with the picture and the links, as far as they are asked for; all else of it is octet for octet what it was.
    #[must_use]
    pub fn rewritten(&self, html: &str) -> String {
        rewrite::rewritten(html, self)
    }

    /// How all links begin that lead to the server.
    fn own(&self) -> String {
        self.tracker.base.as_ref().map(|base| format!("{base}/t/")).unwrap_or_default()
    }

    fn link(&self, target: LinkTarget) -> Option<String> {
        self.made("/t/c/", TrackedAct::Clicked(target))
    }

    fn picture(&self) -> Option<String> {
        let url = self.made("/t/o/", TrackedAct::Opened)?;
        Some(format!("<img src=\"{url}\" width=\"1\" height=\"1\" alt=\"\" style=\"border:0\">"))
    }

    fn made(&self, path: &str, act: TrackedAct) -> Option<String> {
        self.tracker.made(path, &Tracked { email: self.email, ordinal: self.ordinal, act })
    }
}

impl fmt::Debug for Tracker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracker").field("base", &self.base).finish_non_exhaustive()
    }
}
