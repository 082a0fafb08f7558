//! A tenant: whose mail, keys and settings are kept apart from everybody else's.

use time::OffsetDateTime;

use crate::{
    Address, Change, DisplayName, Dkim, DkimChange, DkimKey, Domain, DraftParts, FieldError, Mailbox, Name, Problem, RateLimit,
    RelayChange, RelayPassword, TenantId, TenantRelay, Tracking, TrackingChange,
};

/// A tenant.
#[derive(Clone, Debug)]
pub struct Tenant {
    /// Its id.
    pub id: TenantId,
    /// Whether it may send.
    pub status: TenantStatus,
    /// What the platform says of it.
    pub profile: TenantProfile,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it was last changed.
    pub updated_at: OffsetDateTime,
}

/// Whether a tenant may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TenantStatus {
    /// It may.
    Active,
    /// What it sends is refused, and what it has queued is held.
    Suspended {
        /// Since when.
        since: OffsetDateTime,
    },
}

/// What the platform says of a tenant: all that a request can set, but for the relay's password and the private key.
#[derive(Clone, Debug)]
pub struct TenantProfile {
    /// The name that people gave it.
    pub name: Name,
    /// The domain that its mail has to come from; absent: any.
    pub domain: Option<Domain>,
    /// What its mail says where the request does not.
    pub defaults: SenderDefaults,
    /// What of its mail is tracked.
    pub tracking: Tracking,
    /// Its own relay; absent: the server's.
    pub relay: Option<TenantRelay>,
    /// How its mail is signed; absent: as the server's.
    pub dkim: Option<Dkim>,
    /// The most that all its keys together may request; absent: the server's limit for each of them. No key of its own may have more.
    pub rate_limit: Option<RateLimit>,
    /// The most emails that it may send in a day (UTC); absent or 0: any number.
    pub emails_per_day: Option<u32>,
}

/// What an email says where its request does not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SenderDefaults {
    /// The name beside [that address](Self::from_address). It is put beside no other: a sender that a request names is taken as it stands.
    pub from_name: Option<DisplayName>,
    /// The address that it comes from.
    pub from_address: Option<Address>,
    /// Where answers go.
    pub reply_to: Option<Mailbox>,
}

impl SenderDefaults {
    /// Says what `parts` do not say: where an email comes from, and where answers go.
    #[must_use]
    pub fn fill(&self, mut parts: DraftParts) -> DraftParts {
        if parts.from.is_none() {
            parts.from = self.from_address.clone().map(|address| Mailbox::new(self.from_name.clone(), address));
        }
        if parts.reply_to.is_empty() {
            parts.reply_to.extend(self.reply_to.clone());
        }
        parts
    }
}

/// A tenant that is to be made.
#[derive(Clone, Debug)]
pub struct NewTenant {
    /// What is said of it.
    pub profile: TenantProfile,
    /// The password for its relay, where that has a user.
    pub relay_password: Option<RelayPassword>,
    /// The key that its mail is signed with, where there is to be one.
    pub dkim_key: Option<DkimKey>,
}

impl From<TenantProfile> for NewTenant {
    fn from(profile: TenantProfile) -> Self {
        Self { profile, relay_password: None, dkim_key: None }
    }
}

impl TenantProfile {
    /// The profile of a tenant of which nothing but its name is said.
    #[must_use]
    pub fn named(name: Name) -> Self {
        Self {
            name,
            domain: None,
            defaults: SenderDefaults::default(),
            tracking: Tracking::default(),
            relay: None,
            dkim: None,
            rate_limit: None,
            emails_per_day: None,
        }
    }

    /// Whether mail of this tenant may come from `address`, as far as its domain says.
    #[must_use]
    pub fn may_send_as(&self, address: &Address) -> bool {
        self.domain.as_ref().is_none_or(|domain| domain == address.domain())
    }

    /// The most emails that it may send in a day, where there is such a limit.
    #[must_use]
    pub fn daily_limit(&self) -> Option<u32> {
        self.emails_per_day.filter(|limit| *limit > 0)
    }

    /// Checks what the members say together.
    ///
    /// # Errors
    ///
    /// [`FieldError`] where the address that mail comes from by default is not at the domain that it has to come from, or where none of its mail
    /// could be signed with its key.
    pub fn consistent(self) -> Result<Self, FieldError> {
        match &self.defaults.from_address {
            Some(address) if !self.may_send_as(address) => Err(Problem::OutsideDomain.at("settings.from_address")),
            _ if self.signs_nothing() => Err(Problem::NotAligned.at("dkim.domain")),
            _ => Ok(self),
        }
    }

    /// Whether it has a key that counts for none of the mail that it may send.
    fn signs_nothing(&self) -> bool {
        let both = self.dkim.as_ref().zip(self.domain.as_ref());
        both.is_some_and(|(dkim, domain)| !dkim.is_aligned_with(domain))
    }
}

impl Tenant {
    /// Whether it may send.
    #[must_use]
    pub const fn is_active(&self) -> bool {
        matches!(self.status, TenantStatus::Active)
    }
}

