//! What is rewritten, and that nothing else is: by hand, and against another tokenizer over whatever there may be.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use html5ever::tokenizer::states::RawKind;
use html5ever::tokenizer::{BufferQueue, Doctype, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts};
use proptest::prelude::*;
use selfmx_domain::{TrackedAct, Tracking};

use super::super::Tracker;
use super::*;

const BASE: &str = "https://t.example/p";

fn tracks(opens: bool, clicks: bool) -> Tracks {
    let tracker = Arc::new(Tracker::new(BASE.parse().ok(), [[7_u8; 32]]));
    let email = "msg_01h455vb4pex5vsknk084sn02q".parse().unwrap();
    tracker.tracks(Tracking { opens, clicks }, email, 1).unwrap()
}

/// The HTML with tracked links, in which each reads as `[where it leads]`.
fn clicks(html: &str) -> String {
    let (tracks, begin) = (tracks(false, true), format!("{BASE}/t/c/"));
    let written = rewritten(html, &tracks);
    let mut pieces = written.split(&begin);
    let mut shown = pieces.next().unwrap().to_owned();
    for piece in pieces {
        let end = piece.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_')).unwrap_or(piece.len());
        match tracks.tracker.read(&piece[..end]) {
            Some(read) => shown.push_str(&format!("[{}]{}", read.act.target().unwrap(), &piece[end..])),
            None => shown.push_str(&format!("{begin}{piece}")),
        }
    }
    shown
}

