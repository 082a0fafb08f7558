//! Suppression lists: addresses to which a tenant's mail is not sent any more. Those that bounce are put there where results are recorded.

use diesel::upsert::excluded;
use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, Queryable, Selectable, SelectableHelper};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use selfmx_auth::{Permit, needs};
use selfmx_domain::{Address, AuditAction, EmailId, Page, PageRequest, Suppression, SuppressionId, SuppressionReason, folded};
use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::audit::Entry;
use crate::keys::hold;
use crate::pages::{self, Window};
use crate::schema::suppressions;
use crate::store::{change, read};
use crate::{Error, Store};

#[derive(Queryable, Selectable)]
#[diesel(table_name = suppressions, check_for_backend(diesel::pg::Pg))]
struct Row {
    id: Uuid,
    address: String,
    reason: String,
    email_id: Option<Uuid>,
    response: Option<String>,
    created_at: OffsetDateTime,
}

/// An address on a suppression list, and whether it stands there only now.
#[derive(Clone, Debug)]
pub struct Suppressed {
    /// What stands there.
    pub suppression: Suppression,
    /// Whether the call put it there.
    pub is_new: bool,
}

impl Store {
    /// Puts an address on the list of the permit's tenant; one that stands there already stays as it is.
    ///
    /// # Errors
    ///
    /// [`Error::Denied`] where the permit's key may not do that any more; otherwise where the database cannot.
    pub async fn suppression_create(
        &self,
        permit: &Permit<needs::SuppressionsWrite>,
        address: &Address,
        reason: SuppressionReason,
    ) -> Result<Suppressed, Error> {
        let id = SuppressionId::generate(&*self.clock, &*self.entropy);
        let values = (
            (suppressions::tenant_id.eq(permit.tenant().as_uuid()), suppressions::id.eq(id.as_uuid())),
            (suppressions::address.eq(address.to_string()), suppressions::folded.eq(folded(address))),
            suppressions::reason.eq(reason.as_str()),
        );
        let create = async |connection: &mut AsyncPgConnection| {
            let held = hold(connection, permit.key_id(), None).await?;
            let permit = permit.renewed(held.maker.as_ref(), held.at)?;
            // What stands there already is written as it is, which gives it back.
            let key = (suppressions::tenant_id, suppressions::folded);
            let insert = diesel::insert_into(suppressions::table).values(values).on_conflict(key).do_update();
            let insert = insert.set(suppressions::folded.eq(excluded(suppressions::folded))).returning(Row::as_returning());
            // All rows are fetched: an error while writing comes after the last of them.
            let rows: Vec<Row> = insert.get_results(connection).await?;
            let suppression = rows.into_iter().next().ok_or(Error::Unreadable("suppressions"))?.into_suppression()?;
            if suppression.id != id {
                return Ok(Suppressed { suppression, is_new: false });
            }
            let after = Some(json!({"address": suppression.address.to_string(), "reason": suppression.reason.as_str()}));
            let entry = Entry { target: Some(suppression.address.to_string()), after, ..Entry::by(&permit) };
            self.audit(connection, AuditAction::SuppressionCreate, entry).await?;
            Ok::<_, Error>(Suppressed { suppression, is_new: true })
        };
        change!(self, connection => connection.transaction(create).await).await
    }

    /// What stands on the list of the permit's tenant for this address.
    ///
    /// # Errors
    ///
    /// Where the database cannot.
    pub async fn suppression_find(
        &self,
        permit: &Permit<needs::SuppressionsRead>,
        address: &Address,
    ) -> Result<Option<Suppression>, Error> {
        let key = (permit.tenant().as_uuid(), folded(address));
        let query = || suppressions::table.find(key.clone()).select(Row::as_select());
        let row: Option<Row> = read!(self, connection => query().first(connection).await.optional()).await?;
        row.map(Row::into_suppression).transpose()
    }

    /// The list of the permit's tenant, newest first, of one reason or of all.
    ///
    /// # Errors
    ///
    /// Where the database cannot.
    pub async fn suppression_list(
        &self,
        permit: &Permit<needs::SuppressionsRead>,
        reason: Option<SuppressionReason>,
        page: PageRequest<SuppressionId>,
    ) -> Result<Page<Suppression>, Error> {
        let (tenant, window) = (permit.tenant().as_uuid(), Window::of(page));
        let rows: Vec<Row> = read!(self, connection => {
            let mut query = suppressions::table.into_boxed().filter(suppressions::tenant_id.eq(tenant));
            if let Some(reason) = reason {
                query = query.filter(suppressions::reason.eq(reason.as_str()));
            }
            if let Some(after) = pages::after(page.start) {
                query = query.filter(suppressions::id.lt(after.as_uuid()));
            }
            let query = query.order(suppressions::id.desc()).select(Row::as_select());
            query.limit(window.rows).offset(window.offset).load(connection).await
        })
        .await?;
        let items = rows.into_iter().map(Row::into_suppression).collect::<Result<_, _>>()?;
        Ok(pages::page(items, page.limit, None))
    }

    /// Takes an address off the list of the permit's tenant. `false`: it does not stand there.
    ///
    /// # Errors
    ///
    /// [`Error::Denied`] where the permit's key may not do that any more; otherwise where the database cannot.
    pub async fn suppression_delete(&self, permit: &Permit<needs::SuppressionsWrite>, address: &Address) -> Result<bool, Error> {
        let delete = async |connection: &mut AsyncPgConnection| {
            let held = hold(connection, permit.key_id(), None).await?;
            let permit = permit.renewed(held.maker.as_ref(), held.at)?;
            let delete = diesel::delete(suppressions::table.find((permit.tenant().as_uuid(), folded(address))));
            let gone: Vec<Row> = delete.returning(Row::as_returning()).get_results(connection).await?;
            let Some(row) = gone.into_iter().next() else { return Ok(false) };
            let before = Some(json!({"address": row.address, "reason": row.reason}));
            let entry = Entry { target: Some(row.address), before, ..Entry::by(&permit) };
            self.audit(connection, AuditAction::SuppressionDelete, entry).await?;
            Ok::<_, Error>(true)
        };
        change!(self, connection => connection.transaction(delete).await).await
    }
}

impl Row {
    fn into_suppression(self) -> Result<Suppression, Error> {
        Ok(Suppression {
            id: SuppressionId::from_uuid(self.id),
            address: self.address.parse().or(Err(Error::Unreadable("suppressions.address")))?,
            reason: self.reason.parse().or(Err(Error::Unreadable("suppressions.reason")))?,
            email_id: self.email_id.map(EmailId::from_uuid),
            response: self.response,
            created_at: self.created_at,
        })
    }
}
