//! Lists of API keys, newest first.

use diesel::{ExpressionMethods, QueryDsl, SelectableHelper};
use diesel_async::RunQueryDsl;
use selfmx_auth::{ApiKey, Permit, Reach, System, needs};
use selfmx_domain::{ApiKeyId, Page, PageRequest};

use crate::key_rows::KeyRow;
use crate::keys::within;
use crate::pages::{self, Window};
use crate::schema::api_keys;
use crate::store::read;
use crate::{Error, Store};

/// Whether a list shows revoked keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RevokedKeys {
    /// It does not.
    #[default]
    Hidden,
    /// It does.
    Included,
}

impl Store {
    /// The keys that the permit reaches, newest first; all of them where no page is asked for.
    ///
    /// # Errors
    ///
    /// Where the database cannot.
    pub async fn key_list(
        &self,
        permit: &Permit<needs::ApiKeysRead>,
        revoked: RevokedKeys,
        page: Option<PageRequest<ApiKeyId>>,
    ) -> Result<Page<ApiKey>, Error> {
        self.key_list_within(permit.reach(), revoked, page).await
    }

    /// All keys, for the operator on the machine itself, newest first.
    ///
    /// # Errors
    ///
    /// Where the database cannot.
    pub async fn key_list_by_system(
        &self,
        _system: &System,
        revoked: RevokedKeys,
        page: PageRequest<ApiKeyId>,
    ) -> Result<Page<ApiKey>, Error> {
        self.key_list_within(Reach::Everything, revoked, Some(page)).await
    }

    async fn key_list_within(
        &self,
        reach: Reach,
        revoked: RevokedKeys,
        page: Option<PageRequest<ApiKeyId>>,
    ) -> Result<Page<ApiKey>, Error> {
        let listed = move || {
            let query = within(reach);
            match revoked {
                RevokedKeys::Hidden => query.filter(api_keys::revoked_at.is_null()),
                RevokedKeys::Included => query,
            }
        };
        let window = page.map(Window::of);
        let rows: Vec<KeyRow> = read!(self, connection => {
            let mut query = listed().order(api_keys::id.desc()).select(KeyRow::as_select());
            if let Some(after) = page.and_then(|page| pages::after(page.start)) {
                query = query.filter(api_keys::id.lt(after.as_uuid()));
            }
            if let Some(window) = window {
                query = query.limit(window.rows).offset(window.offset);
            }
            query.load(connection).await
        })
        .await?;
        let keys = rows.into_iter().map(KeyRow::into_key).collect::<Result<_, _>>()?;
        let Some(page) = page else {
            return Ok(Page { items: keys, has_more: false, total: None });
        };
        let total = match pages::is_numbered(&page.start) {
            true => Some(pages::total(read!(self, connection => listed().count().get_result(connection).await).await?)),
            false => None,
        };
        Ok(pages::page(keys, page.limit, total))
    }
}
