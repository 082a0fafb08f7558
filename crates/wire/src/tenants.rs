//! Tenants: the requests that make and change one, and what is shown of them.

use selfmx_domain::{
    Address, Change, DisplayName, Domain, Mailbox, NewTenant, Problem, RateLimit, SenderDefaults, Tenant, TenantChange, TenantId,
    TenantProfile, TenantStatus, Tracking, TrackingChange,
};
use serde::Serialize;

use crate::RequestError;
use crate::fields::{Field, Fields, Member};
use crate::tenant_dkim::{self, DkimView};
use crate::tenant_relay::{self, RelayView};
use crate::tenant_tracking::{self, TrackingView};
use crate::timestamp::Timestamp;

/// The most emails in a day that can be said.
pub(crate) const MAX_PER_DAY: u32 = 1_000_000_000;

/// `POST /v1/tenants`: `{name, domain?, settings?: {from_name, from_address, reply_to, tracking}, smtp?: {host, port, user, pass, tls},
/// dkim?: {domain, selector, key}, rate_limit?: {requests_per_minute, emails_per_day}}`.
#[derive(Clone, Debug)]
pub struct CreateTenant(NewTenant);

impl CreateTenant {
    /// Reads the body.
    ///
    /// # Errors
    ///
    /// [`RequestError`] names the field that is unknown, missing or wrong.
    pub fn read(body: &[u8]) -> Result<Self, RequestError> {
        let mut fields = Fields::of_body(body)?;
        let (name, domain) = (fields.take("name"), fields.take("domain"));
        let (settings, rate_limit, smtp) = (fields.take("settings"), fields.take("rate_limit"), fields.take("smtp"));
        let dkim = fields.take("dkim");
        fields.end()?;
        let name = name.required()?.parsed()?;
        let (settings, limits) = (SettingsChange::read(settings)?, LimitsChange::read(rate_limit)?);
        let relay = tenant_relay::read(smtp)?.apply(None);
        let relay_password = relay.as_ref().and_then(|relay| relay.pass.clone().apply(None));
        let dkim = tenant_dkim::read(dkim)?.apply(None);
        let dkim_key = dkim.as_ref().and_then(|dkim| dkim.key.clone());
        let profile = TenantProfile {
            domain: domain.optional(domain_name)?,
            defaults: SenderDefaults {
                from_name: settings.from_name.apply(None),
                from_address: settings.from_address.apply(None),
                reply_to: settings.reply_to.apply(None),
            },
            tracking: settings.tracking.apply(Tracking::default()),
            relay: relay.map(|relay| relay.apply(None)).transpose()?,
            dkim: dkim.map(|dkim| dkim.apply(None)).transpose()?,
            rate_limit: limits.rate_limit.apply(None),
            emails_per_day: limits.emails_per_day.apply(None),
            ..TenantProfile::named(name)
        };
        Ok(Self(NewTenant { profile: profile.consistent()?, relay_password, dkim_key }))
    }
}

impl From<CreateTenant> for NewTenant {
    fn from(request: CreateTenant) -> Self {
        request.0
    }
}

/// `PUT` and `PATCH /v1/tenants/{tenant_id}`: what is to be changed (RFC 7396: `null` clears, and of an object only the named members change).
#[derive(Clone, Debug)]
pub struct UpdateTenant(TenantChange);

impl UpdateTenant {
    /// Reads the body.
    ///
    /// # Errors
    ///
    /// [`RequestError`] names the field that is unknown or wrong.
    pub fn read(body: &[u8]) -> Result<Self, RequestError> {
        let mut fields = Fields::of_body(body)?;
        let (name, domain) = (fields.take("name"), fields.take("domain"));
        let (settings, rate_limit, smtp) = (fields.take("settings"), fields.take("rate_limit"), fields.take("smtp"));
        let dkim = fields.take("dkim");
        fields.end()?;
        let (name, domain) = (name.replacement(Field::parsed)?, domain.change(domain_name)?);
        let (settings, limits) = (SettingsChange::read(settings)?, LimitsChange::read(rate_limit)?);
        Ok(Self(TenantChange {
            name,
            domain,
            from_name: settings.from_name,
            from_address: settings.from_address,
            reply_to: settings.reply_to,
            tracking: settings.tracking,
            relay: tenant_relay::read(smtp)?,
            dkim: tenant_dkim::read(dkim)?,
            rate_limit: limits.rate_limit,
            emails_per_day: limits.emails_per_day,
        }))
    }
}

