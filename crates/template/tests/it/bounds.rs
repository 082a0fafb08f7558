//! The bounds, each reached by the shortest way.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use selfmx_template::{Bounds, Flaw, Library, Part, Renderer, Strictness};
use serde_json::{Value, json};

use crate::support::{Hurried, compiled, flaw, library, rendered_with, text};

fn nested(open: &str, close: &str, times: usize) -> String {
    open.repeat(times) + &close.repeat(times)
}

fn flaw_of(body: &str) -> Flaw {
    flaw(body, &json!({"a": {"a": 1}, "l": [1]}), Strictness::Lenient).0
}

#[test]
fn sources_are_bounded() {
    assert!(compiled("t", &"x".repeat(Bounds::SOURCE)).is_ok());
    assert_eq!(flaw_of(&"x".repeat(Bounds::SOURCE + 1)), Flaw::SourceTooLong);
    assert!(compiled("t", &"{{x}}".repeat(Bounds::TAGS)).is_ok());
    assert_eq!(flaw_of(&"{{x}}".repeat(Bounds::TAGS + 1)), Flaw::TooManyTags);
}

#[test]
fn nesting_is_bounded_and_never_overflows_the_stack() {
    assert!(compiled("t", &nested("{{#if a}}", "{{/if}}", Bounds::DEPTH)).is_ok());
    for (open, close) in
        [("{{#if a}}", "{{/if}}"), ("{{ # if a}}", "{{/if}}"), ("{{#each a}}", "{{/each}}"), ("{{~#with a~}}", "{{/with}}")]
    {
        assert_eq!(flaw_of(&nested(open, close, Bounds::DEPTH + 1)), Flaw::TooDeep, "{open}");
        assert_eq!(flaw_of(&nested(open, close, 1_900 / 2)), Flaw::TooDeep, "{open}");
        assert_eq!(flaw_of(&open.repeat(1_900)), Flaw::TooDeep, "{open}");
    }
    for (open, close) in [("(not ", ")"), ("(", ")"), ("[", "]"), ("{\"a\":", "}")] {
        for times in [Bounds::DEPTH + 1, 30_000] {
            let body = format!("{{{{#if {}a{}}}}}{{{{/if}}}}", open.repeat(times), close.repeat(times));
            assert_eq!(flaw_of(&body), Flaw::TooDeep, "{open} {times}");
        }
    }
    let chain = |links: usize| format!("{{{{#if b}}}}{}{{{{/if}}}}", "{{else if b}}x".repeat(links));
    assert_eq!(text(&chain(Bounds::CHAIN), &json!({})), "");
    assert_eq!(flaw_of(&chain(Bounds::CHAIN + 1)), Flaw::TooDeep);
}

#[test]
fn partials_are_bounded_in_depth() {
    let names: Vec<String> = (0..20).map(|n| format!("p{n}")).collect();
    let bodies: Vec<String> = (0..20).map(|n| if n < 19 { format!("{{{{> p{}}}}}", n + 1) } else { "end".to_owned() }).collect();
    let pairs: Vec<(&str, &str)> = names.iter().map(String::as_str).zip(bodies.iter().map(String::as_str)).collect();
    let library = library(&pairs);
    assert_eq!(library.check(library.template("p3").unwrap()), Ok(()));
    assert_eq!(library.check(library.template("p2").unwrap()).unwrap_err().flaw, Flaw::TooDeep);
    let of = |name: &str| rendered_with(&library, Part::Text, &format!("{{{{> {name}}}}}"), &json!({}), Strictness::Lenient);
    assert_eq!(of("p4").unwrap(), "end");
    assert_eq!(of("p3").unwrap_err().flaw, Flaw::TooDeep);
}

#[test]
fn loops_are_bounded() {
    let list = json!({"l": vec![0; 200]});
    let thrice = "{{#each l}}{{#each ../l}}{{#each ../../l}}some text that is written again and again{{/each}}{{/each}}{{/each}}";
    let (found, place) = flaw(thrice, &list, Strictness::Lenient);
    assert_eq!((found, place.0), (Flaw::OutputTooLong, 1));
    let silent = "{{#each l}}{{#each ../l}}{{#each ../../l}}{{/each}}{{/each}}{{/each}}";
    assert_eq!(flaw(silent, &list, Strictness::Lenient).0, Flaw::TooMuchWork);
    // Too many rounds, though few steps.
    let rounds = "{{#each l}}{{#each ../l}}{{/each}}{{/each}}";
    assert_eq!(flaw(rounds, &json!({"l": vec![0; 230]}), Strictness::Lenient).0, Flaw::TooMuchWork);
    let twice = "{{#each l}}{{#each ../l}}{{/each}}{{/each}}";
    assert_eq!(text(twice, &list), "");
}

