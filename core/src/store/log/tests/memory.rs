//! A disk in memory. What was not synced may be gone after a crash, in any order; the operation of one's choice fails.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, IoSlice};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::super::files::{File, Folder};

/// What is written to a disk at once, in bytes.
const SECTOR: usize = 512;

/// A folder on the disk; clones are the same one.
#[derive(Clone, Default)]
pub(super) struct Memory(Arc<Mutex<Disk>>);

#[derive(Clone, Default)]
struct Disk {
    files: Vec<Content>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    /// Changes of names that were not synced.
    renamings: Vec<Vec<(String, Option<usize>)>>,
    /// Operations so far.
    operations: u64,
    fault: Option<Fault>,
    /// A file that cannot be opened.
    unreadable: Option<String>,
    /// Bytes that all files together may have.
    room: Option<u64>,
}

#[derive(Clone, Default)]
struct Content {
    now: Vec<u8>,
    durable: Vec<u8>,
    /// What was written since the last sync, sector by sector.
    pending: Vec<(usize, Vec<u8>)>,
    /// What a failed sync has forgotten: no later one makes it durable.
    limbo: Vec<(usize, Vec<u8>)>,
}

/// What happens to an operation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fault {
    /// Which one, counted from the beginning.
    pub(super) at: u64,
    /// It and all after it.
    pub(super) for_good: bool,
    pub(super) how: How,
    pub(super) kind: ErrorKind,
}

/// What of the operation is done before it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    Nothing,
    Half,
    All,
}

/// Luck that can be had again.
pub(super) struct Luck(pub(super) u64);

impl Luck {
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

impl Memory {
    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn fail(&self, fault: Option<Fault>) {
        self.disk().fault = fault;
    }

    /// From now on this file cannot be opened.
    pub(super) fn hide(&self, name: &str) {
        self.disk().unreadable = Some(name.into());
    }

    /// From now on the files have room for so many bytes.
    pub(super) fn limit(&self, bytes: u64) {
        self.disk().room = Some(bytes);
    }

    pub(super) fn operations(&self) -> u64 {
        self.disk().operations
    }

    /// Bytes of all files.
    pub(super) fn bytes(&self) -> u64 {
        self.disk().bytes()
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.disk().names.keys().cloned().collect()
    }

    pub(super) fn read(&self, name: &str) -> Vec<u8> {
        let disk = self.disk();
        disk.files[disk.names[name]].now.clone()
    }

    pub(super) fn write(&self, name: &str, bytes: Vec<u8>) {
        let mut disk = self.disk();
        let file = disk.files.len();
        disk.files.push(Content { now: bytes.clone(), durable: bytes, ..Content::default() });
        disk.names.insert(name.into(), file);
        disk.durable_names.insert(name.into(), file);
    }

    /// Another disk with the same files.
    pub(super) fn copy(&self) -> Self {
        let disk = Disk { fault: None, operations: 0, ..self.disk().clone() };
        Self(Arc::new(Mutex::new(disk)))
    }

    /// What the power failing now leaves.
    pub(super) fn crash(&self, luck: &mut Luck) -> Self {
        let Disk { files, durable_names: mut names, renamings, .. } = self.disk().clone();
        for renaming in renamings {
            if luck.below(2) == 0 {
                renaming.into_iter().for_each(|(name, file)| set(&mut names, name, file));
            }
        }
        let files = files.into_iter().map(|file| file.crash(luck)).collect();
        let disk = Disk { files, durable_names: names.clone(), names, ..Disk::default() };
        Self(Arc::new(Mutex::new(disk)))
    }
}

fn set(names: &mut BTreeMap<String, usize>, name: String, file: Option<usize>) {
    match file {
        Some(file) => drop(names.insert(name, file)),
        None => drop(names.remove(&name)),
    }
}

impl Content {
    fn write(&mut self, at: usize, bytes: &[u8]) {
        put(&mut self.now, at, bytes);
        let mut from = 0;
        while from < bytes.len() {
            let len = (SECTOR - (at + from) % SECTOR).min(bytes.len() - from);
            self.pending.push((at + from, bytes[from..from + len].to_vec()));
            from += len;
        }
    }

