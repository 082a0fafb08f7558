//! Where the names of a template are looked for.

use crate::tree::{LoopVariable, Path, Start};
use crate::value::Val;

/// The value that a block or a partial stands on, and the names that it gives.
///
/// Frames live on the stack of the renderer; none outlives its block.
pub(crate) struct Frame<'a, 'f> {
    pub(crate) this: Val<'a>,
    pub(crate) round: Option<Round<'a>>,
    pub(crate) names: Vec<(&'a str, Val<'a>)>,
    pub(crate) outer: Option<&'f Frame<'a, 'f>>,
}

/// Where a loop is.
#[derive(Clone, Copy)]
pub(crate) struct Round<'a> {
    pub(crate) index: usize,
    pub(crate) length: usize,
    pub(crate) key: Option<&'a str>,
}

impl<'a> Frame<'a, '_> {
    /// What a path leads to.
    pub(crate) fn resolve(&self, path: &'a Path, root: Val<'a>) -> Val<'a> {
        let mut names = path.names.as_slice();
        let mut value = match path.start {
            Start::Root => root,
            Start::Up(0) => match names.split_first().and_then(|(first, rest)| Some((self.named(first)?, rest))) {
                Some((value, rest)) => {
                    names = rest;
                    value
                }
                None => self.this,
            },
            Start::Up(up) => self.outer(up).map_or(Val::Missing, |frame| frame.this),
            Start::Loop(up, variable) => self.loop_variable(up, variable),
        };
        for name in names {
            value = value.field(name);
        }
        value
    }

    fn outer(&self, up: usize) -> Option<&Self> {
        (0..up).try_fold(self, |frame, _| frame.outer)
    }

    fn loop_variable(&self, up: usize, variable: LoopVariable) -> Val<'a> {
        let Some(round) = self.outer(up).and_then(|frame| frame.round) else { return Val::Missing };
        match (variable, round.key) {
            (LoopVariable::Key, Some(key)) => Val::Key(key),
            (LoopVariable::Key | LoopVariable::Index, _) => Val::Count(round.index),
            (LoopVariable::First, _) => Val::Flag(round.index == 0),
            (LoopVariable::Last, _) => Val::Flag(round.index + 1 == round.length),
        }
    }

    /// The value of a name after `as`, or of one given to a partial: the innermost.
    fn named(&self, name: &str) -> Option<Val<'a>> {
        let mut frame = Some(self);
        while let Some(here) = frame {
            if let Some((_, value)) = here.names.iter().find(|(known, _)| *known == name) {
                return Some(*value);
            }
            frame = here.outer;
        }
        None
    }
}
