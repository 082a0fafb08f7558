//! Secrets in every place where one can be: none of them is in any answer, in the log, or in the database (but the one answer that makes it).

mod needles;
mod places;

use std::path::Path;
use std::process::Command;

use selfmx_auth::Secret;
use selfmx_domain::Mode;
use selfmx_http::{RouteInfo, routes};
use selfmx_testing::{Certificate, Database, HttpAnswer, HttpClient, OsEntropy, Sink, SinkSettings, SinkTls, openssl};
use serde_json::{Value, json};

use self::needles::Needles;
use self::places::{strays, wrong_schemes};
use crate::access::callers::Tenants;
use crate::access::content_type;
use crate::access::objects::{self, Whose, has_id};
use crate::process::{KEY, SECRET_KEY, Server, database, eventually};
use crate::world::{World, email, port, text};

const OLD_SECRET_KEY: &str = "an-old-made-up-secret-key-of-canary-s-tests";
const RELAY_PASSWORD: &str = "the-relay-s-own-password-of-the-canary-test";
const TENANT_PASSWORD: &str = "the-tenant-s-own-password-of-the-canary-test";
const DATABASE_PASSWORD: &str = "the-database-s-password-of-the-canary-test";

/// A server, all that is looked for, and all that it has said.
struct Run {
    world: World,
    http: HttpClient,
    needles: Needles,
    /// What was asked, and all of the answer.
    answers: Vec<(String, String)>,
    /// Where a caller got back what it had put there itself.
    echoes: Vec<String>,
}

impl Run {
    /// Asks, and keeps the answer. What is `stray`, the caller's own words, may come back to it, and to nobody else.
    async fn ask(&mut self, (method, path): (&str, &str), headers: &[(&str, &str)], body: &str, stray: Option<&str>) -> Value {
        let answer = self.http.send_octets(method, path, headers, body.into()).await.unwrap();
        // What nobody reads of a body ends the connection.
        if answer.header("connection") == Some("close") {
            self.http = self.world.server.connect().await;
        }
        let mut told = whole(&answer);
        if let Some(secret) = stray.filter(|secret| told.contains(*secret)) {
            self.echoes.push(format!("{method} {path} {body}").replace(secret, "@"));
            told = told.replace(secret, "@");
        }
        self.answers.push((format!("the answer {} to {method} {path}", answer.status), told));
        answer.json()
    }

    /// The same with a key.
    async fn ask_as(&mut self, key: &str, call: (&str, &str), body: &str) -> Value {
        let bearer = format!("Bearer {key}");
        self.ask(call, &[("authorization", &bearer), content_type(call.1)], body, None).await
    }

    /// Makes a key with the operator's, and gives its secret and its path.
    async fn key(&mut self, what: &str, wanted: Value) -> (String, String) {
        let made = self.ask_as(KEY, ("POST", "/v1/api-keys"), &wanted.to_string()).await;
        let secret = text(&made["key"]);
        self.needles.add(what, &secret);
        (secret, format!("/v1/api-keys/{}", text(&made["id"])))
    }

    /// A secret of the right form that is nobody's.
    fn fresh(needles: &mut Needles, what: &str) -> String {
        let secret = Secret::generate(Mode::Live, &OsEntropy).reveal().to_owned();
        needles.add(what, &secret);
        secret
    }
}

/// Everything that an answer tells, but for the one field that shows a new key.
fn whole(answer: &HttpAnswer) -> String {
    let mut body = String::from_utf8_lossy(&answer.body).into_owned();
    if let (201, Value::Object(mut fields)) = (answer.status, answer.json()) {
        fields.remove("key");
        body = Value::Object(fields).to_string();
    }
    format!("{} {:?} {body}", answer.status, answer.headers)
}

