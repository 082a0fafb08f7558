//! Makes our tree of the grammar's, refusing what is not offered.

use handlebars::Template;
use handlebars::template::{BlockParam, DecoratorTemplate, HelperTemplate, Parameter, TemplateElement};

use crate::Bounds;
use crate::error::{Fault, Flaw, Place};
use crate::expression::{arguments, exactly_one, expression, first_name};
use crate::tree::{Block, Branch, Escape, Expr, Include, Node};

/// The words that begin a block.
pub(crate) const BLOCKS: [&str; 4] = ["if", "unless", "each", "with"];

/// The most named values that a partial takes: each name in it is compared with them.
const MOST_NAMED: usize = 64;

type Lowered<T> = Result<T, Fault>;

/// The nodes of a template that stands `depth` blocks deep, `place` being where it begins.
pub(crate) fn nodes(template: Option<&Template>, depth: usize, place: Place) -> Lowered<Vec<Node>> {
    let Some(template) = template else { return Ok(Vec::new()) };
    let mut nodes = Vec::with_capacity(template.elements.len());
    for (at, element) in template.elements.iter().enumerate() {
        let place = template.mapping.get(at).map_or(place, |at| Place { line: at.0, column: at.1 });
        nodes.extend(node(element, depth, place)?);
    }
    Ok(nodes)
}

fn node(element: &TemplateElement, depth: usize, place: Place) -> Lowered<Option<Node>> {
    Ok(Some(match element {
        TemplateElement::Comment(_) => return Ok(None),
        TemplateElement::RawString(text) if text.is_empty() => return Ok(None),
        TemplateElement::RawString(text) => Node::Text { text: text.clone(), place },
        TemplateElement::Expression(tag) => Node::Write { value: written(tag, place)?, escape: Escape::Html, place },
        TemplateElement::HtmlExpression(tag) => Node::Write { value: written(tag, place)?, escape: Escape::Nothing, place },
        TemplateElement::HelperBlock(tag) => block(tag, depth + 1, place)?,
        TemplateElement::PartialExpression(tag) => Node::Partial(Box::new(include(tag, place)?)),
        TemplateElement::PartialBlock(_) => return Err(Fault::new(place, Flaw::Unsupported("partials with a block"))),
        TemplateElement::DecoratorExpression(_) | TemplateElement::DecoratorBlock(_) => {
            return Err(Fault::new(place, Flaw::Unsupported("decorators and inline partials")));
        }
        _ => return Err(Fault::new(place, Flaw::Unsupported("tags of this kind"))),
    }))
}

/// What `{{...}}` writes: a value, or what a helper gives.
fn written(tag: &HelperTemplate, place: Place) -> Lowered<Expr> {
    if tag.params.is_empty() && tag.hash.is_empty() {
        return expression(&tag.name, place, 0);
    }
    arguments(&tag.name, &tag.params, &tag.hash, place, 0)
}

fn block(tag: &HelperTemplate, depth: usize, place: Place) -> Lowered<Node> {
    if depth > Bounds::DEPTH {
        return Err(Fault::new(place, Flaw::TooDeep));
    }
    let name = first_name(&tag.name).unwrap_or_default();
    match name {
        "if" | "unless" => conditions(tag, depth, place),
        "each" => Ok(Node::Each(Box::new(with_value(tag, name, 2, depth, place)?))),
        "with" => Ok(Node::With(Box::new(with_value(tag, name, 1, depth, place)?))),
        name if crate::tree::Function::named(name).is_some() => Err(Fault::new(place, Flaw::TakesNoBlock(name.to_owned()))),
        name => Err(Fault::new(place, Flaw::UnknownHelper(name.to_owned()))),
    }
}

