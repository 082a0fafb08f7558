//! What a part is compiled to: a small tree without anything that was not asked for.

use serde_json::Value as Json;

use crate::error::Place;

/// A piece of a part.
#[derive(Debug)]
pub(crate) enum Node {
    /// Text as it stands.
    Text { text: String, place: Place },
    /// `{{x}}` and `{{{x}}}`.
    Write { value: Expr, escape: Escape, place: Place },
    /// `{{#if}}` and `{{#unless}}` with all that they are chained to.
    If { branches: Vec<Branch>, otherwise: Vec<Node> },
    /// `{{#each}}`.
    Each(Box<Block>),
    /// `{{#with}}`.
    With(Box<Block>),
    /// `{{> name}}`.
    Partial(Box<Include>),
}

/// Whether what is written is escaped where the part is HTML.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Escape {
    Html,
    Nothing,
}

/// One `{{#if x}}` or `{{else if x}}`.
#[derive(Debug)]
pub(crate) struct Branch {
    pub(crate) condition: Expr,
    /// `unless` wants the condition to be false.
    pub(crate) wanted: bool,
    /// `includeZero=true`: zero counts as true.
    pub(crate) include_zero: Option<Expr>,
    pub(crate) body: Vec<Node>,
    pub(crate) place: Place,
}

/// A block with a value of its own.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) value: Expr,
    /// The names after `as`: the value's, then the key's.
    pub(crate) names: Vec<String>,
    pub(crate) body: Vec<Node>,
    pub(crate) otherwise: Vec<Node>,
    pub(crate) place: Place,
}

/// A partial that is taken in.
#[derive(Debug)]
pub(crate) struct Include {
    pub(crate) name: String,
    pub(crate) context: Option<Expr>,
    pub(crate) named: Vec<(String, Expr)>,
    /// What stands before it on its line; each of its lines begins so.
    pub(crate) indent: String,
    pub(crate) place: Place,
}

/// Something with a value.
#[derive(Debug)]
pub(crate) enum Expr {
    Literal(Json),
    Path(Path),
    Call(Function, Vec<Expr>),
}

/// Where a value is found.
#[derive(Debug)]
pub(crate) struct Path {
    pub(crate) start: Start,
    pub(crate) names: Vec<String>,
    /// As it was written, for messages.
    pub(crate) written: String,
}

/// Where a path begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// `@root`.
    Root,
    /// The current value, or the one so many blocks further out.
    Up(usize),
    /// A variable of a loop, of the current block or one further out.
    Loop(usize, LoopVariable),
}

/// `@index`, `@key`, `@first` and `@last`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LoopVariable {
    Index,
    Key,
    First,
    Last,
}

/// A helper that gives a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    Lookup,
    Eq,
    Ne,
    Lt,
    Lte,
    Gt,
    Gte,
    And,
    Or,
    Not,
    Len,
}

impl Function {
    /// The helper of a name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "lookup" => Self::Lookup,
            "eq" => Self::Eq,
            "ne" => Self::Ne,
            "lt" => Self::Lt,
            "lte" => Self::Lte,
            "gt" => Self::Gt,
            "gte" => Self::Gte,
            "and" => Self::And,
            "or" => Self::Or,
            "not" => Self::Not,
            "len" => Self::Len,
            _ => return None,
        })
    }

    /// The fewest and the most values that it takes, and how to say that.
    pub(crate) const fn arity(self) -> (usize, usize, &'static str) {
        match self {
            Self::And | Self::Or => (2, usize::MAX, "two values or more"),
            Self::Not | Self::Len => (1, 1, "one value"),
            _ => (2, 2, "two values"),
        }
    }
}