/// A partial update of a [`TenantProfile`].
#[derive(Clone, Debug, Default)]
pub struct TenantChange {
    /// The name.
    pub name: Option<Name>,
    /// The domain that its mail has to come from.
    pub domain: Change<Domain>,
    /// The name beside the address.
    pub from_name: Change<DisplayName>,
    /// The address that its mail comes from by default.
    pub from_address: Change<Address>,
    /// Where answers go by default.
    pub reply_to: Change<Mailbox>,
    /// What of its mail is tracked.
    pub tracking: TrackingChange,
    /// Its own relay.
    pub relay: Change<RelayChange>,
    /// How its mail is signed.
    pub dkim: Change<DkimChange>,
    /// Its rate.
    pub rate_limit: Change<RateLimit>,
    /// The most emails in a day.
    pub emails_per_day: Change<u32>,
}

impl TenantChange {
    /// What becomes of the password for its relay.
    #[must_use]
    pub fn relay_password(&self) -> Change<RelayPassword> {
        match &self.relay {
            Change::Keep => Change::Keep,
            Change::Clear => Change::Clear,
            Change::Set(relay) => relay.pass.clone(),
        }
    }

    /// What becomes of the key that its mail is signed with.
    #[must_use]
    pub fn dkim_key(&self) -> Change<DkimKey> {
        DkimChange::key_after(&self.dkim)
    }

    /// The profile after the change.
    ///
    /// # Errors
    ///
    /// [`FieldError`] where the members do not fit together any more.
    pub fn apply(self, old: TenantProfile) -> Result<TenantProfile, FieldError> {
        let defaults = SenderDefaults {
            from_name: self.from_name.apply(old.defaults.from_name),
            from_address: self.from_address.apply(old.defaults.from_address),
            reply_to: self.reply_to.apply(old.defaults.reply_to),
        };
        let profile = TenantProfile {
            name: self.name.unwrap_or(old.name),
            domain: self.domain.apply(old.domain),
            defaults,
            tracking: self.tracking.apply(old.tracking),
            relay: relay_after(self.relay, old.relay)?,
            dkim: dkim_after(self.dkim, old.dkim)?,
            rate_limit: self.rate_limit.apply(old.rate_limit),
            emails_per_day: self.emails_per_day.apply(old.emails_per_day),
        };
        profile.consistent()
    }
}

fn relay_after(change: Change<RelayChange>, old: Option<TenantRelay>) -> Result<Option<TenantRelay>, FieldError> {
    match change {
        Change::Keep => Ok(old),
        Change::Clear => Ok(None),
        Change::Set(change) => change.apply(old.as_ref()).map(Some),
    }
}

