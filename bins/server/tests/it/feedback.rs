//! `/v1/feedback`: mail that came back and complaints, as a relay hands them on.

mod real;

use selfmx_testing::HttpAnswer;
use serde_json::{Value, json};

use crate::described;
use crate::process::KEY;
use crate::webhooks::endpoint::Endpoint;
use crate::world::{World, fault, recipient, text};

const MAIL: (&str, &str) = ("content-type", "message/rfc822");

/// A complaint of this recipient's about the mail with this `Message-ID`.
pub(crate) fn complaint(message_id: &str, to: &str) -> String {
    report("feedback-report", &format!("Feedback-Type: abuse\r\nVersion: 1\r\nOriginal-Rcpt-To: <{to}>\r\n"), message_id)
}

/// Tells that the mail with this `Message-ID` could not be delivered to this recipient.
fn bounce(message_id: &str, to: &str, status: &str) -> String {
    let group =
        format!("Final-Recipient: rfc822; {to}\r\nAction: failed\r\nStatus: {status}\r\nDiagnostic-Code: smtp; 550 {status} No\r\n");
    report("delivery-status", &format!("Reporting-MTA: dns; mx.recipient.example\r\n\r\n{group}"), message_id)
}

fn report(kind: &str, fields: &str, message_id: &str) -> String {
    format!(
        "From: <postmaster@recipient.example>\r\nContent-Type: multipart/report; report-type={kind}; boundary=b\r\n\r\n\
         --b\r\nContent-Type: text/plain\r\n\r\nSorry.\r\n--b\r\nContent-Type: message/{kind}\r\n\r\n{fields}\r\n\
         --b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: {message_id}\r\n\r\n--b--\r\n"
    )
}

fn of_ours(id: &str) -> String {
    format!("<{id}@sender.example>")
}

async fn posted(world: &World, path: &str, secret: &str, headers: &[(&str, &str)], body: &str) -> HttpAnswer {
    let bearer = format!("Bearer {secret}");
    let headers: Vec<_> = [("authorization", bearer.as_str())].into_iter().chain(headers.iter().copied()).collect();
    let answer = world.server.connect().await.send_octets("POST", path, &headers, body.into()).await.unwrap();
    described::check("POST", path, &answer);
    answer
}

async fn told(world: &World, secret: &str, body: &str) -> Value {
    let answer = posted(world, "/v1/feedback", secret, &[MAIL], body).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    answer.json()
}

fn one(kind: &str, recipient: &str, email: Option<&str>, event: Option<&str>, outcome: &str) -> Value {
    let mut told = json!({"type": kind, "results": [{"recipient": recipient, "email_id": email, "event": event, "outcome": outcome}]});
    if kind == "complaint" {
        told["feedback_type"] = json!("abuse");
    }
    told
}

