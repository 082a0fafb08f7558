//! The same templates, rendered here and by the library whose grammar this is.

use handlebars::Handlebars;
use proptest::prelude::*;
use selfmx_template::{Library, Part, Strictness};
use serde_json::{Value, json};

use crate::support::rendered_with;

/// Templates in which both have the same rules, made of parts that fit together.
fn body() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        "[a-z<& \n]{0,6}",
        prop::sample::select(vec![
            "{{a}}",
            "{{{a}}}",
            "{{b.a}}",
            "{{this.a}}",
            "{{@root.a}}",
            "{{l}}",
            "{{missing}}",
            "{{~a}}",
            "{{a~}}",
            "{{! c }}",
            "{{!-- c --}}",
            "{{lookup b 'a'}}",
            "{{eq a 'x'}}",
            "{{len l}}",
            "{{l.[1]}}",
            "{{&a}}",
            "\\{{a}}",
            "\n{{! alone }}\n",
        ])
        .prop_map(str::to_owned),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let many = prop::collection::vec(inner, 0..4).prop_map(|parts| parts.concat());
        prop_oneof![
            many.clone(),
            (many.clone(), many.clone()).prop_map(|(one, two)| format!("{{{{#if a}}}}{one}{{{{else}}}}{two}{{{{/if}}}}")),
            (many.clone(), many.clone()).prop_map(|(one, two)| format!("{{{{#if n}}}}{one}{{{{else if b}}}}{two}{{{{/if}}}}")),
            many.clone().prop_map(|one| format!("{{{{#unless missing}}}}\n{one}\n{{{{/unless}}}}\n")),
            many.clone().prop_map(|one| format!("{{{{#each l}}}}{{{{@index}}}}{{{{this}}}}{one}{{{{/each}}}}")),
            many.clone().prop_map(|one| format!("{{{{#each b as |v k|}}}}{{{{k}}}}{{{{v}}}}{one}{{{{/each}}}}")),
            many.prop_map(|one| format!("{{{{#with b}}}}{{{{a}}}}{one}{{{{/with}}}}")),
        ]
    })
}

fn data() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(|b| json!(b)),
        (0_u8..3).prop_map(|n| json!(n)),
        "[x<&']{0,3}".prop_map(|s| json!(s))
    ];
    (scalar.clone(), scalar.clone(), prop::collection::vec(scalar.clone(), 0..3), scalar)
        .prop_map(|(a, inner, l, n)| json!({"a": a, "b": {"a": inner, "z": 1}, "l": l, "n": n}))
}

proptest! {
    #[test]
    fn both_render_the_same(body in body(), data in data()) {
        let mut theirs = Handlebars::new();
        for (part, escape) in [(Part::Html, true), (Part::Text, false)] {
            if !escape {
                theirs.register_escape_fn(handlebars::no_escape);
            }
            let wanted = theirs.render_template(&body, &data);
            let found = rendered_with(&Library::new(), part, &body, &data, Strictness::Lenient);
            match (wanted, found) {
                (Ok(wanted), Ok(found)) => prop_assert_eq!(wanted, found, "{:?}", body),
                (Err(_), Err(_)) => {}
                (wanted, found) => prop_assert!(false, "{body:?}: {wanted:?} {found:?}"),
            }
        }
    }
}
