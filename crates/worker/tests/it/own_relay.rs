//! Mail of tenants with relays of their own.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use selfmx_domain::{Change, Mode, RelayChange, TenantId};
use selfmx_mail::{Capture, Reach, RelayTerms, Transport};
use selfmx_testing::{Act, Certificate, Fault, Phase, Sink, SinkSettings, SinkTls};
use selfmx_worker::Routes;
use tokio::net::TcpListener;

use crate::work::relay;
use crate::world::{Node, World, settings};

/// Terms that reach this machine, with a short patience.
fn terms() -> RelayTerms {
    let usual = RelayTerms::new("client.example".parse().unwrap());
    RelayTerms { reach: Reach::Anywhere, timeout: Duration::from_secs(2), ..usual }
}

fn routes(server: &Sink) -> Routes {
    Routes { server: relay(server.address().port()), tenants: terms() }
}

/// A relay at this address, in clear.
fn at(address: SocketAddr) -> RelayChange {
    RelayChange {
        host: Some(address.ip().to_string().parse().unwrap()),
        port: Change::Set(address.port()),
        tls: Change::Set(false),
        ..RelayChange::default()
    }
}

fn login(change: RelayChange, user: &str, pass: &str) -> RelayChange {
    RelayChange { user: Change::Set(user.parse().unwrap()), pass: Change::Set(pass.parse().unwrap()), tls: Change::Set(true), ..change }
}

/// Whom a sink has had mail for.
fn recipients(sink: &Sink) -> Vec<String> {
    let mut all: Vec<_> = sink.ledger().delivered().into_iter().flat_map(|transaction| transaction.recipients).collect();
    all.sort();
    all
}

