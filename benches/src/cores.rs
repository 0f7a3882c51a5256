//! Which cores the server and the load run on.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::Result;

/// The cores that this program may use.
#[derive(Clone, Debug)]
pub(crate) struct Cores(Vec<usize>);

impl Cores {
    /// Asks the system.
    pub(crate) fn of_this_process() -> Result<Self> {
        let set =
            sched_getaffinity(None).map_err(|error| format!("cannot read the CPU affinity: {error}"))?;
        let all = (0..CpuSet::MAX_CPU).filter(|core| set.is_set(*core)).collect::<Vec<_>>();
        if all.len() < 2 {
            return Err(
                "needs two cores, one for the server and one for the load: this process may use one".into()
            );
        }
        Ok(Self(all))
    }

    /// How many there are.
    pub(crate) const fn count(&self) -> usize {
        self.0.len()
    }

    /// Where a server with `count` cores runs: the last ones, as interrupts tend to be served by the first.
    fn for_server(&self, count: usize) -> &[usize] {
        &self.0[self.0.len().saturating_sub(count)..]
    }

    /// Where the load runs beside such a server: the other cores, or all of them where the server has all.
    fn for_load(&self, count: usize) -> &[usize] {
        match self.0.len().saturating_sub(count) {
            0 => &self.0,
            rest => &self.0[..rest],
        }
    }

    /// Runs `spawn`, which starts a server, on the server's cores: a child inherits them, and so do its threads. From then
    /// on this thread keeps to the cores of the load.
    pub(crate) fn spawn_on<T>(&self, count: usize, spawn: impl FnOnce() -> T) -> Result<T> {
        pin(self.for_server(count))?;
        let spawned = spawn();
        pin(self.for_load(count))?;
        Ok(spawned)
    }
}

fn pin(cores: &[usize]) -> Result<()> {
    let mut set = CpuSet::new();
    for core in cores {
        set.set(*core);
    }
    sched_setaffinity(None, &set).map_err(|error| format!("cannot keep to the cores {cores:?}: {error}"))
}
