//! Whom the server runs as, and whom it lets in.

use std::fs;
use std::os::unix::fs::chown;

use nix::unistd::{User, geteuid};
use selfmx_pgbox::{DATABASE, Error, PgBox, Settings};
use tokio_postgres::NoTls;

use crate::place::{Place, owner, sql};

#[tokio::test]
async fn it_never_runs_as_root() {
    let place = Place::new();
    let _server = PgBox::open(place.tethered()).await.unwrap();
    let us = geteuid();
    let expected = if us.is_root() { User::from_name("postgres").unwrap().unwrap().uid } else { us };
    assert_eq!(owner(format!("/proc/{}", place.postmaster().unwrap())), expected.as_raw());
    let groups = fs::read_to_string(format!("/proc/{}/status", place.postmaster().unwrap())).unwrap();
    let groups = groups.lines().find_map(|line| line.strip_prefix("Groups:")).unwrap().trim().to_owned();
    assert!(!us.is_root() || groups.is_empty(), "{groups}");
}

#[tokio::test]
async fn as_root_it_runs_as_the_folders_owner_and_for_others_it_is_refused() {
    let place = Place::new();
    let nobody = User::from_name("nobody").unwrap().unwrap();
    fs::create_dir_all(place.data_dir()).unwrap();
    if !geteuid().is_root() {
        // Somebody else's folder that every machine has.
        let error = PgBox::open(Settings::new("/usr")).await.unwrap_err();
        assert!(matches!(&error, Error::WrongOwner { owner: 0, .. }), "{error}");
        return;
    }
    chown(place.data_dir(), Some(nobody.uid.as_raw()), Some(nobody.gid.as_raw())).unwrap();
    let server = PgBox::open(place.tethered()).await.unwrap();
    assert_eq!(owner(format!("/proc/{}", place.postmaster().unwrap())), nobody.uid.as_raw());
    assert_eq!(sql(&server, "SELECT current_user").await, "selfmx");
}

#[tokio::test]
async fn no_other_role_is_let_in() {
    let place = Place::new();
    let server = PgBox::open(place.tethered()).await.unwrap();
    sql(&server, "CREATE ROLE other LOGIN SUPERUSER").await;
    let other = server.connection_string(DATABASE).replace("user=selfmx", "user=other");
    let error = tokio_postgres::connect(&other, NoTls).await.err().unwrap();
    assert_eq!(error.code().unwrap().code(), "28000");
}
