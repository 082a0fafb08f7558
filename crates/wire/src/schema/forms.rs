//! What a reader accepts has the form that its schema names.

use std::sync::LazyLock;

use proptest::prelude::*;
use regex::Regex;
use selfmx_auth::{Network, Sender};
use selfmx_domain::{Address, DisplayName, Mailbox, Name, Subject, TemplateName, WebhookSecret, WebhookUrl};

use super::*;

/// Pieces of what is accepted, and what stands at the borders of the patterns.
const PIECES: &[&str] = &[
    "a",
    "Z",
    "0",
    "é",
    ".",
    "-",
    "/",
    "/24",
    ":",
    "@",
    "@b.example",
    "\"",
    "\"a@b\"",
    "<",
    ">",
    "?",
    "#",
    " ",
    "\t",
    "\n",
    "\r",
    "\0",
    "\u{1f}",
    "\u{7f}",
    "\u{85}",
    "\u{a0}",
    "\u{1680}",
    "\u{2003}",
    "\u{2028}",
    "\u{2029}",
    "\u{3000}",
    "\u{feff}",
    "10.0.0.0",
    "2001:db8::",
    "::1",
    "https://",
    "HtTp://",
    "shop.example",
    "[::1]",
    "whsec_",
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "=",
    "tmpl_",
];

/// Where a form is said, and whether a text is accepted there.
type Form = (&'static str, &'static str, fn(&str) -> bool);

macro_rules! accepts {
    ($kind:ty) => {
        |text| text.parse::<$kind>().is_ok()
    };
}

const FORMS: &[Form] = &[
    ("CreateKey", "/properties/name", accepts!(Name)),
    ("CreateKey", "/properties/allowed_ips/items", accepts!(Network)),
    ("CreateKey", "/properties/allowed_senders/items", accepts!(Sender)),
    ("WriteTemplate", "/properties/name", accepts!(TemplateName)),
    ("WriteTemplate", "/properties/html", |text| !text.contains('\0')),
    ("SendEmail", "/properties/subject", accepts!(Subject)),
    ("SendEmail", "/properties/to/anyOf/0", accepts!(Mailbox)),
    ("CreateSuppression", "/properties/address", accepts!(Address)),
    ("CreateTenant", "/properties/settings/properties/from_name", accepts!(DisplayName)),
    ("WriteWebhook", "/properties/url", accepts!(WebhookUrl)),
    ("WriteWebhook", "/properties/secret", accepts!(WebhookSecret)),
];

/// The patterns of [`FORMS`], in their order.
static PATTERNS: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    let schemas = schemas();
    let said = |(schema, place, _): &Form| schemas[*schema].pointer(place).and_then(|shape| shape["pattern"].as_str()).unwrap().to_owned();
    FORMS.iter().map(|form| Regex::new(&said(form)).unwrap()).collect()
});

fn fits(text: &str) -> Result<(), TestCaseError> {
    for ((schema, place, accepted), pattern) in FORMS.iter().zip(&*PATTERNS) {
        prop_assert!(pattern.is_match(text) || !accepted(text), "{} {}: {:?} is accepted and does not match", schema, place, text);
    }
    Ok(())
}

#[test]
fn what_is_often_sent_fits_and_what_is_not_accepted_is_told_apart() {
    for (place, good, wrong) in [
        (0, "\u{3000}\n Production App\u{2028}", &["", " \n", "a\nb", "\u{7f}a"][..]),
        (1, "2001:db8::/32", &["", "example.com", "10.0.0.0/1234"]),
        (2, "@yourdomain.example", &["", "yourdomain.example", "a@"]),
        (6, "Anna <anna@recipient.example>", &["@@@", "anna", "a@b\n"]),
        (9, "HTTPS://hooks.example/in?a=b", &["", "ftp://a.example", "https:///x"]),
        (10, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", &["", "secret", "whsec_short"]),
    ] {
        assert!(PATTERNS[place].is_match(good), "{good:?}");
        assert!(wrong.iter().all(|text| !PATTERNS[place].is_match(text)), "{place}: {wrong:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn whatever_is_accepted_fits(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..5)) {
        fits(&pieces.concat())?;
    }

}

proptest! {
    #[test]
    fn any_text_that_is_accepted_fits(text: String) {
        fits(&text)?;
    }
}
