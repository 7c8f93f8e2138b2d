//! What a process costs, read from `/proc`.

use std::fs;

/// Proportional set size in KiB: private memory and a fair share of what is shared.
pub fn pss_kib(pid: u32) -> u64 {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    rollup
        .lines()
        .find_map(|line| line.strip_prefix("Pss:"))
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}

/// How often the threads of a process have let go of their processor by themselves: each sleep that
/// ends adds one. With the number of its threads, for one that ends wakes up as well.
pub fn sleeps(pid: u32) -> (u64, usize) {
    let tasks = fs::read_dir(format!("/proc/{pid}/task"));
    let counts: Vec<u64> = tasks
        .into_iter()
        .flatten()
        .filter_map(|task| {
            let status = fs::read_to_string(task.ok()?.path().join("status")).ok()?;
            let count = status
                .lines()
                .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
            count.trim().parse().ok()
        })
        .collect();
    (counts.iter().sum(), counts.len())
}

/// CPU time of a process so far, user and system, in milliseconds. `task` names one thread of it.
pub fn cpu_ms(pid: u32, task: Option<u32>) -> u64 {
    let path = match task {
        Some(task) => format!("/proc/{pid}/task/{task}/stat"),
        None => format!("/proc/{pid}/stat"),
    };
    let stat = fs::read_to_string(path).unwrap_or_default();
    // The name in parentheses may hold spaces; the fields count from behind it.
    let Some((_, fields)) = stat.rsplit_once(')') else {
        return 0;
    };
    let ticks: u64 = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|ticks| ticks.parse::<u64>().ok())
        .sum();
    // Linux reports ticks of a hundredth of a second to user space whatever the kernel's own rate.
    ticks * 10
}