fn dkim_after(change: Change<DkimChange>, old: Option<Dkim>) -> Result<Option<Dkim>, FieldError> {
    match change {
        Change::Keep => Ok(old),
        Change::Clear => Ok(None),
        Change::Set(change) => change.apply(old).map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile() -> TenantProfile {
        TenantProfile { domain: Some("shop.example".parse().unwrap()), ..TenantProfile::named("Acme".parse().unwrap()) }
    }

    #[test]
    fn mail_comes_from_the_domain_itself_and_from_no_other() {
        let may = |address: &str| profile().may_send_as(&address.parse().unwrap());
        assert!(may("a@shop.example") && may("b@SHOP.example"));
        assert!(!may("a@mail.shop.example") && !may("a@example") && !may("a@shop.example.evil.example") && !may("a@xshop.example"));
        let any = TenantProfile { domain: None, ..profile() };
        assert!(any.may_send_as(&"a@b.example".parse().unwrap()));
    }

    #[test]
    fn a_tenant_may_send_until_it_is_suspended() {
        let now = OffsetDateTime::UNIX_EPOCH;
        let tenant = |status| Tenant { id: TenantId::DEFAULT, status, profile: profile(), created_at: now, updated_at: now };
        assert!(tenant(TenantStatus::Active).is_active());
        assert!(!tenant(TenantStatus::Suspended { since: now }).is_active());
    }

    #[test]
    fn a_change_touches_what_it_names() {
        let change = TenantChange {
            from_address: Change::Set("a@shop.example".parse().unwrap()),
            emails_per_day: Change::Set(5),
            rate_limit: Change::Set(RateLimit::per_minute(3)),
            ..TenantChange::default()
        };
        let changed = change.apply(profile()).unwrap();
        assert_eq!((changed.name.as_str(), changed.emails_per_day), ("Acme", Some(5)));
        assert_eq!((changed.rate_limit, changed.defaults.from_name.is_none()), (Some(RateLimit::per_minute(3)), true));
        assert_eq!((changed.daily_limit(), TenantProfile { emails_per_day: Some(0), ..profile() }.daily_limit()), (Some(5), None));
        let cleared = TenantChange { emails_per_day: Change::Clear, name: Some("New".parse().unwrap()), ..TenantChange::default() };
        let cleared = cleared.apply(changed).unwrap();
        assert_eq!((cleared.emails_per_day, cleared.name.as_str()), (None, "New"));
        assert_eq!(cleared.defaults.from_address.unwrap().to_string(), "a@shop.example");
    }

    #[test]
    fn a_relay_is_kept_changed_or_dropped_with_its_password() {
        let relay = RelayChange { host: Some("smtp.example".parse().unwrap()), ..RelayChange::default() };
        let change = |relay| TenantChange { relay, ..TenantChange::default() };
        let with = change(Change::Set(relay.clone())).apply(profile()).unwrap();
        assert_eq!(with.relay.as_ref().map(|relay| relay.host.to_string()), Some("smtp.example".to_owned()));
        assert_eq!(change(Change::Keep).apply(with.clone()).unwrap().relay, with.relay);
        assert_eq!(change(Change::Clear).apply(with).unwrap().relay, None);
        let password = |relay| change(relay).relay_password();
        let secret = Change::Set("a-relay-s-password".parse().unwrap());
        assert!(password(Change::Keep).is_keep() && password(Change::Set(relay.clone())).is_keep());
        assert!(matches!(password(Change::Clear), Change::Clear));
        assert!(password(Change::Set(RelayChange { pass: secret, ..relay })).as_set().is_some());
    }

    #[test]
    fn defaults_say_what_a_request_does_not_and_change_nothing_that_it_says() {
        let defaults = SenderDefaults {
            from_name: Some("Acme, Inc".parse().unwrap()),
            from_address: Some("hello@shop.example".parse().unwrap()),
            reply_to: Some("Help <help@shop.example>".parse().unwrap()),
        };
        let parts = DraftParts::new("own@shop.example".parse().unwrap(), vec![], "s".parse().unwrap());
        let filled = |defaults: &SenderDefaults, from: Option<&str>, reply_to: &[&str]| {
            let (from, reply_to) = (from.map(|from| from.parse().unwrap()), reply_to.iter().map(|to| to.parse().unwrap()).collect());
            let filled = defaults.fill(DraftParts { from, reply_to, ..parts.clone() });
            (filled.from.map(|from| from.to_string()), filled.reply_to.iter().map(Mailbox::to_string).collect::<Vec<_>>())
        };
        let ours = Some("\"Acme, Inc\" <hello@shop.example>".to_owned());
        assert_eq!(filled(&defaults, None, &[]), (ours.clone(), vec!["Help <help@shop.example>".to_owned()]));
        assert_eq!(filled(&defaults, None, &["a@x.example", "b@x.example"]).1, ["a@x.example", "b@x.example"]);
        // A bare address has no name, even where it is the same.
        for own in ["own@shop.example", "hello@shop.example", "Me <own@shop.example>"] {
            assert_eq!(filled(&defaults, Some(own), &[]).0.as_deref(), Some(own));
        }
        let nameless = SenderDefaults { from_name: None, ..defaults.clone() };
        assert_eq!(filled(&nameless, None, &[]).0.as_deref(), Some("hello@shop.example"));
        let named = SenderDefaults { from_address: None, ..defaults };
        assert_eq!(filled(&named, None, &[]).0, None);
        assert_eq!(filled(&SenderDefaults::default(), None, &[]), (None, vec![]));
    }

    #[test]
    fn a_key_that_would_sign_none_of_the_mail_is_refused() {
        let key = || {
            let public = crate::DkimPublicKey::new(crate::DkimAlgorithm::RsaSha256, "AAAA".to_owned());
            DkimKey::new(zeroize::Zeroizing::new("canary".to_owned()), public)
        };
        let change = |domain: &str| {
            let (domain, selector) = (domain.parse().ok(), "s".parse().ok());
            TenantChange { dkim: Change::Set(DkimChange { domain, selector, key: Some(key()) }), ..TenantChange::default() }
        };
        assert_eq!(change("other.example").apply(profile()).unwrap_err(), Problem::NotAligned.at("dkim.domain"));
        let signing = change("shop.example").apply(profile()).unwrap();
        let moved = TenantChange { domain: Change::Set("new.example".parse().unwrap()), ..TenantChange::default() };
        assert_eq!(moved.clone().apply(signing.clone()).unwrap_err().field, "dkim.domain");
        let off = TenantChange { dkim: Change::Clear, ..moved };
        assert!(matches!(off.dkim_key(), Change::Clear));
        assert_eq!(off.apply(signing.clone()).unwrap().dkim, None);
        assert_eq!(TenantChange::default().apply(signing.clone()).unwrap().dkim, signing.dkim);
        assert!(change("shop.example").dkim_key().as_set().is_some() && TenantChange::default().dkim_key().is_keep());
        let any = TenantProfile { domain: None, ..profile() };
        assert!(change("other.example").apply(any).unwrap().dkim.is_some());
    }

    #[test]
    fn the_default_sender_has_to_be_at_the_domain() {
        let outside = TenantChange { from_address: Change::Set("a@other.example".parse().unwrap()), ..TenantChange::default() };
        assert_eq!(outside.apply(profile()).unwrap_err(), Problem::OutsideDomain.at("settings.from_address"));
    }
}