#[tokio::test]
async fn a_complaint_and_a_bounce_are_seen_wherever_events_are() {
    let world = World::start_with(&[("WEBHOOK_ALLOW_PRIVATE", "true")]).await;
    let endpoint = Endpoint::start(&[200]).await;
    let webhook = json!({"url": endpoint.url(), "events": ["complained", "bounced"]});
    assert_eq!(world.post("/v1/webhooks", &webhook).await.status, 201);
    let id = world.send(json!({"to": ["anna@recipient.example", "gone@recipient.example"]})).await;
    world.settled(&id).await;
    let (anna, gone) = ("anna@recipient.example", "gone@recipient.example");
    for outcome in ["recorded", "already_recorded"] {
        let expected = one("complaint", anna, Some(&id), Some("complained"), outcome);
        assert_eq!(told(&world, KEY, &complaint(&of_ours(&id), anna)).await, expected);
        let expected = one("bounce", gone, Some(&id), Some("bounced"), outcome);
        assert_eq!(told(&world, KEY, &bounce(&of_ours(&id), gone, "5.1.1")).await, expected);
    }
    let email = world.email(&id).await;
    assert_eq!((&email["status"], &email["delivered_at"]), (&json!("bounced"), &json!(null)), "{email}");
    assert_eq!((&recipient(&email, gone)["status"], &recipient(&email, gone)["bounce_type"]), (&json!("bounced"), &json!("hard")));
    assert_eq!(recipient(&email, gone)["last_response"], "550 5.1.1 No");
    let events = email["events"].as_array().unwrap();
    let last = |kind: &str| events.iter().rfind(|event| event["type"] == kind).unwrap();
    assert_eq!(
        (&last("complained")["feedback_type"], &last("complained")["smtp_response"], &last("complained")["to"]),
        (&json!("abuse"), &json!(null), &json!(anna))
    );
    assert_eq!((&last("bounced")["smtp_response"], last("bounced").get("feedback_type")), (&json!("550 5.1.1 No"), None));
    assert_eq!(events.len(), 5);

    let logged = world.get("/v1/logs?event=complained").await.json();
    assert_eq!((&logged["data"][0]["email_id"], &logged["data"][0]["feedback_type"]), (&json!(id), &json!("abuse")), "{logged}");
    let followed = world.get("/v1/events/stream?follow=false&event=complained").await;
    assert_eq!(followed.status, 200, "{}", followed.json());
    for (address, reason) in [(anna, "complaint"), (gone, "bounce")] {
        let stands = world.get(&format!("/v1/suppressions/{address}")).await.json();
        assert_eq!((&stands["reason"], &stands["email_id"]), (&json!(reason), &json!(id)), "{stands}");
    }
    let again = world.send(json!({"to": anna})).await;
    assert_eq!(recipient(&world.settled(&again).await, anna)["status"], "suppressed");

    let mut posts: Vec<Value> = endpoint.posts(2).await.iter().map(|post| serde_json::from_slice(&post.body).unwrap()).collect();
    posts.sort_by_key(|post| text(&post["type"]));
    let seen = |post: &Value| (text(&post["type"]), text(&post["data"]["recipient"]), text(&post["data"]["email_id"]));
    assert_eq!(
        posts.iter().map(seen).collect::<Vec<_>>(),
        [("bounced".to_owned(), gone.to_owned(), id.clone()), ("complained".to_owned(), anna.to_owned(), id.clone())]
    );
    assert_eq!((&posts[0]["data"]["bounce_type"], &posts[0]["data"]["bounce_message"]), (&json!("hard"), &json!("550 5.1.1 No")));
    assert_eq!((&posts[1]["data"]["feedback_type"], posts[1]["data"].get("smtp_response")), (&json!("abuse"), None));

    let metrics = String::from_utf8(world.server.ask("GET", "/metrics", None, None).await.body.to_vec()).unwrap();
    for line in ["selfmx_emails_complained_total 1", "selfmx_emails_bounced_late_total 1"] {
        assert!(metrics.lines().any(|found| found == line), "{line}");
    }
    let audited = world.get("/v1/audit-logs?action=feedback.report").await.json();
    let noted: Vec<_> = audited["data"].as_array().unwrap().iter().map(|entry| (&entry["target"], &entry["after"])).collect();
    let after = |kind: &str, to: &str| json!({"type": kind, "recipient": to});
    assert_eq!(noted, [(&json!(id), &after("bounce", gone)), (&json!(id), &after("complaint", anna))]);
}

