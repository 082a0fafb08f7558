//! The rows of a template and what they mean.

use diesel::{Queryable, Selectable};
use selfmx_domain::{TemplateContent, TemplateId, TemplateSummary, TemplateVersion};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::Error;
use crate::schema::{template_versions, templates};
use crate::templates::version_of;

#[derive(Queryable, Selectable)]
#[diesel(table_name = template_versions, check_for_backend(diesel::pg::Pg))]
pub(crate) struct VersionRow {
    version: i32,
    name: String,
    subject: String,
    html: Option<String>,
    text: Option<String>,
    sender: Option<String>,
    reply_to: Vec<String>,
    strict: bool,
    created_at: OffsetDateTime,
}

impl VersionRow {
    pub(crate) fn into_version(self) -> Result<TemplateVersion, Error> {
        let content = TemplateContent {
            name: self.name.parse().or(Err(Error::Unreadable("template_versions.name")))?,
            subject: self.subject,
            html: self.html,
            text: self.text,
            from: self.sender,
            reply_to: self.reply_to,
            strict: self.strict,
        };
        Ok(TemplateVersion { version: version_of(self.version)?, content, created_at: self.created_at })
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = templates, check_for_backend(diesel::pg::Pg))]
pub(crate) struct SummaryRow {
    id: Uuid,
    name: String,
    version: i32,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
}

impl SummaryRow {
    pub(crate) fn into_summary(self) -> Result<TemplateSummary, Error> {
        Ok(TemplateSummary {
            id: TemplateId::from_uuid(self.id),
            name: self.name.parse().or(Err(Error::Unreadable("templates.name")))?,
            version: version_of(self.version)?,
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }
}
