//! Makes our expressions of the grammar's parameters.

use std::collections::HashMap;

use handlebars::template::{Parameter, TemplateElement};
use handlebars::{Path as Written, PathSeg};

use crate::Bounds;
use crate::error::{Fault, Flaw, Place};
use crate::lower::BLOCKS;
use crate::tree::{Expr, Function, LoopVariable, Path, Start};

type Lowered<T> = Result<T, Fault>;

/// The name that a tag begins with.
pub(crate) fn first_name(parameter: &Parameter) -> Option<&str> {
    match parameter {
        Parameter::Name(name) => Some(name),
        Parameter::Path(Written::Relative((_, written)) | Written::Local((_, _, written))) => Some(written),
        _ => None,
    }
}

/// The one value that a block has to be given.
pub(crate) fn exactly_one(name: &str, values: &[Parameter], place: Place) -> Lowered<Expr> {
    let [value] = values else {
        return Err(Fault::new(place, Flaw::Arguments(format!("#{name}"), "one value")));
    };
    expression(value, place, 0)
}

/// A value, within `depth` subexpressions.
pub(crate) fn expression(parameter: &Parameter, place: Place, depth: usize) -> Lowered<Expr> {
    if depth > Bounds::DEPTH {
        return Err(Fault::new(place, Flaw::TooDeep));
    }
    match parameter {
        Parameter::Literal(value) => Ok(Expr::Literal(value.clone())),
        Parameter::Name(name) => Ok(Expr::Path(Path { start: Start::Up(0), names: vec![name.clone()], written: name.clone() })),
        Parameter::Path(written) => path(written, place).map(Expr::Path),
        Parameter::Subexpression(inner) => match inner.as_element() {
            TemplateElement::Expression(call) if call.params.is_empty() && call.hash.is_empty() => expression(&call.name, place, depth + 1),
            TemplateElement::Expression(call) => arguments(&call.name, &call.params, &call.hash, place, depth + 1),
            _ => Err(Fault::new(place, Flaw::Unsupported("subexpressions of this kind"))),
        },
        _ => Err(Fault::new(place, Flaw::Unsupported("values of this kind"))),
    }
}

/// The call of a helper that gives a value.
pub(crate) fn arguments(
    name: &Parameter,
    values: &[Parameter],
    named: &HashMap<String, Parameter>,
    place: Place,
    depth: usize,
) -> Lowered<Expr> {
    let name = first_name(name).unwrap_or_default();
    let Some(function) = Function::named(name) else {
        let flaw = if BLOCKS.contains(&name) { Flaw::NeedsBlock } else { Flaw::UnknownHelper };
        return Err(Fault::new(place, flaw(name.to_owned())));
    };
    if let Some(option) = named.keys().min() {
        return Err(Fault::new(place, Flaw::UnknownOption(name.to_owned(), option.clone())));
    }
    let (fewest, most, wanted) = function.arity();
    if values.len() < fewest || values.len() > most {
        return Err(Fault::new(place, Flaw::Arguments(name.to_owned(), wanted)));
    }
    let values = values.iter().map(|value| expression(value, place, depth + 1));
    Ok(Expr::Call(function, values.collect::<Lowered<_>>()?))
}

fn path(written: &Written, place: Place) -> Lowered<Path> {
    let (segments, written) = match written {
        Written::Relative((segments, written)) => (segments.as_slice(), written),
        Written::Local((up, name, written)) => {
            let start = Start::Loop(*up, loop_variable(name, place)?);
            return Ok(Path { start, names: Vec::new(), written: written.clone() });
        }
    };
    let mut path = Path { start: Start::Up(0), names: Vec::new(), written: written.clone() };
    for segment in segments {
        match segment {
            PathSeg::Named(name) => path.names.push(name.clone()),
            PathSeg::Ruled(rule) => path.start = climbed(path.start, &format!("{rule:?}")),
            _ => return Err(Fault::new(place, Flaw::Unsupported("paths of this kind"))),
        }
    }
    Ok(path)
}

/// The grammar's rules can be told by their names alone: its type is not public.
fn climbed(start: Start, rule: &str) -> Start {
    match (rule, start) {
        ("path_root", _) => Start::Root,
        ("path_up", Start::Up(up)) => Start::Up(up + 1),
        (_, start) => start,
    }
}

fn loop_variable(name: &str, place: Place) -> Lowered<LoopVariable> {
    match name {
        "index" => Ok(LoopVariable::Index),
        "key" => Ok(LoopVariable::Key),
        "first" => Ok(LoopVariable::First),
        "last" => Ok(LoopVariable::Last),
        other => Err(Fault::new(place, Flaw::UnknownVariable(other.to_owned()))),
    }
}
