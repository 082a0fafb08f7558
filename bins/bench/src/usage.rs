//! What processes have cost so far, as the kernel counts it.

use std::fs;

use nix::unistd::{SysconfVar, sysconf};

/// Seconds of processor time, of a process alone.
pub(crate) fn of_process(pid: i32) -> f64 {
    seconds(&fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default(), &[11, 12])
}

/// Seconds of processor time of a PostgreSQL: its first process, the others that there are, and those that have ended.
pub(crate) fn of_postgres(postmaster: i32) -> f64 {
    let listed = fs::read_to_string(format!("/proc/{postmaster}/task/{postmaster}/children")).unwrap_or_default();
    let children = listed.split_whitespace().filter_map(|pid| pid.parse().ok()).map(of_process).sum::<f64>();
    let own = seconds(&fs::read_to_string(format!("/proc/{postmaster}/stat")).unwrap_or_default(), &[11, 12, 13, 14]);
    own + children
}

/// The sum of some fields, counted from behind the name, which may hold anything.
fn seconds(stat: &str, fields: &[usize]) -> f64 {
    let Some((_, rest)) = stat.rsplit_once(") ") else { return 0.0 };
    let values: Vec<f64> = rest.split(' ').map(|field| field.trim().parse().unwrap_or_default()).collect();
    let ticks: f64 = fields.iter().filter_map(|field| values.get(*field)).sum();
    ticks / ticks_per_second()
}

fn ticks_per_second() -> f64 {
    let ticks = sysconf(SysconfVar::CLK_TCK).ok().flatten().and_then(|ticks| u32::try_from(ticks).ok());
    ticks.map_or(100.0, f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_are_those_behind_the_name() {
        let stat = "77 (a ) name) S 1 77 77 0 -1 4194560 0 0 0 0 250 50 7 3 20 0 1 0 5 6 7";
        assert_eq!(seconds(stat, &[11, 12]) * ticks_per_second(), 300.0);
        assert_eq!(seconds(stat, &[11, 12, 13, 14]) * ticks_per_second(), 310.0);
        assert_eq!(seconds("", &[11]), 0.0);
    }
}
