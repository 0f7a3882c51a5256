//! Redis, or Valkey: the queue is a hash of records by number.
//!
//! | key | is |
//! | --- | --- |
//! | `lineshaft:PREFIX:jobs` | a hash: number → version byte and record ([`Change::Add`]) |
//! | `lineshaft:PREFIX:returns` | a hash: number → how often it was given back, where that is not in its record |
//! | `lineshaft:PREFIX:meta` | a hash: `version` of this layout, `counter`, `owner` |
//!
//! A batch is one transaction, or several where it is large. Each connection watches `meta` from before it sees itself named there
//! as owner: a transaction of somebody who is no longer the owner does nothing (`claim.rs`).

mod claim;
mod gearmand;
mod settings;
mod wire;

use std::collections::HashMap;
use std::time::Duration;

use redis::{ConnectionInfo, Value};

pub use settings::RedisSettings;

use self::claim::Claim;
use self::wire::{Commands, Fault, Wire, array, bytes, number};
use super::address::Address;
use super::{Batch, Change, Each, Store, StoreError, StoreErrorKind};

/// What the values of the hash begin with.
const RECORD_VERSION: u8 = 1;
/// Bytes of commands from which on a transaction is sent off; the rest of the batch goes into the next one. Redis holds all of
/// it until the end, and ends connections that come near its `client-query-buffer-limit` (1 GiB).
const TRANSACTION_BYTES: usize = 4 << 20;
/// Redis takes values of 512 MiB (`proto-max-bulk-len`). The rest is for what is not the job's own.
const MAX_JOB: usize = (512 << 20) - (64 << 10);
/// Replay asks for jobs in portions that double up to so many, or until one has so many bytes.
const PORTION_JOBS: usize = 1024;
const PORTION_BYTES: usize = 2 << 20;

/// How long submissions wait while Redis is away.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it is asked for a sign of life: Redis may end idle connections, and with its connection a queue loses its owner.
const HEARTBEAT: Duration = Duration::from_secs(30);

/// A queue in Redis. It is used by one server at a time; jobs that gearmand has left under the same prefix are taken over at opening.
///
/// What is acknowledged is as durable as Redis makes it: with `appendonly yes` and `appendfsync always` nothing is lost, with
/// `everysec` up to a second of it, else whatever came after the last snapshot. [`Redis::open`] writes a line to the log where
/// something may be lost.
pub struct Redis {
    settings: RedisSettings,
    info: ConnectionInfo,
    place: String,
    keys: Keys,
    claim: Claim,
    /// None while the connection is lost.
    wire: Option<Wire>,
}

struct Keys {
    jobs: Vec<u8>,
    returns: Vec<u8>,
    meta: Vec<u8>,
}

impl Redis {
    /// Connects, becomes the owner of the queue, and takes over what gearmand has left.
    ///
    /// # Errors
    /// [`StoreErrorKind::Unavailable`] where Redis cannot be reached or does not work now, [`StoreErrorKind::Settings`] where it
    /// refuses user or password, [`StoreErrorKind::Locked`] while another server has the queue open,
    /// [`StoreErrorKind::Newer`] and [`StoreErrorKind::Damaged`] for what this version cannot read.
    pub fn open(settings: RedisSettings) -> Result<Self, StoreError> {
        let mut store = Self::new(settings)?;
        let mut wire = store.connect()?;
        store.warn(&mut wire);
        store.take_over(&mut wire)?;
        store.wire = Some(wire);
        Ok(store)
    }

    fn new(settings: RedisSettings) -> Result<Self, StoreError> {
        let key = |name| format!("lineshaft:{}:{name}", settings.prefix).into_bytes();
        let keys = Keys { jobs: key("jobs"), returns: key("returns"), meta: key("meta") };
        let (info, place) = (settings.connection_info()?, settings.place());
        Ok(Self { settings, info, place, keys, claim: Claim::new(), wire: None })
    }