/// A key in each state in which one can be presented.
async fn presented(run: &mut Run, tenants: &Tenants) -> Vec<String> {
    let wanted = |name: &str, more: Value| {
        let mut wanted = json!({"name": name, "permissions": ["*"], "tenant_id": tenants.owner});
        wanted.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        wanted
    };
    let mut secrets = vec![KEY.to_owned()];
    for (what, more) in [
        ("a live key", json!({})),
        ("a test key", json!({"mode": "test"})),
        ("a platform key", json!({"tenant_id": null})),
        ("a narrow key", json!({"permissions": ["send"]})),
        ("a key that makes keys", json!({"permissions": ["api-keys:write", "api-keys:read"]})),
        ("a key from elsewhere", json!({"allowed_ips": ["192.0.2.0/24"]})),
    ] {
        secrets.push(run.key(what, wanted(what, more)).await.0);
    }
    let (revoked, path) = run.key("a revoked key", wanted("Revoked", json!({}))).await;
    run.ask_as(KEY, ("DELETE", &path), "").await;
    let (disabled, path) = run.key("a disabled key", wanted("Disabled", json!({}))).await;
    run.ask_as(KEY, ("PATCH", &path), "{\"enabled\": false}").await;
    let (expired, _) = run.key("an expired key", wanted("Expired", json!({}))).await;
    run.world.database.execute("UPDATE api_keys SET expires_at = now() WHERE name = 'Expired'").await;
    secrets.extend([revoked, disabled, expired]);
    for grace in ["{}", "{\"grace_period_seconds\": 3600}"] {
        let (former, path) = run.key(&format!("a key before its rotation with {grace}"), wanted("Rotated", json!({}))).await;
        let rotated = text(&run.ask_as(KEY, ("POST", &format!("{path}/rotate")), grace).await["key"]);
        run.needles.add(&format!("a key after its rotation with {grace}"), &rotated);
        secrets.extend([former, rotated]);
    }
    let unknown = Run::fresh(&mut run.needles, "an unknown key");
    let mistyped = format!("{}0", &Run::fresh(&mut run.needles, "a mistyped key")[..56]);
    secrets.extend([unknown, mistyped, "malformed-é-nonsense-of-the-canary-test".to_owned()]);
    secrets
}

/// Each route, by everybody with what it takes, and by the operator with what it does not.
async fn ask_everything(run: &mut Run, tenants: &Tenants, secrets: &[String]) {
    for route in routes() {
        let id = if has_id(route.pattern) { objects::target(&run.world, tenants, &route, Whose::Owners).await } else { String::new() };
        let path = objects::path(route.pattern, &id);
        let body = objects::written_body(&route);
        for secret in secrets.iter().rev() {
            run.ask_as(secret, (route.method, &path), &body).await;
        }
        run.ask((route.method, &path), &[], &body, None).await;
        ask_wrongly(run, &route, &path).await;
    }
}

async fn ask_wrongly(run: &mut Run, route: &RouteInfo, path: &str) {
    for body in ["{", "[]", "{\"unknown\": 1}", "{\"name\": 7}", "{\"name\": 1, \"name\": 2}"] {
        run.ask_as(KEY, (route.method, path), body).await;
    }
    run.ask_as(KEY, (route.method, &format!("{path}?unknown=1&limit=0")), "").await;
    run.ask_as(KEY, ("OPTIONS", path), "").await;
    run.ask_as(KEY, ("BREW", path), "").await;
}

/// Keys where they do not belong, brought by who may do something there and by who may not.
async fn stray(run: &mut Run, keys: &[&str]) {
    for key in keys {
        let bearer = format!("Bearer {key}");
        let (mut secrets, needles) = (Vec::new(), &mut run.needles);
        let mut fresh = |place: &str| {
            secrets.push(Run::fresh(needles, &format!("the key in {place}")));
            secrets.last().unwrap().clone()
        };
        let (strays, schemes) = (strays(&mut fresh), wrong_schemes(&mut fresh));
        let mut own = secrets.into_iter();
        for stray in strays {
            let mut headers: Vec<_> = stray.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            headers.push(("authorization", &bearer));
            run.ask((stray.method, &stray.path), &headers, &stray.body, own.next().as_deref()).await;
        }
        for value in schemes {
            run.ask(("GET", "/v1/tenants"), &[("authorization", &value)], "", own.next().as_deref()).await;
        }
    }
}

