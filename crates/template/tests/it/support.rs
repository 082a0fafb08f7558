//! Short ways to read and render, and clocks.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use selfmx_domain::Clock;
use selfmx_template::{Compiled, Flaw, Library, Part, Renderer, Source, Strictness, TemplateError};
use serde_json::Value;
use time::{Duration, OffsetDateTime};

/// A clock that stands.
pub(crate) struct Noon;

impl Clock for Noon {
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::UNIX_EPOCH
    }
}

/// A clock that moves on by some milliseconds each time it is looked at.
pub(crate) struct Hurried {
    pub(crate) by: i64,
    pub(crate) looks: AtomicI64,
}

impl Clock for Hurried {
    fn now(&self) -> OffsetDateTime {
        let looks = self.looks.fetch_add(1, Ordering::Relaxed);
        OffsetDateTime::UNIX_EPOCH + Duration::milliseconds(self.by * looks)
    }
}

/// A template that consists of an HTML and a text body, both the same.
pub(crate) fn compiled(name: &str, body: &str) -> Result<Compiled, TemplateError> {
    Compiled::new(&Source { name, subject: "Subject", html: Some(body), text: Some(body), from: None, reply_to: &[] })
}

/// A library of such templates.
pub(crate) fn library(templates: &[(&str, &str)]) -> Library {
    let mut library = Library::new();
    templates.iter().for_each(|(name, body)| library.insert(Arc::new(compiled(name, body).unwrap())));
    library
}

/// What a body renders to, with partials.
pub(crate) fn rendered_with(
    library: &Library,
    part: Part,
    body: &str,
    data: &Value,
    strictness: Strictness,
) -> Result<String, TemplateError> {
    let template = compiled("main", body)?;
    Ok(Renderer::new(library, data, strictness, &Noon).one(&template, part)?.unwrap())
}

/// What a text renders to.
pub(crate) fn text(body: &str, data: &Value) -> String {
    rendered_with(&Library::new(), Part::Text, body, data, Strictness::Lenient).unwrap()
}

/// What is wrong with a text.
pub(crate) fn flaw(body: &str, data: &Value, strictness: Strictness) -> (Flaw, (usize, usize)) {
    let error = rendered_with(&Library::new(), Part::Text, body, data, strictness).unwrap_err();
    (error.flaw, (error.place.line, error.place.column))
}
