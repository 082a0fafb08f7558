//! Renders templates: by our own walk over the tree, so that each step is counted.

use selfmx_domain::Clock;
use serde_json::Value as Json;

use crate::bounds::Budget;
use crate::error::{Flaw, Part, Place, TemplateError};
use crate::output::Output;
use crate::scope::{Frame, Round};
use crate::tree::{Block, Branch, Escape, Expr, Function, Include, Node};
use crate::value::{Val, Zero};
use crate::{Bounds, Compiled, Library};

/// Whether a variable may be missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strictness {
    /// What is missing renders to nothing.
    #[default]
    Lenient,
    /// What is missing is an error where it is written, looped over or stood on. `{{#if}}`, `{{#unless}}` and comparisons may still ask for it.
    Strict,
}

/// Renders the parts of one email; all of them share one set of [`Bounds`].
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
///
/// use selfmx_template::{Compiled, Library, Part, Renderer, Source, Strictness};
/// # struct Noon;
/// # impl selfmx_domain::Clock for Noon {
/// #     fn now(&self) -> time::OffsetDateTime { time::OffsetDateTime::UNIX_EPOCH }
/// # }
///
/// let footer = Source { name: "footer", subject: "", html: Some("<hr>{{company}}"), text: None, from: None, reply_to: &[] };
/// let mut library = Library::new();
/// library.insert(Arc::new(Compiled::new(&footer)?));
///
/// let html = "{{#each items}}<b>{{this}}</b>{{/each}}{{> footer}}";
/// let source = Source { name: "order", subject: "Your {{len items}} items & more", html: Some(html), text: None, from: None, reply_to: &[] };
/// let order = Compiled::new(&source)?;
/// library.check(&order)?;
///
/// let data = serde_json::json!({"items": ["tea", "<cup>"], "company": "Tom & Co"});
/// let mut renderer = Renderer::new(&library, &data, Strictness::Strict, &Noon);
/// assert_eq!(renderer.one(&order, Part::Subject)?.as_deref(), Some("Your 2 items & more"));
/// assert_eq!(renderer.one(&order, Part::Html)?.as_deref(), Some("<b>tea</b><b>&lt;cup&gt;</b><hr>Tom &amp; Co"));
/// # Ok::<(), selfmx_template::TemplateError>(())
/// ```
pub struct Renderer<'a> {
    library: &'a Library,
    data: &'a Json,
    strictness: Strictness,
    budget: Budget<'a>,
}

impl<'a> Renderer<'a> {
    /// Begins an email: its time runs from here.
    #[must_use]
    pub fn new(library: &'a Library, data: &'a Json, strictness: Strictness, clock: &'a dyn Clock) -> Self {
        Self { library, data, strictness, budget: Budget::new(clock) }
    }

    /// Renders a part of which there is one at most; `None` where the template does not have it.
    ///
    /// # Errors
    ///
    /// What went wrong and where: a variable that is missing while none may be, partials that are missing or hold each other, a bound that was
    /// reached, control characters in a part that is a line.
    pub fn one(&mut self, template: &'a Compiled, part: Part) -> Result<Option<String>, TemplateError> {
        Ok(self.all(template, part)?.into_iter().next())
    }

    /// Renders all texts of a part: several for [`Part::ReplyTo`].
    ///
    /// # Errors
    ///
    /// As for [`one`](Self::one).
    pub fn all(&mut self, template: &'a Compiled, part: Part) -> Result<Vec<String>, TemplateError> {
        template.part(part).iter().map(|nodes| self.text(template, part, nodes)).collect()
    }

    fn text(&mut self, template: &'a Compiled, part: Part, nodes: &'a [Node]) -> Result<String, TemplateError> {
        let escape = if part == Part::Html { Escape::Html } else { Escape::Nothing };
        let mut walk = Walk { renderer: self, part, out: Output::new(escape), path: vec![template.name()], depth: 0 };
        let root = Val::Data(walk.renderer.data);
        walk.nodes(nodes, &Frame { this: root, round: None, names: Vec::new(), outer: None })?;
        let text = walk.out.into_text();
        if part.is_line() && text.chars().any(selfmx_domain::is_control) {
            let place = Place::START;
            return Err(TemplateError { template: template.name().to_owned(), part, place, flaw: Flaw::ControlCharacter });
        }
        Ok(text)
    }
}

type Walked<T = ()> = Result<T, TemplateError>;

/// One walk through the tree of one text.
struct Walk<'r, 'a> {
    renderer: &'r mut Renderer<'a>,
    part: Part,
    out: Output,
    /// The template and the partials that hold what is being rendered.
    path: Vec<&'a str>,
    depth: usize,
}

