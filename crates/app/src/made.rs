//! Emails made of what a request says and what its template says.

use std::collections::HashMap;

use selfmx_auth::{Permit, needs};
use selfmx_domain::{Draft, DraftParts, Problem, TemplateKey, TemplateUsed};
use selfmx_template::{Flaw, Part, Place, TemplateError};
use serde_json::Value;

use crate::template_render::{ReadyTemplate, RenderedTemplate};
use crate::{App, Error};

/// An email that is to be sent, as it is asked for.
#[derive(Clone, Debug)]
pub struct EmailRequest {
    /// What is said of it.
    pub parts: DraftParts,
    /// The template that says what they do not, and its data, an object.
    pub template: Option<(TemplateKey, Value)>,
}

/// Without a template.
impl From<DraftParts> for EmailRequest {
    fn from(parts: DraftParts) -> Self {
        Self { parts, template: None }
    }
}

/// The templates that one request has named so far, so that each is looked up once and is the same for all of its emails.
#[derive(Default)]
pub(crate) struct Named(HashMap<TemplateKey, Option<ReadyTemplate>>);

impl App {
    /// The email as a whole: what the request does not say its template says, and what neither says of its sender the tenant does.
    pub(crate) async fn made(
        &self,
        permit: &Permit<needs::Send>,
        request: EmailRequest,
        named: &mut Named,
    ) -> Result<(Draft, Option<TemplateUsed>), Error> {
        let EmailRequest { mut parts, template } = request;
        let mut used = None;
        if let Some((key, data)) = template {
            for (field, said) in [("html", &parts.html), ("text", &parts.text)] {
                if said.is_some() {
                    return Err(Problem::BesideTemplate.at(field).into());
                }
            }
            let ready = self.template_to_send(permit, key, named).await?;
            used = Some(TemplateUsed { id: ready.id, version: ready.version });
            let name = ready.name().to_owned();
            let rendered = self.template_rendered(ready, data, None).await?;
            parts = filled(parts, rendered).map_err(|(part, problem)| unfit(name, part, problem))?;
        }
        let parts = permit.tenant_then().profile.defaults.fill(parts);
        Ok((Draft::new(parts, &self.limits)?, used))
    }

    /// The template that is named, where the key may send by it. Who is limited to others learns nothing of it.
    async fn template_to_send(&self, permit: &Permit<needs::Send>, key: TemplateKey, named: &mut Named) -> Result<ReadyTemplate, Error> {
        if let TemplateKey::Id(id) = &key {
            permit.check_template(Some(*id))?;
        }
        let ready = match named.0.get(&key) {
            Some(known) => known.clone(),
            None => {
                let ready = self.template_ready(permit, &key).await?;
                named.0.insert(key.clone(), ready.clone());
                ready
            }
        };
        match (ready, key) {
            (Some(ready), _) => {
                permit.check_template(Some(ready.id))?;
                Ok(ready)
            }
            (None, TemplateKey::Id(_)) => Err(Problem::NoSuchTemplate.at("template_id").into()),
            (None, TemplateKey::Name(_)) => {
                permit.check_template(None)?;
                Err(Problem::NoSuchTemplate.at("template_id").into())
            }
        }
    }
}

/// What the request says stays. What a template makes of a subject or an address has to be one, as if a request had said it.
fn filled(mut parts: DraftParts, rendered: RenderedTemplate) -> Result<DraftParts, (Part, Problem)> {
    if parts.subject.is_none() {
        parts.subject = Some(rendered.subject.parse().map_err(|problem| (Part::Subject, problem))?);
    }
    if let (None, Some(from)) = (&parts.from, rendered.from) {
        parts.from = Some(from.parse().map_err(|problem| (Part::From, problem))?);
    }
    if parts.reply_to.is_empty() {
        let addresses = rendered.reply_to.iter().map(|address| address.parse());
        parts.reply_to = addresses.collect::<Result<_, _>>().map_err(|problem| (Part::ReplyTo, problem))?;
    }
    (parts.text, parts.html) = (rendered.text, rendered.html);
    Ok(parts)
}

fn unfit(template: String, part: Part, problem: Problem) -> Error {
    TemplateError { template, part, place: Place::START, flaw: Flaw::Value(problem) }.into()
}
