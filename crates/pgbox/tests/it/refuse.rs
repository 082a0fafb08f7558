//! What cannot be opened, and what it then says.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};

use nix::unistd::geteuid;
use selfmx_pgbox::{Absent, Error, PgBox, Stopped, programs};

use crate::place::{Place, mode, owner, sql, wait_until};

#[tokio::test]
async fn no_programs_names_the_line_that_installs_them_and_the_alternative() {
    let place = Place::new();
    let empty = tempfile::tempdir().unwrap();
    let error = PgBox::open(place.tethered().bin_dir(Some(empty.path().to_path_buf()))).await.unwrap_err();
    assert!(matches!(error, Error::NoPrograms { .. }), "{error}");
    let text = error.to_string();
    for part in ["sudo apt-get install -y postgresql", "DATABASE_URL", empty.path().to_str().unwrap()] {
        assert!(text.contains(part), "{text}");
    }
    assert!(!text.contains('\n'), "{text}");
}

#[tokio::test]
async fn a_cluster_of_another_version_says_how_to_move_the_data() {
    let place = Place::new();
    PgBox::open(place.tethered()).await.unwrap().stop().await.unwrap();
    let version = fs::read_to_string(place.path("cluster/PG_VERSION")).unwrap();
    fs::write(place.path("cluster/PG_VERSION"), "9999\n").unwrap();
    let error = PgBox::open(place.tethered()).await.unwrap_err();
    assert!(matches!(error, Error::WrongVersion { cluster: 9999, .. }), "{error}");
    for part in ["9999", "pg_dump", "pg_restore", "pg_upgrade"] {
        assert!(error.to_string().contains(part), "{error}");
    }
    fs::write(place.path("cluster/PG_VERSION"), version).unwrap();
    let server = PgBox::open(place.tethered()).await.unwrap();
    assert_eq!(sql(&server, "SELECT 1").await, "1");
}

#[tokio::test]
async fn something_else_in_the_clusters_place_is_left_alone() {
    let place = Place::new();
    fs::create_dir_all(place.path("cluster")).unwrap();
    fs::write(place.path("cluster/letter"), "mine").unwrap();
    let error = PgBox::open(place.tethered()).await.unwrap_err();
    assert!(matches!(error, Error::NotACluster { .. }), "{error}");
    assert_eq!(fs::read_to_string(place.path("cluster/letter")).unwrap(), "mine");
}

#[tokio::test]
async fn a_folder_full_of_other_things_is_not_taken() {
    let place = Place::new();
    fs::create_dir_all(place.data_dir()).unwrap();
    fs::write(place.path("letter"), "mine").unwrap();
    let before = mode(place.data_dir());
    let error = PgBox::open(place.tethered()).await.unwrap_err();
    assert!(matches!(error, Error::NotOurs { .. }), "{error}");
    assert_eq!(mode(place.data_dir()), before);
    assert_eq!(fs::read_dir(place.data_dir()).unwrap().count(), 1);
}

