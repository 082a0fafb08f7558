//! Templates.

use selfmx_app::App;
use selfmx_auth::{Permit, needs};
use selfmx_domain::{Page, TemplateId};
use selfmx_wire::{
    List, RenderTemplate, RenderedView, TemplateDeleted, TemplateSummaryView, TemplateValid, TemplateVersionView, TemplateView,
    UpdateTemplate, WriteTemplate,
};

use crate::{Answer, Call, Reply};

/// The query parameters of [`list`].
pub(crate) const LIST: &[&str] = &["limit", "after"];
/// The query parameters of [`render`].
pub(crate) const RENDER: &[&str] = &["strict"];

/// `POST /v1/templates`.
pub(crate) async fn create(permit: Permit<needs::TemplatesWrite>, mut call: Call<App>) -> Answer {
    let request = call.read(WriteTemplate::read).await?;
    let template = call.state().template_create(&permit, request.into()).await?;
    Reply::created(&TemplateView::from(&template))
}

/// `GET /v1/templates`.
pub(crate) async fn list(permit: Permit<needs::TemplatesRead>, call: Call<App>) -> Answer {
    let page = call.state().template_list(&permit, call.query().page_or_first()?).await?;
    Reply::ok(&List::<TemplateSummaryView<'_>>::new(&page, |template| template.id.to_string()))
}

/// `GET /v1/templates/{id}`.
pub(crate) async fn find(permit: Permit<needs::TemplatesRead>, call: Call<App>) -> Answer {
    let template = call.state().template_find(&permit, call.id()?).await?;
    Reply::ok(&TemplateView::from(&template))
}

/// `PUT /v1/templates/{id}`: what is not said is not there any more.
pub(crate) async fn replace(permit: Permit<needs::TemplatesWrite>, mut call: Call<App>) -> Answer {
    let id = there(&permit, &call).await?;
    let request = call.read(WriteTemplate::read).await?;
    let template = call.state().template_update(&permit, id, request.into()).await?;
    Reply::ok(&TemplateView::from(&template))
}

/// `PATCH /v1/templates/{id}`: what is not said stays.
pub(crate) async fn update(permit: Permit<needs::TemplatesWrite>, mut call: Call<App>) -> Answer {
    let id = there(&permit, &call).await?;
    let request = call.read(UpdateTemplate::read).await?;
    let template = call.state().template_update(&permit, id, request.into()).await?;
    Reply::ok(&TemplateView::from(&template))
}

/// `DELETE /v1/templates/{id}`.
pub(crate) async fn delete(permit: Permit<needs::TemplatesWrite>, call: Call<App>) -> Answer {
    let id = call.id()?;
    call.state().template_delete(&permit, id).await?;
    Reply::ok(&TemplateDeleted::new(id))
}

/// `GET /v1/templates/{id}/versions`.
pub(crate) async fn versions(permit: Permit<needs::TemplatesRead>, call: Call<App>) -> Answer {
    let items = call.state().template_versions(&permit, call.id()?).await?;
    let page = Page { items, has_more: false, total: None };
    Reply::ok(&List::<TemplateVersionView<'_>>::new(&page, |(version, ..)| version.to_string()))
}

/// `POST /v1/templates/{id}/versions/{version}/restore`.
pub(crate) async fn restore(permit: Permit<needs::TemplatesWrite>, call: Call<App>) -> Answer {
    let template = call.state().template_restore(&permit, call.id()?, call.version()?).await?;
    Reply::ok(&TemplateView::from(&template))
}

/// `POST /v1/templates/{id}/render`.
pub(crate) async fn render(permit: Permit<needs::TemplatesRead>, mut call: Call<App>) -> Answer {
    let (id, strict) = (call.id()?, call.query().flag("strict")?);
    // Before the body is looked at: what is not there answers so, whatever the body.
    call.state().template_find(&permit, id).await?;
    let request = call.read(RenderTemplate::read).await?;
    let rendered = call.state().template_render(&permit, id, request.data, strict).await?;
    Reply::ok(&RenderedView {
        template_id: rendered.id.to_string(),
        version: rendered.version,
        subject: &rendered.subject,
        html: rendered.html.as_deref(),
        text: rendered.text.as_deref(),
        from: rendered.from.as_deref(),
        reply_to: &rendered.reply_to,
    })
}

/// `POST /v1/templates/validate`.
pub(crate) async fn validate(permit: Permit<needs::TemplatesWrite>, mut call: Call<App>) -> Answer {
    let request = call.read(WriteTemplate::read_unnamed).await?;
    let partials = call.state().template_validate(&permit, &request.into()).await?;
    Reply::ok(&TemplateValid::new(partials))
}

/// The template in the path, before the body is looked at: what is not there answers so, whatever the body.
async fn there(permit: &Permit<needs::TemplatesWrite>, call: &Call<App>) -> Result<TemplateId, crate::Failure> {
    let id = call.id()?;
    call.state().template_is_there(permit, id).await?;
    Ok(id)
}
