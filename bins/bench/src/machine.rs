//! What it was measured on, in one line.

use std::fs;
use std::thread::available_parallelism;

use selfmx_pgbox::Programs;

/// The processor, its cores, PostgreSQL, how the programs were built, and what else the machine did when this began.
pub(crate) fn line(programs: &Programs) -> String {
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        processors.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown").trim_start_matches([' ', '\t', ':']);
    let cores = available_parallelism().map_or(0, usize::from);
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let memory: u64 = memory.lines().next().and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or_default();
    let loads = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = loads.split_whitespace().take(1).collect::<String>();
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    let gigabytes = memory / 1024 / 1024;
    format!("{model}, {cores} cores, {gigabytes} GB; PostgreSQL {}; profile {profile}; load average {load} at the start", programs.major())
}
