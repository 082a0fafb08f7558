//! What can be wrong with a template, and where.

use std::fmt;

/// One of the texts that a template consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// The subject, one line.
    Subject,
    /// The HTML body, the only part in which values are escaped.
    Html,
    /// The text body.
    Text,
    /// The sender, one line.
    From,
    /// The addresses for answers, one line each.
    ReplyTo,
}

impl Part {
    /// The field that the part is given in: `subject`, `html`, `text`, `from` or `reply_to`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Subject => "subject",
            Self::Html => "html",
            Self::Text => "text",
            Self::From => "from",
            Self::ReplyTo => "reply_to",
        }
    }

    /// Whether the part is a single line, which reaches a header.
    #[must_use]
    pub const fn is_line(self) -> bool {
        matches!(self, Self::Subject | Self::From | Self::ReplyTo)
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A place in a part's source. The first is line 1, column 1; columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl Place {
    /// Where a source begins.
    pub const START: Self = Self { line: 1, column: 1 };
}

/// Why a template cannot be used: what is wrong, in which template, in which of its parts and where.
///
/// Its text is for whoever wrote the template or its data. It repeats names that the template holds, never the data.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("template `{template}`, {part}, line {}, column {}: {flaw}", place.line, place.column)]
pub struct TemplateError {
    /// The name of the template: the one that was asked for, or a partial of it.
    pub template: String,
    /// The part.
    pub part: Part,
    /// Where in the part.
    pub place: Place,
    /// What is wrong.
    pub flaw: Flaw,
}

/// What is wrong with a template, or with what came of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Flaw {
    /// The source is longer than [`Bounds::SOURCE`](crate::Bounds::SOURCE).
    #[error("is too long: at most {} octets are allowed", crate::Bounds::SOURCE)]
    SourceTooLong,
    /// The source has more tags than [`Bounds::TAGS`](crate::Bounds::TAGS).
    #[error("has too many tags: at most {} are allowed", crate::Bounds::TAGS)]
    TooManyTags,
    /// Blocks, subexpressions or partials stand within each other more than [`Bounds::DEPTH`](crate::Bounds::DEPTH) deep.
    #[error("is nested too deeply: at most {} levels of blocks, subexpressions and partials are allowed", crate::Bounds::DEPTH)]
    TooDeep,
    /// The source is not of Handlebars' grammar.
    #[error("cannot be read: {0}")]
    Syntax(String),
    /// A tag has no end.
    #[error("this tag is not closed: `{0}` is missing")]
    Unclosed(&'static str),
    /// A block has no end, or another one's.
    #[error("this block is not closed: `{{{{/{0}}}}}` is missing")]
    OpenBlock(String),
    /// An end of a block that ends none.
    #[error("`{{{{/{0}}}}}` closes no block")]
    NothingToClose(String),
    /// Something that Handlebars has and that is not offered here.
    #[error("{0} are not supported")]
    Unsupported(&'static str),
    /// A helper that does not exist.
    #[error("there is no helper `{0}`; there are: if, unless, each, with, lookup, eq, ne, lt, lte, gt, gte, and, or, not, len")]
    UnknownHelper(String),
    /// A helper that surrounds text, where it surrounds none.
    #[error("the helper `{0}` needs a block: write `{{{{#{0} ...}}}}...{{{{/{0}}}}}`")]
    NeedsBlock(String),
    /// A helper that gives a value, where it surrounds text.
    #[error("the helper `{0}` takes no block")]
    TakesNoBlock(String),
    /// The wrong number of values for a helper.
    #[error("`{0}` takes {1}")]
    Arguments(String, &'static str),
    /// A named value that a helper does not know.
    #[error("`{0}` knows no `{1}=`")]
    UnknownOption(String, String),
    /// A variable such as `@foo` that does not exist.
    #[error("there is no variable `@{0}`; there are: @root, @index, @key, @first, @last")]
    UnknownVariable(String),
    /// A partial that does not exist.
    #[error("there is no template `{0}` to take as a partial")]
    UnknownPartial(String),
    /// A partial that lacks the part that it is taken for.
    #[error("the template `{0}` has no {1} to take as a partial")]
    PartialWithoutPart(String, Part),
    /// More partials than [`Bounds::PARTIALS`](crate::Bounds::PARTIALS), those of partials among them.
    #[error("takes in too many templates: at most {} are allowed", crate::Bounds::PARTIALS)]
    TooManyPartials,
    /// Partials that hold each other.
    #[error("partials hold each other: {}", .0.join(" > "))]
    Cycle(Vec<String>),
    /// A variable without a value, where each has to have one.
    #[error("`{0}` is missing in the data")]
    MissingVariable(String),
    /// More came of it than [`Bounds::OUTPUT`](crate::Bounds::OUTPUT).
    #[error("renders to more than {} octets", crate::Bounds::OUTPUT)]
    OutputTooLong,
    /// It ran for longer than [`Bounds::TIME`](crate::Bounds::TIME).
    #[error("takes longer than {} ms to render", crate::Bounds::TIME.whole_milliseconds())]
    TooSlow,
    /// It did more than [`Bounds::STEPS`](crate::Bounds::STEPS) or [`Bounds::ITERATIONS`](crate::Bounds::ITERATIONS).
    #[error("does too much: at most {} iterations and {} steps are allowed", crate::Bounds::ITERATIONS, crate::Bounds::STEPS)]
    TooMuchWork,
    /// The data is nested too deeply to be written.
    #[error("the data is nested too deeply to be written")]
    DataTooDeep,
    /// A line that would start another one.
    #[error("renders to a text with control characters, which a header cannot hold")]
    ControlCharacter,
    /// What came of it is no value of the field that it stands for.
    #[error("renders to a value that {0}")]
    Value(selfmx_domain::Problem),
}

/// A flaw and its place, before it is known in which template and part it is.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) place: Place,
    pub(crate) flaw: Flaw,
}

impl Fault {
    pub(crate) const fn new(place: Place, flaw: Flaw) -> Self {
        Self { place, flaw }
    }

    pub(crate) fn of(self, template: &str, part: Part) -> TemplateError {
        TemplateError { template: template.to_owned(), part, place: self.place, flaw: self.flaw }
    }
}
