//! Made-up ledgers with one of each: the accountant finds it, and finds nothing else.

use super::*;

const ID: &str = "msg_1";

fn request(address: &str, outcome: Outcome) -> Request {
    Request { address: address.to_owned(), sent: Moment(10), ended: Moment(20), outcome }
}

fn accepted(address: &str) -> Request {
    request(address, Outcome::Accepted(ID.to_owned()))
}

fn delivery(recipient: &str, came: u64) -> Delivery {
    Delivery { message: ID.to_owned(), recipient: recipient.to_owned(), came: Moment(came), whole: true }
}

fn state(address: &str, status: &str) -> State {
    State { address: address.to_owned(), status: status.to_owned(), has_reason: true, queued: status == "queued" }
}

fn kill(since: u64, at: u64, open: &[&str]) -> Disturbance {
    let open = open.iter().map(|address| (*address).to_owned()).collect();
    Disturbance { what: "kill".to_owned(), since: Moment(since), began: Moment(at), ended: Moment(at), arrived: Moment(at), open }
}

/// A mail that was accepted and delivered, and recorded so.
fn good() -> Books {
    Books { requests: vec![accepted("a")], deliveries: vec![delivery("a", 30)], states: vec![state("a", "delivered")], ..Books::default() }
}

/// Lost, unexplained, explained, stuck, torn.
fn counts(books: &Books) -> [usize; 5] {
    let found = account(books);
    [found.lost.len(), found.unexplained.len(), found.explained.len(), found.stuck.len(), found.torn.len()]
}

#[test]
fn what_was_delivered_once_or_given_up_with_a_reason_is_clean() {
    let found = account(&good());
    assert!(found.is_clean() && found.accepted == 1 && found.delivered == 1, "{found:?}");
    for status in ["bounced", "failed"] {
        let books = Books { deliveries: vec![], states: vec![state("a", status)], ..good() };
        assert_eq!(counts(&books), [0; 5], "{status}");
    }
}

#[test]
fn what_the_client_does_not_know_of_may_be_there_or_not() {
    for outcome in [Outcome::Unanswered, Outcome::Refused(503)] {
        let books = Books { requests: vec![request("a", outcome)], ..Books::default() };
        assert_eq!(counts(&books), [0; 5]);
    }
    assert_eq!(counts(&Books { requests: vec![request("a", Outcome::Unanswered)], ..good() }), [0; 5]);
    assert_eq!(counts(&Books { requests: vec![request("a", Outcome::Refused(503))], ..good() }), [0; 5]);
    assert_eq!(counts(&Books { requests: vec![request("a", Outcome::Refused(400))], ..good() }), [0, 0, 0, 0, 1], "refused, and delivered");
}

#[test]
fn a_loss_is_found() {
    let gone = Books { deliveries: vec![], states: vec![], ..good() };
    let pretended = Books { deliveries: vec![], ..good() };
    let silent = State { has_reason: false, ..state("a", "failed") };
    let given_up = Books { deliveries: vec![], states: vec![silent], ..good() };
    for books in [gone, pretended, given_up] {
        assert_eq!(counts(&books), [1, 0, 0, 0, 0], "{books:?}");
        assert!(!account(&books).is_clean());
    }
}

#[test]
fn what_still_waits_is_stuck_and_not_lost() {
    let books = Books { deliveries: vec![], states: vec![state("a", "queued")], ..good() };
    assert_eq!(counts(&books), [0, 0, 0, 1, 0]);
    // Nobody was promised this one; it waits all the same.
    let unknown = Books { requests: vec![request("a", Outcome::Unanswered)], ..books };
    assert_eq!(counts(&unknown), [0, 0, 0, 1, 0]);
}

#[test]
fn a_duplicate_is_explained_only_by_a_kill_that_it_was_open_at() {
    let twice = Books { deliveries: vec![delivery("a", 50), delivery("a", 30)], ..good() };
    assert_eq!(counts(&twice), [0, 1, 0, 0, 0]);
    let with = |disturbance| Books { disturbances: vec![disturbance], ..twice.clone() };
    assert_eq!(counts(&with(kill(0, 40, &["a"]))), [0, 0, 1, 0, 0]);
    assert_eq!(counts(&with(kill(0, 40, &["b"]))), [0, 1, 0, 0, 0], "another's attempt was open");
    assert_eq!(counts(&with(kill(0, 29, &["a"]))), [0, 1, 0, 0, 0], "it came after the kill");
    assert_eq!(counts(&with(kill(35, 40, &["a"]))), [0, 1, 0, 0, 0], "whoever was killed began later");
    assert_eq!(counts(&with(kill(0, 60, &["a"]))), [0, 1, 0, 0, 0], "both came before the kill");
}

#[test]
fn one_kill_explains_no_third_copy() {
    let deliveries = vec![delivery("a", 30), delivery("a", 50), delivery("a", 70)];
    let books = Books { deliveries, disturbances: vec![kill(0, 40, &["a"])], ..good() };
    assert_eq!(counts(&books), [0, 1, 1, 0, 0]);
    assert_eq!(account(&books).open, 1);
}

#[test]
fn what_is_known_in_part_is_torn() {
    let unsent = Books { requests: vec![], ..good() };
    let unrecorded = Books { states: vec![], ..good() };
    let otherwise = Books { states: vec![state("a", "failed")], ..good() };
    let cut = Books { deliveries: vec![Delivery { whole: false, ..delivery("a", 30) }], ..good() };
    let misnamed = Books { deliveries: vec![Delivery { message: "msg_2".to_owned(), ..delivery("a", 30) }], ..good() };
    let misfit = Books { misfits: vec!["a message without its email".to_owned()], ..good() };
    for books in [unsent, unrecorded, otherwise, cut, misnamed, misfit] {
        assert_eq!(counts(&books), [0, 0, 0, 0, 1], "{books:?}");
    }
}

#[test]
fn recovery_lasts_until_mail_is_accepted_and_delivered_again() {
    let late = Request { address: "b".to_owned(), sent: Moment(60), ended: Moment(90), ..accepted("b") };
    let books = Books {
        requests: vec![accepted("a"), late],
        deliveries: vec![delivery("a", 30), delivery("b", 95)],
        disturbances: vec![kill(0, 40, &[])],
        ..good()
    };
    assert_eq!(account(&books).recovery, Some(Duration::from_micros(55)));
    assert_eq!(account(&good()).recovery, None);
}
