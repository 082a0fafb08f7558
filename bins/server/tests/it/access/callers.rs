//! Everybody who can ask: each permission in the hands of each kind of key, alive, revoked, expired, switched off and in the wrong place, and those without a valid key.

use selfmx_auth::{Permission, Secret};
use selfmx_domain::Mode;
use selfmx_testing::OsEntropy;
use serde_json::json;

use crate::process::KEY;
use crate::world::World;

/// A permission's name stands for a key that holds it alone; this for one that holds none.
pub(crate) const NONE: &str = "none";

/// An address that is on everybody's suppression list.
pub(crate) const SUPPRESSED: &str = "everywhere@suppressed.example";

/// Somebody who asks.
pub(crate) struct Caller {
    /// Whose key it is: `platform`, `owner`, `other`; or what is presented instead of a valid key.
    pub(crate) who: &'static str,
    /// What the key holds; nothing for those without a valid key.
    pub(crate) holds: &'static str,
    /// What is presented.
    pub(crate) secret: Option<String>,
}

/// The tenants of the keys.
pub(crate) struct Tenants {
    pub(crate) owner: String,
    pub(crate) other: String,
}

impl Tenants {
    pub(crate) async fn make(world: &World) -> Self {
        let tenants = Self { owner: world.tenant("Owner").await, other: world.tenant("Other").await };
        for tenant in ["tenant_default", &tenants.owner, &tenants.other] {
            let made = world.post(&format!("/v1/tenants/{tenant}/suppressions"), &json!({"address": SUPPRESSED})).await;
            assert_eq!(made.status, 201, "{}", made.json());
        }
        tenants
    }
}

/// What a key may hold here: each permission alone, or none.
pub(crate) fn holdings() -> Vec<&'static str> {
    Permission::ALL.iter().map(|permission| permission.as_str()).chain([NONE]).collect()
}

/// All of them.
pub(crate) async fn everybody(world: &World, tenants: &Tenants) -> Vec<Caller> {
    let mut callers = vec![Caller { who: "operator", holds: "*", secret: Some(KEY.to_owned()) }];
    for (who, tenant) in [("platform", None), ("owner", Some(&tenants.owner)), ("other", Some(&tenants.other))] {
        for holds in holdings() {
            for state in ["live", "revoked", "expired", "disabled", "elsewhere"] {
                // A key that holds nothing cannot be made, and one that has expired neither: both become it below.
                let permission = if holds == NONE { "send" } else { holds };
                let wanted = json!({"name": format!("{holds} {state}"), "permissions": [permission], "tenant_id": tenant});
                let key = world.key(wanted).await;
                if state == "revoked" {
                    assert_eq!(world.server.ask("DELETE", &format!("/v1/api-keys/{}", key.id), Some(KEY), None).await.status, 200);
                }
                callers.push(Caller { who: if state == "live" { who } else { state }, holds, secret: Some(key.secret) });
            }
        }
    }
    world.database.execute("UPDATE api_keys SET permissions = '{}' WHERE name LIKE 'none %'").await;
    world.database.execute("UPDATE api_keys SET expires_at = now() - interval '1 second' WHERE name LIKE '% expired'").await;
    world.database.execute("UPDATE api_keys SET enabled = false WHERE name LIKE '% disabled'").await;
    world.database.execute("UPDATE api_keys SET allowed_ips = '{192.0.2.0/24}' WHERE name LIKE '% elsewhere'").await;
    callers.extend(strangers(&callers.last().unwrap().secret.clone().unwrap()));
    callers
}

/// Those whose key is none, was mistyped (as `known` is here), or was made elsewhere.
fn strangers(known: &str) -> [Caller; 4] {
    let stranger = |who, secret| Caller { who, holds: "", secret };
    let last = if known.ends_with('x') { "y" } else { "x" };
    [
        stranger("no key", None),
        stranger("malformed", Some("nonsense".to_owned())),
        stranger("bad checksum", Some(format!("{}{last}", &known[..known.len() - 1]))),
        stranger("unknown", Some(Secret::generate(Mode::Live, &OsEntropy).reveal().to_owned())),
    ]
}
