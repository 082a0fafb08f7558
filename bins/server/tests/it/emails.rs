//! `/v1/emails`: lists, filters, pages, one email, its source.

use serde_json::{Value, json};

use crate::process::KEY;
use crate::world::{World, fault, text};

async fn ids(world: &World, query: &str) -> Vec<String> {
    let answer = world.get(&format!("/v1/emails{query}")).await;
    assert_eq!(answer.status, 200, "{query}: {}", answer.json());
    answer.json()["data"].as_array().unwrap().iter().map(|email| text(&email["id"])).collect()
}

#[tokio::test]
async fn a_list_shows_what_an_email_is_about_and_not_what_it_says() {
    let world = World::start().await;
    assert_eq!(world.get("/v1/emails").await.json(), json!({"data": [], "has_more": false, "next_cursor": null}));
    let id = world
        .send(json!({"cc": "cara@recipient.example", "bcc": ["dora@recipient.example"], "tags": ["a", {"name": "b", "value": "c"}]}))
        .await;
    let whole = world.settled(&id).await;
    let list = world.get("/v1/emails").await.json();
    let shown = list["data"][0].as_object().unwrap();
    let names: Vec<&str> = shown.keys().map(String::as_str).collect();
    let expected = ["api_key_id", "bcc", "cc", "created_at", "delivered_at", "from", "id", "mode", "status", "subject", "tags", "to"];
    assert_eq!(names, expected);
    assert!(shown.iter().all(|(name, value)| whole[name] == *value), "{list}\n{whole}");
}

#[tokio::test]
async fn filters_find_what_they_name_and_hold_together() {
    let world = World::start().await;
    let first = world.send(json!({"from": "A <a@sender.example>", "to": ["x@r.example", "y@r.example"], "tags": ["news"]})).await;
    let second = world
        .send(json!({"from": "b@sender.example", "to": "y@r.example", "cc": "Z <z@r.example>", "tags": [{"name": "news", "value": "1"}]}))
        .await;
    let third = world.send(json!({"from": "a@sender.example", "to": "x@r.example", "bcc": "w@bücher.example", "tags": ["other"]})).await;
    for id in [&first, &second, &third] {
        world.settled(id).await;
    }
    world.database.execute("UPDATE emails SET status = 'failed' WHERE tags @> '[{\"name\": \"other\"}]'").await;
    world.database.execute("UPDATE emails SET created_at = '2026-01-01T00:00:00.5Z' WHERE from_address = 'b@sender.example'").await;
    for (query, expected) in [
        ("", vec![&third, &second, &first]),
        ("?from=a@sender.example", vec![&third, &first]),
        ("?from=a@SENDER.example", vec![&third, &first]),
        ("?from=A@sender.example", vec![]),
        ("?to=y@r.example", vec![&second, &first]),
        ("?to=z%40r.example", vec![&second]),
        ("?to=w@xn--bcher-kva.example", vec![&third]),
        ("?to=w@b%C3%BCcher.example", vec![&third]),
        ("?to=nobody@r.example", vec![]),
        ("?tag=news", vec![&second, &first]),
        ("?tag=New", vec![]),
        ("?status=delivered", vec![&second, &first]),
        ("?status=failed", vec![&third]),
        ("?status=queued", vec![]),
        ("?status=sending", vec![]),
        ("?status=bounced", vec![]),
        ("?since=2026-01-01T00:00:00.5Z&until=2026-01-02T00:00:00Z", vec![&second]),
        ("?until=2026-01-01T01:00:00.5%2B01:00", vec![]),
        ("?until=2026-01-01T01:00:00.501%2B01:00", vec![&second]),
        ("?since=2026-01-01T00:00:00.501Z", vec![&third, &first]),
        ("?from=a@sender.example&to=x@r.example&tag=news&status=delivered", vec![&first]),
        ("?from=a@sender.example&limit=1", vec![&third]),
        ("?tag=news&page=2&limit=1", vec![&first]),
    ] {
        assert_eq!(ids(&world, query).await, expected.into_iter().map(String::as_str).collect::<Vec<_>>(), "{query}");
    }
}

#[tokio::test]
async fn pages_show_each_email_once_newest_first_and_new_ones_do_not_shift_them() {
    let world = World::start().await;
    let mut sent = Vec::new();
    for _ in 0..23 {
        sent.insert(0, world.send(json!({})).await);
    }
    assert_eq!(ids(&world, "").await, sent[..20], "twenty unless a limit is given");
    for limit in [1, 7, 22, 23, 24, 100] {
        let (mut gathered, mut query) = (Vec::new(), format!("?limit={limit}"));
        loop {
            let page: Value = world.get(&format!("/v1/emails{query}")).await.json();
            let here = page["data"].as_array().unwrap();
            gathered.extend(here.iter().map(|email| text(&email["id"])));
            assert!(gathered.len() <= 24, "by {limit} there is no end: {gathered:?}");
            assert!(here.len() == limit || page["has_more"] == false, "{query}");
            assert_eq!(page["next_cursor"].is_null(), page["has_more"] == false, "{query}");
            if page["has_more"] == false {
                break;
            }
            query = format!("?limit={limit}&after={}", text(&page["next_cursor"]));
            // Whoever sends meanwhile is on no later page.
            if limit == 7 && gathered.len() == 7 {
                world.send(json!({})).await;
            }
        }
        assert_eq!(gathered, if limit > 7 { ids(&world, "?limit=100").await } else { sent.clone() }, "{limit}");
    }
}

