//! The API's description as pages for people: HTML that is made of the document, and asks no other host for anything.

mod errors;
mod page;
mod reference;

use std::sync::OnceLock;

/// What browsers may do with the pages: show them, with their own style. Nothing is loaded, run or framed.
pub(crate) const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What pages are.
pub(crate) const MEDIA_TYPE: &str = "text/html; charset=utf-8";

/// Every route, with what it takes and answers.
pub(crate) fn reference() -> &'static str {
    static WRITTEN: OnceLock<String> = OnceLock::new();
    WRITTEN.get_or_init(|| reference::page_of(&crate::openapi()))
}

/// Every error, with what to do about it, under the anchor that errors name.
pub(crate) fn errors() -> &'static str {
    static WRITTEN: OnceLock<String> = OnceLock::new();
    WRITTEN.get_or_init(errors::page_of_all)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use selfmx_wire::{ErrorCode, schemas};

    use super::*;

    /// The values of an attribute.
    fn values<'a>(html: &'a str, attribute: &str) -> BTreeSet<&'a str> {
        html.split(&format!(" {attribute}=\"")).skip(1).map(|rest| rest.split('"').next().unwrap()).collect()
    }

    #[test]
    fn each_error_and_each_operation_and_each_shape_stands_under_its_name() {
        let (errors, reference) = (values(errors(), "id"), values(reference(), "id"));
        assert_eq!(errors, ErrorCode::ALL.iter().map(|code| code.as_str()).collect());
        for name in schemas().keys() {
            assert!(reference.contains(format!("shape-{name}").as_str()), "{name}");
        }
        for route in crate::routes() {
            let operation = &crate::openapi()["paths"][route.pattern][route.method.to_lowercase()];
            assert!(reference.contains(operation["operationId"].as_str().unwrap()), "{} {}", route.method, route.pattern);
        }
    }

    #[test]
    fn each_link_leads_to_something_here() {
        for (page, html) in [("/docs", reference()), ("/docs/errors", errors())] {
            for link in values(html, "href") {
                let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
                let target = match if path.is_empty() { page } else { path } {
                    "/docs" => reference(),
                    "/docs/errors" => errors(),
                    "/openapi.json" => continue,
                    _ => panic!("{link} leads away"),
                };
                assert!(anchor.is_empty() || values(target, "id").contains(anchor), "{link} on {page}");
            }
        }
    }

    #[test]
    fn nothing_is_loaded_or_run_and_every_element_ends() {
        for html in [reference(), errors()] {
            assert!(!html.contains("<script") && !html.contains(" src=") && !html.contains("url(") && !html.contains("://"));
            let mut open = Vec::new();
            for tag in html.split('<').skip(1).map(|rest| rest.split('>').next().unwrap()) {
                let name = tag.trim_start_matches('/').split(' ').next().unwrap();
                match (tag.starts_with('/'), name) {
                    (_, "!doctype" | "meta") => {}
                    (true, name) => assert_eq!(open.pop(), Some(name), "{tag}"),
                    (false, name) => open.push(name),
                }
            }
            assert_eq!(open, [""; 0]);
        }
    }
}
