//! What is said of each route, noun by noun.

mod emails;
mod keys;
mod server;
mod templates;
mod tenants;
mod webhooks;

use super::Operation;

/// What is said of each route, under the headings under which it stands.
pub(crate) fn operations() -> impl Iterator<Item = Operation> {
    let headings: [(&'static str, &'static [Operation]); 9] = [
        ("Sending", emails::SENDING),
        ("Emails", emails::READING),
        ("Feedback", emails::FEEDBACK),
        ("Suppressions", emails::SUPPRESSIONS),
        ("Templates", templates::TEMPLATES),
        ("Webhooks", webhooks::WEBHOOKS),
        ("API keys", keys::KEYS),
        ("Tenants", tenants::TENANTS),
        ("Server", server::SERVER),
    ];
    headings.into_iter().flat_map(|(tag, operations)| operations.iter().map(move |operation| Operation { tag, ..*operation }))
}