#[tokio::test]
async fn a_numbered_page_tells_its_place_and_the_total() {
    let world = World::start().await;
    let mut sent = Vec::new();
    for number in 0..5 {
        sent.insert(0, world.send(json!({"tags": [if number == 0 { "first" } else { "later" }]})).await);
    }
    let page = async |query: &str| {
        let page = world.get(&format!("/v1/emails{query}")).await.json();
        let shown: Vec<String> = page["data"].as_array().unwrap().iter().map(|email| text(&email["id"])).collect();
        (shown, page["pagination"].clone(), page["has_more"].clone())
    };
    let place = |page: u32, limit: u32, total: u32| json!({"page": page, "limit": limit, "total": total});
    assert_eq!(page("?page=1&limit=2").await, (sent[..2].to_vec(), place(1, 2, 5), json!(true)));
    assert_eq!(page("?page=3&limit=2").await, (sent[4..].to_vec(), place(3, 2, 5), json!(false)));
    assert_eq!(page("?page=4&limit=2").await, (vec![], place(4, 2, 5), json!(false)));
    assert_eq!(page("?page=1").await, (sent.clone(), place(1, 20, 5), json!(false)));
    assert_eq!(page("?page=1&tag=later&limit=1").await, (sent[..1].to_vec(), place(1, 1, 4), json!(true)));
    assert_eq!(page("").await.1, Value::Null);

    // As many more as make the total stop being exact: copies of the first.
    let copies = |count: u32| {
        format!(
            "INSERT INTO emails (id, tenant_id, api_key_id, mode, priority, status, smtputf8, from_address, subject, reply_to, tags, metadata) \
             SELECT gen_random_uuid(), tenant_id, api_key_id, mode, priority, 'delivered', smtputf8, from_address, subject, reply_to, tags, metadata \
             FROM (SELECT * FROM emails LIMIT 1) AS one, generate_series(1, {count})"
        )
    };
    world.database.execute(&copies(9_995)).await;
    assert_eq!(page("?page=100&limit=100").await.1, place(100, 100, 10_000));
    world.database.execute(&copies(1)).await;
    let (shown, place, more) = page("?page=100&limit=100").await;
    assert_eq!((shown.len(), more), (100, json!(true)));
    assert_eq!(place, json!({"page": 100, "limit": 100, "total": 10_000, "total_capped": true}));
}

#[tokio::test]
async fn a_query_that_makes_no_sense_is_named() {
    let world = World::start().await;
    let id = world.send(json!({})).await;
    for (query, code, field) in [
        ("limit=0", "invalid_request", "limit"),
        ("limit=101", "invalid_request", "limit"),
        ("limit=-1", "invalid_request", "limit"),
        ("limit=ten", "invalid_request", "limit"),
        ("limit=", "invalid_request", "limit"),
        ("limit=5&limit=5", "invalid_request", "limit"),
        ("page=0", "invalid_request", "page"),
        ("page=10001", "invalid_request", "page"),
        ("page=1.5", "invalid_request", "page"),
        ("page=1&after=msg_01h455vb4pex5vsknk084sn02q", "invalid_request", "page"),
        ("after=nonsense", "invalid_request", "after"),
        ("after=key_01h455vb4pex5vsknk084sn02q", "invalid_request", "after"),
        ("status=sent", "invalid_request", "status"),
        ("status=", "invalid_request", "status"),
        ("from=nobody", "invalid_request", "from"),
        ("from=A%20%3Ca@x.example%3E", "invalid_request", "from"),
        ("to=a@x.example,b@x.example", "invalid_request", "to"),
        ("to=%00@x.example", "invalid_request", "to"),
        ("tag=a%20b", "invalid_request", "tag"),
        ("tag=", "invalid_request", "tag"),
        ("since=yesterday", "invalid_request", "since"),
        ("since=2026-01-01", "invalid_request", "since"),
        ("until=1767225600", "invalid_request", "until"),
        ("sort=created_at", "unknown_field", "sort"),
        ("Limit=1", "unknown_field", "Limit"),
        ("limit[]=1", "unknown_field", "limit[]"),
        ("tenant_id=tenant_default", "unknown_field", "tenant_id"),
    ] {
        assert_eq!(fault(&world.get(&format!("/v1/emails?{query}")).await), (400, code.to_owned(), field.to_owned()), "{query}");
    }
    for path in ["", "/raw"] {
        let answer = world.get(&format!("/v1/emails/{id}{path}?expand=1")).await;
        assert_eq!(fault(&answer), (400, "unknown_field".to_owned(), "expand".to_owned()), "{path}");
    }
}

#[tokio::test]
async fn an_email_s_source_is_no_json_and_is_what_is_handed_over() {
    let world = World::start().await;
    let id = world.send(json!({"subject": "Source"})).await;
    let answer = world.get(&format!("/v1/emails/{id}/raw")).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("message/rfc822")));
    let raw = String::from_utf8(answer.body.to_vec()).unwrap();
    assert!(raw.contains("\r\nSubject: Source\r\n") && raw.contains(&format!("Message-ID: <{id}@sender.example>\r\n")), "{raw}");
    let head = world.server.ask("HEAD", &format!("/v1/emails/{id}/raw"), Some(KEY), None).await;
    assert_eq!((head.status, head.header("content-length"), head.body.len()), (200, Some(raw.len().to_string().as_str()), 0));
    for path in ["nonsense", "nonsense/raw", "msg_01h455vb4pex5vsknk084sn02q", "msg_01h455vb4pex5vsknk084sn02q/raw"] {
        assert_eq!(fault(&world.get(&format!("/v1/emails/{path}")).await), (404, "not_found".to_owned(), String::new()), "{path}");
    }
}