impl From<UpdateTenant> for TenantChange {
    fn from(request: UpdateTenant) -> Self {
        request.0
    }
}

/// What `settings` says.
#[derive(Default)]
struct SettingsChange {
    from_name: Change<DisplayName>,
    from_address: Change<Address>,
    reply_to: Change<Mailbox>,
    tracking: TrackingChange,
}

impl SettingsChange {
    fn read(member: Member<'_>) -> Result<Self, RequestError> {
        let object = |field: Field<'_>| {
            let mut fields = field.object()?;
            let (name, address, reply_to) = (fields.take("from_name"), fields.take("from_address"), fields.take("reply_to"));
            let tracking = fields.take("tracking");
            fields.end()?;
            Ok(Self {
                from_name: name.change(Field::parsed)?,
                from_address: address.change(Field::parsed)?,
                reply_to: reply_to.change(Field::parsed)?,
                tracking: tenant_tracking::read(tracking)?,
            })
        };
        let cleared =
            Self { from_name: Change::Clear, from_address: Change::Clear, reply_to: Change::Clear, tracking: TrackingChange::OFF };
        Ok(of_object(member.change(object)?, cleared))
    }
}

/// What `rate_limit` says.
#[derive(Default)]
struct LimitsChange {
    rate_limit: Change<RateLimit>,
    emails_per_day: Change<u32>,
}

impl LimitsChange {
    fn read(member: Member<'_>) -> Result<Self, RequestError> {
        let object = |field: Field<'_>| {
            let mut fields = field.object()?;
            let (requests, emails) = (fields.take("requests_per_minute"), fields.take("emails_per_day"));
            fields.end()?;
            let rate = |field: Field<'_>| Ok(RateLimit::per_minute(field.integer(0..=RateLimit::MAX_PER_MINUTE)?));
            let emails_per_day = match emails.change(|field| field.integer(0..=MAX_PER_DAY))? {
                // No limit, which is what there is where nothing is said.
                Change::Set(0) => Change::Clear,
                change => change,
            };
            Ok(Self { rate_limit: requests.change(rate)?, emails_per_day })
        };
        Ok(of_object(member.change(object)?, Self { rate_limit: Change::Clear, emails_per_day: Change::Clear }))
    }
}

/// What a change of an object says of its members: `null` in its place is `null` for each of them.
pub(crate) fn of_object<T: Default>(change: Change<T>, cleared: T) -> T {
    match change {
        Change::Keep => T::default(),
        Change::Clear => cleared,
        Change::Set(members) => members,
    }
}

pub(crate) fn domain_name(field: Field<'_>) -> Result<Domain, RequestError> {
    let problem = Problem::NotOneOf("a domain name, such as `yourdomain.example`");
    field.converted(str::parse, |field, _: Problem| problem.at(field).into())
}

/// A tenant.
#[derive(Debug, Serialize)]
pub struct TenantView<'a> {
    id: String,
    name: &'a str,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    domain: Option<&'a str>,
    settings: SettingsView<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    smtp: Option<RelayView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dkim: Option<DkimView<'a>>,
    rate_limit: LimitsView,
    created_at: Timestamp,
    updated_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    suspended_at: Option<Timestamp>,
}

/// A tenant that is deleted: `{id, deleted: true}`.
#[derive(Debug, Serialize)]
pub struct TenantDeleted {
    id: String,
    deleted: bool,
}

impl TenantDeleted {
    /// The answer for a tenant that is deleted, now or before.
    #[must_use]
    pub fn new(id: TenantId) -> Self {
        Self { id: id.to_string(), deleted: true }
    }
}

/// What an email of the tenant's says where its request does not; what is not set is not shown.
#[derive(Debug, Serialize)]
struct SettingsView<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    from_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from_address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_to: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tracking: Option<TrackingView>,
}

