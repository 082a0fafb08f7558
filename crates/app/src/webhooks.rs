//! Webhooks: make, change, rotate, delete, find, list; their deliveries, a test, a replay.

use std::time::Duration;

use selfmx_auth::{Permit, needs};
use selfmx_domain::{
    DeliveryRecord, NewWebhook, Page, PageRequest, Problem, Reach, Webhook, WebhookChange, WebhookDeliveryId, WebhookEvents, WebhookId,
    WebhookSecret, WebhookUrl,
};

use crate::{App, Error};

/// A webhook and its present secret, which nobody is shown again.
pub struct WebhookMade {
    /// The webhook.
    pub webhook: Webhook,
    /// What signs its posts.
    pub secret: WebhookSecret,
}

/// What is said of a webhook that is to be made.
pub struct WebhookWanted {
    /// Where events are posted.
    pub url: WebhookUrl,
    /// Which events.
    pub events: WebhookEvents,
    /// What signs them; one is made unless given.
    pub secret: Option<WebhookSecret>,
    /// Whether they are posted.
    pub active: bool,
}

impl App {
    /// Makes a webhook.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] where its URL has an address that may not be connected to, [`Error::Denied`] where the permit's key may not do that any more;
    /// otherwise where the store cannot.
    pub async fn webhook_create(&self, permit: &Permit<needs::WebhooksWrite>, wanted: WebhookWanted) -> Result<WebhookMade, Error> {
        self.check_url(Some(&wanted.url))?;
        let secret = wanted.secret.unwrap_or_else(|| WebhookSecret::generate(&*self.entropy));
        let new = NewWebhook { url: wanted.url, events: wanted.events, secret: secret.clone(), active: wanted.active };
        let webhook = self.store.webhook_create(permit, &new).await?;
        Ok(WebhookMade { webhook, secret })
    }

    /// Changes a webhook. A secret that is given is the only one from then on.
    ///
    /// # Errors
    ///
    /// As for [`webhook_create`](Self::webhook_create); [`Error::NotFound`] where there is none.
    pub async fn webhook_update(
        &self,
        permit: &Permit<needs::WebhooksWrite>,
        id: WebhookId,
        change: WebhookChange,
    ) -> Result<Webhook, Error> {
        self.check_url(change.url.as_ref())?;
        self.store.webhook_update(permit, id, &change).await?.ok_or(Error::NotFound)
    }

    /// Gives a webhook a new secret; the former one signs as well for as long as `grace`.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] where there is none, [`Error::Denied`] where the permit's key may not do that any more; otherwise where the store cannot.
    pub async fn webhook_rotate(
        &self,
        permit: &Permit<needs::WebhooksWrite>,
        id: WebhookId,
        grace: Duration,
    ) -> Result<WebhookMade, Error> {
        let secret = WebhookSecret::generate(&*self.entropy);
        let webhook = self.store.webhook_rotate(permit, id, grace, &secret).await?.ok_or(Error::NotFound)?;
        Ok(WebhookMade { webhook, secret })
    }

    /// Deletes a webhook: nothing is posted any more.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] where there is none, [`Error::Denied`] where the permit's key may not do that any more.
    pub async fn webhook_delete(&self, permit: &Permit<needs::WebhooksWrite>, id: WebhookId) -> Result<(), Error> {
        self.store.webhook_delete(permit, id).await?.then_some(()).ok_or(Error::NotFound)
    }

    /// The webhook with this id.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] where there is none.
    pub async fn webhook_find(&self, permit: &Permit<needs::WebhooksRead>, id: WebhookId) -> Result<Webhook, Error> {
        self.store.webhook_find(permit, id).await?.ok_or(Error::NotFound)
    }

    /// Makes sure that there is a webhook with this id, for whoever is to change it.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] where there is none.
    pub async fn webhook_is_there(&self, permit: &Permit<needs::WebhooksWrite>, id: WebhookId) -> Result<(), Error> {
        self.store.webhook_find(permit, id).await?.map(|_| ()).ok_or(Error::NotFound)
    }

    /// The tenant's webhooks, newest first.
    ///
    /// # Errors
    ///
    /// Where the store cannot.
    pub async fn webhook_list(&self, permit: &Permit<needs::WebhooksRead>, page: PageRequest<WebhookId>) -> Result<Page<Webhook>, Error> {
        Ok(self.store.webhook_list(permit, page).await?)
    }

    /// The deliveries of a webhook, newest first, each with all its attempts.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] where there is no such webhook.
    pub async fn webhook_deliveries(
        &self,
        permit: &Permit<needs::WebhooksRead>,
        id: WebhookId,
        page: PageRequest<WebhookDeliveryId>,
    ) -> Result<Page<DeliveryRecord>, Error> {
        self.webhook_find(permit, id).await?;
        Ok(self.store.webhook_deliveries(permit, id, page).await?)
    }

    /// Queues an event that nothing stands behind.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] where there is no such webhook, [`Error::Denied`] where the permit's key may not do that any more.
    pub async fn webhook_test(&self, permit: &Permit<needs::WebhooksWrite>, id: WebhookId) -> Result<WebhookDeliveryId, Error> {
        self.store.webhook_test(permit, id).await?.ok_or(Error::NotFound)
    }

    /// Queues a delivery's event once more.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] where there is no such webhook or delivery, [`Error::Denied`] where the permit's key may not do that any more.
    pub async fn webhook_replay(
        &self,
        permit: &Permit<needs::WebhooksWrite>,
        id: WebhookId,
        of: WebhookDeliveryId,
    ) -> Result<WebhookDeliveryId, Error> {
        self.store.webhook_replay(permit, id, of).await?.ok_or(Error::NotFound)
    }

    /// A name is looked up when an event is posted; an address can be told now.
    fn check_url(&self, url: Option<&WebhookUrl>) -> Result<(), Error> {
        match (self.webhook_reach, url.and_then(WebhookUrl::address)) {
            (Reach::PublicOnly, Some(address)) if !Reach::PublicOnly.admits(address) => Err(Problem::NotPublic.at("url").into()),
            _ => Ok(()),
        }
    }
}
