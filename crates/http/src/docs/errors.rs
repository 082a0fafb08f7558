//! Every error explained.

use selfmx_wire::ErrorCode;

use super::page::{escaped, page, prose};
use crate::failure::status;

/// The page.
pub(super) fn page_of_all() -> String {
    let mut codes: Vec<_> = ErrorCode::ALL.to_vec();
    codes.sort_by_key(|code| status(*code));
    let rows: String = codes.into_iter().map(explained).collect();
    let shape = "{\"error\": {\"code\": \"invalid_request\", \"message\": \"...\", \"field\": \"to[1]\", \"docs\": \"/docs/errors#invalid_request\", \"request_id\": \"req_...\"}}";
    let begin = format!(
        "<p>Every error has one shape. <code>code</code> is for programs and never renamed, <code>message</code> for people. <code>field</code> is there where one field \
         is at fault. The server's log has the request under <code>request_id</code>.</p>\n<pre>{}</pre>\n",
        escaped(shape)
    );
    page("Errors", &format!("{begin}{rows}"))
}

fn explained(code: ErrorCode) -> String {
    let status = status(code);
    let name = status.canonical_reason().unwrap_or_default();
    format!(
        "<section id=\"{code}\">\n<h3><code>{code}</code> <span class=\"quiet\">{} {name}</span></h3>\n<p>{}.</p>\n<p>{}</p>\n</section>\n",
        status.as_u16(),
        prose(code.description()),
        prose(code.remedy())
    )
}
