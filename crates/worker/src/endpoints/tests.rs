//! Who may begin how much, without a clock or a socket.

use uuid::Uuid;

use super::*;

fn webhook(tenant: u128, n: u128) -> WebhookDue {
    let id = WebhookId::from_uuid(Uuid::from_u128(tenant << 64 | n));
    WebhookDue { id, tenant: TenantId::from_uuid(Uuid::from_u128(tenant)), failing: false }
}

fn failing(tenant: u128, n: u128) -> WebhookDue {
    WebhookDue { failing: true, ..webhook(tenant, n) }
}

/// Begins all that there is room for.
fn begun(endpoints: &Endpoints, due: &[WebhookDue]) -> Vec<Place> {
    let wanted = endpoints.room(due, 0).wanted;
    let of = |id| due.iter().find(|due| due.id == id).unwrap();
    wanted.into_iter().flat_map(|(id, count)| (0..count).map(move |_| id)).map(|id| endpoints.take(of(id))).collect()
}

/// All of these end so.
fn end(places: Vec<Place>, taken: Taken) {
    places.iter().for_each(|place| place.heard(taken));
}

#[test]
fn a_window_grows_while_the_endpoint_answers_soon_and_shrinks_when_it_does_not() {
    let (endpoints, due) = (Endpoints::new(256), [webhook(1, 1)]);
    let mut widths = Vec::new();
    for taken in [Taken::Soon; 7].into_iter().chain([Taken::Refused, Taken::Late, Taken::Soon, Taken::Unanswered, Taken::Soon]) {
        let places = begun(&endpoints, &due);
        widths.push(places.len());
        assert!(begun(&endpoints, &due).is_empty(), "its window is full");
        // A refusal halves it each time: here is one.
        let last = if taken == Taken::Refused { places.into_iter().take(1).collect() } else { places };
        end(last, taken);
    }
    assert_eq!(widths, [1, 2, 4, 8, 16, 32, 32, 32, 16, 4, 8, 1]);
}

#[test]
fn those_that_do_not_answer_have_one_place_each_and_a_quarter_together() {
    let endpoints = Endpoints::new(64);
    let dead: Vec<_> = (0..300).map(|n| failing(n, n)).collect();
    let stuck = begun(&endpoints, &dead);
    assert_eq!(stuck.len(), 16);
    assert!(begun(&endpoints, &dead).is_empty());
    let mut sound = begun(&endpoints, &[webhook(1000, 1)]);
    for width in [1, 2, 4, 8, 16, 32] {
        assert_eq!(sound.len(), width, "it is as wide as if there were no others");
        end(sound, Taken::Soon);
        sound = begun(&endpoints, &[webhook(1000, 1)]);
    }
    drop(stuck);
    assert_eq!(begun(&endpoints, &dead).len(), 16);
}

#[test]
fn who_was_never_heard_of_has_one_and_who_takes_long_is_no_longer_waited_for() {
    let endpoints = Endpoints::new(64);
    let new: Vec<_> = (0..20).map(|n| webhook(n, n)).collect();
    let mut places = begun(&endpoints, &new);
    assert_eq!(places.len(), 16);
    places.iter_mut().for_each(Place::is_slow);
    assert_eq!(begun(&endpoints, &new).len(), 4, "the others; those have theirs under way");
    drop(places);
    assert_eq!(begun(&endpoints, &new).len(), 20, "some of them as new ones, some as slow ones");
}

#[test]
fn however_many_are_slow_there_is_an_end_to_it() {
    let endpoints = Endpoints::new(8);
    let mut slow = Vec::new();
    for n in 0..200 {
        for mut place in begun(&endpoints, &[webhook(n, n)]) {
            place.is_slow();
            slow.push(place);
        }
    }
    assert_eq!(slow.len(), 8 * IN_ALL);
    assert!(endpoints.room(&[webhook(500, 1)], 0).is_full);
    slow.pop();
    assert_eq!(begun(&endpoints, &[webhook(500, 1)]).len(), 1);
}

#[test]
fn who_has_many_slow_endpoints_leaves_room_for_those_of_others() {
    let endpoints = Endpoints::new(8);
    let mut slow = Vec::new();
    for n in 0..200 {
        for mut place in begun(&endpoints, &[webhook(1, n)]) {
            place.is_slow();
            slow.push(place);
        }
    }
    assert_eq!(slow.len(), 8 * IN_ALL / 2, "half of what may be under way in all");
    assert_eq!(begun(&endpoints, &[webhook(1, 500), webhook(2, 1)]).len(), 1, "another's");
    drop(slow);
    assert_eq!(begun(&endpoints, &[webhook(1, 500), webhook(2, 1)]).len(), 2);
}

#[test]
fn a_tenant_with_many_webhooks_leaves_places_to_others() {
    let endpoints = Endpoints::new(64);
    let (many, other): (Vec<_>, _) = ((0..40).map(|n| webhook(1, n)).collect(), webhook(2, 1));
    for _ in 0..10 {
        end(begun(&endpoints, &many), Taken::Soon);
    }
    let held = begun(&endpoints, &many);
    assert_eq!(held.len(), 32, "half of all");
    let mut all = many.clone();
    all.push(other);
    assert_eq!(begun(&endpoints, &all).len(), 1);
    drop(held);
    // Each tenant's first comes before any second, whoever begins.
    for turn in 0..3 {
        let room = endpoints.room(&all, turn);
        assert!(room.wanted.iter().any(|(id, _)| *id == other.id), "{turn}");
    }
}

#[test]
fn turns_go_round_tenants_and_round_the_webhooks_of_each() {
    let due = [webhook(1, 1), webhook(1, 2), webhook(2, 3)];
    let mut turns = turns::Turns::of(&due, 0);
    let order: Vec<_> = (0..4).map(|_| turns.next().unwrap().id).collect();
    assert_eq!(order, [due[0].id, due[2].id, due[1].id, due[2].id]);
    turns.done();
    assert_eq!(turns.next().unwrap().id, due[0].id);
    assert_eq!(turns.next().unwrap().id, due[1].id, "the second tenant has nothing more");
    turns.done();
    assert_eq!(turns.next().unwrap().id, due[0].id);
    turns.done();
    assert!(turns.next().is_none());
    assert!(turns::Turns::of(&[], 3).next().is_none());
}
