//! Tracking: what an email's links and its picture are made of, and what is done with what they tell.

use selfmx_auth::{Permit, needs};
use selfmx_domain::{Draft, EmailId, Problem, Tracked, Tracking};
use selfmx_mail::Tracks;

use crate::{App, Error};

impl App {
    /// What a tracked link or picture tells by its token. `None`: it is none of this server's. No database is asked.
    #[must_use]
    pub fn tracked_read(&self, token: &str) -> Option<Tracked> {
        self.tracker.read(token)
    }

    /// Notes that somebody followed a link or saw a picture. It is written later, so that nobody is kept waiting for it; of more than there is room for
    /// it is counted and lost.
    pub fn tracked_noted(&self, tracked: Tracked) {
        self.store.tracked_noted(tracked);
    }

    /// What an email is tracked by, where its tenant wants that and it has HTML.
    pub(crate) fn tracks(&self, permit: &Permit<needs::Send>, draft: &Draft, id: EmailId) -> Option<Tracks> {
        draft.body().html()?;
        self.tracker.tracks(permit.tenant_then().profile.tracking, id, draft.recipients().iter().len())
    }

    /// That what is to be tracked can be.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] where the server does not know how it is reached.
    pub(crate) fn trackable(&self, asked: Tracking) -> Result<(), Error> {
        match self.tracker.base() {
            None if asked.is_on() => Err(Problem::NoPublicUrl.at("settings.tracking").into()),
            _ => Ok(()),
        }
    }

    /// Whether some tenant's mail goes out untracked that is to be tracked. An answer that cannot be had is none.
    pub(crate) async fn untracked(&self) -> bool {
        self.tracker.base().is_none() && self.store.tracking_wanted().await.unwrap_or_default()
    }
}
