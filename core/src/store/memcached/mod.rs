//! memcached: the queue in its memory, and gone with it.
//!
//! | item | is |
//! | --- | --- |
//! | `lineshaft:PREFIX:generation` | version, the owner's generation, the one before it |
//! | `lineshaft:PREFIX:GENERATION:meta` | the counter, how many pages there are, how many servers |
//! | `lineshaft:PREFIX:GENERATION:K` | page K of the index (`index.rs`) |
//! | `lineshaft:PREFIX:job:N` | version byte, length (8 bytes, little-endian) and record ([`Change::Add`]) of job N, or its first piece |
//! | `lineshaft:PREFIX:job:N.I` | piece I of a record that is too large for one item |
//!
//! The first three are on the first server, job N on server N modulo their number. memcached changes one item at a time, so a
//! batch is written in this order: records of new jobs; pages of the index, in which they appear and ended jobs do not; a look
//! whether the generation is still ours; and only then records of ended jobs go. Wherever that is cut off, a job is in the index
//! with all of its record, or is not there. What memcached has thrown away since is seen as a job in the index without record.

mod claim;
mod gearmand;
mod index;
mod settings;
mod wire;

use std::collections::{HashMap, HashSet};
use std::time::Duration;

pub use settings::MemcachedSettings;

use self::claim::Claim;
use self::index::{Entry, Index};
use self::wire::{Fault, Wire};
use super::address::Address;
use super::{Batch, Change, Each, Record, Store, StoreError, StoreErrorKind};

/// What records begin with.
const RECORD_VERSION: u8 = 1;
/// Version and length.
const HEAD: usize = 9;
/// Of each item, what is left for its key and memcached's own.
const ITEM_OVERHEAD: usize = 512;
/// Of each record, what is not the job's own.
const RECORD_OVERHEAD: usize = 64;
/// One job takes at most this part of the memory.
const JOB_SHARE: usize = 4;
/// Items that are asked for at once.
const PORTION: usize = 64;

/// How long submissions wait while memcached is away.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often the generation is looked at where nothing happens: that also keeps it from being thrown away.
const HEARTBEAT: Duration = Duration::from_secs(30);

/// A queue in memcached. It lasts as long as memcached runs, and as its memory is not needed for something else: whoever opens it
/// finds in the log what has been lost. With the option `-M` memcached refuses new items where it would throw old ones away.
///
/// The last who opens the queue has it; a server that had it before gets [`StoreErrorKind::Locked`] from then on. Jobs that gearmand
/// has left under the same prefix are taken over at opening.
pub struct Memcached {
    settings: MemcachedSettings,
    place: String,
    /// What all keys begin with.
    base: String,
    claim: Claim,
    index: Index,
    counter: u64,
    /// Of the index: new jobs of a commit that has failed. Their records are written again.
    doubtful: HashSet<u64>,
    /// No longer in the index; their records may still be there.
    doomed: Vec<Entry>,
    /// Bytes of a piece.
    piece: usize,
    max_job: usize,
    lost: usize,
    /// None while a connection is lost.
    wires: Option<Vec<Wire>>,
}

impl Memcached {
    /// Connects, becomes the owner of the queue, and takes over what gearmand has left.
    ///
    /// # Errors
    /// [`StoreErrorKind::Unavailable`] where a server cannot be reached, [`StoreErrorKind::Settings`] for servers or a prefix that
    /// cannot be, [`StoreErrorKind::Newer`] and [`StoreErrorKind::Damaged`] for what this version cannot read.
    pub fn open(settings: MemcachedSettings) -> Result<Self, StoreError> {
        let mut store = Self::new(settings)?;
        let mut wires = store.connect()?;
        store.take_over(&mut wires)?;
        store.wires = Some(wires);
        Ok(store)
    }

    fn new(settings: MemcachedSettings) -> Result<Self, StoreError> {
        settings.check()?;
        Ok(Self {
            place: settings.place(),
            base: format!("lineshaft:{}:", settings.prefix),
            settings,
            claim: Claim::new(),
            index: Index::default(),
            counter: 0,
            doubtful: HashSet::new(),
            doomed: Vec::new(),
            piece: 0,
            max_job: 0,
            lost: 0,
            wires: None,
        })
    }

