//! A tenant's own DKIM key: what a request says of it, and what is shown.

use selfmx_domain::{Change, Dkim, DkimChange, DkimKey, Problem};
use selfmx_mail::read_dkim_key;
use serde::Serialize;

use crate::RequestError;
use crate::fields::{Field, Member};
use crate::tenants::domain_name;

/// What `dkim` says: `{domain, selector, key}`.
pub(crate) fn read(member: Member<'_>) -> Result<Change<DkimChange>, RequestError> {
    member.change(|field| {
        let mut fields = field.object()?;
        let (domain, selector, key) = (fields.take("domain"), fields.take("selector"), fields.take("key"));
        fields.end()?;
        Ok(DkimChange {
            domain: domain.replacement(domain_name)?,
            selector: selector.replacement(Field::parsed)?,
            key: key.replacement(private_key)?,
        })
    })
}

fn private_key(field: Field<'_>) -> Result<DkimKey, RequestError> {
    field.converted(read_dkim_key, |field, problem: Problem| problem.at(field).into())
}

/// `{domain, selector, algorithm, dns_record}`: the private key is never shown.
#[derive(Debug, Serialize)]
pub(crate) struct DkimView<'a> {
    domain: &'a str,
    selector: &'a str,
    algorithm: &'static str,
    dns_record: RecordView,
}

/// The record that others verify by, as its domain has to publish it.
#[derive(Debug, Serialize)]
struct RecordView {
    #[serde(rename = "type")]
    kind: &'static str,
    name: String,
    value: String,
}

impl<'a> From<&'a Dkim> for DkimView<'a> {
    fn from(dkim: &'a Dkim) -> Self {
        Self {
            domain: dkim.domain.as_str(),
            selector: dkim.selector.as_str(),
            algorithm: dkim.public_key.algorithm().as_str(),
            dns_record: RecordView { kind: "TXT", name: dkim.record_name(), value: dkim.record_value() },
        }
    }
}

#[cfg(test)]
mod tests {
    use selfmx_domain::{NewTenant, Tenant, TenantChange, TenantId, TenantProfile, TenantStatus};
    use selfmx_testing::openssl;
    use serde_json::{Value, json};
    use time::macros::datetime;

    use crate::{CreateTenant, RequestError, TenantView, UpdateTenant};

    fn ed25519() -> String {
        openssl("genpkey -algorithm ed25519")
    }

    fn created(dkim: &Value) -> Result<NewTenant, RequestError> {
        CreateTenant::read(json!({"name": "Acme", "dkim": dkim}).to_string().as_bytes()).map(Into::into)
    }

    fn change(dkim: &Value) -> TenantChange {
        UpdateTenant::read(json!({"dkim": dkim}).to_string().as_bytes()).unwrap().into()
    }

    fn shown(profile: TenantProfile) -> Value {
        let at = datetime!(2026-01-02 03:04 UTC);
        let tenant = Tenant { id: TenantId::DEFAULT, status: TenantStatus::Active, profile, created_at: at, updated_at: at };
        serde_json::to_value(TenantView::from(&tenant)).unwrap()["dkim"].take()
    }

    #[test]
    fn a_key_is_read_and_shown_as_the_record_that_it_needs() {
        let pem = ed25519();
        let tenant = created(&json!({"domain": "BÜCHER.example", "selector": "Mail2026", "key": pem})).unwrap();
        assert_eq!(tenant.dkim_key.as_ref().unwrap().reveal(), pem);
        let secret = pem.lines().nth(1).unwrap();
        assert!(!format!("{tenant:?}").contains(secret));
        let public = tenant.dkim_key.as_ref().unwrap().public().to_string();
        let record =
            json!({"type": "TXT", "name": "mail2026._domainkey.xn--bcher-kva.example", "value": format!("v=DKIM1; k=ed25519; p={public}")});
        let view = json!({"domain": "xn--bcher-kva.example", "selector": "mail2026", "algorithm": "ed25519-sha256", "dns_record": record});
        assert_eq!(shown(tenant.profile), view);
        let rsa = created(&json!({"domain": "x.example", "selector": "s", "key": openssl("genrsa 2048")})).unwrap();
        let rsa = shown(rsa.profile);
        assert_eq!(rsa["algorithm"], "rsa-sha256");
        assert!(rsa["dns_record"]["value"].as_str().unwrap().starts_with("v=DKIM1; k=rsa; p=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A"), "{rsa}");
        assert_eq!(shown(created(&Value::Null).unwrap().profile), Value::Null);
    }

    #[test]
    fn a_change_merges_and_null_takes_the_key_away() {
        let old = created(&json!({"domain": "x.example", "selector": "a", "key": ed25519()})).unwrap().profile;
        let applied = |dkim: &Value| shown(change(dkim).apply(old.clone()).unwrap());
        assert_eq!(applied(&json!({})), shown(old.clone()));
        assert_eq!(applied(&Value::Null), Value::Null);
        let renamed = applied(&json!({"selector": "b"}));
        assert_eq!((&renamed["selector"], &renamed["dns_record"]["value"]), (&json!("b"), &shown(old.clone())["dns_record"]["value"]));
        let rotated = change(&json!({"selector": "b", "key": ed25519()}));
        assert!(rotated.dkim_key().as_set().is_some());
        assert_ne!(shown(rotated.apply(old.clone()).unwrap())["dns_record"]["value"], renamed["dns_record"]["value"]);
    }

    #[test]
    fn what_is_wrong_is_named_and_not_repeated() {
        let (good, weak) = (ed25519(), openssl("genrsa 1024"));
        for (dkim, field) in [
            (json!({}), "dkim.domain"),
            (json!({"domain": "x.example", "key": good}), "dkim.selector"),
            (json!({"domain": "x.example", "selector": "s"}), "dkim.key"),
            (json!({"domain": "x.example", "selector": "s", "key": null}), "dkim.key"),
            (json!({"domain": "x.example", "selector": "s", "key": weak}), "dkim.key"),
            (json!({"domain": "x.example", "selector": "s", "key": "canary"}), "dkim.key"),
            (json!({"domain": "x y", "selector": "s", "key": good}), "dkim.domain"),
            (json!({"domain": "x.example", "selector": "a_b", "key": good}), "dkim.selector"),
            (json!({"domain": "x.example", "selector": "s", "key": good, "algorithm": "rsa-sha256"}), "dkim.algorithm"),
            (json!("x.example"), "dkim"),
        ] {
            let error = created(&dkim).unwrap_err();
            assert_eq!(error.field(), Some(field), "{dkim}");
            let told = error.to_string();
            assert!(!told.contains("canary") && !told.contains(good.lines().nth(1).unwrap()), "{told}");
        }
        let told = created(&json!({"domain": "x.example", "selector": "s", "key": weak})).unwrap_err().to_string();
        assert!(told.contains("RSA of 2048 to 4096 bits"), "{told}");
        let other = json!({"name": "n", "domain": "a.example", "dkim": {"domain": "b.example", "selector": "s", "key": good}});
        assert_eq!(CreateTenant::read(other.to_string().as_bytes()).unwrap_err().field(), Some("dkim.domain"));
    }
}
