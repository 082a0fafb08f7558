//! Templates as they are kept: what they say, version by version.

use std::str::FromStr;

use time::OffsetDateTime;

use crate::{Change, FieldError, Name, Problem, TemplateId};

/// What one version of a template says. Whether its texts can be read as templates is not known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateContent {
    /// By which a request or another template names it; no two of a tenant have the same.
    pub name: TemplateName,
    /// The subject.
    pub subject: String,
    /// The HTML body.
    pub html: Option<String>,
    /// The text body.
    pub text: Option<String>,
    /// The sender.
    pub from: Option<String>,
    /// The addresses for answers.
    pub reply_to: Vec<String>,
    /// Whether a variable that is missing is an error.
    pub strict: bool,
}

impl TemplateContent {
    /// The most addresses for answers that a template may have.
    pub const MOST_REPLY_TO: usize = 10;

    /// Checks what can be wrong with a content as a whole.
    ///
    /// # Errors
    ///
    /// [`Problem::TooMany`] where there are more than 10 addresses for answers, [`Problem::ControlCharacter`] where a part has a NUL, which no store of ours can
    /// keep and no mail has.
    pub fn checked(self) -> Result<Self, FieldError> {
        let parts =
            [("subject", Some(&self.subject)), ("html", self.html.as_ref()), ("text", self.text.as_ref()), ("from", self.from.as_ref())];
        let parts = parts.into_iter().chain(self.reply_to.iter().map(|address| ("reply_to", Some(address))));
        if let Some((part, _)) = parts.into_iter().find(|(_, text)| text.is_some_and(|text| text.contains('\0'))) {
            return Err(Problem::ControlCharacter.at(part));
        }
        if self.reply_to.len() > Self::MOST_REPLY_TO {
            return Err(Problem::TooMany { limit: Self::MOST_REPLY_TO, unit: "addresses" }.at("reply_to"));
        }
        Ok(self)
    }
}

/// The name of a template: a [`Name`] that cannot be taken for an id, since a request names a template by either.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateName(Name);

impl TemplateName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl FromStr for TemplateName {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        let name: Name = text.parse()?;
        if name.as_str().starts_with("tmpl_") {
            return Err(Problem::LooksLikeAnId);
        }
        Ok(Self(name))
    }
}

/// By what a request names a template.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TemplateKey {
    /// By its id.
    Id(TemplateId),
    /// By its name.
    Name(String),
}

impl FromStr for TemplateKey {
    type Err = Problem;

    /// Any text is one or the other; whether there is such a template is another question.
    fn from_str(text: &str) -> Result<Self, Problem> {
        Ok(text.parse().map_or_else(|_| Self::Name(text.trim().to_owned()), Self::Id))
    }
}

/// The template that an email was made from, in the version that it had then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TemplateUsed {
    /// The template.
    pub id: TemplateId,
    /// Its version, from 1.
    pub version: u32,
}

/// A version of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateVersion {
    /// Which one, from 1.
    pub version: u32,
    /// What it says.
    pub content: TemplateContent,
    /// Since when there is this version, by the store's clock.
    pub created_at: OffsetDateTime,
}

/// A template in its present version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// Its id.
    pub id: TemplateId,
    /// The present version; it is as old as the last change.
    pub present: TemplateVersion,
    /// Since when there is the template, by the store's clock.
    pub created_at: OffsetDateTime,
}

/// What a list shows of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateSummary {
    /// Its id.
    pub id: TemplateId,
    /// Its name.
    pub name: TemplateName,
    /// Its present version.
    pub version: u32,
    /// Since when there is the template, by the store's clock.
    pub created_at: OffsetDateTime,
    /// When it was last changed.
    pub updated_at: OffsetDateTime,
}

/// What is to be changed of a template; what is not said stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TemplateChange {
    /// The name.
    pub name: Option<TemplateName>,
    /// The subject.
    pub subject: Option<String>,
    /// The HTML body.
    pub html: Change<String>,
    /// The text body.
    pub text: Change<String>,
    /// The sender.
    pub from: Change<String>,
    /// The addresses for answers.
    pub reply_to: Change<Vec<String>>,
    /// Whether a variable that is missing is an error.
    pub strict: Option<bool>,
}

impl TemplateChange {
    /// The content after the change.
    ///
    /// # Errors
    ///
    /// As for [`TemplateContent::checked`].
    pub fn apply(self, old: TemplateContent) -> Result<TemplateContent, FieldError> {
        let changed = TemplateContent {
            name: self.name.unwrap_or(old.name),
            subject: self.subject.unwrap_or(old.subject),
            html: self.html.apply(old.html),
            text: self.text.apply(old.text),
            from: self.from.apply(old.from),
            reply_to: self.reply_to.apply(Some(old.reply_to)).unwrap_or_default(),
            strict: self.strict.unwrap_or(old.strict),
        };
        changed.checked()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content() -> TemplateContent {
        TemplateContent {
            name: "welcome".parse().unwrap(),
            subject: "s".to_owned(),
            html: Some("h".to_owned()),
            text: None,
            from: None,
            reply_to: vec!["a".to_owned()],
            strict: false,
        }
    }

    #[test]
    fn a_name_is_no_id() {
        assert_eq!(" my footer ".parse::<TemplateName>().unwrap().as_str(), "my footer");
        assert_eq!("tmpl_01h455vb4pex5vsknk084sn02q".parse::<TemplateName>(), Err(Problem::LooksLikeAnId));
        let id: TemplateId = "tmpl_01h455vb4pex5vsknk084sn02q".parse().unwrap();
        assert_eq!("tmpl_01h455vb4pex5vsknk084sn02q".parse(), Ok(TemplateKey::Id(id)));
        assert_eq!("welcome".parse(), Ok(TemplateKey::Name("welcome".to_owned())));
    }

    #[test]
    fn a_change_keeps_what_it_does_not_say() {
        assert_eq!(TemplateChange::default().apply(content()), Ok(content()));
        let change = TemplateChange {
            html: Change::Clear,
            text: Change::Set("t".to_owned()),
            reply_to: Change::Clear,
            strict: Some(true),
            ..TemplateChange::default()
        };
        let expected = TemplateContent { html: None, text: Some("t".to_owned()), reply_to: Vec::new(), strict: true, ..content() };
        assert_eq!(change.apply(content()), Ok(expected));
        let many = TemplateChange { reply_to: Change::Set(vec![String::new(); 11]), ..TemplateChange::default() };
        assert_eq!(many.apply(content()).unwrap_err().field, "reply_to");
        let nul = || "a\0".to_owned();
        for (field, change) in [
            ("subject", TemplateChange { subject: Some(nul()), ..TemplateChange::default() }),
            ("html", TemplateChange { html: Change::Set(nul()), ..TemplateChange::default() }),
            ("text", TemplateChange { text: Change::Set(nul()), ..TemplateChange::default() }),
            ("from", TemplateChange { from: Change::Set(nul()), ..TemplateChange::default() }),
            ("reply_to", TemplateChange { reply_to: Change::Set(vec![nul()]), ..TemplateChange::default() }),
        ] {
            assert_eq!(change.apply(content()).unwrap_err(), Problem::ControlCharacter.at(field));
        }
    }
}