    /// What is there, gearmand's jobs behind ours. Nothing is changed: a server that has the queue keeps it.
    pub(super) fn read_address(address: &Address<'_>, each: Each<'_>) -> Result<(), StoreError> {
        let mut store = Self::new(MemcachedSettings::from_address(address)?)?;
        let mut wires = store.wires()?;
        store.look(&mut wires[0])?;
        store.read(&mut wires, &mut |change| match change {
            Change::Counter { .. } => Ok(()),
            change => each(change),
        })?;
        let number = store.look_at_gearmands(&mut wires, store.counter, &mut *each)?;
        each(&Change::Counter { number })
    }

    /// How many acknowledged jobs were found to be lost, by [`Memcached::open`] and replay; at most so many, where a page of the
    /// index is lost.
    pub fn lost(&self) -> usize {
        self.lost
    }

    pub(super) fn open_address(address: &Address<'_>) -> Result<Box<dyn Store>, StoreError> {
        Ok(Box::new(Self::open(MemcachedSettings::from_address(address)?)?))
    }

    fn connect(&mut self) -> Result<Vec<Wire>, StoreError> {
        self.check_owner()?;
        let timeout = self.settings.timeout;
        let servers = self.settings.servers.iter();
        let mut wires =
            servers.map(|server| Wire::connect(server, timeout)).collect::<Result<Vec<_>, _>>()?;
        self.measure(&mut wires)?;
        self.claim(&mut wires[0])?;
        Ok(wires)
    }

    fn wires(&self) -> Result<Vec<Wire>, Fault> {
        let servers = self.settings.servers.iter();
        servers.map(|server| Wire::connect(server, self.settings.timeout)).collect()
    }

    /// What the servers can take, and whether they warn before they throw something away.
    fn measure(&mut self, wires: &mut [Wire]) -> Result<(), Fault> {
        let (mut item, mut memory, mut evicts) = (1 << 20, 64 << 20, false);
        for wire in wires {
            for line in wire.list("stats settings")?.unwrap_or_default() {
                match String::from_utf8_lossy(&line).split(' ').collect::<Vec<_>>()[..] {
                    ["STAT", "item_size_max", size] => {
                        item = size.parse().map_or(item, |size: usize| size.min(item))
                    }
                    ["STAT", "maxbytes", size] => memory = size.parse().map_or(memory, |size: usize| size),
                    ["STAT", "evictions", "on"] => evicts = true,
                    _ => {}
                }
            }
        }
        if self.piece == 0 {
            let why = if evicts {
                ", and when its memory is full it throws away what it has; with the option -M it refuses new jobs instead"
            } else {
                ""
            };
            tracing::warn!(target: "lineshaft::store", "{} keeps acknowledged jobs until it ends{why}", self.place);
        }
        self.piece = item.saturating_sub(ITEM_OVERHEAD).max(ITEM_OVERHEAD);
        let pieces = self.piece.saturating_mul(usize::from(u16::MAX));
        self.max_job = (memory / JOB_SHARE).min(pieces) - RECORD_OVERHEAD;
        Ok(())
    }

    /// The keys of a job's pieces.
    fn keys(&self, number: u64, pieces: u16) -> impl Iterator<Item = String> {
        let first = format!("{}job:{number}", self.base);
        (0..pieces).map(move |piece| if piece == 0 { first.clone() } else { format!("{first}.{piece}") })
    }

    fn server(&self, number: u64) -> usize {
        (number % self.settings.servers.len() as u64) as usize
    }

    fn write(&mut self, wires: &mut [Wire], batch: &Batch) -> Result<(), Fault> {
        self.write_records(wires, batch)?;
        for (change, record) in batch.changes().zip(batch.records()) {
            match change {
                Change::Add(job) => {
                    let (number, returns) = (job.number, job.returns);
                    if self.index.get(number).is_none() {
                        self.index.add(Entry { number, returns, pieces: self.pieces_of(&record) });
                        self.doubtful.insert(number);
                    }
                }
                Change::End { number } => self.doomed.extend(self.index.end(number)),
                Change::Returned { number, returns } => self.index.returned(number, returns),
                Change::Counter { number } => self.counter = number,
            }
        }
        self.flush(&mut wires[0])?;
        self.confirm(&mut wires[0])?;
        self.doubtful.clear();
        Ok(())
    }

    fn pieces_of(&self, record: &Record<'_>) -> u16 {
        // `max_job` keeps it below that.
        (HEAD + record.head.len() + record.workload.len()).div_ceil(self.piece) as u16
    }

