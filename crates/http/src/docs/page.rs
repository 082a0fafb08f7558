//! What all pages have in common.

/// A small page has no need of more.
const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1rem}\
code,pre{font:14px/1.5 ui-monospace,monospace;overflow-wrap:anywhere}\
table{border-collapse:collapse;width:100%;margin:.5rem 0}\
td,th{border-bottom:1px solid #8884;padding:.25rem .5rem;text-align:left;vertical-align:top}\
section{border-top:1px solid #8886;margin-top:1.5rem;padding-top:.5rem}\
h3{margin-bottom:.25rem}\
nav a{margin-right:1rem}\
.method{font-weight:700;margin-right:.5rem}\
.quiet{opacity:.75}\
:target{background:#fd03}";

/// A whole page.
pub(super) fn page(title: &str, body: &str) -> String {
    let links = "<nav><a href=\"/docs\">API</a><a href=\"/docs/errors\">Errors</a><a href=\"/openapi.json\">OpenAPI</a></nav>";
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n\
         <title>{title} · SelfMX</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{links}\n<h1>{title}</h1>\n{body}</body>\n</html>\n"
    )
}

/// A text as HTML: what stands between backticks is code.
pub(super) fn prose(text: &str) -> String {
    let mut html = String::new();
    for (index, part) in text.split('`').enumerate() {
        let part = escaped(part);
        html.push_str(&if index % 2 == 1 { format!("<code>{part}</code>") } else { part });
    }
    html
}

/// A text as it is.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_cannot_be_markup() {
        assert_eq!(prose("a `b<c>` & \"d\""), "a <code>b&lt;c&gt;</code> &amp; &quot;d&quot;");
        assert_eq!(escaped("<script>'"), "&lt;script&gt;&#39;");
    }
}
