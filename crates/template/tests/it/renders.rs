//! What templates can say, line by line.

use selfmx_template::{Compiled, Library, Part, Renderer, Source, Strictness};
use serde_json::{Value, json};

use crate::support::{Noon, library, rendered_with, text};

#[test]
fn each_construct_renders_as_handlebars_has_it() {
    let data = json!({
        "name": "Ann", "n": 3, "zero": 0, "half": 0.5, "yes": true, "no": false, "nil": null, "list": ["a", "b"], "none": [],
        "user": {"name": "Bob", "tags": [{"t": "x"}, {"t": "y"}]}, "odd key": "odd", "key": "name", "count": "two",
    });
    let table: &[(&str, &str)] = &[
        ("plain", "plain"),
        ("{{name}} {{n}} {{half}} {{yes}} {{nil}}|{{missing}}|{{user}}", "Ann 3 0.5 true ||[object]"),
        ("{{list}}", "[a, b]"),
        ("{{user.name}} {{user/name}} {{user.tags.[1].t}} {{list.0}} {{[odd key]}}", "Bob Bob y a odd"),
        ("{{this.name}} {{./name}} {{@root.name}}", "Ann Ann Ann"),
        ("{{#if yes}}1{{/if}}{{#if no}}2{{else}}3{{/if}}{{#if missing}}4{{/if}}{{#if none}}5{{/if}}", "13"),
        ("{{#if zero}}1{{else}}0{{/if}}{{#if zero includeZero=true}}1{{else}}0{{/if}}", "01"),
        ("{{#if no}}a{{else if nil}}b{{else if yes}}c{{else}}d{{/if}}", "c"),
        ("{{#if no}}a{{else unless no}}b{{/if}}", "b"),
        ("{{#unless no}}u{{else}}v{{/unless}}", "u"),
        ("{{#each list}}{{@index}}{{this}}{{#if @last}}.{{else}},{{/if}}{{/each}}", "0a,1b."),
        ("{{#each list as |item at|}}{{at}}{{item}}{{/each}}", "0a1b"),
        ("{{#each user}}{{@key}} {{/each}}", "name tags "),
        ("{{#each none}}x{{else}}empty{{/each}}{{#each missing}}x{{/each}}", "empty"),
        ("{{#each user.tags}}{{t}}{{../name}}{{@root.n}} {{/each}}", "xAnn3 yAnn3 "),
        ("{{#each list}}{{#each ../list}}{{@../index}}{{@index}} {{/each}}{{/each}}", "00 01 10 11 "),
        ("{{#with user}}{{name}}{{../n}}{{/with}}{{#with missing}}x{{else}}y{{/with}}", "Bob3y"),
        ("{{#with user as |u|}}{{u.name}}{{/with}}", "Bob"),
        ("{{lookup this key}}{{lookup list 1}}{{lookup user 'name'}}", "AnnbBob"),
        ("{{#if (and yes (or no (eq n 3)))}}ok{{/if}}{{#if (not yes)}}no{{/if}}", "ok"),
        (
            "{{eq name \"Ann\"}} {{ne n 3}} {{lt n 4}} {{lte n 3}} {{gt half 1}} {{gte count 'three'}} {{len list}} {{len name}}",
            "true false true true false true 2 3",
        ),
        ("{{! note }}{{!-- a }} b --}}x", "x"),
        ("a {{~name~}} b", "aAnnb"),
        (r"\{{name}} \\{{name}}", r"{{name}} \Ann"),
        ("{{#if yes}}\n  in\n{{/if}}\nafter", "  in\nafter"),
        ("{{{name}}}{{&name}}", "AnnAnn"),
    ];
    for (body, wanted) in table {
        assert_eq!(text(body, &data), *wanted, "{body}");
    }
}