    fn write_records(&self, wires: &mut [Wire], batch: &Batch) -> Result<(), Fault> {
        let mut heads = Vec::new();
        for (change, record) in batch.changes().zip(batch.records()) {
            let number = change.number();
            let known = self.index.get(number).is_some() && !self.doubtful.contains(&number);
            if matches!(change, Change::Add(_)) && !known {
                let mut head = [RECORD_VERSION; HEAD];
                let len = record.head.len() + record.workload.len();
                head[1..].copy_from_slice(&(len as u64).to_le_bytes());
                heads.push((number, head, record));
            }
        }
        for (at, wire) in wires.iter_mut().enumerate() {
            let mut items = Vec::new();
            for (number, head, record) in heads.iter().filter(|(number, ..)| self.server(*number) == at) {
                let pieces = cut([head, record.head, record.workload], self.piece);
                items.extend(self.keys(*number, pieces.len() as u16).zip(pieces));
            }
            wire.set(&items)?;
        }
        Ok(())
    }

    /// Writes what has changed of the index.
    fn flush(&mut self, home: &mut Wire) -> Result<(), Fault> {
        let dirty = self.index.dirty();
        let meta = format!("{} {} {}", self.counter, self.index.pages(), self.settings.servers.len());
        let mut items: Vec<(String, Vec<&[u8]>)> =
            dirty.iter().map(|(page, bytes)| (self.page_key(*page), vec![&bytes[..]])).collect();
        // Behind them: it says how many there are.
        items.push((self.meta_key(), vec![meta.as_bytes()]));
        home.set(&items)?;
        self.index.clean();
        Ok(())
    }

    /// Writes a batch, and keeps the connections where they are still of use.
    fn attempt(&mut self, mut wires: Vec<Wire>, batch: &Batch) -> Result<(), Fault> {
        let outcome = self.write(&mut wires, batch);
        let usable = match outcome {
            // It is durable without that. What cannot be deleted now goes the next time.
            Ok(()) => self.bury(&mut wires).is_ok(),
            Err(Fault::Refused(_) | Fault::Busy(_)) => self.make_room(&mut wires, batch).is_ok(),
            Err(Fault::Lost(_)) => false,
        };
        if usable {
            self.wires = Some(wires);
        }
        outcome
    }

    /// Deletes the records of jobs that have ended.
    fn bury(&mut self, wires: &mut [Wire]) -> Result<(), Fault> {
        self.delete(wires, &self.doomed)?;
        self.doomed.clear();
        Ok(())
    }

    fn delete(&self, wires: &mut [Wire], entries: &[Entry]) -> Result<(), Fault> {
        for (at, wire) in wires.iter_mut().enumerate() {
            let here = entries.iter().filter(|entry| self.server(entry.number) == at);
            let keys: Vec<String> = here.flat_map(|entry| self.keys(entry.number, entry.pieces)).collect();
            wire.delete(&keys)?;
        }
        Ok(())
    }

    /// Deletes the records of jobs that end in a batch that is refused: where memory is what is missing, they make room. They
    /// are still in the index, so that a server that ends now reports them as lost; they have ended all the same.
    fn make_room(&self, wires: &mut [Wire], batch: &Batch) -> Result<(), Fault> {
        let ends = batch.changes().filter_map(|change| match change {
            Change::End { number } => self.index.get(number),
            _ => None,
        });
        let ends: Vec<Entry> = ends.chain(self.doomed.iter().copied()).collect();
        self.delete(wires, &ends)
    }

    fn read(&mut self, wires: &mut [Wire], each: Each<'_>) -> Result<(), StoreError> {
        let entries = self.index.entries();
        let mut lost = Vec::new();
        let mut rest = &entries[..];
        while !rest.is_empty() {
            let mut pieces = 0;
            let count = rest.iter().take_while(|entry| {
                pieces += usize::from(entry.pieces);
                pieces <= PORTION
            });
            let (some, behind) = rest.split_at(count.count().max(1));
            let mut items = self.records(wires, some)?;
            for entry in some {
                match self.assemble(*entry, &mut items) {
                    Some(record) => self.hand_on(*entry, &record, &mut *each)?,
                    None => lost.push(*entry),
                }
            }
            rest = behind;
        }
        if !lost.is_empty() {
            tracing::error!(
                target: "lineshaft::store",
                "{} has thrown away {} acknowledged jobs: they are lost; give it more memory, or start it with -M",
                self.place,
                lost.len()
            );
        }
        self.lost += lost.len();
        // What remains of them goes, and they are not reported again.
        self.doomed.extend(lost.iter().filter_map(|entry| self.index.end(entry.number)));
        each(&Change::Counter { number: self.counter })
    }

