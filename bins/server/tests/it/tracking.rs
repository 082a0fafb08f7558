//! Tracking of opens and clicks: what is sent, what readers get, and what is told of them.

pub(crate) mod links;
mod outage;

use selfmx_domain::Entropy as _;
use selfmx_storage::SecretKey;
use selfmx_testing::python::verify_dkim;
use selfmx_testing::{HttpAnswer, OsEntropy, Sink, openssl};
use serde_json::{Value, json};

use self::links::{BASE, part, paths, read, tokens};
use crate::process::{KEY, SECRET_KEY, eventually};
use crate::webhooks::endpoint::Endpoint;
use crate::world::{World, fault, text};

const URL: (&str, &str) = ("PUBLIC_URL", BASE);
const HTML: &str = "<html><body class=x>\n<p>Hi &amp; <A HREF='https://shop.example/?a=1&amp;b=2'>shop</a>, <a href=\"https://shop.example/terms\" data-selfmx-no-track>terms</a>, \
<a href=\"mailto:a@b.example\">write</a></p></body></html>\n";

fn both() -> Value {
    json!({"opens": true, "clicks": true})
}

async fn patch(world: &World, tenant: &str, change: Value) -> HttpAnswer {
    world.server.ask("PATCH", &format!("/v1/tenants/{tenant}"), Some(KEY), Some(&change)).await
}

/// A tenant whose mail is tracked, and a key of its own.
async fn tracked(world: &World) -> (String, String) {
    let tenant = world.tenant_of(json!({"name": "Read", "settings": {"tracking": both()}})).await;
    let key = world.key_for(&tenant).await;
    (tenant, key)
}

async fn email(world: &World, key: &str, id: &str) -> Value {
    world.server.ask("GET", &format!("/v1/emails/{id}"), Some(key), None).await.json()
}

/// The email's events of readers, as soon as there are so many.
async fn told(world: &World, key: &str, id: &str, count: usize) -> Vec<Value> {
    let of = async || -> Vec<Value> {
        let events = email(world, key, id).await["events"].take();
        let is_readers = |event: &&Value| ["opened", "clicked"].contains(&event["type"].as_str().unwrap());
        events.as_array().unwrap().iter().filter(is_readers).cloned().collect()
    };
    eventually(&format!("{count} events of readers"), async || of().await.len() >= count).await;
    of().await
}

async fn raw(world: &World, key: &str, id: &str) -> Vec<u8> {
    world.server.ask("GET", &format!("/v1/emails/{id}/raw"), Some(key), None).await.body.to_vec()
}

async fn counted(world: &World, event: &str, outcome: &str) -> f64 {
    let metrics = String::from_utf8(world.get("/metrics").await.body.to_vec()).unwrap();
    let series = format!("selfmx_tracking_events_total{{event=\"{event}\",outcome=\"{outcome}\"}} ");
    metrics.lines().find_map(|line| line.strip_prefix(&series)).unwrap().parse().unwrap()
}

