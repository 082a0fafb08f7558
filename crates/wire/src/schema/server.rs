//! The server itself: its health, its audit log, its errors.

use selfmx_domain::{AuditAction, AuditOutcome};
use serde_json::{Value, json};

use super::Named;
use super::shape::{Object, always, count, id, list, named, nullable, number, said, string, text, time, word};
use crate::ErrorCode;

/// All that is shown of the server.
pub(super) fn shapes() -> Vec<Named> {
    let fine = Object::new("All is well.").has("status", always("ok")).may("message", text("What was found."));
    let code = said(word(ErrorCode::ALL.iter().map(|code| code.as_str())), "What a program looks at. Codes are never renamed.");
    vec![
        ("Health", health()),
        ("Fine", fine.into_json()),
        ("AuditEntry", audit_entry()),
        ("ErrorCode", code),
        ("Error", error()),
        ("Redirect", Object::new("Where a tracked link leads on to.").has("location", string()).into_json()),
        ("OpenApi", json!({"type": "object", "description": "An OpenAPI document: this one."})),
    ]
}

fn health() -> Value {
    Object::new("How the server is.")
        .has("status", word(["ok", "degraded"]))
        .has("version", string())
        .has("database", word(["ok", "unreachable"]))
        .has("smtp", word(["ok", "untried", "unreachable", "held", "capture"]))
        .has("queue_depth", said(nullable(count()), "How many emails have something left to do; `null`: the database does not answer."))
        .has("relays_paused", said(count(), "How many relays cannot be used until somebody changes something."))
        .may("warnings", said(list(string()), "What an operator should put right."))
        .into_json()
}

fn audit_entry() -> Value {
    let key = Object::new("").has("type", always("api_key")).has("id", id("key")).may("tenant_id", id("tenant"));
    let operator = Object::new("").has("type", always("operator"));
    Object::new("A change, or a management call that was refused.")
        .has("id", id("log"))
        .has("timestamp", time())
        .has("action", word(AuditAction::ALL.iter().map(|action| action.as_str())))
        .has("outcome", word([AuditOutcome::Done.as_str(), AuditOutcome::Refused.as_str()]))
        .may("code", text("Why it was refused."))
        .has("actor", json!({"anyOf": [key.into_json(), operator.into_json()]}))
        .has("tenant_id", id("tenant"))
        .has("target", nullable(string()))
        .has("address", nullable(string()))
        .has("user_agent", nullable(string()))
        .has("request_id", nullable(string()))
        .has("before", json!({"description": "What it was, without secrets."}))
        .has("after", json!({"description": "What it is now, without secrets."}))
        .into_json()
}

fn error() -> Value {
    let details = Object::new("")
        .has("code", named("ErrorCode"))
        .has("message", text("What is wrong, for people."))
        .may("field", text("The path of the field, or the parameter, that is at fault."))
        .has("docs", text("Where the code is explained."))
        .has("request_id", text("Under which the server's log has it."))
        .may("template", text("The template in which it is."))
        .may("part", word(["subject", "html", "text", "from", "reply_to"]))
        .may("line", number(1, u32::MAX.into()))
        .may("column", number(1, u32::MAX.into()));
    Object::new("Every error has this shape.").has("error", details.into_json()).into_json()
}