    /// What is there, gearmand's jobs behind ours. Nothing is changed.
    pub(super) fn read_address(address: &Address<'_>, each: Each<'_>) -> Result<(), StoreError> {
        let store = Self::new(RedisSettings::from_address(address)?)?;
        let mut wire = store.connect_to_look()?;
        let mut counter = 0;
        store.read(&mut wire, &mut |change| match change {
            Change::Counter { number } => {
                counter = *number;
                Ok(())
            }
            change => each(change),
        })?;
        let number = store.look_at_gearmands(&mut wire, counter, &mut *each)?;
        each(&Change::Counter { number })
    }

    pub(super) fn open_address(address: &Address<'_>) -> Result<Box<dyn Store>, StoreError> {
        Ok(Box::new(Self::open(RedisSettings::from_address(address)?)?))
    }

    /// A line in the log for each thing by which Redis may lose what it has.
    fn warn(&self, wire: &mut Wire) {
        let mut said = |name: &str| {
            // Hosted Redis often has no CONFIG: then nothing can be said.
            let answer = wire.ask_one(&[b"CONFIG", b"GET", name.as_bytes()]).ok()?;
            String::from_utf8(bytes(array(answer)?.into_iter().nth(1)?)?).ok()
        };
        let (append, sync) = (said("appendonly"), said("appendfsync"));
        let (memory, policy) = (said("maxmemory"), said("maxmemory-policy"));
        let place = &self.place;
        match (append.as_deref(), sync.as_deref()) {
            (Some("yes"), Some("always")) => {}
            (Some("yes"), Some(sync)) => tracing::warn!(
                target: "lineshaft::store",
                "{place} has appendfsync {sync}: if its machine fails, the last seconds of acknowledged jobs are lost; \
                 appendfsync always prevents that"
            ),
            (Some(_), _) => tracing::warn!(
                target: "lineshaft::store",
                "{place} has no append-only file: if it fails, what was acknowledged after its last snapshot is lost; \
                 appendonly yes with appendfsync always prevents that"
            ),
            (None, _) => tracing::warn!(
                target: "lineshaft::store",
                "{place} does not say how it keeps data: acknowledged jobs are safe with appendonly yes and appendfsync always"
            ),
        }
        if let (Some(memory), Some(policy)) = (memory, policy)
            && memory != "0"
            && policy.starts_with("allkeys")
        {
            tracing::warn!(
                target: "lineshaft::store",
                "{place} has maxmemory-policy {policy}: when it is full it may throw the queue away; noeviction prevents that"
            );
        }
    }

    /// Sends what is gathered, as one transaction.
    fn send(&self, wire: &mut Wire, transaction: &mut Commands) -> Result<(), Fault> {
        let commands = std::mem::replace(transaction, begin());
        self.claim.execute(wire, &self.keys.meta, commands)
    }

    /// Writes a batch, and keeps the connection where it is still of use.
    fn attempt(&mut self, mut wire: Wire, batch: &Batch) -> Result<(), Fault> {
        let mut outcome = self.write(&mut wire, batch);
        if let Err(Fault::Refused(_)) = outcome {
            match self.make_room(&mut wire, batch) {
                Ok(true) => outcome = Ok(()),
                Ok(false) => {}
                Err(_) => return outcome,
            }
        }
        if matches!(outcome, Ok(()) | Err(Fault::Refused(_))) {
            self.wire = Some(wire);
        }
        outcome
    }

    fn write(&self, wire: &mut Wire, batch: &Batch) -> Result<(), Fault> {
        let Keys { jobs, returns, meta } = &self.keys;
        let known = self.returned(wire, batch)?;
        let mut known = known.iter();
        let mut ends = Vec::new();
        let mut transaction = begin();
        for (change, record) in batch.changes().zip(batch.records()) {
            let number = change.number().to_string();
            let number = number.as_bytes();
            match change {
                Change::Add(_) => {
                    let value = [&[RECORD_VERSION], record.head, record.workload];
                    transaction.push_pieces(&[b"HSETNX", jobs, number], &value);
                }
                Change::Returned { returns: times, .. } => {
                    if known.next() == Some(&true) {
                        transaction.push(&[b"HSET", returns, number, times.to_string().as_bytes()]);
                    }
                }
                Change::Counter { .. } => transaction.push(&[b"HSET", meta, b"counter", number]),
                Change::End { number } => ends.push(number),
            }
            if transaction.bytes() >= TRANSACTION_BYTES {
                self.send(wire, &mut transaction)?;
            }
        }
        // Last: what has ended stays ended, whatever else the batch says of it.
        self.end(&mut transaction, &ends);
        self.send(wire, &mut transaction)
    }

