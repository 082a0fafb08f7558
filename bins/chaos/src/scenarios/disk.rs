//! A database whose disk is full.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::{Run, Scenario};
use crate::failure::Failure;
use crate::ledger::Outcome;
use crate::load::Plan;
use crate::report::Report;
use crate::stage::{Build, Defence, Stage};
use crate::world::World;

/// A disk that is full for a while.
pub(crate) const FULL: Scenario = Scenario {
    name: "disk-full",
    about: "the database's disk full for 30 s (short: 6 s), PostgreSQL killed in the middle of it, then room again and PostgreSQL started (needs root, for a disk in memory)",
    control: "the server is killed meanwhile, and the accountant is not told",
    run: |stage| -> Run { Box::pin(full(stage)) },
};

const PATIENCE: Duration = Duration::from_secs(20);
const SIZE: &str = "size=160m,mode=0711";
/// Little is written ahead, so that there soon is no room for more.
const SMALL: &str = "max_wal_size = '32MB'\nmin_wal_size = '32MB'\n";

async fn full(stage: Stage) -> Result<Report, Failure> {
    let (mails, seconds) = stage.of((800, 3), (3000, 15));
    let disk = Disk::mount(stage.folder.join("postgres"))?;
    let build = Build { postgres: SMALL, ..Build::with_lease(5) };
    let mut world = World::build(stage, build).await?;
    let load = world.load(Plan::with_slow_ones(mails));
    load.reaches(mails / 4).await?;
    let began = world.watch.now();
    disk.fill()?;
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let killed = world.watch.now();
    // It may have given up by itself, and its processes be gone.
    let _gone = world.postgres.kill(Signal::SIGQUIT);
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let forgets = world.stage.defence == Defence::Down;
    if forgets {
        world.node(0)?.kill().await?;
    }
    disk.make_room()?;
    world.postgres.start_again().await?;
    if forgets {
        world.start_again(0).await?;
    }
    world.disturbed_since("the database's disk full", began);
    load.ended().await?;
    world.drain(PATIENCE).await?;
    let books = world.close().await?;
    let refused = books.requests.iter().filter(|request| matches!(request.outcome, Outcome::Refused(500..)));
    let while_full = refused.filter(|request| request.sent >= began && request.ended <= killed).count();
    Ok(Report::of(&books).expecting(|_| while_full > 0, "nobody was refused while the disk was full"))
}

/// A small disk in memory, gone when this is dropped.
struct Disk(PathBuf);

impl Disk {
    fn mount(at: PathBuf) -> Result<Self, Failure> {
        fs::create_dir_all(&at).map_err(Failure::file(&at))?;
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", SIZE, "selfmx-chaos"]).arg(&at).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Ok(Self(at));
        }
        Err(Failure::Skipped("a disk in memory cannot be mounted (run as root, outside a container that forbids it)".to_owned()))
    }

    /// Writes until nothing more fits.
    fn fill(&self) -> Result<(), Failure> {
        let path = self.filler();
        let mut file = File::create(&path).map_err(Failure::file(&path))?;
        for octets in [1 << 20, 4096] {
            let nothing = vec![0; octets];
            while file.write_all(&nothing).is_ok() {}
        }
        Ok(())
    }

    fn make_room(&self) -> Result<(), Failure> {
        fs::remove_file(self.filler()).map_err(Failure::file(self.filler()))
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        unmount(&self.0);
    }
}

/// Takes it out of sight at once; it is gone when its last file is closed.
fn unmount(at: &Path) {
    // What stays mounted is seen by whoever looks at the folder.
    drop(Command::new("umount").arg("-l").arg(at).status());
}
