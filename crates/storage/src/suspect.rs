//! Mail whose leases end without a result is suspected of killing whoever has it in hand. It is delivered alone, and that counts.

use std::time::Duration;

use diesel::sql_types::Uuid as SqlUuid;
use diesel_async::RunQueryDsl;
use selfmx_auth::System;

use crate::lease::Lease;
use crate::queue::{Delivery, LeaseKey, millis};
use crate::store::change;
use crate::{Error, Store};

/// What a lease's number of leases without a result says of its email. A claim raises the number up to `SUSPECTED`, whatever follows; a result sets it to 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suspicion {
    /// Fewer than three leases have ended without a result since the last one.
    None,
    /// Three or more have. It is delivered while no other such email is, after [`queue_begin_alone`](Store::queue_begin_alone).
    Suspected,
    /// It was begun alone, and there is no result. It is not delivered: this was an attempt ([`Fault::Died`](crate::Fault::Died)).
    Died,
}

/// The number of the fourth lease in a row without a result, and of all further ones. The claim's statement says so too.
const SUSPECTED: i16 = 4;

/// After [`Died`](Suspicion::Died) was recorded: the next lease is of a suspect.
pub(crate) const STILL_SUSPECTED: i16 = SUSPECTED - 1;

impl Suspicion {
    pub(crate) const fn of(unsettled: i16) -> Self {
        match unsettled {
            ..SUSPECTED => Self::None,
            SUSPECTED => Self::Suspected,
            _ => Self::Died,
        }
    }
}

/// One row, by its key.
const BEGIN_ALONE: &str = "UPDATE queue SET unsettled = 5 WHERE email_id = $1 AND lease_token = $2";

impl Store {
    /// Notes that a [suspect](Suspicion::Suspected) is begun while no other is under way: should nothing come of it, it was the cause. It tells whether the
    /// lease is still ours; otherwise nothing has changed. Giving the lease back takes the note back.
    ///
    /// # Errors
    ///
    /// Where the database cannot; then nothing is to be begun.
    pub async fn queue_begin_alone(&self, _system: &System, key: LeaseKey) -> Result<bool, Error> {
        let (email, token) = key.parts();
        let begin = diesel::sql_query(BEGIN_ALONE).bind::<SqlUuid, _>(email).bind::<SqlUuid, _>(token);
        Ok(change!(self, connection => begin.execute(connection).await).await? > 0)
    }

    /// Gives work back that was not begun and is not to be claimed again for a while.
    ///
    /// # Errors
    ///
    /// Where the database cannot; then the leases run out by themselves.
    pub async fn queue_postpone(&self, _system: &System, leases: Vec<Lease<Delivery>>, delay: Duration) -> Result<(), Error> {
        self.give_back(leases, millis(delay)).await
    }
}