    fn end(&self, commands: &mut Commands, ends: &[u64]) {
        for some in ends.chunks(1024) {
            commands.push_numbers(&[b"HDEL", &self.keys.jobs], some);
            commands.push_numbers(&[b"HDEL", &self.keys.returns], some);
        }
    }

    /// Ends the jobs of a batch that is refused: they make room where memory is what is missing. True where the batch says no
    /// more than that. It is no transaction, for a full Redis takes none; a job that has ended has ended, whoever owns the queue.
    fn make_room(&self, wire: &mut Wire, batch: &Batch) -> Result<bool, Fault> {
        let ends: Vec<u64> = batch.changes().filter_map(|change| end_of(&change)).collect();
        let mut commands = Commands::default();
        self.end(&mut commands, &ends);
        wire.ask_all(&commands)?;
        Ok(ends.len() == batch.len())
    }

    /// For each [`Change::Returned`], whether its job is there. Nobody but us changes that until the transaction.
    fn returned(&self, wire: &mut Wire, batch: &Batch) -> Result<Vec<bool>, Fault> {
        let mut commands = Commands::default();
        for change in batch.changes() {
            if let Change::Returned { number, .. } = change {
                commands.push(&[b"HEXISTS", &self.keys.jobs, number.to_string().as_bytes()]);
            }
        }
        let there = wire.ask_all(&commands)?;
        let returned = batch.changes().filter(|change| matches!(change, Change::Returned { .. }));
        Ok(there
            .iter()
            .zip(returned)
            .map(|(there, it)| *there == Value::Int(1) || batch.adds(it.number()))
            .collect())
    }

    /// The numbers of all jobs, in order.
    fn numbers(&self, wire: &mut Wire) -> Result<Vec<u64>, StoreError> {
        let fields = array(wire.ask_one(&[b"HKEYS", &self.keys.jobs])?).unwrap_or_default();
        let numbers = fields.into_iter().map(|field| bytes(field).and_then(|field| number(&field)));
        let mut numbers: Vec<u64> = numbers
            .collect::<Option<_>>()
            .ok_or_else(|| self.damaged(&self.keys.jobs, "has a field that is no number"))?;
        numbers.sort_unstable();
        Ok(numbers)
    }

    fn read(&self, wire: &mut Wire, each: Each<'_>) -> Result<(), StoreError> {
        let returns = self.returns(wire)?;
        let numbers = self.numbers(wire)?;
        let mut portion = 8;
        let mut rest = &numbers[..];
        while !rest.is_empty() {
            let (some, behind) = rest.split_at(portion.min(rest.len()));
            let mut commands = Commands::default();
            commands.push_numbers(&[b"HMGET", &self.keys.jobs], some);
            let values = wire.ask_all(&commands)?.pop().and_then(array).unwrap_or_default();
            let mut size = 0;
            for (number, value) in some.iter().zip(values) {
                let value = bytes(value).ok_or_else(|| {
                    self.damaged(&self.keys.jobs, &format!("has lost job {number} while it was read"))
                })?;
                size += value.len();
                self.hand_on(*number, &value, &returns, &mut *each)?;
            }
            rest = behind;
            portion =
                if size >= PORTION_BYTES { (portion / 2).max(1) } else { (portion * 2).min(PORTION_JOBS) };
        }
        let counter = self.counter(wire)?.max(numbers.last().copied().unwrap_or(0));
        each(&Change::Counter { number: counter })
    }

