//! A tenant with much to send does not keep the others waiting.

use selfmx_testing::Sink;
use serde_json::json;

use crate::process::until;
use crate::world::World;

/// Ten thousand mails of the default tenant's, as if they had been accepted.
const BACKLOG: &str = "CREATE TEMPORARY TABLE fresh AS SELECT gen_random_uuid() AS id FROM generate_series(1, 10000); \
     INSERT INTO emails (id, tenant_id, api_key_id, mode, priority, smtputf8, from_address, subject, reply_to, tags, metadata) \
     SELECT id, uuid_nil, uuid_nil, 'live', 0, false, 'bulk@sender.example', 's', '[]', '[]', '{}' FROM fresh, (SELECT '00000000-0000-0000-0000-000000000000'::uuid AS uuid_nil) AS nil; \
     INSERT INTO messages (email_id, text, raw) SELECT id, 't', convert_to(E'Subject: s\\r\\n\\r\\nt\\r\\n', 'UTF8') FROM fresh; \
     INSERT INTO recipients (email_id, ordinal, tenant_id, kind, address) SELECT id, 0, '00000000-0000-0000-0000-000000000000', 'to', 'bulk@r.example' FROM fresh; \
     INSERT INTO queue (email_id, tenant_id, priority) SELECT id, '00000000-0000-0000-0000-000000000000', 0 FROM fresh";

/// As much as a server ever holds claimed: what has been claimed goes out first.
const CLAIMED: usize = 256;

#[tokio::test]
async fn one_email_overtakes_the_ten_thousand_of_another_tenant() {
    let sink = Sink::well_behaved().await;
    let world = World::relayed(sink.address(), &[]).await;
    let small = world.tenant("Small").await;
    let key = world.key(json!({"name": "Small", "permissions": ["send"], "tenant_id": small})).await.secret;
    world.database.execute(BACKLOG).await;
    sink.ledger().until("the backlog to go out", |ledger| ledger.transactions().len() >= 100).await;
    for number in 1..=3 {
        let address = format!("{number}@r.example");
        world.send_as(&key, json!({"to": address, "priority": "low"})).await;
        let before = sink.ledger().delivered_count();
        until(&world.database, &format!("SELECT count(*) FROM recipients WHERE status = 'delivered' AND address = '{address}'"), "1").await;
        let place = sink.ledger().delivered().iter().position(|mail| mail.recipients == [address.as_str()]).unwrap();
        // It may have gone out before its answer was here.
        let overtaken_by = place.saturating_sub(before);
        assert!(overtaken_by <= 2 * CLAIMED, "{overtaken_by} went out before it");
    }
    assert!(sink.ledger().delivered_count() < 10_000, "the backlog was still there");
}
