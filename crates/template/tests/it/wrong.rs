//! What is refused, and where it is said to be.

use std::sync::Arc;

use selfmx_template::{Compiled, Flaw, Library, Part, Renderer, Source, Strictness};
use serde_json::json;

use crate::support::{Noon, compiled, flaw, library, rendered_with};

#[test]
fn what_is_not_offered_is_refused_with_its_place() {
    let unsupported = Flaw::Unsupported;
    let arguments = |name: &str, wanted| Flaw::Arguments(name.to_owned(), wanted);
    let table: Vec<(&str, Flaw, (usize, usize))> = vec![
        ("{{#*inline \"p\"}}{{> p}}{{/inline}}{{> p}}", unsupported("decorators and inline partials"), (1, 1)),
        ("a\n {{* d}}", unsupported("decorators"), (2, 2)),
        ("{{~ * d}}", unsupported("decorators"), (1, 1)),
        ("{{#> p}}x{{/p}}", unsupported("partials with a block"), (1, 1)),
        ("{{ # > p}}x{{/p}}", unsupported("partials with a block"), (1, 1)),
        ("{{> @partial-block}}", unsupported("partials with a block"), (1, 1)),
        ("{{> (lookup this 'p')}}", unsupported("partials whose name is worked out"), (1, 1)),
        ("x{{{{raw}}}}{{x}}{{{{/raw}}}}", unsupported("raw blocks"), (1, 2)),
        ("é\né{{shout x}}", Flaw::UnknownHelper("shout".to_owned()), (2, 2)),
        ("{{#shout x}}{{/shout}}", Flaw::UnknownHelper("shout".to_owned()), (1, 1)),
        ("{{#list}}{{/list}}", Flaw::UnknownHelper("list".to_owned()), (1, 1)),
        ("{{#if (shout x)}}{{/if}}", Flaw::UnknownHelper("shout".to_owned()), (1, 1)),
        ("{{log x}}", Flaw::UnknownHelper("log".to_owned()), (1, 1)),
        ("{{each x}}", Flaw::NeedsBlock("each".to_owned()), (1, 1)),
        ("{{#lookup x 1}}{{/lookup}}", Flaw::TakesNoBlock("lookup".to_owned()), (1, 1)),
        ("{{#if}}{{/if}}", arguments("#if", "one value"), (1, 1)),
        ("{{#if a b}}{{/if}}", arguments("#if", "one value"), (1, 1)),
        ("{{eq a}}", arguments("eq", "two values"), (1, 1)),
        ("{{not a b}}", arguments("not", "one value"), (1, 1)),
        ("{{#if (and a)}}{{/if}}", arguments("and", "two values or more"), (1, 1)),
        ("{{> p a b}}", arguments("> p", "one value at most"), (1, 1)),
        ("{{#each a b=1}}{{/each}}", Flaw::UnknownOption("each".to_owned(), "b".to_owned()), (1, 1)),
        ("{{#if a b=1}}{{/if}}", Flaw::UnknownOption("if".to_owned(), "b".to_owned()), (1, 1)),
        ("{{@foo}}", Flaw::UnknownVariable("foo".to_owned()), (1, 1)),
        ("{{!-- {{!-- }}", Flaw::Unclosed("--}}"), (1, 1)),
        ("a {{! b", Flaw::Unclosed("}}"), (1, 3)),
        ("a {{b", Flaw::Unclosed("}}"), (1, 3)),
        ("{{#if x}}\n{{#each y}}{{shout z}}{{/each}}{{/if}}", Flaw::UnknownHelper("shout".to_owned()), (2, 12)),
    ];
    for (body, wanted, place) in table {
        assert_eq!(flaw(body, &json!({}), Strictness::Lenient), (wanted, place), "{body}");
    }
}

#[test]
fn a_block_that_does_not_end_is_named_where_it_begins() {
    let open = |name: &str| Flaw::OpenBlock(name.to_owned());
    for (body, wanted, place) in [
        ("ok\n{{#if x}}", open("if"), (2, 1)),
        ("{{#if x}}{{/each}}", open("if"), (1, 1)),
        ("{{#if x}} {{~# each y~}} {{/if}}", open("each"), (1, 11)),
        ("{{#if x}}{{#each y}}{{/each}}", open("if"), (1, 1)),
        ("a{{/if}}", Flaw::NothingToClose("if".to_owned()), (1, 2)),
        ("{{#if x}}{{/if}}{{/if}}", Flaw::NothingToClose("if".to_owned()), (1, 17)),
    ] {
        let (flaw, found) = flaw(body, &json!({}), Strictness::Lenient);
        assert_eq!((&flaw, found), (&wanted, place), "{body}");
    }
    let said = flaw("{{#if x}}", &json!({}), Strictness::Lenient).0.to_string();
    assert_eq!(said, "this block is not closed: `{{/if}}` is missing");
}