#[tokio::test]
async fn opens_and_clicks_are_told_by_the_email_the_log_and_webhooks_and_change_nothing() {
    let sink = Sink::well_behaved().await;
    let (world, endpoint) =
        (World::relayed(sink.address(), &[URL, ("WEBHOOK_ALLOW_PRIVATE", "true")]).await, Endpoint::start(&[200]).await);
    let (tenant, key) = tracked(&world).await;
    let dkim = json!({"domain": "sender.example", "selector": "s", "key": openssl("genpkey -algorithm ed25519")});
    let record = patch(&world, &tenant, json!({"dkim": dkim})).await.json()["dkim"]["dns_record"].clone();
    let hook = json!({"url": endpoint.url(), "events": ["opened", "clicked"]});
    assert_eq!(world.server.ask("POST", "/v1/webhooks", Some(&key), Some(&hook)).await.status, 201);
    let id = world.send_as(&key, json!({"html": HTML, "text": null})).await;
    let octets = sink.wait_for(1).await.remove(0).octets;
    assert_eq!(verify_dkim(&[&octets], &[(text(&record["name"]), text(&record["value"]))])[0]["valid"], true);
    assert_eq!(raw(&world, &key, &id).await, octets);

    let (html, shown) = (part(&octets, "text/html"), part(&octets, "text/plain"));
    assert!(shown.contains("https://shop.example/?a=1&b=2") && !shown.contains(BASE), "{shown}");
    let picture = paths(&html, "o").remove(0);
    let link = html.split(&format!("HREF='{BASE}")).nth(1).unwrap().split('\'').next().unwrap().to_owned();
    // All else is as it was given.
    let image = format!("<img src=\"{BASE}{picture}\" width=\"1\" height=\"1\" alt=\"\" style=\"border:0\">");
    let as_given = html.replace(&format!("{BASE}{link}"), "https://shop.example/?a=1&amp;b=2").replace(&image, "");
    assert_eq!(as_given, HTML.replace(" data-selfmx-no-track", ""));
    assert_eq!(html.find(&image).unwrap() + image.len(), html.find("</body>").unwrap());

    for method in ["HEAD", "GET", "GET"] {
        let open = read(&world, method, &picture).await;
        assert_eq!((open.status, open.header("content-type"), open.header("content-length")), (200, Some("image/gif"), Some("43")));
        let click = read(&world, method, &link).await;
        assert_eq!((click.status, click.header("location")), (302, Some("https://shop.example/?a=1&b=2")));
        for answer in [open, click] {
            assert_eq!(answer.body.is_empty(), method == "HEAD");
            for (name, value) in [("cache-control", "no-store"), ("referrer-policy", "no-referrer"), ("x-robots-tag", "noindex")] {
                assert_eq!(answer.header(name), Some(value), "{name}");
            }
        }
    }
    let events = told(&world, &key, &id, 2).await;
    let of = |kind: &str| events.iter().find(|event| event["type"] == kind).unwrap().clone();
    assert_eq!((events.len(), of("opened")["url"].is_null(), &of("clicked")["url"]), (2, true, &json!("https://shop.example/?a=1&b=2")));
    assert_eq!((&of("opened")["to"], &of("clicked")["to"]), (&json!("anna@recipient.example"), &json!("anna@recipient.example")));
    let log = world.server.ask("GET", "/v1/logs?event=clicked", Some(&key), None).await.json();
    assert_eq!((&log["data"][0]["url"], &log["data"][0]["to"]), (&of("clicked")["url"], &of("clicked")["to"]));
    let posts: Vec<Value> = endpoint.posts(2).await.iter().map(|post| post.json()).collect();
    let posted = |kind: &str| posts.iter().find(|post| post["type"] == kind).unwrap()["data"].clone();
    assert_eq!((&posted("clicked")["url"], &posted("clicked")["recipient"]), (&of("clicked")["url"], &of("clicked")["to"]));
    assert_eq!((&posted("opened")["email_id"], posted("opened")["url"].is_null()), (&json!(id), true));
    let read_back = email(&world, &key, &id).await;
    assert_eq!((&read_back["status"], &read_back["html"]), (&json!("delivered"), &json!(HTML)));
    // The second of each was within ten seconds of the first.
    eventually("the others to count", async || counted(&world, "clicked", "ignored").await >= 1.0).await;
    assert_eq!((counted(&world, "opened", "recorded").await, counted(&world, "clicked", "recorded").await), (1.0, 1.0));
    // Nothing is kept of who read it.
    let kept = world.database.query_one_text("SELECT string_agg(e::text, ' ') FROM events e WHERE kind IN ('opened', 'clicked')").await;
    assert!(!kept.contains("127.0.0.1"), "{kept}");
}

