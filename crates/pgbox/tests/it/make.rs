//! The first start: what is made, and that half of it is made again.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use selfmx_pgbox::{PgBox, Stopped};

use crate::place::{Place, mode, owner, sql};

#[tokio::test]
async fn the_first_open_makes_a_cluster_with_our_database_and_starts_it() {
    let place = Place::new();
    let server = PgBox::open(place.tethered()).await.unwrap();
    assert_eq!(sql(&server, "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()").await, "selfmx");
    let shown = [
        ("data_checksums", "on"),
        ("server_encoding", "UTF8"),
        ("lc_collate", "C"),
        ("fsync", "on"),
        ("full_page_writes", "on"),
        ("synchronous_commit", "on"),
        ("listen_addresses", ""),
        ("max_connections", "100"),
        ("jit", "off"),
        ("TimeZone", "UTC"),
        ("log_timezone", "UTC"),
    ];
    for (name, value) in shown {
        assert_eq!(sql(&server, &format!("SHOW {name}")).await, value, "{name}");
    }
    assert_eq!(sql(&server, "SELECT inet_server_addr() IS NULL").await, "t");
    assert_eq!(server.stop().await.unwrap(), Stopped::Down);
    assert_eq!(place.postmaster(), None);
}

#[tokio::test]
async fn folders_are_0700_and_files_0600_and_all_are_the_servers_users() {
    let place = Place::new();
    let _server = PgBox::open(place.tethered()).await.unwrap();
    let theirs = owner(place.path("cluster/PG_VERSION"));
    for (name, expected) in [("", 0o700), ("cluster", 0o700), ("socket", 0o700), ("socket/.s.PGSQL.5432", 0o700), ("postgres.log", 0o600)] {
        let path = if name.is_empty() { place.data_dir().to_path_buf() } else { place.path(name) };
        assert_eq!(mode(&path), expected, "{name}");
    }
    for entry in fs::read_dir(place.data_dir()).unwrap().chain(fs::read_dir(place.path("cluster")).unwrap()) {
        let entry = entry.unwrap();
        assert_eq!(owner(entry.path()), theirs, "{:?}", entry.path());
        assert_eq!(mode(&entry.path()) & 0o077, 0, "{:?}", entry.path());
    }
}

#[tokio::test]
async fn no_tcp_port_is_open() {
    let place = Place::new();
    let _server = PgBox::open(place.tethered()).await.unwrap();
    let fds = place.of_process(place.postmaster().unwrap(), r#"readlink "$1"/fd/*"#);
    let inodes: Vec<&str> = fds.lines().filter_map(|to| Some(to.strip_prefix("socket:[")?.trim_end_matches(']'))).collect();
    assert!(!inodes.is_empty());
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let table = fs::read_to_string(table).unwrap_or_default();
        assert!(!table.lines().any(|line| line.split_whitespace().nth(9).is_some_and(|inode| inodes.contains(&inode))));
    }
}

#[tokio::test]
async fn a_half_made_cluster_is_made_again() {
    let place = Place::new();
    fs::create_dir_all(place.path("cluster.new/base/1")).unwrap();
    fs::write(place.path("cluster.new/PG_VERSION"), "15\n").unwrap();
    let server = PgBox::open(place.tethered()).await.unwrap();
    assert_eq!(sql(&server, "SELECT current_database()").await, "selfmx");
    assert!(!place.path("cluster.new").exists());
}

#[tokio::test]
async fn an_empty_folder_that_exists_is_taken_and_closed() {
    let place = Place::new();
    fs::create_dir_all(place.path("cluster")).unwrap();
    fs::set_permissions(place.data_dir(), Permissions::from_mode(0o755)).unwrap();
    let server = PgBox::open(place.tethered()).await.unwrap();
    assert_eq!(sql(&server, "SELECT 1").await, "1");
    assert_eq!(mode(place.data_dir()), 0o700);
}

#[tokio::test]
async fn the_operators_file_counts_but_relaxes_nothing() {
    let place = Place::new();
    PgBox::open(place.tethered()).await.unwrap().stop().await.unwrap();
    let theirs = "work_mem = '7MB'\nfsync = off\nsynchronous_commit = off\nlisten_addresses = '*'\nport = 1\n";
    fs::write(place.path("operator.conf"), theirs).unwrap();
    let server = PgBox::open(place.tethered()).await.unwrap();
    sql(&server, "ALTER SYSTEM SET full_page_writes = off").await;
    server.stop().await.unwrap();
    let server = PgBox::open(place.tethered()).await.unwrap();
    for (name, value) in
        [("work_mem", "7MB"), ("fsync", "on"), ("full_page_writes", "on"), ("synchronous_commit", "on"), ("listen_addresses", "")]
    {
        assert_eq!(sql(&server, &format!("SHOW {name}")).await, value, "{name}");
    }
    assert_eq!(fs::read_to_string(place.path("operator.conf")).unwrap(), theirs);
}

#[tokio::test]
async fn a_path_too_long_for_a_socket_is_served_from_a_short_folder_and_found_again() {
    let place = Place::below(format!("{}/{}, and 'more'/postgres", "d".repeat(100), "e".repeat(100)));
    let server = PgBox::open(place.tethered()).await.unwrap();
    let short = place.short_socket_dir();
    assert_eq!(mode(&short), 0o700);
    assert!(server.connection_string("selfmx").contains(short.to_str().unwrap()));
    let found = PgBox::open(place.tethered()).await.unwrap();
    assert_eq!(sql(&found, "SELECT 1").await, "1");
    drop(found);
    assert_eq!(server.stop().await.unwrap(), Stopped::Down);
    assert!(!fs::exists(short).unwrap());
}