    fn hand_on(
        &self,
        number: u64,
        value: &[u8],
        returns: &HashMap<u64, u16>,
        each: Each<'_>,
    ) -> Result<(), StoreError> {
        let what =
            |text: &str| self.damaged(&self.keys.jobs, &format!("cannot be read at job {number}: {text}"));
        let record = match value.split_first() {
            Some((&RECORD_VERSION, record)) => record,
            Some((version, _)) => {
                let text =
                    format!("{}: job {number} has been written by a newer version ({version})", self.place);
                return Err(StoreError::new(StoreErrorKind::Newer, text));
            }
            None => return Err(what("it is empty")),
        };
        match Change::decode(record) {
            Ok(Change::Add(mut job)) if job.number == number => {
                job.returns = returns.get(&number).copied().unwrap_or(job.returns);
                each(&Change::Add(job))
            }
            Ok(_) => Err(what("it is another record")),
            Err(error) => Err(what(&error.to_string())),
        }
    }

    fn returns(&self, wire: &mut Wire) -> Result<HashMap<u64, u16>, StoreError> {
        let pairs = array(wire.ask_one(&[b"HGETALL", &self.keys.returns])?).unwrap_or_default();
        let mut words = pairs.into_iter().map(|word| bytes(word).unwrap_or_default());
        let mut returns = HashMap::new();
        while let (Some(job), Some(times)) = (words.next(), words.next()) {
            let pair = number(&job).zip(number(&times));
            let (job, times) =
                pair.ok_or_else(|| self.damaged(&self.keys.returns, "has a field that is no number"))?;
            returns.insert(job, times);
        }
        Ok(returns)
    }

    fn counter(&self, wire: &mut Wire) -> Result<u64, StoreError> {
        match bytes(wire.ask_one(&[b"HGET", &self.keys.meta, b"counter"])?) {
            None => Ok(0),
            Some(text) => {
                number(&text).ok_or_else(|| self.damaged(&self.keys.meta, "has a counter that is no number"))
            }
        }
    }

    fn damaged(&self, key: &[u8], text: &str) -> StoreError {
        let text = format!("{}: the hash {} {text}", self.place, key.escape_ascii());
        StoreError::new(StoreErrorKind::Damaged, text)
    }
}

impl Store for Redis {
    fn describe(&self) -> String {
        format!("{}, database {}, prefix {}", self.place, self.settings.database, self.settings.prefix)
    }

    fn replay(&mut self, each: Each<'_>) -> Result<(), StoreError> {
        let mut wire = match self.wire.take() {
            Some(wire) => wire,
            None => self.connect()?,
        };
        self.read(&mut wire, each)?;
        self.wire = Some(wire);
        Ok(())
    }

    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        if batch.is_empty() {
            return Ok(());
        }
        if let Some(wire) = self.wire.take() {
            match self.attempt(wire, batch) {
                // Redis may have been restarted since the last batch: once more.
                Err(Fault::Lost(_) | Fault::Fenced(_)) => {}
                other => return Ok(other?),
            }
        }
        let wire = self.connect()?;
        Ok(self.attempt(wire, batch)?)
    }

    fn max_job(&self) -> usize {
        MAX_JOB
    }

    fn patience(&self) -> Duration {
        PATIENCE
    }

    fn heartbeat(&self) -> Option<Duration> {
        Some(HEARTBEAT)
    }

    fn tidy(&mut self) -> Result<bool, StoreError> {
        let mut wire = match self.wire.take() {
            Some(wire) => wire,
            None => self.connect()?,
        };
        wire.ask_one(&[b"PING"])?;
        self.wire = Some(wire);
        Ok(false)
    }
}

/// An empty transaction.
fn begin() -> Commands {
    let mut commands = Commands::default();
    commands.push(&[b"MULTI"]);
    commands
}

fn end_of(change: &Change<'_>) -> Option<u64> {
    match change {
        Change::End { number } => Some(*number),
        _ => None,
    }
}
