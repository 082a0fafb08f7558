//! Templates made ready and rendered: what is not kept is read, on a thread of its own, and so is all rendering done.

use std::sync::Arc;

use selfmx_auth::{Permit, Scope};
use selfmx_domain::{TemplateContent, TemplateId, TemplateKey, TemplateVersion, TenantId};
use selfmx_storage::{Store, TemplateHead};
use selfmx_template::{Compiled, Flaw, Library, Part, Place, Renderer, Source, Strictness, TemplateError};
use serde_json::Value;

use crate::send::broken;
use crate::template_cache::Kept;
use crate::{App, Error};

/// What a template renders to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenderedTemplate {
    /// The template.
    pub id: TemplateId,
    /// Its version.
    pub version: u32,
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
}

/// A template with all that it takes in, ready to be rendered any number of times.
#[derive(Clone)]
pub(crate) struct ReadyTemplate {
    pub(crate) id: TemplateId,
    pub(crate) version: u32,
    strict: bool,
    root: Arc<Compiled>,
    library: Arc<Library>,
}

impl ReadyTemplate {
    /// Its name.
    pub(crate) fn name(&self) -> &str {
        self.root.name()
    }
}

impl App {
    /// The template that is named, in its present version. `None`: there is none.
    pub(crate) async fn template_ready<P: Scope>(&self, permit: &Permit<P>, key: &TemplateKey) -> Result<Option<ReadyTemplate>, Error> {
        let heads = self.store.template_reach(permit, key).await?;
        let named = |head: &&TemplateHead| match key {
            TemplateKey::Id(id) => head.id == *id,
            TemplateKey::Name(name) => head.name == *name,
        };
        let Some(root) = heads.iter().find(named) else { return Ok(None) };
        let kept = self.templates_kept(permit, &heads, &root.name).await?;
        // Gone since it was asked what there is.
        let Some((_, own)) = kept.iter().find(|(id, _)| *id == root.id) else { return Ok(None) };
        let (strict, root_template) = (own.strict, Arc::clone(&own.compiled));
        let library = Arc::new(library(kept));
        Ok(Some(ReadyTemplate { id: root.id, version: root.version, strict, root: root_template, library }))
    }

    /// Reads a template that is not kept, and checks that all that it takes in is there. Gives the names that it takes in.
    pub(crate) async fn template_checked<P: Scope>(&self, permit: &Permit<P>, content: &TemplateContent) -> Result<Vec<String>, Error> {
        let wanted = content.clone();
        let compiled = apart(move || compiled(&wanted)).await??;
        let names: Vec<String> = compiled.partials().into_iter().map(str::to_owned).collect();
        if names.is_empty() {
            return Ok(names);
        }
        let heads = self.store.template_reach_of_names(permit, &names).await?;
        library(self.templates_kept(permit, &heads, compiled.name()).await?).check(&compiled)?;
        Ok(names)
    }

    /// Renders a template; `strict` says otherwise than the template whether a variable may be missing.
    pub(crate) async fn template_rendered(
        &self,
        ready: ReadyTemplate,
        data: Value,
        strict: Option<bool>,
    ) -> Result<RenderedTemplate, Error> {
        let clock = Arc::clone(&self.clock);
        let strictness = if strict.unwrap_or(ready.strict) { Strictness::Strict } else { Strictness::Lenient };
        Ok(apart(move || rendered(&ready, &data, strictness, &*clock)).await??)
    }

    /// These versions, ready to be rendered: as they are kept, or read now.
    async fn templates_kept<P: Scope>(
        &self,
        permit: &Permit<P>,
        heads: &[TemplateHead],
        asked: &str,
    ) -> Result<Vec<(TemplateId, Kept)>, Error> {
        if heads.len() > Store::MOST_REACHED {
            let (template, part, place) = (asked.to_owned(), Part::Subject, Place::START);
            return Err(TemplateError { template, part, place, flaw: Flaw::TooManyPartials }.into());
        }
        let tenant = permit.tenant();
        let (mut kept, mut missing) = (Vec::with_capacity(heads.len()), Vec::new());
        for head in heads {
            match self.templates.find(&(tenant, head.id, head.version)) {
                Some(found) => kept.push((head.id, found)),
                None => missing.push(head.clone()),
            }
        }
        if !missing.is_empty() {
            let contents = self.store.template_contents(permit, &missing).await?;
            let read = apart(move || contents.into_iter().map(read).collect::<Result<Vec<_>, _>>()).await??;
            kept.extend(read.into_iter().map(|fresh| self.keep(tenant, fresh)));
        }
        Ok(kept)
    }

    fn keep(&self, tenant: TenantId, (id, version, kept): (TemplateId, u32, Kept)) -> (TemplateId, Kept) {
        self.templates.insert((tenant, id, version), kept.clone());
        (id, kept)
    }
}

/// Does something that takes its time on a thread of its own, so that no other request waits for it.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.map_err(broken)
}

fn library(kept: Vec<(TemplateId, Kept)>) -> Library {
    let mut library = Library::new();
    kept.into_iter().for_each(|(_, kept)| library.insert(kept.compiled));
    library
}

fn read((id, version): (TemplateId, TemplateVersion)) -> Result<(TemplateId, u32, Kept), TemplateError> {
    let (compiled, strict) = (Arc::new(compiled(&version.content)?), version.content.strict);
    Ok((id, version.version, Kept { compiled, strict }))
}

fn compiled(content: &TemplateContent) -> Result<Compiled, TemplateError> {
    Compiled::new(&Source {
        name: content.name.as_str(),
        subject: &content.subject,
        html: content.html.as_deref(),
        text: content.text.as_deref(),
        from: content.from.as_deref(),
        reply_to: &content.reply_to,
    })
}

fn rendered(
    ready: &ReadyTemplate,
    data: &Value,
    strictness: Strictness,
    clock: &dyn selfmx_domain::Clock,
) -> Result<RenderedTemplate, TemplateError> {
    let mut renderer = Renderer::new(&ready.library, data, strictness, clock);
    Ok(RenderedTemplate {
        id: ready.id,
        version: ready.version,
        subject: renderer.one(&ready.root, Part::Subject)?.unwrap_or_default(),
        html: renderer.one(&ready.root, Part::Html)?,
        text: renderer.one(&ready.root, Part::Text)?,
        from: renderer.one(&ready.root, Part::From)?,
        reply_to: renderer.all(&ready.root, Part::ReplyTo)?,
    })
}