/// The database is gone for a while.
async fn outage(run: &mut Run, secrets: &[String]) {
    let client = run.world.database.connect().await;
    let allow = async |allowed: bool| {
        let update = format!("UPDATE pg_database SET datallowconn = {allowed} WHERE datname = current_database()");
        client.batch_execute(&update).await.unwrap();
    };
    allow(false).await;
    let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    client.batch_execute(kill).await.unwrap();
    for secret in secrets {
        run.ask_as(secret, ("GET", "/v1/api-keys/me"), "").await;
        run.ask_as(secret, ("POST", "/v1/api-keys"), &json!({"name": "Made", "permissions": ["send"]}).to_string()).await;
    }
    run.ask(("GET", "/health"), &[], "", None).await;
    allow(true).await;
    eventually("the database", async || run.world.get("/health/ready").await.status == 200).await;
}

fn dump(database: &Database) -> String {
    // Beside the server itself, where that is a link as well.
    let server = selfmx_pgbox::programs(None).unwrap().program("postgres");
    let program = std::fs::canonicalize(server).unwrap().with_file_name("pg_dump");
    let dumped = Command::new(program).arg(format!("--dbname={}", database.connection_string())).output().unwrap();
    assert!(dumped.status.success(), "{}", String::from_utf8_lossy(&dumped.stderr));
    String::from_utf8_lossy(&dumped.stdout).into_owned()
}

/// What stands between the first and the last line of a key.
fn pem_content(pem: &str) -> &str {
    pem.lines().nth(1).unwrap()
}

/// A relay that takes this password.
async fn relay(password: &str, tls: SinkTls) -> Sink {
    let credentials = Some(("mailer".to_owned(), password.to_owned()));
    Sink::start(SinkSettings { tls, credentials, ..SinkSettings::default() }).await
}

/// A server with every secret that one can be given.
async fn start(database: &Database, relay: &Sink, password: &str, dkim_key: &str, trusted: &Path) -> Server {
    let (url, port) = (format!("{} password={DATABASE_PASSWORD}", database.connection_string()), port(relay));
    Server::start_with(&[
        ("DATABASE_URL", &url),
        ("DB_POOL_TIMEOUT", "1"),
        ("API_KEY", KEY),
        ("SECRET_KEYS_OLD", OLD_SECRET_KEY),
        ("SMTP_HOST", "127.0.0.1"),
        ("SMTP_PORT", &port),
        ("SMTP_TLS", "false"),
        ("SMTP_USER", "mailer"),
        ("SMTP_PASS", password),
        ("SSL_CERT_FILE", trusted.to_str().unwrap()),
        ("TENANT_SMTP_ALLOW_PRIVATE", "true"),
        ("DKIM_DOMAIN", "platform.example"),
        ("DKIM_SELECTOR", "server"),
        ("DKIM_KEY", dkim_key),
        ("TRUSTED_PROXIES", "127.0.0.1"),
        ("LOG_LEVEL", "debug"),
    ])
    .await
}

