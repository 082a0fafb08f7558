//! `/v1/tenants/{tenant_id}/usage`: what a tenant has sent and asked in a month.

use selfmx_testing::{Fault, Phase, Sink, SinkSettings};
use serde_json::{Value, json};

use crate::process::{KEY, eventually, until};
use crate::world::{World, fault, port};

async fn usage(world: &World, tenant: &str, query: &str) -> Value {
    let answer = world.get(&format!("/v1/tenants/{tenant}/usage{query}")).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    answer.json()
}

async fn ask(world: &World, secret: &str, path: &str) -> u16 {
    world.server.ask("GET", path, Some(secret), None).await.status
}

#[tokio::test]
async fn a_tenant_s_month_tells_its_mail_and_its_requests_and_nobody_else_s() {
    let faults = vec![Fault::reply(Phase::Rcpt, "550 5.1.1 No such user").for_local("gone")];
    let sink = Sink::start(SinkSettings { faults, ..SinkSettings::default() }).await;
    let relay = [("SMTP_HOST", "127.0.0.1"), ("SMTP_PORT", &port(&sink)), ("SMTP_TLS", "false")];
    let world = World::start_with(&relay).await;
    let (tenant, other) = (world.tenant("Acme").await, world.tenant("Other").await);
    let key = async |tenant: &str, mode: &str| {
        world.key(json!({"name": "k", "permissions": ["send", "logs:read"], "tenant_id": tenant, "mode": mode})).await.secret
    };
    let (live, test, theirs) = (key(&tenant, "live").await, key(&tenant, "test").await, key(&other, "live").await);
    for to in ["fine@r.example", "gone@r.example", "well@r.example"] {
        world.send_as(&live, json!({"to": to})).await;
    }
    world.send_as(&test, json!({})).await;
    world.send_as(&theirs, json!({})).await;
    // Whatever is authenticated counts, and nothing else.
    assert_eq!((ask(&world, &live, "/v1/emails").await, ask(&world, &test, "/v1/tenants").await), (200, 403));
    assert_eq!((ask(&world, &live, "/v1/emails/nonsense").await, ask(&world, &format!("{live}x"), "/v1/emails").await), (404, 401));
    until(&world.database, "SELECT count(*) FROM emails WHERE status = 'queued'", "0").await;

    let world = world.restarted(&relay).await;
    let month = world.database.query_one_text("SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM')").await;
    let told = |sent: u64, delivered: u64, bounced: u64, requests: u64| json!({"tenant_id": tenant, "period": month, "emails_sent": sent, "emails_delivered": delivered, "emails_bounced": bounced, "api_requests": requests});
    assert_eq!(usage(&world, &tenant, "").await, told(3, 2, 1, 7));
    assert_eq!(usage(&world, &tenant, &format!("?period={month}")).await, told(3, 2, 1, 7));
    let others = usage(&world, &other, "").await;
    assert_eq!((&others["emails_sent"], &others["api_requests"]), (&json!(1), &json!(1)));
    // The platform's keys act on the default tenant, whichever tenant they ask about.
    let asked = usage(&world, "tenant_default", "").await["api_requests"].as_u64().unwrap();
    assert!(asked >= 5, "{asked}");
    // Behind, and not only at the end.
    assert_eq!(ask(&world, &live, "/v1/emails").await, 200);
    eventually("the request to be counted", async || usage(&world, &tenant, "").await == told(3, 2, 1, 8)).await;
    world.database.execute("UPDATE emails SET created_at = created_at - interval '40 days'").await;
    assert_eq!(usage(&world, &tenant, "").await, told(0, 0, 0, 8));
}

#[tokio::test]
async fn any_month_can_be_asked_for_and_nothing_else() {
    let world = World::start().await;
    let tenant = world.tenant("Acme").await;
    for period in ["0000-01", "1969-12", "2001-02", "9999-12"] {
        let told =
            json!({"tenant_id": tenant, "period": period, "emails_sent": 0, "emails_delivered": 0, "emails_bounced": 0, "api_requests": 0});
        assert_eq!(usage(&world, &tenant, &format!("?period={period}")).await, told);
    }
    let path = format!("/v1/tenants/{tenant}/usage");
    for (query, code, field) in [
        ("period=", "invalid_request", "period"),
        ("period=2026", "invalid_request", "period"),
        ("period=2026-13", "invalid_request", "period"),
        ("period=2026-1", "invalid_request", "period"),
        ("period=2026-01-01", "invalid_request", "period"),
        ("period=%2B026-01", "invalid_request", "period"),
        ("period=2026-01&period=2026-02", "invalid_request", "period"),
        ("month=2026-01", "unknown_field", "month"),
    ] {
        let answer = world.get(&format!("{path}?{query}")).await;
        assert_eq!(fault(&answer), (400, code.to_owned(), field.to_owned()), "{query}");
    }
    for tenant in ["tenant_01h455vb4pex5vsknk084sn02q", "nonsense"] {
        assert_eq!(fault(&world.get(&format!("/v1/tenants/{tenant}/usage")).await).1, "not_found");
    }
    // A tenant's own key is not the platform's.
    let own = world.key(json!({"name": "All", "permissions": ["*"], "tenant_id": tenant})).await;
    assert_eq!((ask(&world, &own.secret, &path).await, ask(&world, KEY, &path).await), (403, 200));
}