#[test]
fn values_are_escaped_in_html_alone() {
    let data = json!({"x": "<a href=\"b\">'`&=</a>", "list": ["<"], "o": {"<k>": 1}});
    let body = "{{x}} {{{x}}} {{list}} {{#each o}}{{@key}}{{/each}}";
    let raw = "<a href=\"b\">'`&=</a>";
    let escaped = "&lt;a href&#x3D;&quot;b&quot;&gt;&#x27;&#x60;&amp;&#x3D;&lt;/a&gt;";
    let of = |part| rendered_with(&Library::new(), part, body, &data, Strictness::Lenient).unwrap();
    assert_eq!(of(Part::Html), format!("{escaped} {raw} [&lt;] &lt;k&gt;"));
    assert_eq!(of(Part::Text), format!("{raw} {raw} [<] <k>"));
    let source = Source { name: "s", subject: "{{x}}", html: None, text: None, from: Some("{{x}}"), reply_to: &[] };
    let template = Compiled::new(&source).unwrap();
    let library = Library::new();
    let mut renderer = Renderer::new(&library, &data, Strictness::Lenient, &Noon);
    assert_eq!(renderer.one(&template, Part::Subject).unwrap().as_deref(), Some(raw));
    assert_eq!(renderer.one(&template, Part::From).unwrap().as_deref(), Some(raw));
    assert_eq!(renderer.one(&template, Part::Html).unwrap(), None);
}

#[test]
fn partials_stand_on_a_value_and_take_names() {
    let library = library(&[
        ("greet", "Hi {{name}}{{sign}}"),
        ("twice", "{{> greet}} {{> greet sign='?'}}"),
        ("my footer", "--{{../name}}{{@index}}--"),
        ("lines", "one\n{{x}}\n\nthree\n"),
    ]);
    let data = json!({"name": "Ann", "user": {"name": "Bob"}, "list": [{"name": "Cid"}], "x": "two"});
    let of = |body: &str| rendered_with(&library, Part::Text, body, &data, Strictness::Lenient).unwrap();
    assert_eq!(of("{{> greet}}|{{> greet user}}|{{> greet user sign='!'}}|{{> greet name='Dan'}}"), "Hi Ann|Hi Bob|Hi Bob!|Hi Dan");
    assert_eq!(of("{{#each list}}{{> greet}}{{> 'my footer'}}{{/each}}"), "Hi Cid--0--");
    assert_eq!(of("{{#each list}}é{{~> \"greet\" sign=\"'\"}}{{>\"my footer\"}}{{/each}}"), "éHi Cid'--0--");
    assert_eq!(of("{{> twice}}"), "Hi Ann Hi Ann?");
    assert_eq!(of("a\n  {{> lines}}\nb"), "a\n  one\n  two\n\n  three\nb");
}

#[test]
fn a_partial_gives_the_part_that_it_is_taken_for() {
    let mut library = Library::new();
    let source = Source { name: "p", subject: "S", html: Some("<b>{{x}}</b>"), text: Some("*{{x}}*"), from: None, reply_to: &[] };
    library.insert(std::sync::Arc::new(Compiled::new(&source).unwrap()));
    let data = json!({"x": "<"});
    let of = |part| rendered_with(&library, part, "{{> p}}", &data, Strictness::Lenient).unwrap();
    assert_eq!((of(Part::Html), of(Part::Text)), ("<b>&lt;</b>".to_owned(), "*<*".to_owned()));
}

#[test]
fn strict_rendering_lets_conditions_ask_for_what_is_missing() {
    let data = json!({"nil": null, "o": {}});
    let of = |body: &str| rendered_with(&Library::new(), Part::Text, body, &data, Strictness::Strict);
    for body in [
        "{{nil}}",
        "{{#if x}}a{{/if}}",
        "{{#unless x.y}}{{/unless}}",
        "{{#if (eq x 1)}}{{/if}}",
        "{{#each x}}{{else}}e{{/each}}",
        "{{#with nil}}{{/with}}",
    ] {
        assert!(of(body).is_ok(), "{body}");
    }
    for body in [
        "{{x}}",
        "{{o.x}}",
        "{{{x}}}",
        "{{#each x}}{{/each}}",
        "{{#with x}}{{/with}}",
        "{{lookup o 'x'}}",
        "{{@index}}",
        "{{../x}}",
        "{{#if x}}{{else}}{{x}}{{/if}}",
    ] {
        assert!(of(body).is_err(), "{body}");
    }
    let loose: Value = json!({});
    assert_eq!(text("{{x}}{{#each x}}{{/each}}{{@index}}{{../x}}", &loose), "");
}
