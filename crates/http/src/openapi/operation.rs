//! What is said of one route.

use selfmx_wire::ErrorCode;

/// What is said of one route, beside what the route table says of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operation {
    pub(crate) method: &'static str,
    pub(crate) pattern: &'static str,
    /// A word of its own, for those who make clients of the document.
    pub(crate) id: &'static str,
    /// Under which heading it stands.
    pub(crate) tag: &'static str,
    pub(crate) summary: &'static str,
    /// What its body is, where it takes one.
    pub(crate) body: Option<Content>,
    /// Whether it does without a body.
    pub(crate) body_optional: bool,
    pub(crate) answers: &'static [(u16, Content)],
    /// The codes of its errors, beside those that follow from its access, its path and its body.
    pub(crate) errors: &'static [ErrorCode],
    /// Whether it takes an `Idempotency-Key`.
    pub(crate) idempotent: bool,
    /// Whether it takes a `Last-Event-ID`.
    pub(crate) resumable: bool,
}

/// What a body or an answer is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Content {
    /// JSON of a shape.
    Json(&'static str),
    /// Something else, of this media type.
    Other(&'static str),
}

impl Operation {
    pub(crate) const fn get(pattern: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new("GET", pattern, id, summary)
    }

    pub(crate) const fn post(pattern: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new("POST", pattern, id, summary)
    }

    pub(crate) const fn put(pattern: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new("PUT", pattern, id, summary)
    }

    pub(crate) const fn patch(pattern: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new("PATCH", pattern, id, summary)
    }

    pub(crate) const fn delete(pattern: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new("DELETE", pattern, id, summary)
    }

    const fn new(method: &'static str, pattern: &'static str, id: &'static str, summary: &'static str) -> Self {
        let (body, answers, errors): (_, &[_], &[_]) = (None, &[], &[]);
        Self { method, pattern, id, tag: "", summary, body, body_optional: false, answers, errors, idempotent: false, resumable: false }
    }

    /// It takes a body of this shape.
    pub(crate) const fn takes(self, shape: &'static str) -> Self {
        Self { body: Some(Content::Json(shape)), ..self }
    }

    /// It takes a body that is no JSON, of this media type.
    pub(crate) const fn takes_other(self, media_type: &'static str) -> Self {
        Self { body: Some(Content::Other(media_type)), ..self }
    }

    /// It takes a body of this shape, or none.
    pub(crate) const fn may_take(self, shape: &'static str) -> Self {
        Self { body: Some(Content::Json(shape)), body_optional: true, ..self }
    }

    /// It answers so where all is well.
    pub(crate) const fn answers(self, answers: &'static [(u16, Content)]) -> Self {
        Self { answers, ..self }
    }

    /// It answers with these codes as well.
    pub(crate) const fn fails(self, errors: &'static [ErrorCode]) -> Self {
        Self { errors, ..self }
    }

    /// It takes a `Last-Event-ID`.
    pub(crate) const fn resumable(self) -> Self {
        Self { resumable: true, ..self }
    }

    /// It takes an `Idempotency-Key`.
    pub(crate) const fn idempotent(self) -> Self {
        Self { idempotent: true, ..self }
    }
}
