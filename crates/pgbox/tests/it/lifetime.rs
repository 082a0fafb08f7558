//! How long a server lives: beyond us, or no longer than we.

use std::path::Path;

use nix::unistd::{Pid, getpgid, getpgrp};
use selfmx_pgbox::{Lifetime, PgBox, Stopped};

use crate::place::{Place, hold, sql};

#[tokio::test]
async fn dropping_a_detached_server_leaves_it_running() {
    let place = Place::new();
    drop(PgBox::open(place.detached()).await.unwrap());
    let pid = place.postmaster();
    let server = PgBox::open(place.detached()).await.unwrap();
    assert_eq!(place.postmaster(), pid);
    assert_eq!(server.stop().await.unwrap(), Stopped::Down);
}

#[tokio::test]
async fn dropping_a_tethered_server_ends_it() {
    let place = Place::new();
    let server = PgBox::open(place.tethered()).await.unwrap();
    sql(&server, "CREATE TABLE kept (); INSERT INTO kept DEFAULT VALUES").await;
    drop(server);
    place.wait_until_down();
    let server = PgBox::open(place.tethered()).await.unwrap();
    assert_eq!(sql(&server, "SELECT count(*) FROM kept").await, "1");
}

#[test]
fn a_tethered_server_ends_with_its_process_even_by_kill_9() {
    let place = Place::new();
    let mut process = place.second_process("lifetime::tethered_process");
    assert!(place.postmaster().is_some());
    process.kill().unwrap();
    process.wait().unwrap();
    place.wait_until_down();
}

#[tokio::test]
async fn the_terminals_signals_pass_it_by() {
    for lifetime in [Lifetime::Detached, Lifetime::Tethered] {
        let place = Place::new();
        let server = PgBox::open(place.detached().lifetime(lifetime)).await.unwrap();
        let group = getpgid(Some(Pid::from_raw(place.postmaster().unwrap()))).unwrap();
        assert_ne!(group, getpgrp(), "{lifetime:?}");
        server.stop().await.unwrap();
    }
}

#[tokio::test]
async fn it_holds_none_of_our_pipes_and_none_of_our_environment() {
    for lifetime in [Lifetime::Detached, Lifetime::Tethered] {
        let place = Place::new();
        let server = PgBox::open(place.detached().lifetime(lifetime)).await.unwrap();
        let pid = place.postmaster().unwrap();
        let fds = place.of_process(pid, r#"readlink "$1/fd/0" "$1/fd/1" "$1/fd/2""#);
        assert_eq!(fds.lines().count(), 3);
        for to in fds.lines() {
            assert!(Path::new(to).starts_with(place.data_dir()), "{lifetime:?} {to}");
        }
        let environment = place.of_process(pid, r#"cat "$1/environ""#);
        assert!(environment.contains("LC_ALL=C") && !environment.contains("CARGO"), "{environment}");
        server.stop().await.unwrap();
    }
}

#[test]
#[ignore = "other tests run it as a process of its own"]
fn tethered_process() {
    hold(Lifetime::Tethered);
}
