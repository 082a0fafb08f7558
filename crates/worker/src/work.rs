//! One claimed email: its turn, its relay, its attempt.

use std::sync::Arc;

use selfmx_domain::{Mode, Verdict};
use selfmx_mail::{Capture, Transport};
use selfmx_storage::{Delivery, Error, Lease, Settlement, Suspicion};
use tokio::sync::{OwnedSemaphorePermit, SemaphorePermit};

use crate::attempt::{attempt, refuse};
use crate::claims::Claim;
use crate::recorder::Settled;
use crate::relays::Found;
use crate::runner::{Shared, Worker};
use crate::shares::{self, Share};

/// An email that was claimed.
pub(crate) struct Work {
    pub(crate) lease: Lease<Delivery>,
    pub(crate) claim: Claim,
    pub(crate) place: Place,
}

/// What a claim takes up until its result is recorded.
pub(crate) enum Place {
    /// A place of its runner's: it goes to the server's relay, or nowhere.
    Runner(#[expect(dead_code, reason = "it is given back when it is dropped")] OwnedSemaphorePermit),
    /// A share of its tenant's: it goes to the tenant's own relay.
    Tenant(Share),
    /// A place of a suspect's that waits until it is alone.
    Suspect(OwnedSemaphorePermit),
    /// That of the one suspect whose turn it is, with its tenant's share where it goes to the tenant's own relay.
    Alone(#[expect(dead_code, reason = "it is given back when it is dropped")] OwnedSemaphorePermit, Option<Share>),
}

/// A turn to send.
enum Turn<'a> {
    Runner(#[expect(dead_code, reason = "it is given back when it is dropped")] SemaphorePermit<'a>),
    Tenant(shares::Turn),
}

/// What is to be done with an email whose turn it is.
enum Route {
    /// It is handed over.
    To(Transport),
    /// It waits, and nothing is tried.
    Held(String),
    /// Whose it is has changed: it is to be claimed anew.
    Again,
    /// The store cannot tell: its lease runs out.
    Unknown,
}

impl Shared {
    /// Hands one email over, unless it is too late for it or the worker is stopping.
    pub(crate) async fn work(&self, work: Work) -> Option<Settled> {
        let Worker { entropy, settings, .. } = &self.worker;
        let Work { lease, claim, place } = work;
        let Some(place) = self.settled_place(&lease, place).await else {
            self.postpone(vec![lease]).await;
            return None;
        };
        let Some(turn) = self.turn(&place).await else {
            self.release(vec![lease]).await;
            return None;
        };
        let settlement = match self.route(&lease, &turn).await {
            Route::To(transport) => self.hand_over(lease, &claim, &transport).await?,
            Route::Held(reason) => refuse(lease, &Verdict::Held(reason), &settings.policy, &**entropy),
            Route::Again => {
                self.release(vec![lease]).await;
                return None;
            }
            Route::Unknown => return None,
        };
        Some(Settled { settlement, claim, place })
    }

    /// Whether the tenant has a relay of its own that live mail goes to, and which.
    pub(crate) fn is_for_own_relay(delivery: &Delivery) -> bool {
        delivery.mode == Mode::Live && delivery.relay.is_some()
    }

    async fn route(&self, lease: &Lease<Delivery>, turn: &Turn<'_>) -> Route {
        let delivery = lease.work();
        let turn = match turn {
            Turn::Runner(_) if delivery.mode == Mode::Test => return Route::To(Transport::Capture(Capture::TestKey)),
            Turn::Runner(_) => return Route::To(self.worker.routes.server.clone()),
            Turn::Tenant(turn) => turn,
        };
        // Who had to wait may have waited for long.
        let version = delivery.relay.filter(|_| !turn.waited);
        match self.relays.of(delivery.tenant, version).await {
            Ok(Found::Relay(relay)) => Route::To(Transport::Relay(relay)),
            Ok(Found::Unusable(reason)) => Route::Held(reason),
            Ok(Found::Gone) => Route::Again,
            Err(error) if error.is_transient() => {
                tracing::warn!(email_id = %delivery.email_id, error = %error, "a tenant's relay cannot be read: the email is tried again when its lease has run out");
                Route::Unknown
            }
            Err(error) => {
                tracing::error!(email_id = %delivery.email_id, tenant_id = %delivery.tenant, error = %error, "a tenant's relay cannot be read: its mail is held");
                Route::Held("the tenant's relay cannot be read from the store".to_owned())
            }
        }
    }

    async fn hand_over(&self, mut lease: Lease<Delivery>, claim: &Claim, transport: &Transport) -> Option<Settlement> {
        let Worker { store, entropy, settings, .. } = &self.worker;
        if !self.may_begin(&lease).await {
            self.leave(lease).await;
            return None;
        }
        // It is asked twice: before anything is begun, and when all but the last octets are out, however long that took.
        let may_send = || claim.is_fresh(settings.lease / 3);
        match store.queue_message(&mut lease).await {
            Ok(message) if may_send() => match attempt(lease, &message, transport, &may_send, &settings.policy, &**entropy).await {
                Ok(settlement) => Some(settlement),
                Err(lease) => self.leave_late(lease).await,
            },
            Ok(_) => self.leave_late(lease).await,
            Err(error) if error.is_transient() => {
                // Given back, it would be due at once, and tried as fast as it fails.
                tracing::warn!(email_id = %lease.work().email_id, error = %error, "a message cannot be read: it is tried again when its lease has run out");
                self.leave(lease).await;
                None
            }
            Err(error) => Some(self.unreadable(lease, &error)),
        }
    }

    /// Leaves an email to the next one, since its lease ran out, or may soon.
    async fn leave_late<T>(&self, lease: Lease<Delivery>) -> Option<T> {
        tracing::warn!(email_id = %lease.work().email_id, "a lease ran out before its email was sent: the email is left to the next one");
        self.leave(lease).await;
        None
    }

    fn unreadable(&self, lease: Lease<Delivery>, error: &Error) -> Settlement {
        let Worker { entropy, settings, .. } = &self.worker;
        tracing::error!(email_id = %lease.work().email_id, error = %error, "a message cannot be read");
        refuse(lease, &Verdict::Undeliverable("the message cannot be read from the store".to_owned()), &settings.policy, &**entropy)
    }

    /// Waits for a place among those that are sent, at a time when results can be recorded; `None` where nothing more is to be begun.
    async fn turn(&self, place: &Place) -> Option<Turn<'_>> {
        let turn = async {
            let turn = match place {
                Place::Runner(_) | Place::Suspect(_) | Place::Alone(_, None) => Turn::Runner(self.sending.acquire().await.ok()?),
                Place::Tenant(share) | Place::Alone(_, Some(share)) => Turn::Tenant(share.turn().await),
            };
            self.recording.works().await;
            Some(turn)
        };
        tokio::select! {
            biased;
            () = self.stop.cancelled() => None,
            turn = turn => turn,
        }
    }

    pub(crate) async fn release(&self, leases: Vec<Lease<Delivery>>) {
        if let Err(error) = self.worker.store.queue_release(&self.worker.system, leases).await {
            tracing::warn!(error = %error, "leases could not be given back: they run out by themselves");
        }
    }

    /// A place for what was leased; the lease comes back where there is none at present.
    pub(crate) fn place(&self, lease: &Lease<Delivery>, of_runner: &Arc<tokio::sync::Semaphore>) -> Option<Place> {
        if lease.work().suspicion == Suspicion::Suspected {
            return self.suspects.place().map(Place::Suspect);
        }
        if Self::is_for_own_relay(lease.work()) {
            return self.shares.take(lease.work().tenant).map(Place::Tenant);
        }
        Arc::clone(of_runner).try_acquire_owned().ok().map(Place::Runner)
    }
}
