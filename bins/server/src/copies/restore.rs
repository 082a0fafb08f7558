//! `selfmx db restore FILE`: a copy in the place of what the database holds.

use std::path::Path;

use selfmx_storage::{DatabaseAddress, Replacement, migrate};

use super::programs::Tools;
use crate::arguments::Over;
use crate::failure::Failure;
use crate::output;
use crate::signals::Signals;

/// What every copy of ours has, and hardly another.
const MARKS: [&str; 2] = ["TABLE public __diesel_schema_migrations", "TABLE public api_keys"];

const DONE: &str = "restored. Mail that waited when the copy was made waits again, and is sent again where it was sent since: see docs/operations.md. The secret key has to be \
                    the one of that time, in SECRET_KEY or SECRET_KEYS_OLD";

/// Puts the copy in place of what is there: all of it, or nothing.
pub(super) async fn restore(
    tools: &Tools,
    address: &DatabaseAddress,
    (file, over): (&Path, Over),
    signals: &mut Signals,
) -> Result<(), Failure> {
    std::fs::File::open(file).map_err(|source| Failure::File { path: file.to_path_buf(), source })?;
    let contents = tools.run("pg_restore", &["--list"], file, signals).await?;
    if !MARKS.iter().all(|mark| contents.contains(mark)) {
        return Err(Failure::NoCopy(file.to_path_buf()));
    }
    let mut replacement = Replacement::begin(address).await?;
    let others = replacement.others().await?;
    if !others.is_empty() {
        return Err(Failure::InUse(others.join(", ")));
    }
    match (replacement.is_empty().await?, over) {
        (true, _) => {}
        (false, Over::Nothing) => return Err(Failure::NotEmpty),
        (false, Over::Everything) => replacement.set_aside().await?,
    }
    let database = format!("--dbname={}", tools.database());
    let arguments = ["--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges", &database];
    if let Err(failure) = tools.run("pg_restore", &arguments, file, signals).await {
        replacement.undo().await?;
        return Err(failure);
    }
    replacement.finish().await?;
    // A copy of an older version; and the streams of events begin anew.
    migrate(address).await?;
    output::note(DONE);
    output::tell(&format!("{} is in the database now", file.display()))
}