impl<'a> Walk<'_, 'a> {
    fn nodes(&mut self, nodes: &'a [Node], frame: &Frame<'a, '_>) -> Walked {
        for node in nodes {
            match node {
                Node::Text { text, place } => self.at(*place, |walk| {
                    walk.renderer.budget.step()?;
                    walk.out.text(text, &mut walk.renderer.budget)
                })?,
                Node::Write { value, escape, place } => {
                    let written = self.present(value, frame, *place)?;
                    self.at(*place, |walk| walk.out.value(written, *escape, &mut walk.renderer.budget))?;
                }
                Node::If { branches, otherwise } => self.conditions(branches, otherwise, frame)?,
                Node::Each(block) => self.deeper(block.place, |walk| walk.each(block, frame))?,
                Node::With(block) => self.deeper(block.place, |walk| walk.with(block, frame))?,
                Node::Partial(include) => self.deeper(include.place, |walk| walk.partial(include, frame))?,
            }
        }
        Ok(())
    }

    /// Does something that can reach a bound, and says where it did.
    fn at<T>(&mut self, place: Place, act: impl FnOnce(&mut Self) -> Result<T, Flaw>) -> Walked<T> {
        act(self).map_err(|flaw| self.error(place, flaw))
    }

    fn error(&self, place: Place, flaw: Flaw) -> TemplateError {
        let template = self.path.last().copied().unwrap_or_default().to_owned();
        TemplateError { template, part: self.part, place, flaw }
    }

    fn deeper(&mut self, place: Place, act: impl FnOnce(&mut Self) -> Walked) -> Walked {
        if self.depth >= Bounds::DEPTH {
            return Err(self.error(place, Flaw::TooDeep));
        }
        self.depth += 1;
        act(self)?;
        self.depth -= 1;
        Ok(())
    }

    fn conditions(&mut self, branches: &'a [Branch], otherwise: &'a [Node], frame: &Frame<'a, '_>) -> Walked {
        for branch in branches {
            let value = self.value(&branch.condition, frame, branch.place)?;
            let zero = match &branch.include_zero {
                Some(counts) if self.value(counts, frame, branch.place)?.is_true(Zero::False) => Zero::True,
                _ => Zero::False,
            };
            if value.is_true(zero) == branch.wanted {
                return self.deeper(branch.place, |walk| walk.nodes(&branch.body, frame));
            }
        }
        let place = branches.first().map_or(Place::START, |branch| branch.place);
        self.deeper(place, |walk| walk.nodes(otherwise, frame))
    }

    fn each(&mut self, block: &'a Block, frame: &Frame<'a, '_>) -> Walked {
        let value = self.value(&block.value, frame, block.place)?;
        match value {
            Val::Data(Json::Array(list)) if !list.is_empty() => {
                for (index, value) in list.iter().enumerate() {
                    self.round(block, frame, Val::Data(value), Round { index, length: list.len(), key: None })?;
                }
                Ok(())
            }
            Val::Data(Json::Object(fields)) if !fields.is_empty() => {
                for (index, (key, value)) in fields.iter().enumerate() {
                    self.round(block, frame, Val::Data(value), Round { index, length: fields.len(), key: Some(key) })?;
                }
                Ok(())
            }
            value => self.instead(block, value, frame),
        }
    }

    fn round(&mut self, block: &'a Block, outer: &Frame<'a, '_>, this: Val<'a>, round: Round<'a>) -> Walked {
        self.at(block.place, |walk| walk.renderer.budget.round())?;
        let key = round.key.map_or(Val::Count(round.index), Val::Key);
        let names = block.names.iter().map(String::as_str).zip([this, key]).collect();
        self.nodes(&block.body, &Frame { this, round: Some(round), names, outer: Some(outer) })
    }

    fn with(&mut self, block: &'a Block, frame: &Frame<'a, '_>) -> Walked {
        let this = self.value(&block.value, frame, block.place)?;
        if !this.is_true(Zero::False) {
            return self.instead(block, this, frame);
        }
        let names = block.names.iter().map(String::as_str).zip([this]).collect();
        self.nodes(&block.body, &Frame { this, round: frame.round, names, outer: Some(frame) })
    }

    /// What stands after `{{else}}`; without that, what is missing may be an error.
    fn instead(&mut self, block: &'a Block, value: Val<'a>, frame: &Frame<'a, '_>) -> Walked {
        if block.otherwise.is_empty() && value.is_missing() {
            return self.missing(&block.value, block.place);
        }
        self.nodes(&block.otherwise, frame)
    }

    fn partial(&mut self, include: &'a Include, frame: &Frame<'a, '_>) -> Walked {
        if self.path.contains(&include.name.as_str()) {
            let path = self.path.iter().copied().chain([include.name.as_str()]);
            return Err(self.error(include.place, Flaw::Cycle(path.map(str::to_owned).collect())));
        }
        let Some(template) = self.renderer.library.template(&include.name) else {
            return Err(self.error(include.place, Flaw::UnknownPartial(include.name.clone())));
        };
        let [nodes] = template.part(self.part) else {
            return Err(self.error(include.place, Flaw::PartialWithoutPart(include.name.clone(), self.part)));
        };
        let this = match &include.context {
            Some(context) => self.present(context, frame, include.place)?,
            None => frame.this,
        };
        let mut names = Vec::with_capacity(include.named.len());
        for (name, value) in &include.named {
            names.push((name.as_str(), self.value(value, frame, include.place)?));
        }
        let indented = self.at(include.place, |walk| walk.out.indent(&include.indent, &mut walk.renderer.budget))?;
        self.path.push(template.name());
        // A partial sees the value and the loop that it stands in, and none of the blocks around it.
        self.nodes(nodes, &Frame { this, round: frame.round, names, outer: None })?;
        self.path.pop();
        self.out.dedent(indented);
        Ok(())
    }

    /// A value that is needed: in strict rendering it may not be missing.
    fn present(&mut self, expr: &'a Expr, frame: &Frame<'a, '_>, place: Place) -> Walked<Val<'a>> {
        let value = self.value(expr, frame, place)?;
        if value.is_missing() {
            self.missing(expr, place)?;
        }
        Ok(value)
    }

    fn missing(&self, expr: &Expr, place: Place) -> Walked {
        if self.renderer.strictness == Strictness::Lenient {
            return Ok(());
        }
        let written = match expr {
            Expr::Path(path) => path.written.clone(),
            Expr::Call(..) | Expr::Literal(_) => "(...)".to_owned(),
        };
        Err(self.error(place, Flaw::MissingVariable(written)))
    }

    fn value(&mut self, expr: &'a Expr, frame: &Frame<'a, '_>, place: Place) -> Walked<Val<'a>> {
        match expr {
            Expr::Literal(value) => {
                self.at(place, |walk| walk.renderer.budget.step())?;
                Ok(Val::Data(value))
            }
            Expr::Path(path) => {
                self.at(place, |walk| walk.renderer.budget.read(path.written.len()))?;
                Ok(frame.resolve(path, Val::Data(self.renderer.data)))
            }
            Expr::Call(function, values) => self.call(*function, values, frame, place),
        }
    }

    fn call(&mut self, function: Function, values: &'a [Expr], frame: &Frame<'a, '_>, place: Place) -> Walked<Val<'a>> {
        if matches!(function, Function::And | Function::Or) {
            return self.decide(function, values, frame, place);
        }
        let mut given = [Val::Missing, Val::Missing];
        for (place_of, expr) in given.iter_mut().zip(values) {
            *place_of = self.value(expr, frame, place)?;
        }
        let [one, two] = given;
        self.at(place, |walk| walk.renderer.budget.read(one.octets().saturating_add(two.octets())))?;
        Ok(match function {
            Function::Lookup => one.lookup(two),
            Function::Eq => Val::Flag(one.same(two)),
            Function::Ne => Val::Flag(!one.same(two)),
            Function::Lt => Val::Flag(one.order(two).is_some_and(std::cmp::Ordering::is_lt)),
            Function::Lte => Val::Flag(one.order(two).is_some_and(std::cmp::Ordering::is_le)),
            Function::Gt => Val::Flag(one.order(two).is_some_and(std::cmp::Ordering::is_gt)),
            Function::Gte => Val::Flag(one.order(two).is_some_and(std::cmp::Ordering::is_ge)),
            Function::Len => Val::Count(one.len()),
            Function::Not | Function::And | Function::Or => Val::Flag(!one.is_true(Zero::False)),
        })
    }

    /// `and` is true where all are, `or` where one is; what comes after the decision is not looked at.
    fn decide(&mut self, function: Function, values: &'a [Expr], frame: &Frame<'a, '_>, place: Place) -> Walked<Val<'a>> {
        let decides = function == Function::Or;
        for value in values {
            if self.value(value, frame, place)?.is_true(Zero::False) == decides {
                return Ok(Val::Flag(decides));
            }
        }
        Ok(Val::Flag(!decides))
    }
}
