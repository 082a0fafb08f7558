//! Where a request comes from: what the audit log and a key's last use say of it.

use std::net::IpAddr;

use selfmx_domain::TraceId;

use crate::Secret;

/// Where a request comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The client's address.
    pub address: IpAddr,
    /// What the client says that it is (RFC 9110 section 10.1.5): at most [`MAX_USER_AGENT`](Self::MAX_USER_AGENT) visible characters and spaces.
    pub user_agent: Option<String>,
    /// The id under which the request stands in the log.
    pub request_id: String,
    /// The trace that the request belongs to.
    pub trace: Option<TraceId>,
}

impl Origin {
    /// How much of what a client says of itself is kept, in characters.
    pub const MAX_USER_AGENT: usize = 256;

    /// A request from `address`; of the user agent is kept what can be shown, and nothing where a key stands in it.
    #[must_use]
    pub fn new(address: IpAddr, user_agent: Option<&str>, request_id: &str) -> Self {
        let shown = |text: &str| text.chars().filter(|c| !c.is_control()).take(Self::MAX_USER_AGENT).collect::<String>();
        Self {
            address: address.to_canonical(),
            user_agent: user_agent.map(shown).filter(|text| !text.is_empty() && !Secret::is_in(text)),
            request_id: request_id.to_owned(),
            trace: None,
        }
    }

    /// The same as a part of a trace.
    #[must_use]
    pub fn traced(self, trace: TraceId) -> Self {
        Self { trace: Some(trace), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_agent_is_kept_as_far_as_it_can_be_shown() {
        let origin = |agent: Option<&str>| Origin::new("::ffff:192.0.2.1".parse().unwrap(), agent, "req").user_agent;
        assert_eq!(origin(Some("curl/8\r\n\u{1b}[31m")).as_deref(), Some("curl/8[31m"));
        assert_eq!(origin(Some(&"x".repeat(300))).map(|kept| kept.len()), Some(256));
        assert_eq!((origin(Some("\n")), origin(None)), (None, None));
        assert_eq!(origin(Some(&format!("curl/8 sk_test_{}", "z".repeat(49)))), None);
        assert_eq!(Origin::new("::ffff:192.0.2.1".parse().unwrap(), None, "r").address.to_string(), "192.0.2.1");
    }
}
