//! Ports for servers that are told which one to take.

use anyhow::{Context, Result};
use std::fs::{File, create_dir_all};
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::sync::Mutex;

/// Below those that the system gives to connections and to listeners that ask for any: a server that is killed and
/// started again finds its port free.
const RANGE: Range<u16> = 10_000..32_000;

/// What this process has taken, and where it goes on looking.
static TAKEN: Mutex<(Vec<File>, Option<u16>)> = Mutex::new((Vec::new(), None));

/// A loopback port that nobody listens on, and that no other test gets as long as this process lives. Two servers on
/// one port would not be noticed: the second one's clients would be answered by the first.
///
/// # Errors
/// When there is none.
pub fn free_port() -> Result<u16> {
    let folder = std::env::temp_dir().join("lineshaft-test-ports");
    create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let mut guard = TAKEN.lock().map_err(|_| anyhow::anyhow!("a search for a free port has panicked"))?;
    let (files, next) = &mut *guard;
    let count = RANGE.len() as u32;
    let start =
        next.map_or(std::process::id().wrapping_mul(251) % count, |next| u32::from(next - RANGE.start));
    for step in 0..count {
        let port = RANGE.start + ((start + step) % count) as u16;
        let path = folder.join(port.to_string());
        let file = File::create(&path).with_context(|| path.display().to_string())?;
        if file.try_lock().is_ok() && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            files.push(file);
            *next = Some(port + 1);
            return Ok(port);
        }
    }
    anyhow::bail!("no port from {} to {} is free", RANGE.start, RANGE.end)
}
