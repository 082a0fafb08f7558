//! Events reach their webhooks, at least once, and no endpoint delays another.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use selfmx_auth::needs;
use selfmx_domain::{Mode, NewWebhook, Reach, TenantId, WebhookEvent, WebhookEvents, WebhookSecret};
use selfmx_mail::{Capture, Transport};
use selfmx_testing::OsEntropy;
use selfmx_webhook::{Poster, PosterSettings};
use selfmx_worker::WebhookSettings;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::world::{World, permit, settings};

/// An endpoint that gives these statuses one after the other, then the last again and again; 0: nothing at all.
struct Endpoint {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Endpoint {
    async fn start(statuses: Vec<u16>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, requests) = (listener.local_addr().unwrap(), Arc::<Mutex<Vec<String>>>::default());
        let seen = Arc::clone(&requests);
        tokio::spawn(async move {
            loop {
                let (mut tcp, _) = listener.accept().await.unwrap();
                let (seen, statuses) = (Arc::clone(&seen), statuses.clone());
                tokio::spawn(async move {
                    let mut request = String::new();
                    let mut buffer = [0; 4096];
                    while !request.ends_with("}}") {
                        let read = tcp.read(&mut buffer).await.unwrap_or(0);
                        request.extend(buffer.iter().take(read).map(|octet| char::from(*octet)));
                        if read == 0 {
                            return;
                        }
                    }
                    let status = {
                        let mut seen = seen.lock().unwrap();
                        seen.push(request);
                        statuses.get(seen.len() - 1).or(statuses.last()).copied().unwrap_or(200)
                    };
                    if status == 0 {
                        let _ = tcp.read(&mut buffer).await;
                        return;
                    }
                    let _ = tcp.write_all(format!("HTTP/1.1 {status} x\r\ncontent-length: 2\r\n\r\nhi").as_bytes()).await;
                });
            }
        });
        Self { address, requests }
    }

    fn count(&self) -> usize {
        self.requests.lock().unwrap().len()
    }
}

async fn webhook(world: &World, endpoint: &Endpoint, kinds: &[WebhookEvent]) {
    let wanted = NewWebhook {
        url: format!("http://{}/hook", endpoint.address).parse().unwrap(),
        events: WebhookEvents::new(kinds.to_vec()).unwrap(),
        secret: WebhookSecret::generate(&OsEntropy),
        active: true,
    };
    world.store.webhook_create(&permit::<needs::WebhooksWrite>(TenantId::DEFAULT, Mode::Live), &wanted).await.unwrap();
}

fn poster(reach: Reach) -> Poster {
    Poster::new(&PosterSettings { reach, timeout: Duration::from_secs(5), ..PosterSettings::default() }).unwrap()
}

fn quick() -> WebhookSettings {
    WebhookSettings { poll: Duration::from_millis(20), ..WebhookSettings::default() }
}

const LEFT: &str = "SELECT count(*) FROM webhook_deliveries WHERE status = 'pending'";

#[tokio::test]
async fn what_becomes_of_a_mail_is_posted() {
    let world = World::new().await;
    let endpoint = Endpoint::start(vec![200]).await;
    webhook(&world, &endpoint, &WebhookEvent::ALL).await;
    let email = world.accept(&["a@y.example"], Mode::Live).await;
    let mailer = world.work(Transport::Capture(Capture::NoRelay), settings(0));
    let (stop, task) = world.post(poster(Reach::Anywhere), quick());
    world.until("SELECT count(*) FROM webhook_deliveries WHERE status = 'delivered'", "3").await;
    let requests = endpoint.requests.lock().unwrap().join("\n");
    for kind in ["queued", "sending", "delivered"] {
        assert!(requests.contains(&format!(r#""type":"{kind}""#)), "{requests}");
    }
    assert!(requests.contains(&format!(r#""email_id":"{email}""#)), "{requests}");
    stop.cancel();
    task.await.unwrap();
    mailer.stop().await;
}

#[tokio::test]
async fn a_failure_is_tried_again_and_a_410_ends_it() {
    let world = World::new().await;
    let (failing, gone) = (Endpoint::start(vec![500, 503, 200]).await, Endpoint::start(vec![410]).await);
    webhook(&world, &failing, &[WebhookEvent::Queued]).await;
    webhook(&world, &gone, &[WebhookEvent::Queued]).await;
    world.accept(&["a@y.example"], Mode::Live).await;
    let (stop, task) = world.post(poster(Reach::Anywhere), quick());
    for attempts in ["1", "2"] {
        let made =
            format!("SELECT count(*) FROM webhook_deliveries WHERE attempts = {attempts} AND due_at > now() + interval '50 seconds'");
        world.until(&made, "1").await;
        world.database.execute("UPDATE webhook_deliveries SET due_at = now() WHERE status = 'pending'").await;
    }
    world.until(LEFT, "0").await;
    let told = "SELECT string_agg(status::text, ' ' ORDER BY attempt, status) FROM webhook_attempts";
    world.until(told, "410 500 503 200").await;
    world.until("SELECT count(*) FROM webhooks WHERE disabled_reason = 'gone'", "1").await;
    let ids: Vec<_> =
        failing.requests.lock().unwrap().iter().map(|request| request.split("webhook-id: ").nth(1).unwrap()[..30].to_owned()).collect();
    assert!(ids.len() == 3 && ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    stop.cancel();
    task.await.unwrap();
}

#[tokio::test]
async fn a_dead_endpoint_with_a_backlog_delays_no_other() {
    let world = World::new().await;
    let (dead, alive) = (Endpoint::start(vec![0]).await, Endpoint::start(vec![200]).await);
    webhook(&world, &dead, &[WebhookEvent::Queued]).await;
    for _ in 0..30 {
        world.accept(&["a@y.example"], Mode::Live).await;
    }
    webhook(&world, &alive, &[WebhookEvent::Queued]).await;
    let (stop, task) = world.post(poster(Reach::Anywhere), WebhookSettings { posting: 8, ..quick() });
    for _ in 0..10 {
        world.accept(&["a@y.example"], Mode::Live).await;
    }
    world.until("SELECT count(*) FROM webhook_deliveries WHERE status = 'delivered'", "10").await;
    assert!(dead.count() <= 4, "{} were on their way to it at once", dead.count());
    stop.cancel();
    task.await.unwrap();
}

#[tokio::test]
async fn nothing_inside_is_posted_to() {
    let world = World::new().await;
    let endpoint = Endpoint::start(vec![200]).await;
    webhook(&world, &endpoint, &[WebhookEvent::Queued]).await;
    world.accept(&["a@y.example"], Mode::Live).await;
    let (stop, task) = world.post(poster(Reach::PublicOnly), quick());
    world.until("SELECT count(*) FROM webhook_attempts WHERE error LIKE 'the host has no public address%'", "1").await;
    assert_eq!(endpoint.count(), 0);
    stop.cancel();
    task.await.unwrap();
}
