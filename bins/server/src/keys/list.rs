//! `selfmx keys list`: all keys, or a tenant's.

use selfmx_auth::ApiKey;
use selfmx_domain::{Page, PageLimit, PageRequest, PageStart};
use selfmx_wire::{KeyView, List};

use super::{Desk, WORK, table, within};
use crate::arguments::{Form, KeyList};
use crate::failure::Failure;
use crate::output;

/// Lists the keys, newest first.
pub(super) async fn list(desk: &Desk, wanted: KeyList) -> Result<(), Failure> {
    let mut keys = stored(desk, wanted).await?;
    if let Some(tenant) = wanted.tenant {
        keys.retain(|key| key.authority.tenant == Some(tenant));
    }
    match wanted.form {
        Form::Text => output::tell(&table::table(&keys, desk.now)),
        Form::Json => {
            let all = Page { items: keys, has_more: false, total: None };
            output::json(&List::<KeyView<'_>>::new(&all, |key| key.id.to_string())).map_err(Failure::Output)
        }
    }
}

/// Page by page; each begins after an id that is smaller than all before it, so that there is an end.
async fn stored(desk: &Desk, wanted: KeyList) -> Result<Vec<ApiKey>, Failure> {
    let limit = PageLimit::MOST;
    let (mut keys, mut start) = (Vec::new(), PageStart::First);
    loop {
        let page = within(WORK, desk.store.key_list_by_system(&desk.system, wanted.revoked, PageRequest { start, limit })).await?;
        keys.extend(page.items);
        match keys.last() {
            Some(last) if page.has_more => start = PageStart::After(last.id),
            _ => return Ok(keys),
        }
    }
}
