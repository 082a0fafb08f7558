//! The templates that can be taken as partials.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::compile::each_include;
use crate::error::{Flaw, Part, TemplateError};
use crate::tree::Include;
use crate::{Bounds, Compiled};

/// Templates of one tenant, by name. Whoever fills it decides whose templates they are.
#[derive(Clone, Debug, Default)]
pub struct Library {
    templates: BTreeMap<String, Arc<Compiled>>,
}

impl Library {
    /// An empty library.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a template under its name, in the place of another of that name.
    pub fn insert(&mut self, template: Arc<Compiled>) {
        self.templates.insert(template.name().to_owned(), template);
    }

    /// The template of a name.
    #[must_use]
    pub fn template(&self, name: &str) -> Option<&Compiled> {
        self.templates.get(name).map(Arc::as_ref)
    }

    /// Checks that each partial of a template, and of its partials, exists, has the part that it is taken for, and holds none of those that hold it.
    ///
    /// # Errors
    ///
    /// [`Flaw::UnknownPartial`], [`Flaw::PartialWithoutPart`], [`Flaw::Cycle`] or [`Flaw::TooDeep`], where the partial is named.
    pub fn check(&self, template: &Compiled) -> Result<(), TemplateError> {
        for part in template.parts() {
            let mut check = Check { library: self, part, done: BTreeMap::new() };
            check.visit(template, &mut vec![template.name()])?;
        }
        Ok(())
    }
}

struct Check<'l> {
    library: &'l Library,
    part: Part,
    /// Partials that were passed without a flaw, and how deep what they hold reaches: none is passed twice.
    done: BTreeMap<&'l str, usize>,
}

impl<'l> Check<'l> {
    /// How many partials deep the template reaches.
    fn visit(&mut self, template: &'l Compiled, path: &mut Vec<&'l str>) -> Result<usize, TemplateError> {
        let mut includes = Vec::new();
        for nodes in template.part(self.part) {
            each_include(nodes, &mut |include| includes.push(include));
        }
        let mut deepest = 0;
        for include in includes {
            let part = self.part;
            let flaw = |flaw| TemplateError { template: template.name().to_owned(), part, place: include.place, flaw };
            if path.contains(&include.name.as_str()) {
                return Err(flaw(Flaw::Cycle(cycle(path, include))));
            }
            if path.len() > Bounds::DEPTH {
                return Err(flaw(Flaw::TooDeep));
            }
            let partial = self.library.template(&include.name).ok_or_else(|| flaw(Flaw::UnknownPartial(include.name.clone())))?;
            if partial.part(self.part).is_empty() {
                return Err(flaw(Flaw::PartialWithoutPart(include.name.clone(), self.part)));
            }
            let depth = match self.done.get(partial.name()) {
                Some(depth) => *depth,
                None => {
                    path.push(partial.name());
                    let depth = self.visit(partial, path)?;
                    path.pop();
                    self.done.insert(partial.name(), depth);
                    depth
                }
            };
            deepest = deepest.max(depth + 1);
            if path.len() - 1 + deepest > Bounds::DEPTH {
                return Err(flaw(Flaw::TooDeep));
            }
        }
        Ok(deepest)
    }
}

fn cycle(path: &[&str], include: &Include) -> Vec<String> {
    let from = path.iter().position(|name| *name == include.name).unwrap_or(0);
    path.iter().skip(from).copied().chain([include.name.as_str()]).map(str::to_owned).collect()
}
