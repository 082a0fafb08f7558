//! Templates.

use selfmx_domain::TemplateContent;
use serde_json::{Value, json};

use super::Named;
use super::send::{body, deleted, flag_that};
use super::shape::{Object, always, flag, id, kept, list, name as named_so, nullable, number, said, string, time};

/// All that is asked and shown of templates.
pub(super) fn shapes() -> Vec<Named> {
    let data = json!({"type": "object", "description": "What the template's variables stand for."});
    let version = Object::new("A version of a template.").has("version", version()).has("name", string()).has("created_at", time());
    let valid = Object::new("A template that can be used.")
        .has("valid", always(true))
        .has("partials", said(list(string()), "The templates that it takes in."));
    vec![
        (
            "WriteTemplate",
            parts(Object::new("A template: Handlebars.").has("name", name()).has("subject", subject()).option("strict", strict()))
                .into_json(),
        ),
        (
            "ValidateTemplate",
            parts(Object::new("A template to check.").option("name", name()).has("subject", subject()).option("strict", strict()))
                .into_json(),
        ),
        (
            "UpdateTemplate",
            parts(
                Object::new("What changes. What is not said stays.").may("name", name()).may("subject", subject()).may("strict", strict()),
            )
            .into_json(),
        ),
        ("RenderTemplate", Object::new("What to render with.").option("template_data", data).into_json()),
        ("Template", shown()),
        ("TemplateSummary", head("What a list shows of a template.").into_json()),
        ("TemplateVersion", version.into_json()),
        ("Rendered", rendered()),
        ("TemplateValid", valid.into_json()),
        ("TemplateDeleted", deleted("tmpl")),
    ]
}

fn name() -> Value {
    named_so("Unique within the tenant, and no id. Partials are named by it.")
}

fn subject() -> Value {
    said(kept(), "Not escaped.")
}

fn version() -> Value {
    number(1, u32::MAX.into())
}

fn parts(template: Object) -> Object {
    template
        .option("html", said(kept(), "`{{x}}` is escaped, `{{{x}}}` is not."))
        .option("text", said(kept(), "Not escaped."))
        .option("from", said(kept(), "The sender, where the request says none."))
        .option("reply_to", reply_to())
}

/// One, or up to ten.
fn reply_to() -> Value {
    json!({"anyOf": [kept(), {"type": "array", "items": kept(), "maxItems": TemplateContent::MOST_REPLY_TO}]})
}

fn strict() -> Value {
    flag_that("Whether a variable that is missing is an error.")
}

fn head(about: &'static str) -> Object {
    Object::new(about)
        .has("id", id("tmpl"))
        .has("name", string())
        .has("version", version())
        .has("created_at", time())
        .has("updated_at", time())
}

fn shown() -> Value {
    head("A template in its present version.")
        .has("subject", string())
        .has("html", body())
        .has("text", body())
        .has("from", nullable(string()))
        .has("reply_to", list(string()))
        .has("strict", flag())
        .into_json()
}

fn rendered() -> Value {
    Object::new("What a template renders to.")
        .has("template_id", id("tmpl"))
        .has("version", version())
        .has("subject", string())
        .has("html", body())
        .has("text", body())
        .has("from", nullable(string()))
        .has("reply_to", list(string()))
        .into_json()
}
