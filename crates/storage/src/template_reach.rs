//! What a template reaches: itself and its partials, and theirs, as they are now.

use diesel::sql_types::{Array, Integer, Nullable, Text, Uuid as SqlUuid};
use diesel::{BoolExpressionMethods, ExpressionMethods, QueryDsl, QueryableByName, SelectableHelper};
use diesel_async::RunQueryDsl;
use selfmx_auth::{Permit, Scope};
use selfmx_domain::{TemplateId, TemplateKey, TemplateVersion};
use uuid::Uuid;

use crate::schema::template_versions;
use crate::store::read;
use crate::template_rows::VersionRow;
use crate::templates::version_of;
use crate::{Error, Store};

/// By name from one to the next, no deeper than a template may reach; all from one snapshot. One row too many is fetched, so that too many can be told.
const REACHED: &str = "WITH RECURSIVE reached(name, depth) AS (\
SELECT name, 0 FROM templates WHERE tenant_id = $1 AND (id = $2 OR name = ANY($3)) \
UNION SELECT p.name, r.depth + 1 FROM reached r JOIN templates t ON t.tenant_id = $1 AND t.name = r.name \
CROSS JOIN LATERAL unnest(t.partials) AS p(name) WHERE r.depth < 16) \
SELECT id, name, version FROM templates WHERE tenant_id = $1 AND name IN (SELECT name FROM reached) LIMIT 65";

/// Which version of a template is the present one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateHead {
    /// The template's id.
    pub id: TemplateId,
    /// Its name.
    pub name: String,
    /// Its present version.
    pub version: u32,
}

#[derive(QueryableByName)]
struct HeadRow {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Integer)]
    version: i32,
}

impl Store {
    /// The most templates that [`template_reach`](Self::template_reach) tells of; it tells of one more where there are more.
    pub const MOST_REACHED: usize = 64;

    /// The template that is named and all that it reaches, in no order; without the named one: there is no such template.
    ///
    /// # Errors
    ///
    /// Where the database cannot.
    pub async fn template_reach<P: Scope>(&self, permit: &Permit<P>, key: &TemplateKey) -> Result<Vec<TemplateHead>, Error> {
        match key {
            TemplateKey::Id(id) => self.reached(permit, Some(id.as_uuid()), &[]).await,
            TemplateKey::Name(name) => self.reached(permit, None, std::slice::from_ref(name)).await,
        }
    }

    /// The templates of these names and all that they reach, in no order.
    ///
    /// # Errors
    ///
    /// Where the database cannot.
    pub async fn template_reach_of_names<P: Scope>(&self, permit: &Permit<P>, names: &[String]) -> Result<Vec<TemplateHead>, Error> {
        self.reached(permit, None, names).await
    }

    async fn reached<P: Scope>(&self, permit: &Permit<P>, id: Option<Uuid>, names: &[String]) -> Result<Vec<TemplateHead>, Error> {
        let tenant = permit.tenant().as_uuid();
        let query = || {
            let query = diesel::sql_query(REACHED).bind::<SqlUuid, _>(tenant);
            query.bind::<Nullable<SqlUuid>, _>(id).bind::<Array<Text>, _>(names)
        };
        let rows: Vec<HeadRow> = read!(self, connection => query().load(connection).await).await?;
        let head = |row: HeadRow| Ok(TemplateHead { id: TemplateId::from_uuid(row.id), name: row.name, version: version_of(row.version)? });
        rows.into_iter().map(head).collect()
    }

    /// What these versions say, in no order; those that are gone meanwhile are left out.
    ///
    /// # Errors
    ///
    /// Where the database cannot.
    pub async fn template_contents<P: Scope>(
        &self,
        permit: &Permit<P>,
        wanted: &[TemplateHead],
    ) -> Result<Vec<(TemplateId, TemplateVersion)>, Error> {
        let tenant = permit.tenant().as_uuid();
        let ids: Vec<Uuid> = wanted.iter().map(|head| head.id.as_uuid()).collect();
        let versions: Vec<i32> = wanted.iter().filter_map(|head| i32::try_from(head.version).ok()).collect();
        let query = || {
            let any = template_versions::template_id.eq_any(&ids).and(template_versions::version.eq_any(&versions));
            let own = template_versions::table.filter(template_versions::tenant_id.eq(tenant).and(any));
            own.select((template_versions::template_id, VersionRow::as_select()))
        };
        let rows: Vec<(Uuid, VersionRow)> = read!(self, connection => query().load(connection).await).await?;
        let mut found = Vec::with_capacity(wanted.len());
        for (id, row) in rows {
            let (id, version) = (TemplateId::from_uuid(id), row.into_version()?);
            if wanted.iter().any(|head| head.id == id && head.version == version.version) {
                found.push((id, version));
            }
        }
        Ok(found)
    }
}
