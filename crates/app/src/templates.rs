//! Templates: make, change, bring back, delete, find, list, render, check.

use selfmx_auth::{Permit, needs};
use selfmx_domain::{AuditAction, Page, PageRequest, Template, TemplateChange, TemplateContent, TemplateId, TemplateKey, TemplateSummary};
use selfmx_storage::Changed;
use serde_json::Value;
use time::OffsetDateTime;

use crate::template_render::RenderedTemplate;
use crate::{App, Error};

/// How often a change is tried while others change the same template.
const ROUNDS: usize = 3;

impl App {
    /// Makes a template, which can be read and whose partials are there.
    ///
    /// # Errors
    ///
    /// [`Error::Template`] where it cannot be used, [`Error::NameTaken`] where another template of the tenant has the name, [`Error::Denied`] where the
    /// permit's key may not do that any more; otherwise where the store cannot.
    pub async fn template_create(&self, permit: &Permit<needs::TemplatesWrite>, content: TemplateContent) -> Result<Template, Error> {
        let partials = self.template_checked(permit, &content).await?;
        Ok(self.store.template_create(permit, &content, &partials).await?)
    }

    /// Checks a template as [`template_create`](Self::template_create) does, and keeps nothing. Gives the names of the templates that it takes in.
    ///
    /// # Errors
    ///
    /// [`Error::Template`] where it cannot be used.
    pub async fn template_validate(&self, permit: &Permit<needs::TemplatesWrite>, content: &TemplateContent) -> Result<Vec<String>, Error> {
        self.template_checked(permit, content).await
    }

    /// Changes a template, which gets a new version unless all stays as it is.
    ///
    /// # Errors
    ///
    /// As for [`template_create`](Self::template_create); [`Error::NotFound`] where there is none, [`Error::ChangedMeanwhile`] where others changed it
    /// again and again at the same time.
    pub async fn template_update(
        &self,
        permit: &Permit<needs::TemplatesWrite>,
        id: TemplateId,
        change: TemplateChange,
    ) -> Result<Template, Error> {
        for _ in 0..ROUNDS {
            let old = self.store.template_find(permit, id).await?.ok_or(Error::NotFound)?;
            let content = change.clone().apply(old.present.content.clone())?;
            if let Some(changed) = self.template_changed(permit, &old, content, AuditAction::TemplateUpdate).await? {
                return Ok(changed);
            }
        }
        Err(Error::ChangedMeanwhile)
    }

    /// Gives a template a new version that says what an earlier one said; its name stays.
    ///
    /// # Errors
    ///
    /// As for [`template_update`](Self::template_update); [`Error::NotFound`] also where that version is not kept.
    pub async fn template_restore(&self, permit: &Permit<needs::TemplatesWrite>, id: TemplateId, version: u32) -> Result<Template, Error> {
        for _ in 0..ROUNDS {
            let old = self.store.template_find(permit, id).await?.ok_or(Error::NotFound)?;
            let earlier = self.store.template_version(permit, id, version).await?.ok_or(Error::NotFound)?;
            let content = TemplateContent { name: old.present.content.name.clone(), ..earlier.content };
            if let Some(changed) = self.template_changed(permit, &old, content, AuditAction::TemplateRestore).await? {
                return Ok(changed);
            }
        }
        Err(Error::ChangedMeanwhile)
    }

    /// `None`: somebody else changed it meanwhile.
    async fn template_changed(
        &self,
        permit: &Permit<needs::TemplatesWrite>,
        old: &Template,
        content: TemplateContent,
        action: AuditAction,
    ) -> Result<Option<Template>, Error> {
        if content == old.present.content {
            return Ok(Some(old.clone()));
        }
        let partials = self.template_checked(permit, &content).await?;
        match self.store.template_update(permit, old, &content, &partials, action).await? {
            None => Err(Error::NotFound),
            Some(Changed::Meanwhile) => Ok(None),
            Some(Changed::To(template)) => Ok(Some(*template)),
        }
    }

    /// Deletes a template and its versions.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] where there is none, [`Error::Denied`] where the permit's key may not do that any more.
    pub async fn template_delete(&self, permit: &Permit<needs::TemplatesWrite>, id: TemplateId) -> Result<(), Error> {
        self.store.template_delete(permit, id).await?.then_some(()).ok_or(Error::NotFound)
    }

    /// The template with this id.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] where there is none.
    pub async fn template_find(&self, permit: &Permit<needs::TemplatesRead>, id: TemplateId) -> Result<Template, Error> {
        self.store.template_find(permit, id).await?.ok_or(Error::NotFound)
    }

    /// Makes sure that there is a template with this id, for whoever is to change it.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] where there is none.
    pub async fn template_is_there(&self, permit: &Permit<needs::TemplatesWrite>, id: TemplateId) -> Result<(), Error> {
        self.store.template_find(permit, id).await?.map(|_| ()).ok_or(Error::NotFound)
    }

    /// The tenant's templates, newest first.
    ///
    /// # Errors
    ///
    /// Where the store cannot.
    pub async fn template_list(
        &self,
        permit: &Permit<needs::TemplatesRead>,
        page: PageRequest<TemplateId>,
    ) -> Result<Page<TemplateSummary>, Error> {
        Ok(self.store.template_list(permit, page).await?)
    }

    /// The versions of a template that are kept, newest first: number, name and since when.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] where there is no such template.
    pub async fn template_versions(
        &self,
        permit: &Permit<needs::TemplatesRead>,
        id: TemplateId,
    ) -> Result<Vec<(u32, String, OffsetDateTime)>, Error> {
        let versions = self.store.template_versions(permit, id).await?;
        if versions.is_empty() { Err(Error::NotFound) } else { Ok(versions) }
    }

    /// Renders a template with this data; `strict` says otherwise than the template whether a variable may be missing.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] where there is none, [`Error::Template`] where it cannot be rendered.
    pub async fn template_render(
        &self,
        permit: &Permit<needs::TemplatesRead>,
        id: TemplateId,
        data: Value,
        strict: Option<bool>,
    ) -> Result<RenderedTemplate, Error> {
        let ready = self.template_ready(permit, &TemplateKey::Id(id)).await?.ok_or(Error::NotFound)?;
        self.template_rendered(ready, data, strict).await
    }
}