#[tokio::test]
async fn who_wants_no_new_cluster_gets_none_and_leaves_nothing() {
    let place = Place::new();
    let refused = async || {
        let error = PgBox::open(place.detached().absent(Absent::Refuse)).await.unwrap_err();
        assert!(matches!(&error, Error::NoCluster { folder } if folder == place.data_dir()), "{error}");
        for part in ["DATA_DIR", "DATABASE_URL", place.data_dir().to_str().unwrap()] {
            assert!(error.to_string().contains(part), "{error}");
        }
    };
    refused().await;
    assert_eq!(fs::read_dir(place.outer()).unwrap().count(), 0);
    fs::create_dir_all(place.data_dir()).unwrap();
    fs::write(place.path("letter"), "mine").unwrap();
    let before = mode(place.data_dir());
    refused().await;
    assert_eq!((mode(place.data_dir()), fs::read_dir(place.data_dir()).unwrap().count()), (before, 1));
    // What a first start leaves that came to nothing.
    fs::remove_file(place.path("letter")).unwrap();
    fs::write(place.path("door.lock"), "").unwrap();
    refused().await;
    assert!(!place.path("cluster").exists() && place.postmaster().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_wants_no_new_cluster_uses_one_that_is_there_or_is_being_made() {
    let place = Place::new();
    let making = tokio::spawn(PgBox::open(place.detached()));
    wait_until("the cluster to be begun", || place.path("cluster.new").exists());
    let found = PgBox::open(place.detached().absent(Absent::Refuse)).await.unwrap();
    assert_eq!(making.await.unwrap().unwrap().stop().await.unwrap(), Stopped::InUse);
    assert_eq!(sql(&found, "SELECT 1").await, "1");
    assert_eq!(found.stop().await.unwrap(), Stopped::Down);
    let started = PgBox::open(place.detached().absent(Absent::Refuse)).await.unwrap();
    assert_eq!(started.stop().await.unwrap(), Stopped::Down);
}

#[tokio::test]
async fn a_server_that_does_not_start_has_its_log_quoted() {
    let place = Place::new();
    PgBox::open(place.tethered()).await.unwrap().stop().await.unwrap();
    fs::write(place.path("operator.conf"), "no_such_setting = 1\n").unwrap();
    for settings in [place.tethered(), place.detached()] {
        let error = PgBox::open(settings).await.unwrap_err();
        assert!(matches!(error, Error::StartFailed { .. }), "{error}");
        assert!(error.to_string().contains("no_such_setting"), "{error}");
        assert!(!error.to_string().contains("ready to accept"), "{error}");
    }
}

#[tokio::test]
async fn a_failing_initdb_is_quoted_and_leaves_no_cluster() {
    let place = Place::new();
    let bin = place.outer().join("bin");
    let real = programs(None).unwrap();
    fs::create_dir(&bin).unwrap();
    symlink(real.program("postgres"), bin.join("postgres")).unwrap();
    symlink("/bin/false", bin.join("initdb")).unwrap();
    let error = PgBox::open(place.tethered().bin_dir(Some(bin))).await.unwrap_err();
    assert!(matches!(&error, Error::Failed { program, .. } if program.ends_with("initdb")), "{error}");
    assert!(!place.path("cluster").exists());
}

#[tokio::test]
async fn a_short_socket_folder_that_others_can_enter_is_not_used() {
    let place = Place::below("d".repeat(100));
    fs::create_dir(place.data_dir()).unwrap();
    let short = place.short_socket_dir();
    symlink(place.outer(), &short).unwrap();
    let linked = PgBox::open(place.tethered()).await.unwrap_err();
    fs::remove_file(&short).unwrap();
    fs::create_dir(&short).unwrap();
    // The first attempt made the folder the server's user's own.
    chown(&short, Some(owner(place.data_dir())), None).unwrap();
    let open_to_all = PgBox::open(place.tethered()).await.unwrap_err();
    fs::remove_dir(&short).unwrap();
    for error in [linked, open_to_all] {
        assert!(matches!(&error, Error::SocketFolder { folder, .. } if *folder == short), "{error}");
    }
}

#[tokio::test]
async fn a_parent_that_cannot_be_entered_is_named() {
    let place = Place::below("locked/data/postgres");
    let locked = place.outer().join("locked");
    fs::create_dir_all(locked.join("data")).unwrap();
    let closed = if geteuid().is_root() { 0o700 } else { 0 };
    fs::set_permissions(&locked, fs::Permissions::from_mode(closed)).unwrap();
    let error = PgBox::open(place.tethered()).await.unwrap_err();
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o700)).unwrap();
    let text = error.to_string();
    if geteuid().is_root() {
        assert!(matches!(&error, Error::Untraversable { folder, .. } if *folder == locked), "{text}");
        assert!(text.contains("DATA_DIR=/var/lib/selfmx") && text.contains("chmod o+x"), "{text}");
    } else {
        assert!(matches!(&error, Error::File { path, .. } if path.starts_with(&locked)), "{text}");
    }
    assert!(!place.data_dir().exists());
}