/// An `{{#if}}` and what follows it in its chain, as one list: a chain is as deep as its first link.
fn conditions(first: &HelperTemplate, depth: usize, place: Place) -> Lowered<Node> {
    let mut branches = Vec::new();
    let mut tag = first;
    loop {
        branches.push(branch(tag, depth, place)?);
        match next_link(tag) {
            Some(next) if branches.len() <= Bounds::CHAIN => tag = next,
            Some(_) => return Err(Fault::new(place, Flaw::TooDeep)),
            None => return Ok(Node::If { branches, otherwise: nodes(tag.inverse.as_ref(), depth, place)? }),
        }
    }
}

/// The `{{else if}}` or `{{else unless}}` that is all there is in a block's other branch.
fn next_link(tag: &HelperTemplate) -> Option<&HelperTemplate> {
    let [TemplateElement::HelperBlock(next)] = tag.inverse.as_ref()?.elements.as_slice() else { return None };
    (next.chain && matches!(first_name(&next.name), Some("if" | "unless"))).then_some(next.as_ref())
}

fn branch(tag: &HelperTemplate, depth: usize, place: Place) -> Lowered<Branch> {
    let name = first_name(&tag.name).unwrap_or_default();
    if tag.block_param.is_some() {
        return Err(Fault::new(place, Flaw::UnknownOption(name.to_owned(), "as |".to_owned())));
    }
    let mut include_zero = None;
    for (option, value) in &tag.hash {
        if option != "includeZero" {
            return Err(Fault::new(place, Flaw::UnknownOption(name.to_owned(), option.clone())));
        }
        include_zero = Some(expression(value, place, 0)?);
    }
    Ok(Branch {
        condition: exactly_one(name, &tag.params, place)?,
        wanted: name == "if",
        include_zero,
        body: nodes(tag.template.as_ref(), depth, place)?,
        place,
    })
}

fn with_value(tag: &HelperTemplate, name: &str, most_names: usize, depth: usize, place: Place) -> Lowered<Block> {
    if let Some(option) = tag.hash.keys().min() {
        return Err(Fault::new(place, Flaw::UnknownOption(name.to_owned(), option.clone())));
    }
    let names = match &tag.block_param {
        Some(BlockParam::Single(value)) => vec![value],
        Some(BlockParam::Pair((value, key))) => vec![value, key],
        _ => Vec::new(),
    };
    let names: Vec<String> = names.into_iter().filter_map(first_name).map(str::to_owned).collect();
    if names.len() > most_names {
        return Err(Fault::new(place, Flaw::Arguments(format!("{name} ... as |...|"), "one name")));
    }
    Ok(Block {
        value: exactly_one(name, &tag.params, place)?,
        names,
        body: nodes(tag.template.as_ref(), depth, place)?,
        otherwise: nodes(tag.inverse.as_ref(), depth, place)?,
        place,
    })
}

fn include(tag: &DecoratorTemplate, place: Place) -> Lowered<Include> {
    let Parameter::Name(name) = &tag.name else {
        return Err(Fault::new(place, Flaw::Unsupported("partials whose name is worked out")));
    };
    if name.starts_with('@') {
        return Err(Fault::new(place, Flaw::Unsupported("partials with a block")));
    }
    let ([] | [_]) = tag.params.as_slice() else {
        return Err(Fault::new(place, Flaw::Arguments(format!("> {name}"), "one value at most")));
    };
    if tag.hash.len() > MOST_NAMED {
        return Err(Fault::new(place, Flaw::Arguments(format!("> {name}"), "at most 64 named values")));
    }
    let context = tag.params.first().map(|value| expression(value, place, 0)).transpose()?;
    let mut named = Vec::with_capacity(tag.hash.len());
    for (name, value) in &tag.hash {
        named.push((name.clone(), expression(value, place, 0)?));
    }
    let name = name.strip_prefix('\'').and_then(|name| name.strip_suffix('\'')).unwrap_or(name).replace("\\'", "'");
    Ok(Include { name, context, named, indent: tag.indent.clone().unwrap_or_default(), place })
}