#[tokio::test]
async fn a_link_that_this_server_has_not_signed_leads_nowhere() {
    let world = World::start_with(&[URL]).await;
    let ((open, click), stranger) = (tokens(SECRET_KEY), SecretKey::generate(&OsEntropy).reveal().to_string());
    assert_eq!(
        (read(&world, "GET", &format!("/t/c/{click}")).await.status, read(&world, "GET", &format!("/t/o/{open}")).await.status),
        (302, 200)
    );
    let (foreign_open, foreign_click) = tokens(&stranger);
    let mut wrong = vec![format!("/t/c/{open}"), format!("/t/o/{click}"), format!("/t/o/{foreign_open}"), format!("/t/c/{foreign_click}")];
    wrong.extend(["/t/c/x", "/t/c/https:%2F%2Fevil.example%2F", "/t/c/%00", "/t/o/x"].map(str::to_owned));
    let mut at = [0];
    OsEntropy.fill(&mut at);
    let at = usize::from(at[0]) % click.len();
    let other = if click.as_bytes()[at] == b'A' { "B" } else { "A" };
    wrong.push(format!("/t/c/{}{other}{}", &click[..at], &click[at + 1..]));
    for path in wrong {
        let answer = read(&world, "GET", &path).await;
        assert_eq!((fault(&answer), answer.header("location")), ((404, "not_found".to_owned(), String::new()), None), "{path}");
    }
    // Signed as it may be, of an email that there is not nothing is told.
    eventually("both to count", async || counted(&world, "opened", "ignored").await + counted(&world, "clicked", "ignored").await >= 2.0)
        .await;
    assert_eq!(world.database.query_one_text("SELECT count(*) FROM events").await, "0");
}

#[tokio::test]
async fn links_outlive_a_change_of_the_secret_key_for_as_long_as_the_old_one_is_kept() {
    let world = World::start_with(&[URL]).await;
    let (_, key) = tracked(&world).await;
    let id = world.send_as(&key, json!({"html": HTML, "to": ["a@r.example", "b@r.example"]})).await;
    let html = part(&raw(&world, &key, &id).await, "text/html");
    let picture = paths(&html, "o").remove(0);
    let new = SecretKey::generate(&OsEntropy).reveal().to_string();
    // What was gathered is written before the server ends.
    assert_eq!(read(&world, "GET", &picture).await.status, 200);
    let world = world.restarted(&[URL, ("SECRET_KEY", &new), ("SECRET_KEYS_OLD", SECRET_KEY)]).await;
    assert_eq!(world.database.query_one_text("SELECT count(*) FROM events WHERE kind = 'opened'").await, "1");
    let opened = told(&world, &key, &id, 1).await;
    assert!(opened[0]["to"].is_null(), "it has two recipients: {opened:?}");
    assert_eq!(read(&world, "GET", &picture).await.status, 200);
    let world = world.restarted(&[URL, ("SECRET_KEY", &new)]).await;
    assert_eq!(read(&world, "GET", &picture).await.status, 404);
}