#[tokio::test]
async fn what_is_no_report_is_told_what_is_expected() {
    let world = World::start().await;
    let ask = async |headers: &[(&str, &str)], body: &str| fault(&posted(&world, "/v1/feedback", KEY, headers, body).await);
    for body in ["", "From: a@x.example\r\n\r\nI am on holiday.\r\n", "{}"] {
        let answer = posted(&world, "/v1/feedback", KEY, &[MAIL], body).await;
        assert_eq!((answer.status, &answer.json()["error"]["code"]), (400, &json!("invalid_request")), "{body}");
        let message = text(&answer.json()["error"]["message"]);
        assert!(["RFC 5965", "RFC 3464", "message/delivery-status"].iter().all(|word| message.contains(word)), "{message}");
    }
    let report = complaint("<a@b>", "anna@recipient.example");
    for headers in [&[][..], &[("content-type", "application/json")], &[("content-type", "text/plain")]] {
        assert_eq!(ask(headers, &report).await.1, "unsupported_media_type");
    }
    let answer = posted(&world, "/v1/feedback", KEY, &[("content-type", "text/plain")], &report).await;
    assert!(text(&answer.json()["error"]["message"]).contains("message/rfc822"), "{}", answer.json());
    // Elsewhere a mail is no body.
    assert_eq!(posted(&world, "/v1/send", KEY, &[MAIL], &report).await.status, 415);
    let spelled = posted(&world, "/v1/feedback", KEY, &[("content-type", "Message/RFC822; charset=us-ascii")], &report).await;
    assert_eq!(spelled.status, 200);
    let delayed = bounce("<a@b>", "anna@recipient.example", "4.4.1").replace("Action: failed", "Action: delayed");
    assert_eq!(told(&world, KEY, &delayed).await, one("ignored", "anna@recipient.example", None, None, "ignored"));
    // A report returns the mail, files and all.
    let large = report.replace("Sorry.", &"A line of the mail that is returned.\r\n".repeat(100_000));
    assert_eq!(told(&world, KEY, &large).await, one("complaint", "anna@recipient.example", None, None, "no_match"));
}

#[tokio::test]
async fn each_tenant_reports_on_its_own_mail_and_the_platform_on_all() {
    let world = World::start().await;
    let (one_s, other_s) = (world.tenant("One").await, world.tenant("Other").await);
    let (own, foreign) = (world.key_for(&one_s).await, world.key_for(&other_s).await);
    let id = world.send_as(&own, json!({"to": "anna@recipient.example"})).await;
    crate::process::until(&world.database, "SELECT count(*) FROM recipients WHERE status = 'delivered'", "1").await;
    let (anna, absent) = ("anna@recipient.example", of_ours("msg_01h455vb4pex5vsknk084sn02q"));
    for make in [complaint as fn(&str, &str) -> String, |id, to| bounce(id, to, "5.1.1")] {
        for secret in [&foreign, &own] {
            let nobodys = told(&world, secret, &make(&absent, anna)).await;
            assert_eq!(nobodys["results"][0]["outcome"], "no_match");
            if *secret == foreign {
                assert_eq!(told(&world, secret, &make(&of_ours(&id), anna)).await, nobodys);
                assert_eq!(told(&world, secret, &make("<other@relay.example>", anna)).await, nobodys);
            }
        }
    }
    let through = |tenant: &str| format!("/v1/tenants/{tenant}/feedback");
    let report = complaint(&of_ours(&id), anna);
    assert_eq!(posted(&world, &through(&other_s), KEY, &[MAIL], &report).await.json()["results"][0]["outcome"], "no_match");
    assert_eq!(posted(&world, &through(&one_s), KEY, &[MAIL], &report).await.json()["results"][0]["outcome"], "recorded");
    assert_eq!(told(&world, &own, &report).await["results"][0]["outcome"], "already_recorded");
    // The relay rewrote the Message-ID: it is found by recipient and time, whosever it is.
    let returned = bounce("<rewritten@relay.example>", anna, "5.2.2");
    assert_eq!(told(&world, KEY, &returned).await, one("bounce", anna, Some(&id), Some("bounced"), "recorded"));
    let shown = world.server.ask("GET", &format!("/v1/emails/{id}"), Some(&own), None).await.json();
    assert_eq!((&shown["status"], &shown["recipients"][0]["bounce_type"]), (&json!("bounced"), &json!("soft")));
    // The tenant sees that it was reported, and not from where the platform works.
    let entries = world.server.ask("GET", "/v1/audit-logs?action=feedback.report", Some(&own), None).await.json();
    assert_eq!(entries["data"].as_array().unwrap().len(), 2, "{entries}");
}
