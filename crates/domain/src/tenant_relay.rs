//! A tenant's own relay: where it is, how it is spoken to, and how a request changes that without its password going astray.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use zeroize::Zeroizing;

use crate::text::header_safe;
use crate::{Change, Domain, FieldError, Problem};

/// A tenant's own relay. Its password is kept apart, sealed; there is one where there is a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantRelay {
    /// Where it is.
    pub host: RelayHost,
    /// The TCP port.
    pub port: u16,
    /// The user name, where the relay asks for one.
    pub user: Option<RelayUser>,
    /// Whether the connection is protected by TLS: from the start on port 465, by STARTTLS on any other.
    pub tls: bool,
}

impl TenantRelay {
    /// The port where the request names none (RFC 6409 section 3.1).
    pub const USUAL_PORT: u16 = 587;

    /// Whether a password goes with it.
    #[must_use]
    pub const fn has_password(&self) -> bool {
        self.user.is_some()
    }

    /// Whether a password that was given for `self` may be used with `other`: it goes to nobody else, and in no other way.
    fn shares_password_with(&self, other: &Self) -> bool {
        (&self.host, self.port, &self.user, self.tls) == (&other.host, other.port, &other.user, other.tls)
    }
}

/// A host name as A-labels, or an IP address without brackets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayHost(String);

impl RelayHost {
    /// The host as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The address, where it is one.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        self.0.parse().ok()
    }
}

impl FromStr for RelayHost {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self(address.to_string()));
        }
        let domain: Domain = text.parse().or(Err(Problem::NotAHost))?;
        // What ends in a number is an IPv4 address to some resolvers, in a spelling of which there are many (RFC 3696 section 2).
        let last = domain.as_str().rsplit('.').next().unwrap_or_default();
        let hexadecimal = last.strip_prefix("0x").is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        if hexadecimal { Err(Problem::NotAHost) } else { Ok(Self(domain.to_string())) }
    }
}

impl fmt::Display for RelayHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The user name for a relay: 1..256 characters, none of them a control character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayUser(String);

impl RelayUser {
    /// The longest user name, in characters.
    pub const MAX_CHARACTERS: usize = 256;

    /// The user name as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RelayUser {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        header_safe(text, Self::MAX_CHARACTERS)?;
        Ok(Self(text.to_owned()))
    }
}

/// The password for a relay: 1..1024 characters, none of them a control character. It is never shown, and overwritten when it is dropped.
#[derive(Clone)]
pub struct RelayPassword(Zeroizing<String>);

impl RelayPassword {
    /// The longest password, in characters.
    pub const MAX_CHARACTERS: usize = 1024;

    /// The password itself, to seal it or to give it to its relay.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl FromStr for RelayPassword {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        header_safe(text, Self::MAX_CHARACTERS)?;
        Ok(Self(Zeroizing::new(text.to_owned())))
    }
}

impl fmt::Debug for RelayPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RelayPassword(hidden)")
    }
}

/// A partial update of a [`TenantRelay`], or all of a new one.
#[derive(Clone, Debug, Default)]
pub struct RelayChange {
    /// Where it is.
    pub host: Option<RelayHost>,
    /// The TCP port; cleared: the usual one.
    pub port: Change<u16>,
    /// The user name.
    pub user: Change<RelayUser>,
    /// The password.
    pub pass: Change<RelayPassword>,
    /// Whether there is TLS; cleared: there is.
    pub tls: Change<bool>,
}