#[test]
fn output_is_bounded_for_all_parts_together() {
    let data = json!({"x": "y".repeat(Bounds::OUTPUT / 2)});
    let template = compiled("t", "{{x}}").unwrap();
    let (library, clock) = (Library::new(), crate::support::Noon);
    let mut renderer = Renderer::new(&library, &data, Strictness::Lenient, &clock);
    assert!(renderer.one(&template, Part::Html).is_ok());
    assert!(renderer.one(&template, Part::Text).is_ok());
    assert_eq!(renderer.one(&template, Part::Subject).unwrap_err().flaw, Flaw::OutputTooLong);
}

#[test]
fn time_is_bounded_by_the_clock_that_is_given() {
    let data = json!({"l": vec![0; 9_000]});
    let template = compiled("t", "{{#each l}}{{@index}}{{/each}}").unwrap();
    let library = Library::new();
    let run = |by| {
        let clock = Hurried { by, looks: AtomicI64::new(0) };
        let outcome = Renderer::new(&library, &data, Strictness::Lenient, &clock).one(&template, Part::Text);
        (outcome, clock.looks.load(Ordering::Relaxed))
    };
    let (outcome, looks) = run(1);
    assert!(outcome.is_ok() && looks > 3, "{looks} looks");
    let (outcome, _) = run(26);
    assert_eq!(outcome.unwrap_err().flaw, Flaw::TooSlow);
    let short = compiled("t", "{{x}}").unwrap();
    let clock = Hurried { by: 60_000, looks: AtomicI64::new(0) };
    assert!(
        Renderer::new(&library, &data, Strictness::Lenient, &clock).one(&short, Part::Text).is_ok(),
        "a short one fails for no slow machine"
    );
}

/// What would take long if it were not counted: each must end within a time that even a slow build on a busy machine keeps.
#[test]
fn nothing_runs_on() {
    let long = "y".repeat(400_000);
    let data: Value = json!({"x": long, "y": long, "l": vec![long.as_str(); 2], "many": vec![0; 5_000], "deep": {"x": {"x": long}}});
    let bodies = [
        "{{#each many}}{{#each ../many}}{{#if (eq ../../x ../../y)}}{{/if}}{{/each}}{{/each}}",
        "{{#each many}}{{#each ../many}}{{#if (len @root.x)}}{{/if}}{{/each}}{{/each}}",
        "{{#each many}}{{> big}}{{> big}}{{/each}}",
        "{{#each many}}{{#if (lookup @root.deep 'x')}}{{/if}}{{/each}}",
        "{{#each many}}{{@root.many}}{{/each}}",
        "{{#each many}}{{#each @root.many}}{{#with @root.deep as |d|}}{{#if d.x.x}}{{/if}}{{/with}}{{/each}}{{/each}}",
    ];
    let library = library(&[("big", &"{{! nothing }}{{#if @root.x}}{{/if}}".repeat(600))]);
    for body in bodies {
        let started = Instant::now();
        let outcome = rendered_with(&library, Part::Html, body, &data, Strictness::Lenient);
        assert!(started.elapsed().as_secs() < 5, "{body}: {:?}", started.elapsed());
        assert!(outcome.is_err() || body.contains("lookup"), "{body}");
    }
    for source in [
        "{{!-- }}".repeat(1_999),
        "{{> [".repeat(1_999),
        "{{! }}".repeat(1_999) + &" ".repeat(200_000),
        "\\".repeat(250_000) + "{{x}}",
        "{{".to_owned() + &"a ".repeat(100_000) + "}}",
    ] {
        let started = Instant::now();
        let _ = compiled("t", &source);
        assert!(started.elapsed().as_secs() < 20, "{}...: {:?}", &source[..8], started.elapsed());
    }
}