#[tokio::test]
async fn no_secret_is_in_any_answer_log_or_dump() {
    let (certificate, folder) = (Certificate::for_loopback(), tempfile::tempdir().unwrap());
    let trusted = folder.path().join("authorities.pem");
    std::fs::write(&trusted, certificate.pem()).unwrap();
    let (relay, own) = (relay(RELAY_PASSWORD, SinkTls::None).await, relay(TENANT_PASSWORD, SinkTls::StartTls(certificate)).await);
    let (database, dkim_keys) = (database().await, [(); 2].map(|()| openssl("genpkey -algorithm ed25519")));
    let world = World { server: start(&database, &relay, RELAY_PASSWORD, &dkim_keys[0], &trusted).await, database };
    let http = world.server.connect().await;
    let mut run = Run { world, http, needles: Needles::default(), answers: Vec::new(), echoes: Vec::new() };
    for (what, secret) in [
        ("API_KEY", KEY),
        ("SECRET_KEY", SECRET_KEY),
        ("SECRET_KEYS_OLD", OLD_SECRET_KEY),
        ("SMTP_PASS", RELAY_PASSWORD),
        ("a tenant's smtp.pass", TENANT_PASSWORD),
        ("DATABASE_URL's password", DATABASE_PASSWORD),
        ("DKIM_KEY", pem_content(&dkim_keys[0])),
        ("a tenant's dkim.key", pem_content(&dkim_keys[1])),
        ("a malformed key", "nonsense-of-the-canary-test"),
    ] {
        run.needles.add(what, secret);
    }
    let tenants = Tenants::make(&run.world).await;
    let smtp = json!({"host": "127.0.0.1", "port": own.address().port(), "user": "mailer", "pass": TENANT_PASSWORD});
    let path = format!("/v1/tenants/{}", tenants.owner);
    let dkim = json!({"domain": "sender.example", "selector": "own", "key": dkim_keys[1]});
    let changed = run.ask_as(KEY, ("PATCH", &path), &json!({"smtp": smtp, "dkim": dkim}).to_string()).await;
    assert!(changed["smtp"]["has_pass"] == true && changed["dkim"]["selector"] == "own", "{changed}");
    let secrets = presented(&mut run, &tenants).await;
    ask_everything(&mut run, &tenants, &secrets).await;
    stray(&mut run, &[KEY, &secrets[1], &secrets[4]]).await;
    outage(&mut run, &secrets).await;
    run.world.settled(&run.world.send(json!({})).await).await;
    assert!(own.wait_for(1).await[0].user.is_some() && relay.wait_for(1).await[0].user.is_some(), "both passwords were used");
    drop(own);

    // A relay that takes another password, and one that is gone.
    let Run { world: World { server, database }, needles, answers, echoes, .. } = run;
    let mut logs = vec![server.stop().await];
    for password in ["another-password-than-the-relay-has", RELAY_PASSWORD] {
        let another =
            if password == RELAY_PASSWORD { Sink::well_behaved().await } else { self::relay(RELAY_PASSWORD, SinkTls::None).await };
        let server = start(&database, &another, password, &dkim_keys[0], &trusted).await;
        if password == RELAY_PASSWORD {
            drop(another);
        }
        assert_eq!(server.ask("POST", "/v1/test-smtp", Some(KEY), None).await.status, 502);
        for path in ["/v1/send", &format!("{path}/send")] {
            assert_eq!(server.ask("POST", path, Some(KEY), Some(&email(&json!({})))).await.status, 202);
        }
        server.logged("\"attempt\"").await;
        logs.push(server.stop().await);
    }

    let dump = dump(&database);
    assert!(dump.contains("COPY public.audit_logs") && dump.contains("127.0.0.1"), "the dump has everything");
    let mut found: Vec<String> = answers.iter().flat_map(|(place, answer)| needles.found_in(place, answer)).collect();
    for ended in &logs {
        assert!(ended.log.contains("\"DEBUG\"") || ended.log.contains("\"INFO\""), "{}", ended.log);
        found.extend(needles.found_in("the log", &ended.log));
        found.extend(needles.found_in("standard output", &ended.standard_output));
    }
    found.extend(needles.found_in("the dump", &dump));
    println!("{} secrets, {} answers, {} octets of log, {} octets of dump", needles.len(), answers.len(), logs[0].log.len(), dump.len());
    println!("told to the caller that said it: {:#?}", echoes);
    assert!(found.is_empty(), "{} places, among them:\n{}", found.len(), found[..found.len().min(40)].join("\n"));
}

#[tokio::test]
async fn the_first_key_is_printed_and_nowhere_else() {
    let database = database().await;
    let server = Server::start_with(&[("DATABASE_URL", database.connection_string()), ("LOG_LEVEL", "debug")]).await;
    let printed = server.standard_output();
    let key = printed.split_whitespace().find(|word| word.starts_with("sk_live_")).unwrap().to_owned();
    assert_eq!(server.ask("GET", "/v1/api-keys/me", Some(&key), None).await.status, 200);
    let ended = server.stop().await;
    let mut needles = Needles::default();
    needles.add("the first key", &key);
    assert_eq!(needles.found_in("standard output", &ended.standard_output.replacen(&key, "", 1)), [""; 0]);
    assert_eq!(needles.found_in("the log", &ended.log), [""; 0]);
    assert_eq!(needles.found_in("the dump", &dump(&database)), [""; 0]);
}