async fn all_delivered(world: &World, count: usize) {
    world.until("SELECT count(*) FROM emails WHERE status = 'delivered'", &count.to_string()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_s_mail_goes_to_its_own_relay_and_nobody_else_s_does() {
    let world = World::new().await;
    let (server, own) = (Sink::well_behaved().await, Sink::well_behaved().await);
    let (with, without) = (world.tenant(Some(at(own.address()))).await, world.tenant(None).await);
    world.accept_for(with, &["own@x.example"], Mode::Live).await;
    world.accept_for(without, &["server@x.example"], Mode::Live).await;
    world.accept_for(TenantId::DEFAULT, &["platform@x.example"], Mode::Live).await;
    world.accept_for(with, &["captured@x.example"], Mode::Test).await;
    let running = world.work_by(routes(&server), settings(0));
    all_delivered(&world, 4).await;
    running.stop().await;
    assert_eq!(
        (recipients(&own), recipients(&server)),
        (vec!["own@x.example".to_owned()], vec!["platform@x.example".to_owned(), "server@x.example".to_owned()])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_server_only_captures_a_tenant_s_own_relay_is_used_all_the_same() {
    let world = World::new().await;
    let own = Sink::well_behaved().await;
    let tenant = world.tenant(Some(at(own.address()))).await;
    world.accept_for(tenant, &["own@x.example"], Mode::Live).await;
    let running = world.work_by(Routes { server: Transport::Capture(Capture::NoRelay), tenants: terms() }, settings(0));
    all_delivered(&world, 1).await;
    running.stop().await;
    assert_eq!(own.ledger().delivered_count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_authenticated_with_its_own_credentials_within_tls() {
    let world = World::new().await;
    let certificate = Certificate::for_loopback();
    let credentials = Some(("shop".to_owned(), "canary-of-the-shop".to_owned()));
    let tls = SinkTls::StartTls(certificate.clone());
    let own = Sink::start(SinkSettings { tls, credentials, ..SinkSettings::default() }).await;
    let tenant = world.tenant(Some(login(at(own.address()), "shop", "canary-of-the-shop"))).await;
    world.accept_for(tenant, &["own@x.example"], Mode::Live).await;
    let server = Sink::well_behaved().await;
    let trusting = RelayTerms { extra_roots: vec![certificate.pem().as_bytes().to_vec()], ..terms() };
    let running = world.work_by(Routes { tenants: trusting, ..routes(&server) }, settings(0));
    all_delivered(&world, 1).await;
    // A password that is wrong holds the mail, and costs it nothing.
    let wrong = RelayChange { pass: Change::Set("wrong".parse().unwrap()), ..RelayChange::default() };
    world.relay_changed(tenant, Change::Set(wrong)).await;
    world.accept_for(tenant, &["held@x.example"], Mode::Live).await;
    world.until("SELECT count(*) FROM recipients WHERE status = 'queued' AND attempts = 0 AND reply_text LIKE '%535%'", "1").await;
    running.stop().await;
    assert_eq!((recipients(&own), server.ledger().connections()), (vec!["own@x.example".to_owned()], 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_relay_counts_for_the_next_delivery_on_all_nodes() {
    let world = World::new().await;
    let (server, first, second) = (Sink::well_behaved().await, Sink::well_behaved().await, Sink::well_behaved().await);
    let tenant = world.tenant(Some(at(first.address()))).await;
    let nodes = [world.work_by(routes(&server), settings(0)), world.work_by(routes(&server), settings(0))];
    let mut sent = 0;
    let mut send = async |expected: &Sink, others: [&Sink; 2]| {
        let before = (expected.ledger().delivered_count(), others.map(|sink| sink.ledger().delivered_count()));
        for _ in 0..20 {
            world.accept_for(tenant, &["own@x.example"], Mode::Live).await;
        }
        sent += 20;
        all_delivered(&world, sent).await;
        assert_eq!((expected.ledger().delivered_count(), others.map(|sink| sink.ledger().delivered_count())), (before.0 + 20, before.1));
    };
    send(&first, [&second, &server]).await;
    world.relay_changed(tenant, Change::Set(at(second.address()))).await;
    send(&second, [&first, &server]).await;
    world.relay_changed(tenant, Change::Clear).await;
    send(&server, [&first, &second]).await;
    world.relay_changed(tenant, Change::Set(at(first.address()))).await;
    send(&first, [&second, &server]).await;
    for node in nodes {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_never_answers_holds_up_nobody_else() {
    let world = World::new().await;
    let silence = || vec![Fault::new(Phase::Greeting, Act::Silence)];
    let hanging = Sink::start(SinkSettings { faults: silence(), ..SinkSettings::default() }).await;
    let (server, good) = (Sink::well_behaved().await, Sink::well_behaved().await);
    let (stuck, lucky) = (world.tenant(Some(at(hanging.address()))).await, world.tenant(Some(at(good.address()))).await);
    for _ in 0..200 {
        world.accept_for(stuck, &["stuck@x.example"], Mode::Live).await;
    }
    let patient = RelayTerms { timeout: Duration::from_secs(12), ..terms() };
    let running = world.work_by(Routes { tenants: patient, ..routes(&server) }, settings(0));
    hanging.ledger().until("four connections that hang", |ledger| ledger.connections() == 4).await;
    let began = Instant::now();
    for _ in 0..50 {
        world.accept_for(lucky, &["lucky@x.example"], Mode::Live).await;
        world.accept_for(TenantId::DEFAULT, &["platform@x.example"], Mode::Live).await;
    }
    all_delivered(&world, 100).await;
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert_eq!((good.ledger().delivered_count(), server.ledger().delivered_count(), hanging.ledger().connections()), (50, 50, 4));
    // What it holds of the queue is bounded, and the rest waits for whoever may take it.
    assert_eq!(world.database.query_one_text("SELECT count(*) FROM queue WHERE lease_token IS NOT NULL").await, "16");
    // The relay changed, all goes out but for the four that were on their way.
    world.relay_changed(stuck, Change::Set(at(good.address()))).await;
    all_delivered(&world, 296).await;
    assert_eq!(good.ledger().delivered_count(), 50 + 196);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_mails_go_through_one_tenant_s_relay_in_good_time() {
    let world = World::new().await;
    let (server, own) = (Sink::well_behaved().await, Sink::well_behaved().await);
    let tenant = world.tenant(Some(at(own.address()))).await;
    for _ in 0..500 {
        world.accept_for(tenant, &["own@x.example"], Mode::Live).await;
    }
    let began = Instant::now();
    let running = world.work_by(routes(&server), settings(0));
    all_delivered(&world, 500).await;
    running.stop().await;
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    assert!(own.ledger().connections() <= 12, "connections are kept: {}", own.ledger().connections());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_cannot_be_opened_holds_the_mail() {
    let world = World::new().await;
    let (server, own) = (Sink::well_behaved().await, Sink::well_behaved().await);
    let tenant = world.tenant(Some(login(at(own.address()), "shop", "canary"))).await;
    for _ in 0..3 {
        world.accept_for(tenant, &["own@x.example"], Mode::Live).await;
    }
    world.accept_for(TenantId::DEFAULT, &["platform@x.example"], Mode::Live).await;
    let running = world.node(Node::WithAnotherKey, routes(&server), settings(0));
    let held = "SELECT count(*) FROM recipients WHERE status = 'queued' AND attempts = 0 AND reply_text LIKE '%password%cannot be opened%'";
    world.until(held, "3").await;
    all_delivered(&world, 1).await;
    running.stop().await;
    assert_eq!((recipients(&server), own.ledger().connections()), (vec!["platform@x.example".to_owned()], 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_this_machine_can_reach_is_not_connected_to() {
    let world = World::new().await;
    let server = Sink::well_behaved().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    for host in ["127.0.0.1", "localhost", "::1"] {
        let change = RelayChange { host: Some(host.parse().unwrap()), ..at(address) };
        let tenant = world.tenant(Some(change)).await;
        world.accept_for(tenant, &["own@x.example"], Mode::Live).await;
    }
    let public = RelayTerms { reach: Reach::PublicOnly, ..terms() };
    let running = world.work_by(Routes { tenants: public, ..routes(&server) }, settings(0));
    world.until("SELECT count(*) FROM recipients WHERE reply_text LIKE '%no public address%'", "3").await;
    running.stop().await;
    assert!(tokio::time::timeout(Duration::from_millis(100), listener.accept()).await.is_err());
    assert_eq!(server.ledger().connections(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn suspects_go_to_their_own_relays_too() {
    let world = World::new().await;
    let (server, own) = (Sink::well_behaved().await, Sink::well_behaved().await);
    let with = world.tenant(Some(at(own.address()))).await;
    world.accept_for(with, &["own@x.example"], Mode::Live).await;
    world.accept_for(TenantId::DEFAULT, &["platform@x.example"], Mode::Live).await;
    world.database.execute("UPDATE queue SET unsettled = 3").await;
    let running = world.work_by(routes(&server), settings(0));
    all_delivered(&world, 2).await;
    running.stop().await;
    assert_eq!((recipients(&server), recipients(&own)), (vec!["platform@x.example".to_owned()], vec!["own@x.example".to_owned()]));
}
