//! Every route, as the document describes it.

use serde_json::Value;

use super::page::{escaped, page, prose};

/// The page.
pub(super) fn page_of(document: &Value) -> String {
    let about = prose(text(at(document, "/info/description")));
    let names = each(document, "/tags").map(|tag| text(at(tag, "/name")));
    let (mut list, mut body) = (String::new(), String::new());
    for name in names {
        let operations: Vec<_> = operations(document).filter(|(.., operation)| at(operation, "/tags/0") == name).collect();
        let anchor = anchor(name);
        list.push_str(&format!("<a href=\"#{anchor}\">{}</a>", escaped(name)));
        body.push_str(&format!("<h2 id=\"{anchor}\">{}</h2>\n", escaped(name)));
        body.extend(operations.into_iter().map(|(method, path, operation)| written(method, path, operation)));
    }
    let shapes = members(document, "/components/schemas");
    let shapes: String = shapes.map(|(name, shape)| shown(name, shape)).collect();
    let version = text(at(document, "/info/version"));
    let begin =
        format!("<p>{about}</p>\n<p class=\"quiet\">Version {}</p>\n<nav>{list}<a href=\"#shapes\">Shapes</a></nav>\n", escaped(version));
    page("API", &format!("{begin}{body}<h2 id=\"shapes\">Shapes</h2>\n{shapes}"))
}

/// Every operation, with its method and its path.
fn operations(document: &Value) -> impl Iterator<Item = (&str, &str, &Value)> {
    let paths = members(document, "/paths");
    paths.flat_map(|(path, item)| {
        item.as_object().into_iter().flatten().map(move |(method, operation)| (method.as_str(), path.as_str(), operation))
    })
}

fn written(method: &str, path: &str, operation: &Value) -> String {
    let (id, summary) = (text(at(operation, "/operationId")), text(at(operation, "/summary")));
    let mut html = format!(
        "<section id=\"{}\">\n<h3><span class=\"method\">{}</span><code>{}</code></h3>\n<p>{}. {}</p>\n",
        escaped(id),
        method.to_uppercase(),
        escaped(path),
        prose(summary),
        needs(operation)
    );
    let body = at(operation, "/requestBody/content/application~1json/schema");
    if !body.is_null() {
        html.push_str(&format!("<p>Takes {}.</p>\n", of(body)));
    }
    html.push_str(&table(each(operation, "/parameters").map(|parameter| {
        let name = format!(
            "<code>{}</code> <span class=\"quiet\">{}</span>",
            escaped(text(at(parameter, "/name"))),
            escaped(text(at(parameter, "/in")))
        );
        (name, format!("{}. {}", of(at(parameter, "/schema")), prose(text(at(parameter, "/description")))))
    })));
    html.push_str(&table(members(operation, "/responses").map(answer)));
    html.push_str("</section>\n");
    html
}

/// A status, and what is answered with it: a shape, or the codes that a reference names.
fn answer((status, response): (&String, &Value)) -> (String, String) {
    let told = match at(response, "/$ref").as_str().and_then(|reference| reference.rsplit('/').next()) {
        Some(codes) => codes
            .split('.')
            .map(|code| format!("<a href=\"/docs/errors#{0}\"><code>{0}</code></a>", escaped(code)))
            .collect::<Vec<_>>()
            .join(", "),
        None => {
            let contents = members(response, "/content");
            contents
                .map(
                    |(media_type, content)| if media_type == "application/json" { of(at(content, "/schema")) } else { escaped(media_type) },
                )
                .collect()
        }
    };
    (escaped(status), told)
}

/// Who may call.
fn needs(operation: &Value) -> String {
    let needed = each(operation, "/security").filter_map(Value::as_object).flatten();
    let words = needed.map(|(scheme, roles)| {
        let key = match scheme.as_str() {
            "platformKey" => "a platform key",
            "metricsToken" => "the metrics' token, where there is one",
            _ => "an API key",
        };
        let roles: Vec<_> = each(roles, "").map(|role| format!("<code>{}</code>", escaped(text(role)))).collect();
        if roles.is_empty() { key.to_owned() } else { format!("{key} with {}", roles.join(", ")) }
    });
    let words: Vec<_> = words.collect();
    if words.is_empty() { "Open to anybody.".to_owned() } else { format!("Needs {}.", words.join(" or ")) }
}

/// A shape by its name, with its members.
fn shown(name: &str, shape: &Value) -> String {
    let required = |member: &str| each(shape, "/required").any(|known| known == member);
    let members = members(shape, "/properties").map(|(member, of_member)| {
        let needed = if required(member) { "" } else { " <span class=\"quiet\">may be absent</span>" };
        (format!("<code>{}</code>{needed}", escaped(member)), format!("{}. {}", of(of_member), prose(text(at(of_member, "/description")))))
    });
    let about = prose(text(at(shape, "/description")));
    let words = if shape.get("properties").is_none() { format!("<p>{}</p>\n", of(shape)) } else { String::new() };
    format!("<section id=\"shape-{0}\">\n<h3>{0}</h3>\n<p>{about}</p>\n{words}{1}</section>\n", escaped(name), table(members))
}

/// A shape in a few words.
fn of(shape: &Value) -> String {
    if let Some(name) = at(shape, "/$ref").as_str().and_then(|reference| reference.rsplit('/').next()) {
        return format!("<a href=\"#shape-{0}\">{0}</a>", escaped(name));
    }
    if let Some(choices) = at(shape, "/anyOf").as_array() {
        return choices.iter().map(of).collect::<Vec<_>>().join(" or ");
    }
    if let Some(words) = at(shape, "/enum").as_array() {
        return words.iter().map(|word| format!("<code>{}</code>", escaped(text(word)))).collect::<Vec<_>>().join(", ");
    }
    if let Some(value) = shape.get("const") {
        return format!("<code>{}</code>", escaped(&value.to_string()));
    }
    let kinds = match at(shape, "/type") {
        Value::Array(kinds) => kinds.iter().map(text).collect::<Vec<_>>().join(" or "),
        kind => text(kind).to_owned(),
    };
    if let Some(items) = shape.get("items") {
        return format!("list of {}", of(items));
    }
    let members: Vec<_> =
        members(shape, "/properties").map(|(name, member)| format!("<code>{}</code>: {}", escaped(name), of(member))).collect();
    if members.is_empty() { escaped(&kinds) } else { format!("{kinds} of {}", members.join("; ")) }
}

fn table(rows: impl Iterator<Item = (String, String)>) -> String {
    let rows: String = rows.map(|(name, what)| format!("<tr><td>{name}</td><td>{what}</td></tr>\n")).collect();
    if rows.is_empty() { String::new() } else { format!("<table>\n{rows}</table>\n") }
}

/// What is at a pointer, or `null`.
fn at<'a>(value: &'a Value, pointer: &str) -> &'a Value {
    static NOTHING: Value = Value::Null;
    value.pointer(pointer).unwrap_or(&NOTHING)
}

/// Each element of the list at a pointer.
fn each<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    at(value, pointer).as_array().into_iter().flatten()
}

/// Each member of the object at a pointer.
fn members<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    at(value, pointer).as_object().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn anchor(name: &str) -> String {
    name.to_lowercase().replace(' ', "-")
}
