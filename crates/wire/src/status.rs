//! What the server says of itself: its health, and a test of its relay.

use serde::Serialize;

/// `GET /health`: `{status, version, database, smtp, queue_depth, relays_paused}`.
#[derive(Debug, Serialize)]
pub struct HealthView<'a> {
    /// `ok` or `degraded`.
    pub status: &'static str,
    /// The server's version.
    pub version: &'a str,
    /// `ok` or `unreachable`.
    pub database: &'static str,
    /// What is known of the relay.
    pub smtp: &'static str,
    /// How many emails wait; `null` where the database cannot say.
    pub queue_depth: Option<u64>,
    /// How many relays cannot be used until somebody changes something, those of tenants' own among them.
    pub relays_paused: u64,
    /// What an operator should put right; absent where there is nothing.
    #[serde(skip_serializing_if = "no_warnings")]
    pub warnings: &'a [&'a str],
}

/// The answer of a probe or a test that went well: `{"status": "ok"}`, with a message where there is one.
#[derive(Debug, Serialize)]
pub struct Fine<'a> {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
}

/// The methods that a path takes: the answer to `OPTIONS`.
#[derive(Debug, Serialize)]
pub struct Allowed<'a> {
    /// The methods' names.
    pub allow: &'a [&'static str],
}

impl<'a> Fine<'a> {
    /// All is well.
    #[must_use]
    pub const fn plain() -> Self {
        Self { status: "ok", message: None }
    }

    /// All is well, and here is what was found.
    #[must_use]
    pub const fn with_message(message: &'a str) -> Self {
        Self { status: "ok", message: Some(message) }
    }
}

fn no_warnings(warnings: &&[&str]) -> bool {
    warnings.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shapes_are_the_contract_s() {
        let health = HealthView {
            status: "ok",
            version: "0.1.0",
            database: "ok",
            smtp: "capture",
            queue_depth: Some(0),
            relays_paused: 0,
            warnings: &[],
        };
        assert_eq!(
            serde_json::to_string(&health).unwrap(),
            r#"{"status":"ok","version":"0.1.0","database":"ok","smtp":"capture","queue_depth":0,"relays_paused":0}"#
        );
        let warnings = ["fsync is off"];
        let degraded = HealthView { status: "degraded", database: "unreachable", queue_depth: None, warnings: &warnings, ..health };
        assert!(
            serde_json::to_string(&degraded).unwrap().ends_with(r#""queue_depth":null,"relays_paused":0,"warnings":["fsync is off"]}"#)
        );
        assert_eq!(serde_json::to_string(&Fine::plain()).unwrap(), r#"{"status":"ok"}"#);
        assert_eq!(serde_json::to_string(&Fine::with_message("250 Ok")).unwrap(), r#"{"status":"ok","message":"250 Ok"}"#);
        assert_eq!(serde_json::to_string(&Allowed { allow: &["GET"] }).unwrap(), r#"{"allow":["GET"]}"#);
    }
}
