//! Where a part is written: bounded, escaped where it is HTML, each line of a partial indented as the partial is.

use std::borrow::Cow;

use serde_json::Value as Json;

use crate::bounds::Budget;
use crate::tree::Escape;
use crate::value::Val;
use crate::{Bounds, Flaw};

/// The text of a part as it grows.
pub(crate) struct Output {
    text: String,
    indent: String,
    escape: Escape,
}

impl Output {
    /// `escape` is what the part asks for.
    pub(crate) const fn new(escape: Escape) -> Self {
        Self { text: String::new(), indent: String::new(), escape }
    }

    pub(crate) fn into_text(self) -> String {
        self.text
    }

    /// Begins a partial; gives what [`dedent`](Self::dedent) wants back.
    pub(crate) fn indent(&mut self, indent: &str, budget: &mut Budget<'_>) -> Result<usize, Flaw> {
        let before = self.indent.len();
        // What an indentation holds is counted when it is written; here it may only not grow without end.
        budget.read(indent.len())?;
        self.indent.push_str(indent);
        Ok(before)
    }

    pub(crate) fn dedent(&mut self, before: usize) {
        self.indent.truncate(before);
    }

    /// Writes text of the template.
    pub(crate) fn text(&mut self, text: &str, budget: &mut Budget<'_>) -> Result<(), Flaw> {
        if self.indent.is_empty() {
            return self.push(text, budget);
        }
        for line in text.split_inclusive('\n') {
            budget.step()?;
            let begins = self.text.is_empty() || self.text.ends_with('\n');
            if begins && !matches!(line, "\n" | "\r\n") {
                budget.write(self.indent.len())?;
                self.text.push_str(&self.indent);
            }
            self.push(line, budget)?;
        }
        Ok(())
    }

    /// Writes a value.
    pub(crate) fn value(&mut self, value: Val<'_>, escape: Escape, budget: &mut Budget<'_>) -> Result<(), Flaw> {
        match value {
            Val::Missing => Ok(()),
            Val::Flag(flag) => self.text(if flag { "true" } else { "false" }, budget),
            Val::Count(number) => self.text(&number.to_string(), budget),
            Val::Key(key) => self.escaped(key, escape, budget),
            Val::Data(value) => self.json(value, escape, 0, budget),
        }
    }

    fn json(&mut self, value: &Json, escape: Escape, depth: usize, budget: &mut Budget<'_>) -> Result<(), Flaw> {
        if depth > Bounds::DATA_DEPTH {
            return Err(Flaw::DataTooDeep);
        }
        budget.step()?;
        match value {
            Json::Null => Ok(()),
            Json::Bool(flag) => self.text(if *flag { "true" } else { "false" }, budget),
            Json::Number(number) => self.text(&number.to_string(), budget),
            Json::String(text) => self.escaped(text, escape, budget),
            Json::Object(_) => self.text("[object]", budget),
            Json::Array(list) => {
                self.text("[", budget)?;
                for (at, value) in list.iter().enumerate() {
                    if at > 0 {
                        self.text(", ", budget)?;
                    }
                    self.json(value, escape, depth + 1, budget)?;
                }
                self.text("]", budget)
            }
        }
    }

    fn escaped(&mut self, text: &str, escape: Escape, budget: &mut Budget<'_>) -> Result<(), Flaw> {
        if escape == Escape::Nothing || self.escape == Escape::Nothing {
            return self.text(text, budget);
        }
        // Escaping makes a text at most six times as long: what is too long before is not even begun.
        budget.has_room(text.len())?;
        self.text(&html_escaped(text), budget)
    }

    fn push(&mut self, text: &str, budget: &mut Budget<'_>) -> Result<(), Flaw> {
        budget.write(text.len())?;
        self.text.push_str(text);
        Ok(())
    }
}

/// The characters that could leave an element's text or an attribute's value, as Handlebars has them.
fn html_escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(is_special) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + text.len() / 4);
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#x27;"),
            '`' => escaped.push_str("&#x60;"),
            '=' => escaped.push_str("&#x3D;"),
            c => escaped.push(c),
        }
    }
    Cow::Owned(escaped)
}

const fn is_special(c: char) -> bool {
    matches!(c, '&' | '<' | '>' | '"' | '\'' | '`' | '=')
}
