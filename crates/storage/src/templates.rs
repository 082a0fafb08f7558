//! Templates: made, changed, brought back, found and listed. Each change is a version of its own, which is never changed again.

use diesel::dsl::now;
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use diesel::{BoolExpressionMethods, ExpressionMethods, JoinOnDsl, OptionalExtension, QueryDsl, SelectableHelper};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use selfmx_auth::{Permit, Scope, needs};
use selfmx_domain::{AuditAction, Page, PageRequest, Template, TemplateContent, TemplateId, TemplateSummary, TemplateVersion};
use serde_json::{Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::audit::Entry;
use crate::keys::hold;
use crate::pages::{self, Window};
use crate::schema::{template_versions, templates};
use crate::store::{change, read};
use crate::template_rows::{SummaryRow, VersionRow};
use crate::{Error, Store};

/// How many versions of a template are kept.
const KEPT: i32 = 100;

impl Store {
    /// Makes a template, in its first version; `partials` are the names that it takes in.
    ///
    /// # Errors
    ///
    /// [`Error::NameTaken`] where another template of the tenant has the name, [`Error::Denied`] where the permit's key may not do that any more; otherwise
    /// where the database cannot.
    pub async fn template_create(
        &self,
        permit: &Permit<needs::TemplatesWrite>,
        content: &TemplateContent,
        partials: &[String],
    ) -> Result<Template, Error> {
        let id = TemplateId::generate(&*self.clock, &*self.entropy);
        let values = (
            (templates::tenant_id.eq(permit.tenant().as_uuid()), templates::id.eq(id.as_uuid())),
            (templates::name.eq(content.name.as_str()), templates::version.eq(1), templates::partials.eq(partials)),
        );
        let create = async |connection: &mut AsyncPgConnection| {
            let held = hold(connection, permit.key_id(), None).await?;
            let permit = permit.renewed(held.maker.as_ref(), held.at)?;
            let insert = diesel::insert_into(templates::table).values(values).returning(templates::created_at);
            let made: Vec<OffsetDateTime> = insert.get_results(connection).await.map_err(taken)?;
            let created_at = made.into_iter().next().ok_or(Error::Unreadable("templates"))?;
            let present = write_version(connection, permit.tenant().as_uuid(), id, 1, content).await?;
            let template = Template { id, present, created_at };
            let entry = Entry { target: Some(id.to_string()), after: Some(shown(&template)), ..Entry::by(&permit) };
            self.audit(connection, AuditAction::TemplateCreate, entry).await?;
            Ok::<_, Error>(template)
        };
        change!(self, connection => connection.transaction(create).await).await
    }

    /// Gives the template with this id a new version, where its present one is still `old`. `None`: there is no such template; [`Changed::Meanwhile`]:
    /// somebody else was faster, and what there is now has to be looked at again.
    ///
    /// # Errors
    ///
    /// As for [`template_create`](Self::template_create).
    pub async fn template_update(
        &self,
        permit: &Permit<needs::TemplatesWrite>,
        old: &Template,
        content: &TemplateContent,
        partials: &[String],
        action: AuditAction,
    ) -> Result<Option<Changed>, Error> {
        let (tenant, id) = (permit.tenant().as_uuid(), old.id);
        let update = async |connection: &mut AsyncPgConnection| {
            let held = hold(connection, permit.key_id(), None).await?;
            let permit = permit.renewed(held.maker.as_ref(), held.at)?;
            let row = templates::table.find((tenant, id.as_uuid()));
            let present: Option<i32> = row.select(templates::version).for_no_key_update().first(connection).await.optional()?;
            let Some(present) = present else { return Ok(None) };
            if u32::try_from(present) != Ok(old.present.version) {
                return Ok(Some(Changed::Meanwhile));
            }
            let version = present.checked_add(1).ok_or(Error::Unreadable("templates.version"))?;
            let named = (templates::name.eq(content.name.as_str()), templates::partials.eq(partials));
            let set = (named, templates::version.eq(version), templates::updated_at.eq(now));
            diesel::update(row).set(set).execute(connection).await.map_err(taken)?;
            let present = write_version(connection, tenant, id, version, content).await?;
            let of_it = template_versions::tenant_id.eq(tenant).and(template_versions::template_id.eq(id.as_uuid()));
            let too_old = template_versions::table.filter(of_it.and(template_versions::version.le(version - KEPT)));
            diesel::delete(too_old).execute(connection).await?;
            let new = Template { id, present, created_at: old.created_at };
            let (before, after) = (Some(shown(old)), Some(shown(&new)));
            let entry = Entry { target: Some(id.to_string()), before, after, ..Entry::by(&permit) };
            self.audit(connection, action, entry).await?;
            Ok::<_, Error>(Some(Changed::To(Box::new(new))))
        };
        change!(self, connection => connection.transaction(update).await).await
    }

    /// Deletes the template with this id and all of its versions. `false`: there is none.
    ///
    /// # Errors
    ///
    /// [`Error::Denied`] where the permit's key may not do that any more; otherwise where the database cannot.
    pub async fn template_delete(&self, permit: &Permit<needs::TemplatesWrite>, id: TemplateId) -> Result<bool, Error> {
        let delete = async |connection: &mut AsyncPgConnection| {
            let held = hold(connection, permit.key_id(), None).await?;
            let permit = permit.renewed(held.maker.as_ref(), held.at)?;
            let delete = diesel::delete(templates::table.find((permit.tenant().as_uuid(), id.as_uuid())));
            let gone: Vec<(String, i32)> = delete.returning((templates::name, templates::version)).get_results(connection).await?;
            let Some((name, version)) = gone.into_iter().next() else { return Ok(false) };
            let before = Some(json!({"name": name, "version": version}));
            let entry = Entry { target: Some(id.to_string()), before, ..Entry::by(&permit) };
            self.audit(connection, AuditAction::TemplateDelete, entry).await?;
            Ok::<_, Error>(true)
        };
        change!(self, connection => connection.transaction(delete).await).await
    }

    /// The template with this id, in its present version.
    ///
    /// # Errors
    ///
    /// Where the database cannot.
    pub async fn template_find<P: Scope>(&self, permit: &Permit<P>, id: TemplateId) -> Result<Option<Template>, Error> {
        let tenant = permit.tenant().as_uuid();
        let present = template_versions::tenant_id
            .eq(templates::tenant_id)
            .and(template_versions::template_id.eq(templates::id))
            .and(template_versions::version.eq(templates::version));
        let query = || {
            let joined = templates::table.inner_join(template_versions::table.on(present));
            let own = joined.filter(templates::tenant_id.eq(tenant).and(templates::id.eq(id.as_uuid())));
            own.select((templates::created_at, VersionRow::as_select()))
        };
        let row: Option<(OffsetDateTime, VersionRow)> = read!(self, connection => query().first(connection).await.optional()).await?;
        row.map(|(created_at, row)| Ok(Template { id, present: row.into_version()?, created_at })).transpose()
    }

    /// The permit's tenant's templates, newest first.
    ///
    /// # Errors
    ///
    /// Where the database cannot.
    pub async fn template_list(
        &self,
        permit: &Permit<needs::TemplatesRead>,
        page: PageRequest<TemplateId>,
    ) -> Result<Page<TemplateSummary>, Error> {
        let (tenant, window) = (permit.tenant().as_uuid(), Window::of(page));
        let rows: Vec<SummaryRow> = read!(self, connection => {
            let mut query = templates::table.into_boxed().filter(templates::tenant_id.eq(tenant));
            if let Some(after) = pages::after(page.start) {
                query = query.filter(templates::id.lt(after.as_uuid()));
            }
            let query = query.order(templates::id.desc()).select(SummaryRow::as_select());
            query.limit(window.rows).offset(window.offset).load(connection).await
        })
        .await?;
        let items = rows.into_iter().map(SummaryRow::into_summary).collect::<Result<_, _>>()?;
        Ok(pages::page(items, page.limit, None))
    }

    /// The versions of a template that are kept, newest first: 100 at most, the present one among them. None: there is no such template.
    ///
    /// # Errors
    ///
    /// Where the database cannot.
    pub async fn template_versions(
        &self,
        permit: &Permit<needs::TemplatesRead>,
        id: TemplateId,
    ) -> Result<Vec<(u32, String, OffsetDateTime)>, Error> {
        let tenant = permit.tenant().as_uuid();
        let own = || {
            let of_it = template_versions::tenant_id.eq(tenant).and(template_versions::template_id.eq(id.as_uuid()));
            template_versions::table.filter(of_it).order(template_versions::version.desc())
        };
        let columns = (template_versions::version, template_versions::name, template_versions::created_at);
        let rows: Vec<(i32, String, OffsetDateTime)> = read!(self, connection => own().select(columns).load(connection).await).await?;
        let told = rows.into_iter().map(|(version, name, at)| Ok((version_of(version)?, name, at)));
        told.collect()
    }

    /// What one version of a template says.
    ///
    /// # Errors
    ///
    /// Where the database cannot.
    pub async fn template_version<P: Scope>(
        &self,
        permit: &Permit<P>,
        id: TemplateId,
        version: u32,
    ) -> Result<Option<TemplateVersion>, Error> {
        let Ok(version) = i32::try_from(version) else { return Ok(None) };
        let key = (permit.tenant().as_uuid(), id.as_uuid(), version);
        let query = || template_versions::table.find(key).select(VersionRow::as_select());
        let row: Option<VersionRow> = read!(self, connection => query().first(connection).await.optional()).await?;
        row.map(VersionRow::into_version).transpose()
    }
}

/// What has become of a template that was to be changed.
#[derive(Clone, Debug)]
pub enum Changed {
    /// It has a new version.
    To(Box<Template>),
    /// It has a new version already, by somebody else.
    Meanwhile,
}

pub(crate) fn version_of(version: i32) -> Result<u32, Error> {
    u32::try_from(version).or(Err(Error::Unreadable("templates.version")))
}

async fn write_version(
    connection: &mut AsyncPgConnection,
    tenant: Uuid,
    id: TemplateId,
    version: i32,
    content: &TemplateContent,
) -> Result<TemplateVersion, Error> {
    use template_versions as v;
    let values = (
        (v::tenant_id.eq(tenant), v::template_id.eq(id.as_uuid()), v::version.eq(version)),
        (v::name.eq(content.name.as_str()), v::subject.eq(&content.subject), v::html.eq(&content.html), v::text.eq(&content.text)),
        (v::sender.eq(&content.from), v::reply_to.eq(&content.reply_to), v::strict.eq(content.strict)),
    );
    let insert = diesel::insert_into(v::table).values(values).returning(VersionRow::as_returning());
    let rows: Vec<VersionRow> = insert.get_results(connection).await?;
    rows.into_iter().next().ok_or(Error::Unreadable("template_versions"))?.into_version()
}

/// A template as entries show it: what it says stands in its versions.
fn shown(template: &Template) -> Value {
    json!({"name": template.present.content.name.as_str(), "version": template.present.version})
}

fn taken(error: DieselError) -> Error {
    match error {
        DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => Error::NameTaken,
        error => error.into(),
    }
}