#[tokio::test]
async fn mail_is_tracked_where_its_tenant_says_so_and_in_html_alone() {
    let world = World::start_with(&[URL]).await;
    let tenant = world.tenant("Unread").await;
    let key = world.key_for(&tenant).await;
    let sent = async |changes: Value| {
        let id = world.send_as(&key, changes).await;
        String::from_utf8(raw(&world, &key, &id).await).unwrap()
    };
    let html = async || {
        let id = world.send_as(&key, json!({"html": HTML, "text": "See https://shop.example/"})).await;
        let octets = raw(&world, &key, &id).await;
        (part(&octets, "text/html"), part(&octets, "text/plain"))
    };
    let untouched = (HTML.to_owned(), "See https://shop.example/".to_owned());
    assert_eq!(html().await, untouched);
    let answer = patch(&world, &tenant, json!({"settings": {"tracking": {"clicks": true}}})).await;
    assert_eq!((answer.status, &answer.json()["settings"]["tracking"]), (200, &json!({"opens": false, "clicks": true})));
    let (clicks, shown) = html().await;
    assert_eq!((clicks.matches("/t/c/").count(), clicks.matches("/t/o/").count(), shown), (1, 0, untouched.1.clone()));
    patch(&world, &tenant, json!({"settings": {"tracking": {"clicks": null, "opens": true}}})).await;
    let (opens, _) = html().await;
    assert_eq!((opens.matches("/t/c/").count(), opens.matches("/t/o/").count()), (0, 1));
    assert!(opens.contains("data-selfmx-no-track"));
    let plain = sent(json!({"text": "<a href=\"https://shop.example/\">x</a></body>"})).await;
    assert!(!plain.contains("track.example"), "{plain}");
    let template = json!({"name": "t", "subject": "s", "html": "<a href=\"{{link}}\">x</a>"});
    assert_eq!(world.server.ask("POST", "/v1/templates", Some(&key), Some(&template)).await.status, 201);
    patch(&world, &tenant, json!({"settings": {"tracking": both()}})).await;
    let wanted = json!({"text": null, "subject": null, "template_id": "t", "template_data": {"link": "https://shop.example/"}});
    let batch = json!({"emails": [crate::world::email(&wanted)]});
    let answer = world.server.ask("POST", "/v1/send/batch", Some(&key), Some(&batch)).await;
    let made = part(&raw(&world, &key, &text(&answer.json()["data"][0]["id"])).await, "text/html");
    assert_eq!((made.matches("/t/c/").count(), made.matches("/t/o/").count()), (1, 1), "{made}");
    patch(&world, &tenant, json!({"settings": {"tracking": null}})).await;
    assert_eq!(html().await, untouched);
    let entries = world.get(&format!("/v1/audit-logs?target={tenant}&action=tenant.update")).await.json();
    let last = &entries["data"][0];
    assert_eq!((&last["before"]["tracking"], &last["after"]["tracking"]), (&both(), &Value::Null), "{last}");
}

#[tokio::test]
async fn without_a_public_url_nothing_is_tracked_and_whoever_asks_for_it_is_told() {
    let world = World::start_with(&[URL]).await;
    assert_eq!(patch(&world, "tenant_default", json!({"settings": {"tracking": both()}})).await.status, 200);
    let id = world.send(json!({"html": HTML})).await;
    let picture = paths(&part(&world.raw(&id).await, "text/html"), "o").remove(0);
    let warns = async |world: &World| world.get("/health").await.json()["warnings"].to_string().contains("PUBLIC_URL");
    assert!(!warns(&world).await);
    let world = world.restarted(&[]).await;
    assert!(warns(&world).await);
    let id = world.send(json!({"html": HTML})).await;
    assert_eq!(part(&world.raw(&id).await, "text/html"), HTML);
    // What was sent before leads on all the same.
    assert_eq!(read(&world, "GET", &picture).await.status, 200);
    let asked = json!({"name": "n", "settings": {"tracking": {"opens": true}}});
    for answer in [
        patch(&world, "tenant_default", json!({"settings": {"tracking": {"clicks": true}}})).await,
        world.post("/v1/tenants", &asked).await,
    ] {
        assert_eq!(fault(&answer), (400, "invalid_request".to_owned(), "settings.tracking".to_owned()));
        assert!(text(&answer.json()["error"]["message"]).contains("PUBLIC_URL"), "{}", answer.json());
    }
    // Other changes go on, and so does what switches it off.
    assert_eq!(patch(&world, "tenant_default", json!({"name": "Renamed"})).await.status, 200);
    let off = patch(&world, "tenant_default", json!({"settings": {"tracking": {"opens": false, "clicks": false}}})).await;
    assert_eq!((off.status, &off.json()["settings"]), (200, &json!({})));
    eventually("the warning to go", async || !warns(&world).await).await;
}
