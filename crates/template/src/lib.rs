//! Reads and renders Handlebars templates that nobody need trust.
//!
//! | noun | what it is |
//! |---|---|
//! | [`Source`] | the texts of a template, as somebody wrote them |
//! | [`Compiled`] | a template that was read: of the grammar, within the bounds, with nothing in it that is not offered |
//! | [`Library`] | the templates that may be taken as partials |
//! | [`Renderer`], [`Strictness`] | makes the parts of one email of a template and data |
//! | [`TemplateError`], [`Flaw`], [`Place`], [`Part`] | what is wrong, in which template, part, line and column |
//! | [`Bounds`] | how much a template may hold, and how much rendering it may do |
//!
//! # What templates can say
//!
//! | | |
//! |---|---|
//! | `{{x}}`, `{{a.b.[0].c}}`, `{{this}}`, `{{../x}}`, `{{@root.x}}` | a value; escaped in HTML, and there alone |
//! | `{{{x}}}`, `{{&x}}` | a value as it is |
//! | `{{#if x}}`..`{{else if y}}`..`{{else}}`..`{{/if}}`, `{{#unless x}}` | one or the other; missing, `null`, `false`, `0`, `""`, `[]` and `{}` are false; `includeZero=true` takes zero for true |
//! | `{{#each x}}`..`{{else}}`..`{{/each}}`, `as \|value key\|` | each of a list or object, with `@index`, `@key`, `@first`, `@last` |
//! | `{{#with x}}`..`{{else}}`..`{{/with}}` | stands on a value |
//! | `{{lookup x key}}` | a field or place that was worked out |
//! | `(eq a b)`, `ne`, `lt`, `lte`, `gt`, `gte`, `and`, `or`, `not`, `len` | comparisons, to be used within others |
//! | `{{> name}}`, `{{> name x a=1}}`, `{{> 'my footer'}}` | the same part of another template, standing on a value, with named values |
//! | `{{! note }}`, `{{!-- note --}}`, `~`, `\{{` | comments, white space control, braces as they are |
//!
//! Refused when a template is read: decorators, inline partials, partials with a block or with a name that is worked out, raw blocks, helpers that do not exist.
//!
//! # Why it renders by itself
//!
//! The grammar is the `handlebars` crate's. Its renderer can be driven out of memory, off the stack and past any time from within a template, and it cannot be
//! stopped from outside; its tree is therefore lowered to one of our own, in which there is nothing that is not offered, and walked here, each step counted.
//! A test renders the same templates by both.
//!
//! ```
//! use selfmx_template::{Compiled, Library, Part, Renderer, Source, Strictness};
//! # struct Noon;
//! # impl selfmx_domain::Clock for Noon {
//! #     fn now(&self) -> time::OffsetDateTime { time::OffsetDateTime::UNIX_EPOCH }
//! # }
//!
//! let text = "Dear {{name}},\n{{#if due}}\nplease pay {{due}}.\n{{else}}\nthank you.\n{{/if}}\n";
//! let source = Source { name: "reminder", subject: "For {{name}}", html: None, text: Some(text), from: None, reply_to: &[] };
//! let reminder = Compiled::new(&source)?;
//! let (library, data) = (Library::new(), serde_json::json!({"name": "Ann", "due": "3 €"}));
//! let mut renderer = Renderer::new(&library, &data, Strictness::Lenient, &Noon);
//! assert_eq!(renderer.one(&reminder, Part::Text)?.as_deref(), Some("Dear Ann,\nplease pay 3 €.\n"));
//!
//! let data = serde_json::json!({"name": "Ann\r\nBcc: everybody@example.com"});
//! let error = Renderer::new(&library, &data, Strictness::Lenient, &Noon).one(&reminder, Part::Subject).unwrap_err();
//! assert_eq!(error.to_string(), "template `reminder`, subject, line 1, column 1: renders to a text with control characters, which a header cannot hold");
//! # Ok::<(), selfmx_template::TemplateError>(())
//! ```
//!
//! Invariant: no template and no data make reading or rendering panic, overflow the stack, or pass the [`Bounds`].
//!
//! Invariant: in [`Part::Html`] no value is written unescaped unless the template says so with three braces or `&`.
//!
//! Invariant: no part that [is a line](Part::is_line) renders to a text with a control character.
//!
//! Invariant: nothing is taken as a partial that is not in the [`Library`].

mod bounds;
mod compile;
mod error;
mod expression;
mod library;
mod lower;
mod output;
mod render;
mod scan;
mod scope;
mod tree;
mod value;

pub use bounds::Bounds;
pub use compile::{Compiled, Source};
pub use error::{Flaw, Part, Place, TemplateError};
pub use library::Library;
pub use render::{Renderer, Strictness};