#[test]
fn links_lead_through_the_server_however_they_are_written() {
    for (html, shown) in [
        (r#"<a href="https://a.example/">x</a>"#, r#"<a href="[https://a.example/]">x</a>"#),
        ("<a href='https://a.example/'>x</a>", "<a href='[https://a.example/]'>x</a>"),
        ("<a href=https://a.example/>x</a>", "<a href=[https://a.example/]>x</a>"),
        ("<A CLASS=b\n HREF =\t\"HTTPS://a.example\" id=c>x</A>", "<A CLASS=b\n HREF =\t\"[HTTPS://a.example]\" id=c>x</A>"),
        (r#"<a/href="https://a.example/"/>"#, r#"<a/href="[https://a.example/]"/>"#),
        (r#"<a href=" https://a.example/ ">"#, r#"<a href="[https://a.example/]">"#),
        (r#"<a href="https://a.example/?a=1&amp;b=2&c=3">"#, r#"<a href="[https://a.example/?a=1&b=2&c=3]">"#),
        (r#"<a href="https&#58;//a.example/&eacute;">"#, r#"<a href="[https://a.example/%C3%A9]">"#),
        ("<a href=https://a.example/?a&amp;b>", "<a href=[https://a.example/?a&b]>"),
        (r#"<a title="é>'" href="https://a.example/">"#, r#"<a title="é>'" href="[https://a.example/]">"#),
        (r#"<a title='"' href="https://a.example/'x">"#, r#"<a title='"' href="[https://a.example/'x]">"#),
        (r#"<map><area href="http://a.example"></map>"#, r#"<map><area href="[http://a.example]"></map>"#),
        (r#"<a href="https://a.example/" href="https://b.example/">"#, r#"<a href="[https://a.example/]" href="https://b.example/">"#),
        (r#"<svg><a href="https://a.example/">x</a></svg>"#, r#"<svg><a href="[https://a.example/]">x</a></svg>"#),
        (r#"<noscript><a href="https://a.example/"></noscript>"#, r#"<noscript><a href="[https://a.example/]"></noscript>"#),
        ("<!--[if !mso]><!--><a href=http://a.example><!--<![endif]-->", "<!--[if !mso]><!--><a href=[http://a.example]><!--<![endif]-->"),
        (
            "\u{feff}é\r\n<a\r\nhref=\"https://a.example/\">\0<a href=http://b.example>",
            "\u{feff}é\r\n<a\r\nhref=\"[https://a.example/]\">\0<a href=[http://b.example]>",
        ),
        ("&amp;&notit;<a href=http://a.example>&lt", "&amp;&notit;<a href=[http://a.example]>&lt"),
        ("<p <a href=http://a.example>", "<p <a href=http://a.example>"),
        (
            "<a href=\"x\"href=\"http://a.example\"><a\"href=http://b.example>",
            "<a href=\"x\"href=\"http://a.example\"><a\"href=http://b.example>",
        ),
    ] {
        assert_eq!(clicks(html), shown, "{html}");
    }
}

#[test]
fn what_is_no_link_to_elsewhere_stays_as_it_is() {
    for html in [
        "",
        "plain text https://a.example/",
        r##"<a href="#top"><a href="/relative"><a href="//a.example/"><a href="a.html"><a href=""><a href><a>"##,
        r#"<a href="mailto:a@b.example"><a href="tel:+123"><a href="cid:x"><a href="javascript:alert(1)"><a href="data:text/html,x">"#,
        r#"<a href="https://"><a href="https:a.example"><a href="https://b&uuml;cher.example/"><a href="https://a.example/&#10;x">"#,
        r#"<a href="https://t.example/p/t/c/already"><a href="https://t.example/p/t/o/already">"#,
        r#"<img src="https://a.example/"><link href="https://a.example/"><base href="https://a.example/"><b href="https://a.example/">"#,
        r#"<!-- <a href="https://a.example/"> --><!--[if mso]><a href="https://a.example/"><![endif]-->"#,
        r#"<script>"<a href='https://a.example/'>"</script><style><a href="https://a.example/"></style>"#,
        r#"<title><a href="https://a.example/"></title><textarea><a href="https://a.example/"></textarea>"#,
        r#"<svg><![CDATA[<a href="https://a.example/">]]></svg><?php <a href="https://a.example/">?>"#,
        r#"</a href="https://a.example/"><abc href="https://a.example/"><a xlink:href="https://a.example/" data-href="https://a.example/">"#,
        r#"<a href="https://a.example/"#,
        r#"<a href="https://a.example/" "#,
        "<a href=https://a.example/",
        "<a href=>https://a.example/",
        r#"<xmp><a href="https://a.example/"></xmp><plaintext><a href="https://a.example/">"#,
    ] {
        assert_eq!(clicks(html), html);
    }
    let long = format!("<a href=\"https://a.example/{}\">", "x".repeat(3_000));
    assert_eq!(clicks(&long), long);
}

#[test]
fn a_link_that_says_so_is_not_tracked_and_no_longer_says_so() {
    for (html, shown) in [
        (r#"<a data-selfmx-no-track href="https://a.example/">"#, r#"<a href="https://a.example/">"#),
        (r#"<a href="https://a.example/" DATA-selfmx-no-track>x"#, r#"<a href="https://a.example/">x"#),
        (r#"<a href="https://a.example/" data-selfmx-no-track = "1" id=b>"#, r#"<a href="https://a.example/" id=b>"#),
        (r#"<a data-selfmx-no-track='1'href="https://a.example/">"#, r#"<a href="https://a.example/">"#),
        (r#"<a data-selfmx-no-track=1 href="https://a.example/" data-selfmx-no-track/>"#, r#"<a href="https://a.example/" />"#),
        ("<a href=https://a.example data-selfmx-no-track/id=b>", "<a href=https://a.example /id=b>"),
        ("<a /data-selfmx-no-track>", "<a / >"),
        ("<a x data-selfmx-no-track=1 =y>", "<a x data-selfmx-no-track=1 =y>"),
        (r#"<p data-selfmx-no-track><a href="https://a.example/">"#, r#"<p data-selfmx-no-track><a href="[https://a.example/]">"#),
    ] {
        assert_eq!(clicks(html), shown, "{html}");
    }
}

#[test]
fn the_picture_stands_at_the_end_of_the_body() {
    let tracks = tracks(true, false);
    let picture = tracks.picture().unwrap();
    let token = picture.split("/t/o/").nth(1).unwrap().split('"').next().unwrap();
    assert_eq!(tracks.tracker.read(token).unwrap().act, TrackedAct::Opened);
    for (before, after) in [
        ("<body>x", "</body></html>"),
        ("<body>x</BODY>\n<p>y", "</Body >z"),
        ("x", "</html>"),
        ("<!-- </body> --><script>'</body>'</script>x", "</body><!-- </body> -->"),
        ("x", ""),
        ("", ""),
        ("<a href=\"https://a.example/\" data-selfmx-no-track>x", "</body>"),
    ] {
        assert_eq!(rewritten(&format!("{before}{after}"), &tracks), format!("{before}{picture}{after}"));
    }
}

#[test]
fn several_recipients_share_a_link_that_names_none_of_them() {
    let tracker = Arc::new(Tracker::new(BASE.parse().ok(), [[7_u8; 32]]));
    let email = "msg_01h455vb4pex5vsknk084sn02q".parse().unwrap();
    let both = Tracking { opens: true, clicks: true };
    let read = |recipients| {
        let picture = tracker.tracks(both, email, recipients).unwrap().picture().unwrap();
        tracker.read(picture.split("/t/o/").nth(1).unwrap().split('"').next().unwrap()).unwrap()
    };
    assert_eq!((read(1).ordinal, read(2).ordinal, read(50).ordinal), (Some(0), None, None));
    assert!(tracker.tracks(Tracking::default(), email, 1).is_none());
    assert!(Arc::new(Tracker::new(None, [[7_u8; 32]])).tracks(both, email, 1).is_none());
}

#[test]
fn hostile_html_costs_no_more_than_its_length_and_grows_within_bounds() {
    let tracks = tracks(true, true);
    for html in [
        "<a href=http://a.example>".repeat(100_000),
        format!("<a {}>", "href=http://a.example ".repeat(100_000)),
        format!("<a {}>", "data-selfmx-no-track ".repeat(100_000)),
        format!("<a href=\"http://a.example/{}\">", "&amp;".repeat(400_000)),
        format!("<a href=\"http://a.example/{}", "x".repeat(2_000_000)),
        format!("<a {}", "x=y ".repeat(500_000)),
        "</body>".repeat(300_000),
        "<".repeat(2_000_000),
        "<!--".repeat(500_000),
        "<!--><!-".repeat(250_000),
        "<script><!--<script>".repeat(100_000),
        "<textarea></".repeat(200_000),
        "&".repeat(2_000_000),
        "é\r".repeat(700_000),
    ] {
        let began = Instant::now();
        let written = rewritten(&html, &tracks);
        assert!(began.elapsed() < Duration::from_secs(10), "{} octets of {:.40} took {:?}", html.len(), html, began.elapsed());
        assert!(written.len() <= html.len() + (MAX_LINKS + 2) * 200, "{:.40} grew from {} to {}", html, html.len(), written.len());
    }
}

#[test]
fn links_beyond_so_many_and_beyond_what_is_read_stay_as_they_are() {
    let tracks = tracks(true, true);
    let many = rewritten(&"<a href=http://a.example>".repeat(MAX_LINKS + 5), &tracks);
    assert_eq!((many.matches("/t/c/").count(), many.matches("href=http://a.example>").count()), (MAX_LINKS, 5));
    // Cut off within the link, which is not to be taken for a shorter one.
    for before in 1024 * 1024 - 40..1024 * 1024 + 1 {
        let html = format!("{}<a href=\"https://a.example/b\">é</a></body>", "x".repeat(before));
        let written = rewritten(&html, &tracks);
        let (left, link) = written.split_at(before);
        assert!(left.bytes().all(|octet| octet == b'x') && written.ends_with("border:0\">"), "{before}");
        assert!(link.starts_with("<a href=\"https://a.example/b\">é</a></body><img ") || link.contains("/t/c/"), "{before}: {link}");
    }
}

/// What a tokenizer reads, and where each link leads.
#[derive(Default)]
struct Reader(RefCell<Vec<Token>>);

impl TokenSink for Reader {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        let raw = match &token {
            Token::TagToken(Tag { kind: TagKind::StartTag, name, .. }) => match &**name {
                "script" => Some(TokenSinkResult::RawData(RawKind::ScriptData)),
                "title" | "textarea" => Some(TokenSinkResult::RawData(RawKind::Rcdata)),
                "style" | "xmp" | "iframe" | "noembed" | "noframes" => Some(TokenSinkResult::RawData(RawKind::Rawtext)),
                "plaintext" => Some(TokenSinkResult::Plaintext),
                _ => None,
            },
            _ => None,
        };
        if !matches!(token, Token::ParseError(_)) {
            self.0.borrow_mut().push(token);
        }
        raw.unwrap_or(TokenSinkResult::Continue)
    }
}

fn tokens(html: &str, stage: Stage) -> Vec<String> {
    let input = BufferQueue::default();
    input.push_back(html.into());
    let tokenizer = Tokenizer::new(Reader::default(), TokenizerOpts { discard_bom: false, ..TokenizerOpts::default() });
    let _ = tokenizer.feed(&input);
    tokenizer.end();
    let (mut read, mut text) = (Vec::new(), String::new());
    for token in tokenizer.sink.0.into_inner() {
        if let Token::CharacterTokens(more) = &token {
            text.push_str(more);
            continue;
        }
        read.extend((!text.is_empty()).then(|| std::mem::take(&mut text)));
        read.push(shown(token, stage));
    }
    read.extend((!text.is_empty()).then_some(text));
    read
}

/// Whether what is read was rewritten.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Before,
    After,
}

/// A token, by its texts and not by where these lie in memory; of a link that is to be tracked, or is, where it leads.
fn shown(token: Token, stage: Stage) -> String {
    let mut tag = match token {
        Token::TagToken(tag) => tag,
        Token::CommentToken(text) => return format!("comment {text}"),
        Token::DoctypeToken(Doctype { name, public_id, system_id, force_quirks }) => {
            return format!("doctype {:?} {:?} {:?} {force_quirks}", name.as_deref(), public_id.as_deref(), system_id.as_deref());
        }
        other => return format!("{other:?}"),
    };
    let leads = tag.kind == TagKind::StartTag && matches!(&*tag.name, "a" | "area");
    let mut tracked = "";
    if leads {
        let before = tag.attrs.len();
        tag.attrs.retain(|attribute| &*attribute.name.local != "data-selfmx-no-track");
        let exempt = tag.attrs.len() < before;
        if let Some(link) = tag.attrs.iter_mut().find(|attribute| &*attribute.name.local == "href") {
            let said = link.value.to_string();
            if let (Stage::After, Some(token)) = (stage, said.strip_prefix(&format!("{BASE}/t/c/"))) {
                tracked = "tracked ";
                link.value = tracks(false, true).tracker.read(token).unwrap().act.target().unwrap().as_str().into();
            } else if let Some(target) = LinkTarget::read(&said).filter(|_| stage == Stage::Before && !exempt) {
                tracked = "tracked ";
                link.value = target.as_str().into();
            }
        }
    }
    // Whether an attribute was there twice that says what we take away changes nothing.
    let attributes: Vec<_> = tag.attrs.iter().map(|attribute| (&*attribute.name.local, &*attribute.value)).collect();
    format!("{tracked}{:?} {} {attributes:?} {}", tag.kind, tag.name, tag.self_closing)
}

/// Pieces of which HTML is made, and what breaks careless readers.
const PIECES: [&str; 62] = [
    "<",
    ">",
    "/",
    "&",
    "&amp;",
    "&#0;",
    "&#x2f;",
    "&not",
    ";",
    "=",
    "!",
    "--",
    "\"",
    "'",
    " ",
    "\n",
    "\r\n",
    "\r",
    "\t",
    "\u{c}",
    "\0",
    "é",
    "x",
    "<!--",
    "-->",
    "--!>",
    "<!",
    "<?",
    "<![CDATA[",
    "]]>",
    "<a ",
    "<a href=",
    "<A HREF=",
    "</a>",
    "<area ",
    "<p ",
    "</body>",
    "<b>",
    "href=",
    "HREF = ",
    "data-selfmx-no-track",
    "data-selfmx-no-track=1 ",
    " data-selfmx-no-track>",
    "http://a.example/",
    "'https://a.example/?a&amp;b'",
    "\"https://b.example/\"",
    "\"mailto:a@b.example\"",
    "<script>",
    "</script>",
    "<style>",
    "</style>",
    "<title>",
    "</title>",
    "<textarea>",
    "</textarea",
    "<plaintext>",
    "<a href=http://a.example>",
    "<a href='http://b.example'>",
    "<noscript>",
    "<iframe>",
    "</iframe>",
    "<!DOCTYPE html>",
];

fn html() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(&PIECES[..]), 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn another_tokenizer_reads_the_same_but_for_where_links_lead(html in html()) {
        let written = rewritten(&html, &tracks(false, true));
        prop_assert_eq!(tokens(&html, Stage::Before), tokens(&written, Stage::After), "{:?} became {:?}", html, written);
    }

    #[test]
    fn all_but_the_links_is_octet_for_octet_what_it_was(html in html()) {
        // With each new link taken out, and each place that it stands in, both are the same.
        let (tracks, found) = (tracks(true, true), find(&html));
        let written = rewritten(&html, &tracks);
        let picture = tracks.picture().unwrap();
        let (before, after) = written.split_once(&picture).unwrap();
        let mut rest = format!("{before}{after}");
        for link in &found.links {
            if let Link::To { place, target } = link && let Some(target) = LinkTarget::read(target) {
                rest = rest.replacen(&tracks.link(target).unwrap(), &html[place.clone()], 1);
            }
        }
        let cut = found.links.iter().filter_map(|link| match link { Link::Untracked(place, instead) => Some((place.clone(), *instead)), Link::To { .. } => None });
        let mut kept = html.clone();
        cut.collect::<Vec<_>>().into_iter().rev().for_each(|(place, instead)| kept.replace_range(place, instead));
        prop_assert_eq!(rest, kept);
    }
}
