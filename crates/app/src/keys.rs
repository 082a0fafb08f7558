//! API keys: create, list, find, change, rotate, revoke.

use std::time::Duration;

use selfmx_auth::{ApiKey, KeyChange, Permit, Reach, Secret, Wanted, needs};
use selfmx_domain::{ApiKeyId, Page, PageRequest, PageStart, Total};
use selfmx_storage::RevokedKeys;

use crate::{App, Error};

/// A key that was made, with its secret: the only time that it is seen.
#[derive(Debug)]
pub struct CreatedKey {
    /// The secret, for one answer.
    pub secret: Secret,
    /// The key.
    pub key: ApiKey,
}

/// Which keys a list shows.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeyList {
    /// Whether revoked ones are among them.
    pub revoked: RevokedKeys,
    /// One page of them; all where absent.
    pub page: Option<PageRequest<ApiKeyId>>,
}

impl App {
    /// Makes a key.
    ///
    /// # Errors
    ///
    /// [`Error::Grant`] or [`Error::Denied`] where it would do more than its maker, [`Error::Invalid`] where it makes no sense.
    pub async fn key_create(&self, permit: &Permit<needs::ApiKeysWrite>, wanted: Wanted) -> Result<CreatedKey, Error> {
        // The store decides again, by what the maker is then.
        let mode = permit.grant(wanted.clone(), self.clock.now())?.authority().mode;
        let secret = Secret::generate(mode, &*self.entropy);
        let key = self.store.key_create(permit, wanted, &secret).await?;
        Ok(CreatedKey { secret, key })
    }

    /// Changes the key with this id.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] where the permit reaches none, [`Error::EnvironmentKey`] for the operator's own, [`Error::Grant`] or [`Error::Denied`] where
    /// it would do more afterwards than the key that asks, [`Error::Invalid`] where it makes no sense.
    pub async fn key_update(&self, permit: &Permit<needs::ApiKeysWrite>, id: ApiKeyId, change: KeyChange) -> Result<ApiKey, Error> {
        self.stored_key(permit.reach(), id)?;
        self.store.key_update(permit, id, change).await?.ok_or(Error::NotFound)
    }

    /// Gives the key with this id a new secret; the one that it has is recognised for `grace` longer.
    ///
    /// # Errors
    ///
    /// As for [`key_update`](Self::key_update).
    pub async fn key_rotate(&self, permit: &Permit<needs::ApiKeysWrite>, id: ApiKeyId, grace: Duration) -> Result<CreatedKey, Error> {
        self.stored_key(permit.reach(), id)?;
        let fresh = |mode| Secret::generate(mode, &*self.entropy);
        let (key, secret) = self.store.key_rotate(permit, id, grace, fresh).await?.ok_or(Error::NotFound)?;
        Ok(CreatedKey { secret, key })
    }

    /// The keys that the permit reaches, newest first, the environment's last.
    ///
    /// # Errors
    ///
    /// Where the store cannot.
    pub async fn key_list(&self, permit: &Permit<needs::ApiKeysRead>, list: KeyList) -> Result<Page<ApiKey>, Error> {
        // The environment's key has the least of all ids: a page that begins after it is empty.
        if matches!(list.page, Some(PageRequest { start: PageStart::After(ApiKeyId::DEFAULT), .. })) {
            return Ok(Page { items: Vec::new(), has_more: false, total: None });
        }
        let page = self.store.key_list(permit, list.revoked, list.page).await?;
        Ok(match self.environment_key(permit.reach()) {
            Some(key) => with_last(page, key, list.page),
            None => page,
        })
    }

    /// The key with this id.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] where the permit reaches none.
    pub async fn key_find(&self, permit: &Permit<needs::ApiKeysRead>, id: ApiKeyId) -> Result<ApiKey, Error> {
        if id == ApiKeyId::DEFAULT {
            return self.environment_key(permit.reach()).ok_or(Error::NotFound);
        }
        self.store.key_find(permit, id).await?.ok_or(Error::NotFound)
    }

    /// Revokes the key with this id; one that is revoked already stays so.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] where the permit reaches none, [`Error::EnvironmentKey`] for the operator's own.
    pub async fn key_revoke(&self, permit: &Permit<needs::ApiKeysWrite>, id: ApiKeyId) -> Result<(), Error> {
        self.stored_key(permit.reach(), id)?;
        if self.store.key_revoke(permit, id).await? {
            return Ok(());
        }
        Err(Error::NotFound)
    }

