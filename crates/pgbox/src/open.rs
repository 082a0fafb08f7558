//! Opens a folder: finds its server, or makes and starts one, and waits until it is ready.

use std::fs::File;

use crate::folder::Folder;
use crate::launch::{Launched, launch};
use crate::pace::Pace;
use crate::sight::Sight;
use crate::{Absent, Error, PgBox, Programs, Settings, config, lock, log, make, programs, sight};

/// A start under way.
struct Start {
    launched: Option<Launched>,
    /// Where this start's part of the log begins.
    log_from: u64,
}

pub(crate) async fn open(settings: &Settings) -> Result<PgBox, Error> {
    let folder = match settings.absent {
        Absent::Make => Folder::prepare(&settings.data_dir)?,
        Absent::Refuse => Folder::find(&settings.data_dir)?,
    };
    let mut pace = Pace::new(settings.start_limit);
    let door = lock::door(&folder, &mut pace).await?;
    let mut start = Start { launched: None, log_from: 0 };
    let postmaster = loop {
        let awaited = match sight::look(&folder).await? {
            Sight::Ready(postmaster) => break postmaster,
            Sight::Down if start.launched.is_some() => {
                return Err(Error::StartFailed { log: folder.log(), tail: log::tail(&folder.log(), start.log_from) });
            }
            Sight::Down => {
                begin(&mut start, settings, &folder, &door).await?;
                "PostgreSQL to start"
            }
            Sight::Starting => "PostgreSQL to start; after a crash it first recovers",
            Sight::Unsettled => "PostgreSQL to say where it stands",
        };
        if !pace.step(awaited).await {
            let tail = log::tail(&folder.log(), start.log_from);
            return Err(Error::StartTimedOut { waited: pace.waited(), log: folder.log(), tail });
        }
    };
    let how = if start.launched.is_some() { "started" } else { "found" };
    tracing::info!(pid = postmaster.pid, folder = %folder.root().display(), "PostgreSQL {how} in {} ms", pace.waited().as_millis());
    let users = lock::join_users(&folder)?;
    Ok(PgBox::new(settings.clone(), folder, postmaster, users, start.launched))
}

/// Makes the cluster if there is none, and starts it; does nothing while the last processes of an earlier server end.
async fn begin(start: &mut Start, settings: &Settings, folder: &Folder, door: &File) -> Result<(), Error> {
    let programs = prepare_cluster(settings, folder, door).await?;
    let Some(alive) = lock::alive(folder)? else {
        return Ok(());
    };
    let socket_dir = folder.make_socket_dir()?;
    sight::clear_stale(folder, &socket_dir)?;
    config::write(folder, &socket_dir)?;
    let (log, log_from) = log::open(folder)?;
    start.log_from = log_from;
    start.launched = Some(launch(folder, &programs, &socket_dir, settings.lifetime, alive, log)?);
    Ok(())
}

/// Finds the programs that fit the cluster; where there is none, makes one with the best there are, or refuses to.
async fn prepare_cluster(settings: &Settings, folder: &Folder, door: &File) -> Result<Programs, Error> {
    let bin_dir = settings.bin_dir.as_deref();
    let Some(cluster) = make::made_by(folder)? else {
        // Only here is it certain: whoever was making the cluster has let us through the door since.
        if settings.absent == Absent::Refuse {
            return Err(Error::NoCluster { folder: folder.root().to_path_buf() });
        }
        let programs = programs::programs(bin_dir)?;
        make::make(folder, &programs, door).await?;
        return Ok(programs);
    };
    let programs = programs::of_major(bin_dir, cluster)?;
    if programs.major() == cluster {
        return Ok(programs);
    }
    Err(Error::WrongVersion {
        folder: folder.cluster(),
        cluster,
        programs: programs.major(),
        bin_dir: programs.bin_dir().to_path_buf(),
        socket: folder.socket_dir()?,
        user: folder.account.name.clone(),
    })
}