    /// The items of these jobs that are there, by key.
    fn records(&self, wires: &mut [Wire], entries: &[Entry]) -> Result<HashMap<Vec<u8>, Vec<u8>>, Fault> {
        let mut items = HashMap::new();
        for (at, wire) in wires.iter_mut().enumerate() {
            let here = entries.iter().filter(|entry| self.server(entry.number) == at);
            let keys: Vec<String> = here.flat_map(|entry| self.keys(entry.number, entry.pieces)).collect();
            for some in keys.chunks(PORTION) {
                wire.get_each(some, &mut |key, item| drop(items.insert(key.to_owned(), item.data)))?;
            }
        }
        Ok(items)
    }

    /// A whole record with its head, where all of it is there.
    fn assemble(&self, entry: Entry, items: &mut HashMap<Vec<u8>, Vec<u8>>) -> Option<Vec<u8>> {
        let mut keys = self.keys(entry.number, entry.pieces);
        let mut record = items.remove(keys.next()?.as_bytes())?;
        for key in keys {
            record.extend_from_slice(&items.remove(key.as_bytes())?);
        }
        let len = record.get(1..HEAD)?.first_chunk().map(|len| u64::from_le_bytes(*len))?;
        (len == (record.len() - HEAD) as u64).then_some(record)
    }

    fn hand_on(&self, entry: Entry, record: &[u8], each: Each<'_>) -> Result<(), StoreError> {
        let (place, number) = (&self.place, entry.number);
        if record[0] > RECORD_VERSION {
            let text = format!("{place}: job {number} has been written by a newer version ({})", record[0]);
            return Err(StoreError::new(StoreErrorKind::Newer, text));
        }
        match Change::decode(&record[HEAD..]) {
            Ok(Change::Add(mut job)) if job.number == number => {
                job.returns = entry.returns;
                each(&Change::Add(job))
            }
            _ => {
                let text = format!(
                    "{place}: the item {}job:{number} is no job: something else has written it",
                    self.base
                );
                Err(StoreError::new(StoreErrorKind::Damaged, text))
            }
        }
    }
}

impl Store for Memcached {
    fn describe(&self) -> String {
        format!("{}, prefix {}", self.place, self.settings.prefix)
    }

    fn replay(&mut self, each: Each<'_>) -> Result<(), StoreError> {
        let mut wires = match self.wires.take() {
            Some(wires) => wires,
            None => self.connect()?,
        };
        self.read(&mut wires, each)?;
        self.wires = Some(wires);
        Ok(())
    }

    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        if batch.is_empty() {
            return Ok(());
        }
        if let Some(wires) = self.wires.take() {
            match self.attempt(wires, batch) {
                // memcached may have been restarted since the last batch: once more.
                Err(Fault::Lost(_)) => {}
                other => return Ok(other?),
            }
        }
        let wires = self.connect()?;
        Ok(self.attempt(wires, batch)?)
    }

    fn max_job(&self) -> usize {
        self.max_job
    }

    fn patience(&self) -> Duration {
        PATIENCE
    }

    fn heartbeat(&self) -> Option<Duration> {
        Some(HEARTBEAT)
    }

    fn tidy(&mut self) -> Result<bool, StoreError> {
        let mut wires = match self.wires.take() {
            Some(wires) => wires,
            None => self.connect()?,
        };
        self.flush(&mut wires[0])?;
        self.confirm(&mut wires[0])?;
        self.bury(&mut wires)?;
        self.wires = Some(wires);
        Ok(false)
    }
}

/// Cuts what `parts` are together into pieces of `size`.
fn cut(parts: [&[u8]; 3], size: usize) -> Vec<Vec<&[u8]>> {
    let mut pieces = vec![Vec::new()];
    let mut room = size;
    for mut part in parts {
        while !part.is_empty() {
            if room == 0 {
                pieces.push(Vec::new());
                room = size;
            }
            let (here, behind) = part.split_at(part.len().min(room));
            room -= here.len();
            part = behind;
            if let Some(piece) = pieces.last_mut() {
                piece.push(here);
            }
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_cut_into_as_many_pieces_as_are_said() {
        let parts: [&[u8]; 3] = [b"abc", b"", b"defgh"];
        for size in 1..10 {
            let pieces: Vec<Vec<u8>> = cut(parts, size).into_iter().map(|piece| piece.concat()).collect();
            assert_eq!(pieces.len(), 8_usize.div_ceil(size));
            assert!(pieces[..pieces.len() - 1].iter().all(|piece| piece.len() == size));
            assert_eq!(pieces.concat(), b"abcdefgh");
        }
    }
}
