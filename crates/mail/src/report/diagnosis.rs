//! Why a mail came back, as a reply: from `Status` (RFC 3463) and `Diagnostic-Code` (RFC 3464 section 2.3.6).

use selfmx_domain::{EnhancedCode, Reply};

/// The codes that stand for a failure of which nothing but its class is known: tried too long, and refused.
const SOME_4YZ: u16 = 450;
const SOME_5YZ: u16 = 554;

/// A status, of whatever is said after it.
pub(super) fn status(text: &str) -> Option<EnhancedCode> {
    let code = text.split_ascii_whitespace().next()?;
    let mut numbers = code.split('.').map(number);
    let (class, subject, detail) = (numbers.next()??, numbers.next()??, numbers.next()??);
    (matches!(class, 2 | 4 | 5) && numbers.next().is_none()).then_some(EnhancedCode { class, subject, detail })
}

/// The reply that a status and a diagnosis tell of.
pub(super) fn reply(status: Option<EnhancedCode>, diagnosis: Option<&str>) -> Reply {
    // A field that was folded is one line.
    let diagnosis = diagnosis.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
    let (kind, text) = diagnosis.split_once(';').unwrap_or(("smtp", &diagnosis));
    let said = if kind.trim().eq_ignore_ascii_case("smtp") { said(text.trim()) } else { None };
    let Some((code, own, text)) = said else {
        return Reply::new(of_class(status), status, text);
    };
    // `5.0.0` says less than what the other server said itself.
    let status = status.filter(|status| (status.subject, status.detail) != (0, 0)).or(own).or(status);
    Reply::new(code, status, text)
}

/// A line that begins as an SMTP reply does: its code, its enhanced code, what follows.
pub(super) fn said(line: &str) -> Option<(u16, Option<EnhancedCode>, &str)> {
    let (code, rest) = line.split_at_checked(3)?;
    let code = number(code).filter(|code| (400..600).contains(code))?;
    let rest = match rest.strip_prefix([' ', '-']) {
        Some(rest) => rest.trim_start(),
        None if rest.is_empty() => rest,
        None => return None,
    };
    let (first, after) = rest.split_once(|c: char| c.is_ascii_whitespace()).unwrap_or((rest, ""));
    let enhanced = status(first);
    Some((code, enhanced, if enhanced.is_some() { after } else { rest }))
}

/// A code for what has none.
const fn of_class(status: Option<EnhancedCode>) -> u16 {
    match status {
        Some(EnhancedCode { class: 4, .. }) => SOME_4YZ,
        _ => SOME_5YZ,
    }
}

/// One to three digits.
fn number(text: &str) -> Option<u16> {
    let is_number = (1..=3).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}
