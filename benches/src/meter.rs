//! What a process has cost so far, as the kernel tells it under /proc.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rustix::param::{clock_ticks_per_second, page_size};

use crate::Result;

/// The thread of our server that calls the store, as the system shows its name.
const STORE: &str = "lineshaft-store";

/// CPU time of the store's thread; `None` where the process has no such thread, or the kernel keeps no account in nanoseconds.
pub(crate) fn store_time(pid: u32) -> Option<Duration> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    let store = threads
        .flatten()
        .map(|thread| thread.path())
        .find(|thread| fs::read_to_string(thread.join("comm")).is_ok_and(|name| name.trim_end() == STORE));
    scheduled(&store?)
}

/// What the scheduler's account says of a thread. One that has ended meanwhile has no file any more.
fn scheduled(thread: &Path) -> Option<Duration> {
    let text = fs::read_to_string(thread.join("schedstat")).ok()?;
    text.split(' ').next()?.parse().ok().map(Duration::from_nanos)
}

/// CPU time, user and system, of all threads that the process `pid` has.
///
/// Read from the scheduler's own account in nanoseconds; where the kernel keeps none, from the account in clock ticks
/// (usually 10 ms), which is enough for windows of a second.
pub(crate) fn cpu_time(pid: u32) -> Result<Duration> {
    match by_thread(pid)? {
        Some(time) => Ok(time),
        None => by_ticks(pid),
    }
}

fn by_thread(pid: u32) -> Result<Option<Duration>> {
    let folder = format!("/proc/{pid}/task");
    let threads = fs::read_dir(&folder).map_err(|error| format!("cannot read {folder}: {error}"))?;
    let time: Duration = threads.flatten().filter_map(|thread| scheduled(&thread.path())).sum();
    Ok((!time.is_zero()).then_some(time))
}

fn by_ticks(pid: u32) -> Result<Duration> {
    let path = format!("/proc/{pid}/stat");
    let text = fs::read_to_string(&path).map_err(|error| format!("cannot read {path}: {error}"))?;
    // The name of the program stands in parentheses and may itself hold blanks and parentheses.
    let (_, fields) = text.rsplit_once(')').ok_or_else(|| format!("{path} has no program name"))?;
    // utime and stime are the fields 14 and 15, counted from 1; behind the name the third comes first.
    let ticks =
        |field: usize| fields.split_whitespace().nth(field - 3).and_then(|word| word.parse::<u64>().ok());
    let (Some(user), Some(system)) = (ticks(14), ticks(15)) else {
        return Err(format!("{path} does not hold the CPU time"));
    };
    Ok(Duration::from_secs_f64((user + system) as f64 / clock_ticks_per_second() as f64))
}

/// Bytes of memory that the process `pid` holds.
pub(crate) fn resident_bytes(pid: u32) -> Result<u64> {
    let path = format!("/proc/{pid}/statm");
    let text = fs::read_to_string(&path).map_err(|error| format!("cannot read {path}: {error}"))?;
    let pages = text.split(' ').nth(1).and_then(|word| word.parse::<u64>().ok());
    Ok(pages.ok_or_else(|| format!("{path} does not hold the resident size"))? * page_size() as u64)
}
