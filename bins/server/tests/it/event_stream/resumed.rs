//! Whoever comes back after its last place gets each event once, however many write at the same time.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use selfmx_domain::Entropy as _;
use selfmx_testing::{OsEntropy, SeededEntropy, Version};
use serde_json::json;
use tokio::task::JoinSet;

use super::{STREAM, begun, next, opened};
use crate::process::KEY;
use crate::world::{World, email, text};

const WRITERS: usize = 4;
const EMAILS_OF_EACH: usize = 40;
const READERS: u64 = 3;
const LATE: usize = 4;

/// Each email is accepted and, as there is no relay, captured: two events.
const ALL: usize = WRITERS * EMAILS_OF_EACH * 2 + LATE;

/// Its event has its number long before it is there, so that those of others, who took theirs later, are there first.
const WRITE_LATE: &str = "DO $$ BEGIN INSERT INTO events (email_id, id, tenant_id, kind, attempt) \
     VALUES (gen_random_uuid(), gen_random_uuid(), '00000000-0000-0000-0000-000000000000', 'deferred', 1); PERFORM pg_sleep(0.4); END $$";

/// Reads all events from a place on, and breaks off again and again, to come back after the last one that it got.
async fn read(address: SocketAddr, begin: String, seed: u64) -> Vec<String> {
    let (chance, mut seen, mut after) = (SeededEntropy::new(seed), Vec::new(), begin);
    let version = if seed.is_multiple_of(2) { Version::HTTP_2 } else { Version::HTTP_11 };
    while seen.len() < ALL {
        let mut reader = opened(address, version, (STREAM, KEY), Some(&after)).await.unwrap();
        for _ in 0..20 + chance.below(80) {
            if seen.len() == ALL {
                break;
            }
            seen.push(text(&next(&mut reader).await.expect("more to come")["id"]));
            after = reader.last_id().unwrap().to_owned();
        }
    }
    let mut rest = opened(address, version, (&format!("{STREAM}?follow=false"), KEY), Some(&after)).await.unwrap();
    assert_eq!(next(&mut rest).await, None, "more than there is");
    seen
}

#[tokio::test]
async fn readers_that_break_off_and_come_back_get_each_event_once_while_many_write() {
    let mut octets = [0; 8];
    OsEntropy.fill(&mut octets);
    let seed = u64::from_be_bytes(octets);
    println!("seed {seed}");
    let world = World::start().await;
    let begin = begun(&world, Version::HTTP_11, STREAM).await.last_id().unwrap().to_owned();
    let mut writing = JoinSet::new();
    for _ in 0..WRITERS {
        let mut http = world.server.connect().await;
        writing.spawn(async move {
            for _ in 0..EMAILS_OF_EACH {
                assert_eq!(http.send("POST", "/v1/send", Some(KEY), Some(&email(&json!({})))).await.unwrap().status, 202);
            }
        });
    }
    let address = world.server.address();
    let mut reading = JoinSet::new();
    for reader in 0..READERS {
        reading.spawn(read(address, begin.clone(), seed.wrapping_add(reader)));
    }
    for _ in 0..LATE {
        world.database.execute(WRITE_LATE).await;
    }
    writing.join_all().await;
    let seen = reading.join_all().await;
    assert_eq!(world.database.query_one_text("SELECT count(*) FROM events").await, ALL.to_string());
    for events in &seen {
        let mut times: BTreeMap<&str, usize> = BTreeMap::new();
        for event in events {
            *times.entry(event).or_default() += 1;
        }
        assert!(times.values().all(|times| *times == 1), "an event came twice");
        assert_eq!(times.len(), ALL, "an event was passed over");
        assert_eq!(events, &seen[0], "readers saw different orders");
    }
}
