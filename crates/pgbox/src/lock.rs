//! The three locks of a folder, kept by the operating system, so that no death leaves one behind.

use std::fs::{File, TryLockError};

use crate::Error;
use crate::folder::Folder;
use crate::pace::Pace;

/// Held while a process makes, starts or stops the server: one at a time.
pub(crate) const DOOR: &str = "door.lock";
/// Held by PostgreSQL itself, as its standard input and so by all its processes: it is free when, and only when, the
/// last of them is gone. Unlike a process id it cannot be taken for another's.
const ALIVE: &str = "alive.lock";
/// Shared by each process that uses the server.
const USERS: &str = "users.lock";

/// Waits for the door.
pub(crate) async fn door(folder: &Folder, pace: &mut Pace) -> Result<File, Error> {
    let file = folder.file(DOOR)?;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(source)) => return Err(Error::file("lock", folder.path(DOOR))(source)),
        }
        if !pace.step("another process that starts or stops the server").await {
            return Err(Error::Busy { folder: folder.root().to_path_buf(), waited: pace.waited() });
        }
    }
}

/// The lock to hand to PostgreSQL as its standard input; `None` while an earlier server's last processes hold it.
pub(crate) fn alive(folder: &Folder) -> Result<Option<File>, Error> {
    let file = folder.file(ALIVE)?;
    Ok(taken(file.try_lock(), folder, ALIVE)?.then_some(file))
}

/// Whether any process of a server that we started lives.
pub(crate) fn is_alive(folder: &Folder) -> Result<bool, Error> {
    let file = folder.file(ALIVE)?;
    Ok(!taken(file.try_lock_shared(), folder, ALIVE)?)
}

/// Joins the processes that use the server, until the file is dropped.
pub(crate) fn join_users(folder: &Folder) -> Result<File, Error> {
    let file = folder.file(USERS)?;
    file.lock_shared().map_err(Error::file("lock", folder.path(USERS)))?;
    Ok(file)
}

/// Whether any process uses the server.
pub(crate) fn has_users(folder: &Folder) -> Result<bool, Error> {
    let file = folder.file(USERS)?;
    Ok(!taken(file.try_lock(), folder, USERS)?)
}

fn taken(tried: Result<(), TryLockError>, folder: &Folder, name: &str) -> Result<bool, Error> {
    match tried {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(source)) => Err(Error::file("lock", folder.path(name))(source)),
    }
}
