//! Templates.

use selfmx_wire::ErrorCode::{Conflict, TemplateError};

use crate::openapi::Operation;
use crate::openapi::operation::Content::Json;

pub(super) const TEMPLATES: &[Operation] = &[
    Operation::post("/v1/templates", "createTemplate", "Make a template")
        .takes("WriteTemplate")
        .answers(&[(201, Json("Template"))])
        .fails(&[Conflict, TemplateError]),
    Operation::get("/v1/templates", "listTemplates", "List templates").answers(&[(200, Json("TemplateSummaryList"))]),
    Operation::post("/v1/templates/validate", "validateTemplate", "Check a template without keeping it")
        .takes("ValidateTemplate")
        .answers(&[(200, Json("TemplateValid"))])
        .fails(&[TemplateError]),
    Operation::get("/v1/templates/{id}", "findTemplate", "Show a template").answers(&[(200, Json("Template"))]),
    Operation::put("/v1/templates/{id}", "replaceTemplate", "Put another template in its place, as a new version")
        .takes("WriteTemplate")
        .answers(&[(200, Json("Template"))])
        .fails(&[Conflict, TemplateError]),
    Operation::patch("/v1/templates/{id}", "updateTemplate", "Change a template, as a new version")
        .takes("UpdateTemplate")
        .answers(&[(200, Json("Template"))])
        .fails(&[Conflict, TemplateError]),
    Operation::delete("/v1/templates/{id}", "deleteTemplate", "Delete a template and all its versions")
        .answers(&[(200, Json("TemplateDeleted"))])
        .fails(&[Conflict]),
    Operation::get("/v1/templates/{id}/versions", "listTemplateVersions", "List a template's versions")
        .answers(&[(200, Json("TemplateVersionList"))]),
    Operation::post("/v1/templates/{id}/versions/{version}/restore", "restoreTemplate", "Bring a version back, as a new one")
        .answers(&[(200, Json("Template"))])
        .fails(&[Conflict, TemplateError]),
    Operation::post("/v1/templates/{id}/render", "renderTemplate", "Show what a template renders to")
        .takes("RenderTemplate")
        .answers(&[(200, Json("Rendered"))])
        .fails(&[TemplateError]),
];
