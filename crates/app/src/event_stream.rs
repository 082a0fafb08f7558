//! Following a tenant's events as they happen.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use selfmx_auth::{Permit, needs};
use selfmx_domain::{EventPosition, FollowedEvents, TenantId};

use crate::{App, Error};

/// The most streams on one node. Each asks the database about once a second.
const MOST: usize = 256;
/// The most streams of one tenant on one node.
const MOST_OF_A_TENANT: usize = 32;

/// The streams that are open on this node.
#[derive(Clone, Debug, Default)]
pub(crate) struct Streams(Arc<Mutex<HashMap<TenantId, usize>>>);

/// A stream's place among those that are open, until it is dropped.
#[derive(Debug)]
pub struct StreamPlace {
    streams: Streams,
    tenant: TenantId,
}

impl App {
    /// Takes a place for a stream of the tenant's, and tells after which place of its events it begins: after `after`, or with what happens from now on.
    ///
    /// # Errors
    ///
    /// [`Error::TooManyStreams`] and [`Error::StreamsFull`] where there is no place; [`Error::StreamReset`] where `after` is of a state of the database
    /// that is gone; otherwise where the store cannot.
    pub async fn event_stream(
        &self,
        permit: &Permit<needs::LogsRead>,
        after: Option<EventPosition>,
    ) -> Result<(StreamPlace, EventPosition), Error> {
        let place = self.streams.take(permit.tenant())?;
        let now = self.store.event_place(permit).await?;
        let after = after.unwrap_or(now);
        if after.epoch != now.epoch {
            return Err(Error::StreamReset);
        }
        Ok((place, after))
    }

    /// The tenant's next events after a place, in the order in which they were committed.
    ///
    /// # Errors
    ///
    /// [`Error::StreamReset`] where the place is of a state of the database that is gone; otherwise where the store cannot.
    pub async fn event_follow(&self, permit: &Permit<needs::LogsRead>, after: EventPosition) -> Result<FollowedEvents, Error> {
        self.store.event_follow(permit, after).await?.ok_or(Error::StreamReset)
    }
}

impl Streams {
    fn take(&self, tenant: TenantId) -> Result<StreamPlace, Error> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if open.values().sum::<usize>() >= MOST {
            return Err(Error::StreamsFull);
        }
        let own = open.entry(tenant).or_default();
        if *own >= MOST_OF_A_TENANT {
            return Err(Error::TooManyStreams);
        }
        *own += 1;
        Ok(StreamPlace { streams: self.clone(), tenant })
    }
}

impl Drop for StreamPlace {
    fn drop(&mut self) {
        let mut open = self.streams.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(own) = open.get_mut(&self.tenant) else { return };
        *own -= 1;
        if *own == 0 {
            open.remove(&self.tenant);
        }
    }
}

#[cfg(test)]
mod tests {
    use selfmx_testing::{OsEntropy, SystemClock};

    use super::*;

    #[test]
    fn a_tenant_has_its_share_of_the_places_and_gives_them_back() {
        let streams = Streams::default();
        let tenant = || TenantId::generate(&SystemClock, &OsEntropy);
        let mut held: Vec<_> = (0..MOST_OF_A_TENANT).map(|_| streams.take(TenantId::DEFAULT).unwrap()).collect();
        assert!(matches!(streams.take(TenantId::DEFAULT), Err(Error::TooManyStreams)));
        drop(held.pop());
        held.push(streams.take(TenantId::DEFAULT).unwrap());
        held.extend((MOST_OF_A_TENANT..MOST).map(|_| streams.take(tenant()).unwrap()));
        assert!(matches!(streams.take(tenant()), Err(Error::StreamsFull)));
        drop(held);
        assert!(streams.0.lock().unwrap().is_empty());
        assert!(streams.take(TenantId::DEFAULT).is_ok());
    }
}
