//! Tracking: whether a tenant wants to be told that its mail was opened and its links were followed, and what is told then.

use crate::{Change, EmailId, EventKind, LinkTarget};

/// What of a tenant's mail is tracked; nothing unless it says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tracking {
    /// Whether its HTML gets a picture that tells when it is shown.
    pub opens: bool,
    /// Whether the links of its HTML lead through the server.
    pub clicks: bool,
}

impl Tracking {
    /// Whether anything is tracked.
    #[must_use]
    pub const fn is_on(self) -> bool {
        self.opens || self.clicks
    }
}

/// What a partial update says of [`Tracking`]; what is cleared is off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrackingChange {
    /// Of opens.
    pub opens: Change<bool>,
    /// Of clicks.
    pub clicks: Change<bool>,
}

impl TrackingChange {
    /// Nothing is tracked any more.
    pub const OFF: Self = Self { opens: Change::Clear, clicks: Change::Clear };

    /// What is tracked after the change.
    #[must_use]
    pub fn apply(self, old: Tracking) -> Tracking {
        let after = |change: Change<bool>, old| change.apply(Some(old)).unwrap_or_default();
        Tracking { opens: after(self.opens, old.opens), clicks: after(self.clicks, old.clicks) }
    }
}

/// Something that a reader of an email did, as a tracked picture or link tells it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tracked {
    /// The email.
    pub email: EmailId,
    /// The place of its only recipient; absent where it has several, who all got the same links.
    pub ordinal: Option<u8>,
    /// What was done.
    pub act: TrackedAct,
}

/// What a reader of an email did.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TrackedAct {
    /// Its pictures were fetched.
    Opened,
    /// A link was followed.
    Clicked(LinkTarget),
}

impl TrackedAct {
    /// The kind of event that it is.
    #[must_use]
    pub const fn kind(&self) -> EventKind {
        match self {
            Self::Opened => EventKind::Opened,
            Self::Clicked(_) => EventKind::Clicked,
        }
    }

    /// Where the link leads that was followed.
    #[must_use]
    pub const fn target(&self) -> Option<&LinkTarget> {
        match self {
            Self::Opened => None,
            Self::Clicked(target) => Some(target),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_touches_what_it_names_and_what_is_cleared_is_off() {
        let both = Tracking { opens: true, clicks: true };
        let change = |opens, clicks| TrackingChange { opens, clicks };
        assert_eq!(TrackingChange::default().apply(both), both);
        assert_eq!(TrackingChange::OFF.apply(both), Tracking::default());
        assert_eq!(change(Change::Keep, Change::Set(false)).apply(both), Tracking { opens: true, clicks: false });
        assert_eq!(change(Change::Set(true), Change::Keep).apply(Tracking::default()), Tracking { opens: true, clicks: false });
    }
}