#[test]
fn what_is_no_handlebars_is_refused_with_its_place() {
    for (body, place) in [("{{else}}", (1, 3)), ("{{a b c", (1, 1)), ("{{}}", (1, 3))] {
        let (flaw, found) = flaw(body, &json!({}), Strictness::Lenient);
        assert!(matches!(flaw, Flaw::Syntax(_) | Flaw::Unclosed(_)), "{body}: {flaw}");
        assert_eq!(found, place, "{body}: {flaw}");
    }
}

#[test]
fn what_is_missing_is_named_with_template_part_line_and_column() {
    let library = library(&[("inner", "\n  {{user.name}}")]);
    let error = rendered_with(&library, Part::Html, "x\n{{> inner}}", &json!({}), Strictness::Strict).unwrap_err();
    assert_eq!(error.to_string(), "template `inner`, html, line 2, column 3: `user.name` is missing in the data");
}

#[test]
fn partials_that_hold_each_other_are_found_when_saved_and_when_rendered() {
    let library = library(&[
        ("a", "{{> b}}"),
        ("b", "{{#if x}}{{> c}}{{/if}}"),
        ("c", "{{> a}}"),
        ("self", "{{> self}}"),
        ("fine", "{{> leaf}}{{> leaf}}"),
        ("leaf", ""),
    ]);
    let cycle = |names: &[&str]| Flaw::Cycle(names.iter().map(|name| (*name).to_owned()).collect());
    assert_eq!(library.check(library.template("a").unwrap()).unwrap_err().flaw, cycle(&["a", "b", "c", "a"]));
    assert_eq!(library.check(library.template("self").unwrap()).unwrap_err().flaw, cycle(&["self", "self"]));
    assert_eq!(library.check(library.template("fine").unwrap()), Ok(()));
    let outside = compiled("main", "\n{{> a}}").unwrap();
    let error = library.check(&outside).unwrap_err();
    assert_eq!((error.template.as_str(), error.flaw), ("c", cycle(&["a", "b", "c", "a"])));
    let data = json!({"x": 1});
    let error = Renderer::new(&library, &data, Strictness::Lenient, &Noon).one(&outside, Part::Html).unwrap_err();
    assert_eq!((error.template.as_str(), error.flaw), ("c", cycle(&["main", "a", "b", "c", "a"])));
}

#[test]
fn partials_that_are_missing_or_lack_the_part_are_named() {
    let mut library = Library::new();
    let source = Source { name: "html only", subject: "s", html: Some(""), text: None, from: None, reply_to: &[] };
    library.insert(Arc::new(Compiled::new(&source).unwrap()));
    let template = compiled("main", "\n {{> 'html only'}}").unwrap();
    let error = library.check(&template).unwrap_err();
    assert_eq!(error.flaw, Flaw::PartialWithoutPart("html only".to_owned(), Part::Text));
    assert_eq!((error.part, error.place.line, error.place.column), (Part::Text, 2, 2));
    let rendered = rendered_with(&library, Part::Text, "{{> 'html only'}}", &json!({}), Strictness::Lenient);
    assert_eq!(rendered.unwrap_err().flaw, Flaw::PartialWithoutPart("html only".to_owned(), Part::Text));
    assert_eq!(library.check(&compiled("main", "{{> none}}").unwrap()).unwrap_err().flaw, Flaw::UnknownPartial("none".to_owned()));
    let rendered = rendered_with(&library, Part::Text, "{{> none}}", &json!({}), Strictness::Lenient);
    assert_eq!(rendered.unwrap_err().flaw, Flaw::UnknownPartial("none".to_owned()));
}

#[test]
fn a_line_holds_no_control_characters() {
    let reply_to = ["ok@x.example".to_owned(), "{{x}}".to_owned()];
    let source = Source { name: "t", subject: "{{x}}", html: None, text: Some("{{x}}"), from: Some("{{x}}"), reply_to: &reply_to };
    let template = Compiled::new(&source).unwrap();
    let library = Library::new();
    for bad in ["a\r\nBcc: b@c.example", "\n", "\0", "\t", "\u{85}", "\u{2028}", "\u{7f}"] {
        let data = json!({"x": bad});
        let mut renderer = Renderer::new(&library, &data, Strictness::Lenient, &Noon);
        for part in [Part::Subject, Part::From, Part::ReplyTo] {
            let error = renderer.all(&template, part).unwrap_err();
            assert_eq!((error.flaw, error.part), (Flaw::ControlCharacter, part), "{bad:?}");
        }
        assert_eq!(renderer.one(&template, Part::Text).unwrap().as_deref(), Some(bad));
    }
}