    /// Makes durable what no failed sync has forgotten.
    fn sync(&mut self) {
        self.durable.resize(self.now.len(), 0);
        for (at, bytes) in std::mem::take(&mut self.pending) {
            put(&mut self.durable, at, &bytes);
        }
        self.durable.truncate(self.now.len());
        let len = self.now.len();
        self.limbo.retain(|(at, bytes)| at + bytes.len() <= len);
    }

    fn crash(mut self, luck: &mut Luck) -> Self {
        // How long it is may be known sooner than what it has.
        if luck.below(2) == 0 {
            self.durable.resize(self.now.len(), 0);
        }
        for (at, bytes) in self.limbo.into_iter().chain(self.pending) {
            if luck.below(2) == 0 {
                put(&mut self.durable, at, &bytes);
            }
        }
        Self { now: self.durable.clone(), durable: self.durable, ..Self::default() }
    }
}

fn put(to: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    if to.len() < at + bytes.len() {
        to.resize(at + bytes.len(), 0);
    }
    to[at..at + bytes.len()].copy_from_slice(bytes);
}

impl Disk {
    /// Counts an operation, and says how it is to fail.
    fn operation(&mut self) -> Option<(How, io::Error)> {
        self.operations += 1;
        let fault = self.fault?;
        let hit = self.operations == fault.at || (fault.for_good && self.operations > fault.at);
        hit.then(|| (fault.how, fault.kind.into()))
    }

    /// An operation that is done or not.
    fn perform<T>(&mut self, work: impl FnOnce(&mut Self) -> io::Result<T>) -> io::Result<T> {
        match self.operation() {
            None => work(self),
            Some((How::All, error)) => {
                let _ = work(self);
                Err(error)
            }
            Some((_, error)) => Err(error),
        }
    }

    fn rename(&mut self, changes: Vec<(String, Option<usize>)>) {
        changes.iter().cloned().for_each(|(name, file)| set(&mut self.names, name, file));
        self.renamings.push(changes);
    }

    fn bytes(&self) -> u64 {
        self.names.values().map(|file| self.files[*file].now.len() as u64).sum()
    }

    /// Whether a file may have so many bytes.
    fn has_room(&self, file: usize, bytes: usize) -> io::Result<()> {
        let more = bytes.saturating_sub(self.files[file].now.len()) as u64;
        match self.room {
            Some(room) if more > 0 && self.bytes() + more > room => Err(ErrorKind::StorageFull.into()),
            _ => Ok(()),
        }
    }

    fn file(&self, name: &str) -> io::Result<usize> {
        self.names.get(name).copied().ok_or(ErrorKind::NotFound.into())
    }
}

impl Folder for Memory {
    type File = Open;

    fn list(&mut self) -> io::Result<Vec<String>> {
        self.disk().perform(|disk| Ok(disk.names.keys().cloned().collect()))
    }

    fn open(&mut self, name: &str) -> io::Result<Open> {
        let file = self.disk().perform(|disk| match disk.unreadable.as_deref() == Some(name) {
            true => Err(ErrorKind::Other.into()),
            false => disk.file(name),
        })?;
        Ok(Open { memory: self.clone(), file, at: 0 })
    }

    fn create(&mut self, name: &str) -> io::Result<Open> {
        let file = self.disk().perform(|disk| {
            if disk.names.contains_key(name) {
                return Err(ErrorKind::AlreadyExists.into());
            }
            let file = disk.files.len();
            disk.files.push(Content::default());
            disk.rename(vec![(name.into(), Some(file))]);
            Ok(file)
        })?;
        Ok(Open { memory: self.clone(), file, at: 0 })
    }

