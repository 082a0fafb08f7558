//! How much a template may hold, and how much rendering it may do.

use time::Duration;

use crate::Flaw;

/// The bounds that no template and no data get past.
///
/// The time is looked at once in 4,096 steps, and what so few steps can do is done in about a millisecond: a short template never fails because the machine was
/// busy with something else, and no long one runs on.
#[derive(Clone, Copy, Debug)]
pub struct Bounds;

impl Bounds {
    /// The longest source of a part, in octets.
    pub const SOURCE: usize = 256 * 1024;
    /// The most tags in a part.
    pub const TAGS: usize = 2_000;
    /// The deepest nesting: of blocks and partials, and of subexpressions within a tag.
    pub const DEPTH: usize = 16;
    /// The longest chain of `{{else if ...}}` in all blocks that stand within each other.
    pub const CHAIN: usize = 64;
    /// The most templates that a template may take in, itself and the partials of its partials among them. Whoever fills a [`Library`](crate::Library) counts them.
    pub const PARTIALS: usize = 64;
    /// The most octets that all parts of an email render to together.
    pub const OUTPUT: usize = 1024 * 1024;
    /// How long rendering all parts of an email may take.
    pub const TIME: Duration = Duration::milliseconds(50);
    /// The most rounds of all `{{#each}}` in an email.
    pub const ITERATIONS: usize = 50_000;
    /// The most tags, values and texts that rendering an email passes.
    pub const STEPS: usize = 1_000_000;
    /// The deepest list in a list that is written.
    pub const DATA_DEPTH: usize = 32;
}

/// What is left of the bounds.
pub(crate) struct Budget<'a> {
    clock: &'a dyn selfmx_domain::Clock,
    end: time::OffsetDateTime,
    steps: usize,
    rounds: usize,
    octets: usize,
}

/// How many steps are done between two looks at the clock.
const STRIDE: usize = 4_096;

/// How many octets are read in about the time of a step.
const OCTETS_A_STEP: usize = 64;

impl<'a> Budget<'a> {
    pub(crate) fn new(clock: &'a dyn selfmx_domain::Clock) -> Self {
        let end = clock.now().saturating_add(Bounds::TIME);
        Self { clock, end, steps: 0, rounds: 0, octets: 0 }
    }

    /// Counts one step.
    pub(crate) fn step(&mut self) -> Result<(), Flaw> {
        self.read(0)
    }

    /// Counts one step that reads so many octets.
    pub(crate) fn read(&mut self, octets: usize) -> Result<(), Flaw> {
        let before = self.steps / STRIDE;
        self.steps = self.steps.saturating_add(1 + octets / OCTETS_A_STEP);
        if self.steps > Bounds::STEPS {
            return Err(Flaw::TooMuchWork);
        }
        if self.steps / STRIDE != before && self.clock.now() > self.end {
            return Err(Flaw::TooSlow);
        }
        Ok(())
    }

    /// Counts one round of a loop.
    pub(crate) fn round(&mut self) -> Result<(), Flaw> {
        self.rounds += 1;
        if self.rounds > Bounds::ITERATIONS {
            return Err(Flaw::TooMuchWork);
        }
        self.step()
    }

    /// Whether so many more octets of output may be written.
    pub(crate) const fn has_room(&self, octets: usize) -> Result<(), Flaw> {
        if self.octets.saturating_add(octets) > Bounds::OUTPUT { Err(Flaw::OutputTooLong) } else { Ok(()) }
    }

    /// Counts octets of output.
    pub(crate) fn write(&mut self, octets: usize) -> Result<(), Flaw> {
        self.has_room(octets)?;
        self.octets += octets;
        Ok(())
    }
}