/// The tenant's limits; what is not set is not shown.
#[derive(Debug, Serialize)]
struct LimitsView {
    #[serde(skip_serializing_if = "Option::is_none")]
    requests_per_minute: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    emails_per_day: Option<u32>,
}

impl<'a> From<&'a Tenant> for TenantView<'a> {
    fn from(tenant: &'a Tenant) -> Self {
        let (profile, defaults) = (&tenant.profile, &tenant.profile.defaults);
        let (status, suspended_at) = match tenant.status {
            TenantStatus::Active => ("active", None),
            TenantStatus::Suspended { since } => ("suspended", Some(Timestamp(since))),
        };
        Self {
            id: tenant.id.to_string(),
            name: profile.name.as_str(),
            status,
            domain: profile.domain.as_ref().map(Domain::as_str),
            settings: SettingsView {
                from_name: defaults.from_name.as_ref().map(DisplayName::as_str),
                from_address: defaults.from_address.as_ref().map(Address::to_string),
                reply_to: defaults.reply_to.as_ref().map(Mailbox::to_string),
                tracking: TrackingView::of(profile.tracking),
            },
            smtp: profile.relay.as_ref().map(RelayView::from),
            dkim: profile.dkim.as_ref().map(DkimView::from),
            rate_limit: LimitsView {
                requests_per_minute: profile.rate_limit.map(RateLimit::requests),
                emails_per_day: profile.emails_per_day,
            },
            created_at: Timestamp(tenant.created_at),
            updated_at: Timestamp(tenant.updated_at),
            suspended_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const WHOLE: &str = r#"{"name": " Acme ", "domain": "BÜCHER.example", "settings": {"from_name": "Shop", "from_address": "shop@bücher.example",
        "reply_to": "Help <help@acme.example>"}, "rate_limit": {"requests_per_minute": 0, "emails_per_day": 5}}"#;

    fn created(json: &str) -> TenantProfile {
        NewTenant::from(CreateTenant::read(json.as_bytes()).unwrap()).profile
    }

    fn changed(json: &str, old: &str) -> TenantProfile {
        TenantChange::from(UpdateTenant::read(json.as_bytes()).unwrap()).apply(created(old)).unwrap()
    }

    fn shown(profile: TenantProfile, status: TenantStatus) -> String {
        let (created_at, updated_at) = (datetime!(2026-01-02 03:04 UTC), datetime!(2026-01-03 03:04 UTC));
        let tenant = Tenant { id: TenantId::DEFAULT, status, profile, created_at, updated_at };
        serde_json::to_string(&TenantView::from(&tenant)).unwrap()
    }

    #[test]
    fn a_tenant_is_read_and_shown() {
        assert_eq!(
            shown(created(r#"{"name": " Acme "}"#), TenantStatus::Active),
            r#"{"id":"tenant_default","name":"Acme","status":"active","settings":{},"rate_limit":{},"created_at":"2026-01-02T03:04:00.000Z","updated_at":"2026-01-03T03:04:00.000Z"}"#
        );
        assert_eq!(
            shown(created(WHOLE), TenantStatus::Suspended { since: datetime!(2026-01-04 05:06 UTC) }),
            concat!(
                r#"{"id":"tenant_default","name":"Acme","status":"suspended","domain":"xn--bcher-kva.example","#,
                r#""settings":{"from_name":"Shop","from_address":"shop@xn--bcher-kva.example","reply_to":"Help <help@acme.example>"},"#,
                r#""rate_limit":{"requests_per_minute":0,"emails_per_day":5},"#,
                r#""created_at":"2026-01-02T03:04:00.000Z","updated_at":"2026-01-03T03:04:00.000Z","suspended_at":"2026-01-04T05:06:00.000Z"}"#
            )
        );
    }

    #[test]
    fn no_emails_per_day_is_no_limit() {
        assert_eq!(created(r#"{"name": "n", "rate_limit": {"emails_per_day": 0}}"#).emails_per_day, None);
        assert_eq!(changed(r#"{"rate_limit": {"emails_per_day": 0}}"#, WHOLE).emails_per_day, None);
        assert_eq!(created(r#"{"name": "n", "rate_limit": {"requests_per_minute": 0}}"#).rate_limit, Some(RateLimit::Unlimited));
    }

    #[test]
    fn a_change_merges_and_null_clears_one_member_or_the_whole_object() {
        let members = |json: &str| {
            let profile = changed(json, WHOLE);
            let defaults = profile.defaults;
            let set = [
                profile.domain.is_some(),
                defaults.from_name.is_some(),
                defaults.from_address.is_some(),
                defaults.reply_to.is_some(),
                profile.rate_limit.is_some(),
                profile.emails_per_day.is_some(),
            ];
            set.map(u8::from)
        };
        assert_eq!(members("{}"), [1, 1, 1, 1, 1, 1]);
        assert_eq!(members(r#"{"settings": {}, "rate_limit": {}}"#), [1, 1, 1, 1, 1, 1]);
        assert_eq!(members(r#"{"settings": null}"#), [1, 0, 0, 0, 1, 1]);
        assert_eq!(members(r#"{"settings": {"from_name": null}}"#), [1, 0, 1, 1, 1, 1]);
        assert_eq!(members(r#"{"settings": {"from_address": null, "reply_to": null}}"#), [1, 1, 0, 0, 1, 1]);
        assert_eq!(members(r#"{"domain": null, "rate_limit": {"requests_per_minute": null}}"#), [0, 1, 1, 1, 0, 1]);
        assert_eq!(members(r#"{"rate_limit": {"emails_per_day": null}}"#), [1, 1, 1, 1, 1, 0]);
        assert_eq!(members(r#"{"rate_limit": null}"#), [1, 1, 1, 1, 0, 0]);
        let renamed = changed(r#"{"name": "New", "settings": {"from_name": "Other"}}"#, WHOLE);
        assert_eq!((renamed.name.as_str(), renamed.defaults.from_name.unwrap().as_str()), ("New", "Other"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (rest, field) in [
            (r#""nickname": "x""#, "nickname"),
            (r#""domain": "shop@acme.example""#, "domain"),
            (r#""domain": """#, "domain"),
            (r#""domain": ["acme.example"]"#, "domain"),
            (r#""settings": "x""#, "settings"),
            (r#""settings": {"from": "x"}"#, "settings.from"),
            (r#""settings": {"from_name": "a\nb"}"#, "settings.from_name"),
            (r#""settings": {"from_address": "Shop <a@b.example>"}"#, "settings.from_address"),
            (r#""settings": {"reply_to": ["a@b.example"]}"#, "settings.reply_to"),
            (r#""rate_limit": 5"#, "rate_limit"),
            (r#""rate_limit": {"per_minute": 5}"#, "rate_limit.per_minute"),
            (r#""rate_limit": {"requests_per_minute": -1}"#, "rate_limit.requests_per_minute"),
            (r#""rate_limit": {"requests_per_minute": 1000001}"#, "rate_limit.requests_per_minute"),
            (r#""rate_limit": {"emails_per_day": 1.5}"#, "rate_limit.emails_per_day"),
            (r#""rate_limit": {"emails_per_day": 1000000001}"#, "rate_limit.emails_per_day"),
        ] {
            let create = CreateTenant::read(format!("{{\"name\": \"n\", {rest}}}").as_bytes()).unwrap_err();
            let update = UpdateTenant::read(format!("{{{rest}}}").as_bytes()).unwrap_err();
            assert_eq!((create.field(), update.field()), (Some(field), Some(field)), "{rest}");
        }
        assert_eq!(CreateTenant::read(b"{}").unwrap_err(), Problem::Missing.at("name").into());
        assert_eq!(UpdateTenant::read(br#"{"name": null}"#).unwrap_err().field(), Some("name"));
        let outside = CreateTenant::read(br#"{"name": "n", "domain": "a.example", "settings": {"from_address": "x@b.example"}}"#);
        assert_eq!(outside.unwrap_err(), Problem::OutsideDomain.at("settings.from_address").into());
    }
}
