//! Events in the order of their commits: each once, none passed over, and anew in another cluster.

use selfmx_domain::{EventKind, EventPosition, LogEvent};
use selfmx_storage::migrate;
use tokio::time::timeout;

use crate::place::{LONG, Place, accept, admin, permit, system, tenant_admin};
use crate::settle::delivered;

/// What comes after a place, as soon as so many events do: other databases of the server may hold it back.
async fn after(place: &Place, at: EventPosition, count: usize) -> Vec<(EventPosition, LogEvent)> {
    let looking = async {
        loop {
            let followed = place.store.event_follow(&admin().permit().unwrap(), at).await.unwrap().unwrap();
            if followed.entries.len() >= count {
                return followed.entries.into_iter().map(|(place, entry)| (place, entry.event)).collect();
            }
        }
    };
    timeout(LONG, looking).await.expect("they come")
}

#[tokio::test]
async fn what_happens_comes_once_and_in_order_from_each_place_on() {
    let place = Place::new().await;
    let begin = place.store.event_place(&admin().permit().unwrap()).await.unwrap();
    assert_eq!((begin.xact, begin.id.is_nil()), (0, true));
    accept(&place.store, &permit(), |_| {}).await;
    let settlement = delivered(place.lease_one().await);
    place.store.queue_settle(&system(), &[settlement]).await.unwrap();
    accept(&place.store, &permit(), |_| {}).await;
    let all = after(&place, begin, 3).await;
    let kinds = [EventKind::Queued, EventKind::Delivered, EventKind::Queued].map(LogEvent::Email);
    assert_eq!(all.iter().map(|(_, event)| *event).collect::<Vec<_>>(), kinds);
    for (index, (at, _)) in all.iter().enumerate() {
        let rest = place.store.event_follow(&admin().permit().unwrap(), *at).await.unwrap().unwrap();
        assert_eq!(
            rest.entries.iter().map(|(place, _)| *place).collect::<Vec<_>>(),
            all[index + 1..].iter().map(|(place, _)| *place).collect::<Vec<_>>()
        );
        assert!(!rest.has_more);
    }
    assert_eq!(place.store.event_place(&admin().permit().unwrap()).await.unwrap(), all[2].0);
    let other = tenant_admin(place.tenant().await);
    assert!(place.store.event_follow(&other.permit().unwrap(), begin).await.unwrap().unwrap().entries.is_empty());
}

#[tokio::test]
async fn more_than_is_read_at_once_comes_in_parts() {
    let place = Place::new().await;
    let mut at = place.store.event_place(&admin().permit().unwrap()).await.unwrap();
    place.fill(120, "1", "now()").await;
    after(&place, at, 50).await;
    let mut parts = Vec::new();
    loop {
        let followed = place.store.event_follow(&admin().permit().unwrap(), at).await.unwrap().unwrap();
        parts.push(followed.entries.len());
        at = followed.entries.last().map_or(at, |(place, _)| *place);
        if !followed.has_more {
            break;
        }
    }
    assert_eq!(parts, [50, 50, 20]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_another_cluster_the_stream_begins_anew_and_what_was_copied_is_in_the_log_alone() {
    let place = Place::new().await;
    let begin = place.store.event_place(&admin().permit().unwrap()).await.unwrap();
    accept(&place.store, &permit(), |_| {}).await;
    let (at, _) = after(&place, begin, 1).await[0];
    // Where it is, nothing changes.
    migrate(&place.address()).await.unwrap();
    assert_eq!(place.store.event_place(&admin().permit().unwrap()).await.unwrap(), at);
    place.database.execute("UPDATE event_streams SET cluster = 'another'; UPDATE events SET xact = '1000000000000'").await;
    assert!(place.store.event_place(&admin().permit().unwrap()).await.is_err());
    migrate(&place.address()).await.unwrap();
    let anew = place.store.event_place(&admin().permit().unwrap()).await.unwrap();
    assert!(anew.epoch != begin.epoch && (anew.xact, anew.id.is_nil()) == (0, true));
    accept(&place.store, &permit(), |_| {}).await;
    assert_eq!(after(&place, anew, 1).await.len(), 1);
    // From the former place on nothing is told of.
    assert!(place.store.event_follow(&admin().permit().unwrap(), begin).await.unwrap().is_none());
    assert_eq!(place.ask("SELECT count(*) FROM events").await, "2");
}
