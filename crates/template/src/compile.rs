//! A template, read once.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use handlebars::{Template, TemplateError as GrammarError, TemplateErrorReason};

use crate::error::{Fault, Flaw, Part, Place, TemplateError};
use crate::lower;
use crate::scan::scan;
use crate::tree::Node;

/// The sources of a template, as they are given.
#[derive(Clone, Copy, Debug)]
pub struct Source<'s> {
    /// The template's name, by which other templates of its tenant can take it as a partial.
    pub name: &'s str,
    /// The subject.
    pub subject: &'s str,
    /// The HTML body.
    pub html: Option<&'s str>,
    /// The text body.
    pub text: Option<&'s str>,
    /// The sender.
    pub from: Option<&'s str>,
    /// The addresses for answers, each a line of its own.
    pub reply_to: &'s [String],
}

/// A template that can be rendered: of the grammar, within the [`Bounds`](crate::Bounds), with nothing in it that is not offered.
///
/// That its partials exist and do not hold each other is for [`Library::check`](crate::Library::check).
#[derive(Debug)]
pub struct Compiled {
    name: String,
    parts: BTreeMap<Part, Vec<Vec<Node>>>,
    octets: usize,
}

impl Compiled {
    /// Reads a template.
    ///
    /// # Errors
    ///
    /// The first flaw, in the order subject, HTML, text, sender, addresses for answers.
    ///
    /// # Examples
    ///
    /// ```
    /// use selfmx_template::{Compiled, Flaw, Part, Source};
    ///
    /// let source = Source { name: "welcome", subject: "Hello {{name}}", html: Some("<p>\n{{shout name}}"), text: None, from: None, reply_to: &[] };
    /// let error = Compiled::new(&source).unwrap_err();
    /// assert_eq!((error.part, error.place.line, error.place.column), (Part::Html, 2, 1));
    /// assert_eq!(error.flaw, Flaw::UnknownHelper("shout".to_owned()));
    /// ```
    pub fn new(source: &Source<'_>) -> Result<Self, TemplateError> {
        let given = [
            (Part::Subject, vec![source.subject]),
            (Part::Html, source.html.into_iter().collect()),
            (Part::Text, source.text.into_iter().collect()),
            (Part::From, source.from.into_iter().collect()),
            (Part::ReplyTo, source.reply_to.iter().map(String::as_str).collect()),
        ];
        let mut compiled = Self { name: source.name.to_owned(), parts: BTreeMap::new(), octets: 0 };
        for (part, texts) in given.into_iter().filter(|(_, texts)| !texts.is_empty()) {
            let read = texts.iter().map(|text| nodes(text)).collect::<Result<_, _>>();
            compiled.octets += texts.iter().map(|text| text.len()).sum::<usize>();
            compiled.parts.insert(part, read.map_err(|fault| fault.of(source.name, part))?);
        }
        Ok(compiled)
    }

    /// The name under which it was read.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// About how many octets of memory it takes: for a cache that is bounded.
    #[must_use]
    pub const fn weight(&self) -> usize {
        // A node holds its text and, where it is short, several times as much around it.
        1_024 + 16 * self.octets
    }

    /// The names of the templates that it takes as partials, in order.
    #[must_use]
    pub fn partials(&self) -> BTreeSet<&str> {
        let mut names = BTreeSet::new();
        for nodes in self.parts.values().flatten() {
            each_include(nodes, &mut |include| {
                names.insert(include.name.as_str());
            });
        }
        names
    }

    /// The texts of a part: several for the addresses for answers, else one or none.
    pub(crate) fn part(&self, part: Part) -> &[Vec<Node>] {
        self.parts.get(&part).map(Vec::as_slice).unwrap_or_default()
    }

    /// The parts that there are.
    pub(crate) fn parts(&self) -> impl Iterator<Item = Part> {
        self.parts.keys().copied()
    }
}

/// Passes each partial within nodes; they are [`Bounds::DEPTH`](crate::Bounds::DEPTH) deep at most.
pub(crate) fn each_include<'a>(nodes: &'a [Node], found: &mut dyn FnMut(&'a crate::tree::Include)) {
    for node in nodes {
        match node {
            Node::Text { .. } | Node::Write { .. } => {}
            Node::Partial(include) => found(include),
            Node::Each(block) | Node::With(block) => {
                each_include(&block.body, found);
                each_include(&block.otherwise, found);
            }
            Node::If { branches, otherwise } => {
                branches.iter().for_each(|branch| each_include(&branch.body, found));
                each_include(otherwise, found);
            }
        }
    }
}

fn nodes(source: &str) -> Result<Vec<Node>, Fault> {
    let scanned = scan(source)?;
    // The grammar's own code takes much for granted; a panic in it is a text that it cannot read, not the end of the request.
    let parsed = catch_unwind(AssertUnwindSafe(|| Template::compile(&scanned.source)));
    let Ok(parsed) = parsed else {
        return Err(Fault::new(Place::START, Flaw::Syntax("this is beyond the grammar".to_owned())));
    };
    let template = parsed.map_err(|error| scanned.loose.unwrap_or_else(|| syntax(&error)))?;
    lower::nodes(Some(&template), 0, Place::START)
}

fn syntax(error: &GrammarError) -> Fault {
    let place = error.pos().map_or(Place::START, |(line, column)| Place { line, column });
    let text = match error.reason() {
        TemplateErrorReason::InvalidSyntax(text) => text.clone(),
        other => other.to_string(),
    };
    Fault::new(place, Flaw::Syntax(text))
}
