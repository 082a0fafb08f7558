//! Finding a server that runs, alone and in a crowd, and who may stop it.

use std::fs;
use std::process::Command;

use selfmx_pgbox::{Lifetime, PgBox, Stopped};

use crate::place::{Place, hold, sql};

#[tokio::test]
async fn the_second_open_finds_the_first_ones_server() {
    let place = Place::new();
    let first = PgBox::open(place.tethered()).await.unwrap();
    let pid = place.postmaster();
    let second = PgBox::open(place.tethered()).await.unwrap();
    assert_eq!(place.postmaster(), pid);
    assert_eq!(second.connection_string("x"), first.connection_string("x"));
    drop(second);
    assert_eq!(sql(&first, "SELECT 1").await, "1");
}

#[tokio::test]
async fn of_many_that_open_at_once_one_starts_it_and_the_others_find_it() {
    let place = Place::new();
    let opened = tokio::join!(
        PgBox::open(place.detached()),
        PgBox::open(place.detached()),
        PgBox::open(place.detached()),
        PgBox::open(place.detached())
    );
    let mut servers = vec![opened.0.unwrap(), opened.1.unwrap(), opened.2.unwrap(), opened.3.unwrap()];
    assert_eq!(place.log().matches("ready to accept connections").count(), 1);
    let last = servers.pop().unwrap();
    for server in servers {
        assert_eq!(sql(&server, "SELECT 1").await, "1");
        assert_eq!(server.stop().await.unwrap(), Stopped::InUse);
    }
    assert_eq!(sql(&last, "SELECT 1").await, "1");
    assert_eq!(last.stop().await.unwrap(), Stopped::Down);
}

#[tokio::test]
async fn two_processes_that_open_at_once_share_one_server() {
    let place = Place::new();
    let (mut one, mut two) = std::thread::scope(|scope| {
        let one = scope.spawn(|| place.second_process("find::detached_process"));
        let two = scope.spawn(|| place.second_process("find::detached_process"));
        (one.join().unwrap(), two.join().unwrap())
    });
    assert_eq!(place.log().matches("ready to accept connections").count(), 1);
    let server = PgBox::open(place.detached()).await.unwrap();
    one.kill().unwrap();
    one.wait().unwrap();
    two.kill().unwrap();
    two.wait().unwrap();
    assert_eq!(server.stop().await.unwrap(), Stopped::Down);
}

#[tokio::test]
async fn a_server_that_was_started_by_hand_is_found() {
    let place = Place::new();
    PgBox::open(place.tethered()).await.unwrap().stop().await.unwrap();
    let by_hand = place.by_hand();
    let server = PgBox::open(place.tethered()).await.unwrap();
    assert_eq!(place.postmaster(), Some(i32::try_from(by_hand.id()).unwrap()));
    assert_eq!(sql(&server, "SELECT 1").await, "1");
    let reaped = std::thread::spawn(move || {
        let mut by_hand = by_hand;
        by_hand.wait().unwrap()
    });
    assert_eq!(server.stop().await.unwrap(), Stopped::Down);
    assert!(reaped.join().unwrap().success());
}

#[tokio::test]
async fn a_copy_of_a_running_servers_folder_is_a_server_of_its_own() {
    let (place, copy) = (Place::new(), Place::new());
    let original = PgBox::open(place.tethered()).await.unwrap();
    sql(&original, "CHECKPOINT").await;
    fs::create_dir(copy.data_dir().parent().unwrap()).unwrap();
    let copied = Command::new("cp").arg("-a").args([place.data_dir(), copy.data_dir()]).status().unwrap();
    assert!(copied.success());
    let other = PgBox::open(copy.tethered()).await.unwrap();
    assert_ne!(place.postmaster(), copy.postmaster());
    sql(&other, "CREATE TABLE only_here ()").await;
    assert_eq!(sql(&original, "SELECT count(*) FROM pg_class WHERE relname = 'only_here'").await, "0");
}

#[tokio::test]
async fn a_long_log_is_set_aside() {
    let place = Place::new();
    PgBox::open(place.tethered()).await.unwrap().stop().await.unwrap();
    let log = fs::OpenOptions::new().write(true).open(place.path("postgres.log")).unwrap();
    log.set_len(11 * 1024 * 1024).unwrap();
    let _server = PgBox::open(place.tethered()).await.unwrap();
    assert_eq!(fs::metadata(place.path("postgres.log.old")).unwrap().len(), 11 * 1024 * 1024);
    assert!(place.log().len() < 100_000);
}

#[test]
#[ignore = "other tests run it as a process of its own"]
fn detached_process() {
    hold(Lifetime::Detached);
}