    fn cut(&mut self, name: &str, bytes: u64) -> io::Result<()> {
        self.disk().perform(|disk| {
            let file = disk.file(name)?;
            let content = &mut disk.files[file];
            content.now.truncate(bytes as usize);
            let end = bytes as usize;
            content.pending.retain_mut(|(at, bytes)| {
                bytes.truncate(end.saturating_sub(*at));
                !bytes.is_empty()
            });
            content.sync();
            Ok(())
        })
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        self.disk().perform(|disk| {
            let file = disk.file(from)?;
            disk.rename(vec![(from.into(), None), (to.into(), Some(file))]);
            Ok(())
        })
    }

    fn link(&mut self, from: &str, to: &str) -> io::Result<()> {
        self.disk().perform(|disk| {
            let file = disk.file(from)?;
            if disk.names.contains_key(to) {
                return Err(ErrorKind::AlreadyExists.into());
            }
            disk.rename(vec![(to.into(), Some(file))]);
            Ok(())
        })
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.disk().perform(|disk| {
            disk.file(name)?;
            disk.rename(vec![(name.into(), None)]);
            Ok(())
        })
    }

    fn sync(&mut self) -> io::Result<()> {
        self.disk().perform(|disk| {
            disk.renamings.clear();
            disk.durable_names = disk.names.clone();
            Ok(())
        })
    }
}

/// An open file.
pub(super) struct Open {
    memory: Memory,
    file: usize,
    at: usize,
}

impl File for Open {
    fn len(&mut self) -> io::Result<u64> {
        self.memory.disk().perform(|disk| Ok(disk.files[self.file].now.len() as u64))
    }

    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let read = self.memory.disk().perform(|disk| {
            let from = disk.files[self.file].now.get(self.at..).unwrap_or_default();
            let len = from.len().min(to.len());
            to[..len].copy_from_slice(&from[..len]);
            Ok(len)
        })?;
        self.at += read;
        Ok(read)
    }

    fn write(&mut self, parts: &mut [IoSlice<'_>]) -> io::Result<()> {
        let mut bytes = Vec::new();
        parts.iter().for_each(|part| bytes.extend_from_slice(part));
        let mut disk = self.memory.disk();
        let full = disk.has_room(self.file, self.at + bytes.len()).err();
        let failed = disk.operation().or(full.map(|error| (How::Nothing, error)));
        let len = match failed {
            None | Some((How::All, _)) => bytes.len(),
            Some((How::Half, _)) => bytes.len() / 2,
            Some((How::Nothing, _)) => 0,
        };
        bytes.truncate(len);
        disk.files[self.file].write(self.at, &bytes);
        self.at += len;
        failed.map_or(Ok(()), |(_, error)| Err(error))
    }

    fn allocate(&mut self, bytes: u64) -> io::Result<()> {
        self.memory.disk().perform(|disk| {
            disk.has_room(self.file, bytes as usize)?;
            let now = &mut disk.files[self.file].now;
            now.resize(now.len().max(bytes as usize), 0);
            Ok(())
        })
    }

    fn fill(&mut self, at: u64, bytes: u64) -> io::Result<()> {
        let file = self.file;
        self.memory.disk().perform(|disk| {
            disk.has_room(file, (at + bytes) as usize)?;
            disk.files[file].write(at as usize, &vec![0; bytes as usize]);
            Ok(())
        })?;
        self.sync_data()
    }

    fn sync_data(&mut self) -> io::Result<()> {
        let mut disk = self.memory.disk();
        let failed = disk.operation();
        let content = &mut disk.files[self.file];
        match failed {
            None => content.sync(),
            Some((How::All, _)) => content.sync(),
            Some(_) => {
                let forgotten = std::mem::take(&mut content.pending);
                content.limbo.extend(forgotten);
            }
        }
        failed.map_or(Ok(()), |(_, error)| Err(error))
    }

    fn sync_all(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}