    /// Makes sure that the permit reaches a key with this id that can be changed: before a request's body is looked at, so that what is not reached
    /// answers as what is not there, whatever the body.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] where the permit reaches none, [`Error::EnvironmentKey`] for the operator's own.
    pub async fn key_expect(&self, permit: &Permit<needs::ApiKeysWrite>, id: ApiKeyId) -> Result<(), Error> {
        self.stored_key(permit.reach(), id)?;
        self.store.key_is_reached(permit, id).await?.then_some(()).ok_or(Error::NotFound)
    }

    /// Refuses the operator's own key, which is in no store.
    fn stored_key(&self, reach: Reach, id: ApiKeyId) -> Result<(), Error> {
        if id != ApiKeyId::DEFAULT {
            return Ok(());
        }
        Err(self.environment_key(reach).map_or(Error::NotFound, |_| Error::EnvironmentKey))
    }

    /// The operator's key, where there is one and the permit reaches it: it is a platform key.
    fn environment_key(&self, reach: Reach) -> Option<ApiKey> {
        let reached = matches!(reach, Reach::Platform | Reach::Everything);
        let (_, key) = self.environment_key.as_ref().filter(|_| reached)?;
        Some(ApiKey { last_use: self.store.environment_key_last_use(), ..key.clone() })
    }
}

/// Adds a key that comes after all others to the page that it belongs on.
fn with_last(mut page: Page<ApiKey>, key: ApiKey, request: Option<PageRequest<ApiKeyId>>) -> Page<ApiKey> {
    let stored = page.total;
    page.total = stored.map(|total| match total {
        Total::Exactly(rows) if rows < Total::CAP => Total::Exactly(rows + 1),
        _ => Total::AtLeast(Total::CAP),
    });
    let Some(request) = request else {
        page.items.push(key);
        return page;
    };
    let limit = usize::from(request.limit.rows());
    let is_its_page = match (request.start, stored) {
        (PageStart::Number(number), Some(Total::Exactly(rows))) => number == rows / u32::from(request.limit.rows()) + 1,
        (PageStart::Number(_), _) => false,
        (PageStart::First | PageStart::After(_), _) => !page.has_more && page.items.len() < limit,
    };
    if is_its_page {
        page.items.push(key);
        return page;
    }
    // A full page with nothing after it but this key.
    page.has_more = page.has_more || page.items.len() == limit;
    page
}

#[cfg(test)]
mod tests {
    use selfmx_domain::PageLimit;
    use time::macros::datetime;

    use super::*;

    /// Lists `rows` stored keys by pages of `limit` with the last key added, as the store and [`with_last`] would.
    fn lengths(rows: usize, limit: usize, numbered: bool) -> Vec<(usize, bool)> {
        let key = ApiKey::environment(datetime!(2026-01-01 00:00 UTC));
        let mut seen = Vec::new();
        for number in 1..=rows / limit + 2 {
            let begin = (number - 1) * limit;
            let here = rows.saturating_sub(begin).min(limit);
            let total = numbered.then(|| Total::Exactly(u32::try_from(rows).unwrap()));
            let page = Page { items: vec![key.clone(); here], has_more: begin + here < rows, total };
            let start = if numbered { PageStart::Number(u32::try_from(number).unwrap()) } else { PageStart::First };
            let request = PageRequest { start, limit: PageLimit::new(u16::try_from(limit).unwrap()).unwrap() };
            let page = with_last(page, key.clone(), Some(request));
            seen.push((page.items.len(), page.has_more));
            if !page.has_more {
                break;
            }
        }
        seen
    }

    #[test]
    fn the_environment_s_key_is_on_exactly_one_page() {
        for numbered in [false, true] {
            assert_eq!(lengths(0, 2, numbered), [(1, false)]);
            assert_eq!(lengths(1, 2, numbered), [(2, false)]);
            assert_eq!(lengths(2, 2, numbered), [(2, true), (1, false)]);
            assert_eq!(lengths(3, 2, numbered), [(2, true), (2, false)]);
        }
    }
}
