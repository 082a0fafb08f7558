//! Tenants as rows: from the table's types to ours.

use diesel::{AsChangeset, Insertable, Queryable, Selectable};
use selfmx_domain::{Dkim, DkimPublicKey, RateLimit, SenderDefaults, Tenant, TenantId, TenantProfile, TenantRelay, TenantStatus, Tracking};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::Error;
use crate::schema::tenants;

/// A tenant's row, but for its relay's password and its private key.
#[derive(Queryable, Selectable)]
#[diesel(table_name = tenants, check_for_backend(diesel::pg::Pg))]
pub(crate) struct TenantRow {
    id: Uuid,
    name: String,
    created_at: OffsetDateTime,
    suspended_at: Option<OffsetDateTime>,
    domain: Option<String>,
    from_name: Option<String>,
    from_address: Option<String>,
    reply_to: Option<String>,
    requests_per_minute: Option<i32>,
    emails_per_day: Option<i32>,
    relay_host: Option<String>,
    relay_port: Option<i32>,
    relay_user: Option<String>,
    relay_tls: Option<bool>,
    dkim_domain: Option<String>,
    dkim_selector: Option<String>,
    dkim_algorithm: Option<String>,
    dkim_public_key: Option<String>,
    updated_at: OffsetDateTime,
    track_opens: bool,
    track_clicks: bool,
}

impl TenantRow {
    pub(crate) fn into_tenant(self) -> Result<Tenant, Error> {
        let number = |column: Option<i32>| column.map(u32::try_from).transpose().or(Err(Error::Unreadable("tenants.limits")));
        let defaults = SenderDefaults {
            from_name: self.from_name.map(|text| parsed(&text, "tenants.from_name")).transpose()?,
            from_address: self.from_address.map(|text| parsed(&text, "tenants.from_address")).transpose()?,
            reply_to: self.reply_to.map(|text| parsed(&text, "tenants.reply_to")).transpose()?,
        };
        let profile = TenantProfile {
            name: parsed(&self.name, "tenants.name")?,
            domain: self.domain.map(|text| parsed(&text, "tenants.domain")).transpose()?,
            defaults,
            tracking: Tracking { opens: self.track_opens, clicks: self.track_clicks },
            relay: relay_of(self.relay_host, self.relay_port, self.relay_user, self.relay_tls)?,
            dkim: dkim_of(self.dkim_domain, self.dkim_selector, self.dkim_algorithm, self.dkim_public_key)?,
            rate_limit: number(self.requests_per_minute)?.map(RateLimit::per_minute),
            emails_per_day: number(self.emails_per_day)?,
        };
        let status = self.suspended_at.map_or(TenantStatus::Active, |since| TenantStatus::Suspended { since });
        Ok(Tenant { id: TenantId::from_uuid(self.id), status, profile, created_at: self.created_at, updated_at: self.updated_at })
    }
}

/// The columns that a request can set, but for the relay's password and the private key.
#[derive(AsChangeset, Insertable)]
#[diesel(table_name = tenants, check_for_backend(diesel::pg::Pg), treat_none_as_null = true)]
pub(crate) struct ProfileRow {
    name: String,
    domain: Option<String>,
    from_name: Option<String>,
    from_address: Option<String>,
    reply_to: Option<String>,
    requests_per_minute: Option<i32>,
    emails_per_day: Option<i32>,
    relay_host: Option<String>,
    relay_port: Option<i32>,
    relay_user: Option<String>,
    relay_tls: Option<bool>,
    dkim_domain: Option<String>,
    dkim_selector: Option<String>,
    dkim_algorithm: Option<&'static str>,
    dkim_public_key: Option<String>,
    track_opens: bool,
    track_clicks: bool,
}

impl ProfileRow {
    pub(crate) fn of(profile: &TenantProfile) -> Self {
        let number = |limit: u32| i32::try_from(limit).unwrap_or(i32::MAX);
        let (defaults, relay, dkim) = (&profile.defaults, profile.relay.as_ref(), profile.dkim.as_ref());
        Self {
            name: profile.name.to_string(),
            domain: profile.domain.as_ref().map(ToString::to_string),
            from_name: defaults.from_name.as_ref().map(|name| name.as_str().to_owned()),
            from_address: defaults.from_address.as_ref().map(ToString::to_string),
            reply_to: defaults.reply_to.as_ref().map(ToString::to_string),
            requests_per_minute: profile.rate_limit.map(|limit| number(limit.requests())),
            emails_per_day: profile.emails_per_day.map(number),
            relay_host: relay.map(|relay| relay.host.to_string()),
            relay_port: relay.map(|relay| i32::from(relay.port)),
            relay_user: relay.and_then(|relay| relay.user.as_ref()).map(|user| user.as_str().to_owned()),
            relay_tls: relay.map(|relay| relay.tls),
            dkim_domain: dkim.map(|dkim| dkim.domain.to_string()),
            dkim_selector: dkim.map(|dkim| dkim.selector.to_string()),
            dkim_algorithm: dkim.map(|dkim| dkim.public_key.algorithm().as_str()),
            dkim_public_key: dkim.map(|dkim| dkim.public_key.to_string()),
            track_opens: profile.tracking.opens,
            track_clicks: profile.tracking.clicks,
        }
    }
}

/// The relay of a row's columns.
pub(crate) fn relay_of(
    host: Option<String>,
    port: Option<i32>,
    user: Option<String>,
    tls: Option<bool>,
) -> Result<Option<TenantRelay>, Error> {
    let Some(((host, port), tls)) = host.zip(port).zip(tls) else { return Ok(None) };
    Ok(Some(TenantRelay {
        host: parsed(&host, "tenants.relay_host")?,
        port: u16::try_from(port).or(Err(Error::Unreadable("tenants.relay_port")))?,
        user: user.map(|text| parsed(&text, "tenants.relay_user")).transpose()?,
        tls,
    }))
}

/// The key's name and public half of a row's columns.
pub(crate) fn dkim_of(
    domain: Option<String>,
    selector: Option<String>,
    algorithm: Option<String>,
    public_key: Option<String>,
) -> Result<Option<Dkim>, Error> {
    let Some((((domain, selector), algorithm), public_key)) = domain.zip(selector).zip(algorithm).zip(public_key) else {
        return Ok(None);
    };
    Ok(Some(Dkim {
        domain: parsed(&domain, "tenants.dkim_domain")?,
        selector: parsed(&selector, "tenants.dkim_selector")?,
        public_key: DkimPublicKey::new(parsed(&algorithm, "tenants.dkim_algorithm")?, public_key),
    }))
}

fn parsed<T: std::str::FromStr>(text: &str, column: &'static str) -> Result<T, Error> {
    text.parse().or(Err(Error::Unreadable(column)))
}