impl RelayChange {
    /// The relay after the change.
    ///
    /// # Errors
    ///
    /// [`FieldError`] where there is no host, where of user and password one is missing, where they would go over the network in clear, or where
    /// a kept password would go elsewhere than it was given for.
    pub fn apply(self, old: Option<&TenantRelay>) -> Result<TenantRelay, FieldError> {
        let host = self.host.or_else(|| old.map(|old| old.host.clone())).ok_or_else(|| Problem::Missing.at("smtp.host"))?;
        let relay = TenantRelay {
            host,
            port: self.port.apply(old.map(|old| old.port)).unwrap_or(TenantRelay::USUAL_PORT),
            user: self.user.apply(old.and_then(|old| old.user.clone())),
            tls: self.tls.apply(old.map(|old| old.tls)).unwrap_or(true),
        };
        let kept = old.filter(|old| old.has_password() && self.pass.is_keep());
        let has_password = kept.is_some() || self.pass.as_set().is_some();
        match (relay.user.is_some(), has_password) {
            (true, false) => return Err(Problem::Alone("`smtp.user`").at("smtp.pass")),
            (false, true) => return Err(Problem::Alone("`smtp.pass`").at("smtp.user")),
            (true, true) if !relay.tls => return Err(Problem::ClearCredentials.at("smtp.tls")),
            _ => {}
        }
        match kept {
            Some(old) if !old.shares_password_with(&relay) => Err(Problem::PasswordElsewhere.at("smtp.pass")),
            _ => Ok(relay),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(text: &str) -> RelayChange {
        RelayChange { host: Some(text.parse().unwrap()), ..RelayChange::default() }
    }

    fn login(change: RelayChange, user: &str, pass: &str) -> RelayChange {
        RelayChange { user: Change::Set(user.parse().unwrap()), pass: Change::Set(pass.parse().unwrap()), ..change }
    }

    fn old() -> TenantRelay {
        login(host("smtp.shop.example"), "u", "p").apply(None).unwrap()
    }

    fn refused(change: RelayChange, old: Option<&TenantRelay>) -> (String, Problem) {
        let error = change.apply(old).unwrap_err();
        (error.field, error.problem)
    }

    #[test]
    fn a_host_is_a_name_or_an_address_in_its_one_spelling() {
        for (text, host) in [
            ("SMTP.Bücher.example", "smtp.xn--bcher-kva.example"),
            ("localhost", "localhost"),
            ("192.0.2.1", "192.0.2.1"),
            ("2001:DB8:0::1", "2001:db8::1"),
        ] {
            assert_eq!(text.parse::<RelayHost>().unwrap().as_str(), host);
        }
        assert_eq!("192.0.2.1".parse::<RelayHost>().unwrap().address(), "192.0.2.1".parse().ok());
        assert_eq!("a.example".parse::<RelayHost>().unwrap().address(), None);
        for text in [
            "",
            "a b",
            "a.example:25",
            "[::1]",
            "[127.0.0.1]",
            "0x7f.1",
            "127.1",
            "127.0.1",
            "2130706433",
            "0x7f000001",
            "127.0.0.0x1",
            "0x",
            "::1%lo",
            "a.example/x",
            "u@a.example",
            "a\r\nb",
            "127.0.0.01",
            "017700000001",
        ] {
            assert_eq!(text.parse::<RelayHost>(), Err(Problem::NotAHost), "{text:?}");
        }
    }

    #[test]
    fn a_new_relay_needs_a_host_and_has_tls() {
        assert_eq!(refused(RelayChange::default(), None), ("smtp.host".to_owned(), Problem::Missing));
        let relay = host("a.example").apply(None).unwrap();
        assert_eq!((relay.port, relay.tls, relay.has_password()), (587, true, false));
        assert!(old().has_password());
    }

    #[test]
    fn user_and_password_go_together_and_never_in_clear() {
        let user = RelayChange { user: Change::Set("u".parse().unwrap()), ..host("a.example") };
        let pass = RelayChange { pass: Change::Set("p".parse().unwrap()), ..host("a.example") };
        assert_eq!(refused(user, None).0, "smtp.pass");
        assert_eq!(refused(pass, None).0, "smtp.user");
        let no_pass = RelayChange { pass: Change::Clear, ..RelayChange::default() };
        assert_eq!(refused(no_pass.clone(), Some(&old())).0, "smtp.pass");
        assert_eq!(refused(RelayChange { user: Change::Clear, ..RelayChange::default() }, Some(&old())).0, "smtp.user");
        assert!(!RelayChange { user: Change::Clear, ..no_pass }.apply(Some(&old())).unwrap().has_password());
        let clear = RelayChange { tls: Change::Set(false), ..host("a.example") };
        assert!(!clear.clone().apply(None).unwrap().tls);
        assert_eq!(refused(login(clear, "u", "p"), None), ("smtp.tls".to_owned(), Problem::ClearCredentials));
    }

    #[test]
    fn a_kept_password_goes_nowhere_else() {
        let elsewhere = [
            host("smtp.evil.example"),
            RelayChange { port: Change::Set(2525), ..RelayChange::default() },
            RelayChange { user: Change::Set("v".parse().unwrap()), ..RelayChange::default() },
        ];
        for change in elsewhere {
            let given = RelayChange { pass: Change::Set("p".parse().unwrap()), ..change.clone() };
            assert_eq!(refused(change, Some(&old())), ("smtp.pass".to_owned(), Problem::PasswordElsewhere));
            assert!(given.apply(Some(&old())).is_ok());
        }
        let clear = RelayChange { tls: Change::Set(false), ..RelayChange::default() };
        assert_eq!(refused(clear, Some(&old())).1, Problem::ClearCredentials);
        let same = RelayChange { port: Change::Clear, tls: Change::Clear, ..host("SMTP.shop.example") };
        assert_eq!(same.apply(Some(&old())).unwrap(), old());
        let bare = host("a.example").apply(None).unwrap();
        assert!(host("b.example").apply(Some(&bare)).is_ok(), "there is no password to be careful with");
    }

    #[test]
    fn a_password_is_not_shown() {
        let change = login(host("a.example"), "u", "canary");
        assert!(!format!("{change:?}").contains("canary"));
        for wrong in ["", "a\0b", "a\nb", &"p".repeat(1025)] {
            assert!(wrong.parse::<RelayPassword>().is_err(), "{wrong:?}");
        }
    }
}
