//! How a stream ends: by a signal, when its key may not read any more, when the database is another; and that an idle one says that it is alive.

use selfmx_testing::Version;
use serde_json::json;
use tokio::time::timeout;

use super::{PATIENCE, STREAM, begun, next, opened, opening, refused};
use crate::process::KEY;
use crate::world::World;

#[tokio::test]
async fn a_signal_ends_streams_and_the_server_does_not_wait_for_them() {
    let world = World::start().await;
    let (mut one, mut two) = (begun(&world, Version::HTTP_11, STREAM).await, begun(&world, Version::HTTP_2, STREAM).await);
    let ended = timeout(PATIENCE, world.server.stop()).await.unwrap();
    assert_eq!((next(&mut one).await, next(&mut two).await), (None, None));
    assert!(!one.is_broken() && !two.is_broken(), "they are ended, not broken off");
    assert_eq!(ended.code, Some(0));
    assert!(ended.log.contains("\"drained\""), "{}", ended.log);
}

#[tokio::test]
async fn a_key_that_is_revoked_switched_off_or_no_longer_allowed_reads_no_more() {
    let world = World::start().await;
    let tenant = world.tenant("Tenant").await;
    let address = world.server.address();
    let wanted = |name: &str| json!({"name": name, "permissions": ["logs:read"], "tenant_id": tenant});
    let mut streams = Vec::new();
    for name in ["revoked", "off", "less", "deleted"] {
        let key = world.key(wanted(name)).await;
        let mut stream = opened(address, Version::HTTP_2, (STREAM, &key.secret), None).await.unwrap();
        opening(&mut stream).await;
        streams.push((key, stream));
    }
    let path = |index: usize| format!("/v1/api-keys/{}", streams[index].0.id);
    let changes = [
        ("DELETE", path(0), None),
        ("PATCH", path(1), Some(json!({"enabled": false}))),
        ("PATCH", path(2), Some(json!({"permissions": ["send"]}))),
        ("DELETE", format!("/v1/tenants/{tenant}"), None),
    ];
    for ((method, path, body), (_, stream)) in changes.into_iter().zip(&mut streams) {
        let answer = world.server.ask(method, &path, Some(KEY), body.as_ref()).await;
        assert!([200, 204].contains(&answer.status), "{method} {path}: {}", answer.status);
        assert_eq!(next(stream).await, None, "{method} {path}");
    }
    world.server.logged("the key may not read any more").await;
}

#[tokio::test]
async fn the_platform_s_stream_of_a_tenant_ends_with_the_tenant() {
    let world = World::start().await;
    let tenant = world.tenant("Tenant").await;
    let path = format!("/v1/tenants/{tenant}/events/stream");
    let mut stream = begun(&world, Version::HTTP_11, &path).await;
    assert_eq!(world.server.ask("DELETE", &format!("/v1/tenants/{tenant}"), Some(KEY), None).await.status, 200);
    assert_eq!(next(&mut stream).await, None);
}

#[tokio::test]
async fn an_idle_stream_says_that_it_is_alive() {
    let world = World::start().await;
    let mut stream = begun(&world, Version::HTTP_11, STREAM).await;
    let block = timeout(PATIENCE, stream.block()).await.unwrap().unwrap();
    assert_eq!((stream.event(&block), stream.comments()), (None, 1), "{block}");
}

#[tokio::test]
async fn a_place_of_another_state_of_the_database_is_gone_and_a_new_stream_begins() {
    let world = World::start().await;
    let mut stream = begun(&world, Version::HTTP_11, STREAM).await;
    world.send(json!({})).await;
    assert!(next(&mut stream).await.is_some());
    let place = stream.last_id().map(str::to_owned);
    // As after a restore in another cluster, which the next start finds out.
    world.database.execute("UPDATE event_streams SET cluster = 'another'").await;
    let (status, code, _) = refused(&world, (STREAM, KEY), place.as_deref()).await;
    assert_eq!((status, code.as_str()), (503, "unavailable"));
    let world = world.restarted(&[]).await;
    let (status, code, _) = refused(&world, (STREAM, KEY), place.as_deref()).await;
    assert_eq!((status, code.as_str()), (410, "stream_reset"));
    let mut stream = begun(&world, Version::HTTP_11, STREAM).await;
    let id = world.send(json!({})).await;
    assert_eq!(next(&mut stream).await.unwrap()["email_id"], json!(id));
}
