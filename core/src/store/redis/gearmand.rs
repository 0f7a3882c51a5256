//! Jobs that gearmand has left: `PREFIX-FUNCTION-UNIQUE`, a hash with `data` and `priority`, from gearmand 2 on with `function` and
//! `unique` as well; up to 1.1.15 a plain string, the workload.
//!
//! Each gets a number and is written as ours in the transaction that deletes it. Its keys are watched: where they still change,
//! a gearmand still runs.

use redis::Value;

use super::wire::{Commands, Fault, Wire, array, bytes, number};
use super::{RECORD_VERSION, Redis, StoreError, StoreErrorKind, begin};
use crate::store::names::Names;
use crate::store::{Change, Each, StoredJob};
use crate::types::Priority;

/// Keys that are taken over in one transaction.
const AT_ONCE: usize = 16;
/// What gearmand stores uniques of 64 bytes as: a blank and the first 63.
const LONGEST_UNIQUE: usize = 64;

/// A job as its key and value say.
struct Found<'a> {
    key: &'a [u8],
    function: Vec<u8>,
    unique: Vec<u8>,
    priority: Priority,
    workload: Vec<u8>,
}

impl Found<'_> {
    fn job(&self, number: u64) -> StoredJob<'_> {
        StoredJob {
            unique: clean(&self.unique),
            priority: self.priority,
            ..StoredJob::new(number, &self.function, &self.workload)
        }
    }
}

impl Redis {
    /// Makes them ours.
    pub(super) fn take_over(&self, wire: &mut Wire) -> Result<(), StoreError> {
        let (keys, mut names) = self.gearmand_keys(wire)?;
        if keys.is_empty() {
            return Ok(());
        }
        let mut last = self.counter(wire)?.max(self.numbers(wire)?.last().copied().unwrap_or(0));
        let first = last;
        for some in keys.chunks(AT_ONCE) {
            match self.take_over_some(wire, some, &mut names, &mut last) {
                Err(Fault::Fenced(_)) => {
                    let text = format!(
                        "{}: keys of gearmand's with prefix {} change while they are taken over: stop gearmand first",
                        self.place, self.settings.prefix
                    );
                    return Err(StoreError::new(StoreErrorKind::Locked, text));
                }
                other => other?,
            }
        }
        let (place, taken) = (&self.place, (last - first) as usize);
        tracing::info!(target: "lineshaft::store", "{place}: {taken} jobs of gearmand's have been taken over");
        if taken < keys.len() {
            let left = keys.len() - taken;
            tracing::warn!(target: "lineshaft::store", "{place}: {left} keys like gearmand's are none and stay as they are");
        }
        if names.guesses() > 0 {
            tracing::warn!(
                target: "lineshaft::store",
                "{place}: {} of these jobs have keys with several dashes; what is before the first was taken for the \
                 function, as gearmand does",
                names.guesses()
            );
        }
        Ok(())
    }

    /// Hands them out with the numbers behind `last` that they would get: the last of these.
    pub(super) fn look_at_gearmands(
        &self,
        wire: &mut Wire,
        mut last: u64,
        each: Each<'_>,
    ) -> Result<u64, StoreError> {
        let (keys, mut names) = self.gearmand_keys(wire)?;
        for some in keys.chunks(AT_ONCE) {
            for found in self.found(wire, some, &mut names)? {
                last += 1;
                each(&Change::Add(found.job(last)))?;
            }
        }
        Ok(last)
    }

    /// The keys in an order that is always the same, and the functions that they name beyond doubt.
    fn gearmand_keys(&self, wire: &mut Wire) -> Result<(Vec<Vec<u8>>, Names), StoreError> {
        let mut keys = self.scan(wire)?;
        keys.sort_unstable();
        keys.dedup();
        let mut names = Names::new(&self.settings.functions);
        for some in keys.chunks(AT_ONCE) {
            let mut commands = Commands::default();
            some.iter().for_each(|key| commands.push(&[b"HGET", key, b"function"]));
            for (key, function) in some.iter().zip(wire.ask(&commands)?) {
                match bytes(function) {
                    Some(function) => names.learn(&function),
                    None => names.learn_from(self.tail(key)),
                }
            }
        }
        Ok((keys, names))
    }

    /// Function, dash and unique.
    fn tail<'a>(&self, key: &'a [u8]) -> &'a [u8] {
        &key[self.settings.prefix.len() + 1..]
    }

    fn scan(&self, wire: &mut Wire) -> Result<Vec<Vec<u8>>, StoreError> {
        let start = format!("{}-", self.settings.prefix).into_bytes();
        let mut pattern = Vec::new();
        for byte in &start {
            if b"*?[]\\^".contains(byte) {
                pattern.push(b'\\');
            }
            pattern.push(*byte);
        }
        pattern.push(b'*');
        let mut keys = Vec::new();
        let mut cursor = b"0".to_vec();
        loop {
            let answer = wire.ask_one(&[b"SCAN", &cursor, b"MATCH", &pattern, b"COUNT", b"1000"])?;
            let [next, found] = <[Value; 2]>::try_from(array(answer).unwrap_or_default()).unwrap_or_default();
            keys.extend(array(found).unwrap_or_default().into_iter().filter_map(bytes));
            cursor = bytes(next).unwrap_or_else(|| b"0".to_vec());
            if cursor == b"0" {
                return Ok(keys);
            }
        }
    }

    fn take_over_some(
        &self,
        wire: &mut Wire,
        keys: &[Vec<u8>],
        names: &mut Names,
        last: &mut u64,
    ) -> Result<(), Fault> {
        let found = self.found(wire, keys, names)?;
        let mut transaction = begin();
        for found in &found {
            *last += 1;
            let mut value = vec![RECORD_VERSION];
            Change::Add(found.job(*last)).encode(&mut value);
            transaction.push(&[b"HSETNX", &self.keys.jobs, last.to_string().as_bytes(), &value]);
            transaction.push(&[b"DEL", found.key]);
        }
        if !found.is_empty() {
            transaction.push(&[b"HSET", &self.keys.meta, b"counter", last.to_string().as_bytes()]);
        }
        self.claim.execute(wire, &self.keys.meta, transaction)
    }

    /// The jobs of some keys, which are watched from now on.
    fn found<'a>(
        &self,
        wire: &mut Wire,
        keys: &'a [Vec<u8>],
        names: &mut Names,
    ) -> Result<Vec<Found<'a>>, Fault> {
        let mut commands = Commands::default();
        for key in keys {
            commands.push(&[b"WATCH", key]);
            commands.push(&[b"HMGET", key, b"data", b"priority", b"function", b"unique"]);
            commands.push(&[b"GET", key]);
        }
        // Of the last two one is refused for each key: it is either a hash or a string.
        let mut answers = wire.ask(&commands)?.into_iter();
        let mut all = Vec::new();
        for key in keys {
            answers.next();
            let hash = answers.next().and_then(array).unwrap_or_default();
            let text = answers.next().and_then(bytes);
            let [data, priority, function, unique] =
                <[Value; 4]>::try_from(hash).unwrap_or_default().map(bytes);
            let Some(workload) = data.or(text) else { continue };
            let split = match (function, unique) {
                (Some(function), Some(unique)) if !function.is_empty() => Some((function, unique)),
                _ => {
                    names.split(self.tail(key)).map(|(function, unique)| (function.to_vec(), unique.to_vec()))
                }
            };
            let Some((function, unique)) = split else { continue };
            let priority = priority_of(priority.as_deref());
            all.push(Found { key, function, unique, priority, workload });
        }
        Ok(all)
    }
}

/// A unique as it was submitted, as far as it is there.
fn clean(unique: &[u8]) -> &[u8] {
    match unique {
        [b' ', unique @ ..] if unique.len() == LONGEST_UNIQUE - 1 => unique,
        [unique @ .., 0] => unique,
        _ => unique,
    }
}

fn priority_of(text: Option<&[u8]>) -> Priority {
    let at: Option<usize> = text.and_then(number);
    at.and_then(|at| Priority::ALL.get(at)).copied().unwrap_or(Priority::Normal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_gearmand_does_to_uniques_is_undone() {
        let long = [&b" "[..], &[b'u'; 63]].concat();
        assert_eq!(clean(&long), &[b'u'; 63]);
        assert_eq!((clean(b"a\0"), clean(b" a"), clean(b"")), (&b"a"[..], &b" a"[..], &b""[..]));
    }

    #[test]
    fn priorities_are_high_normal_low() {
        let read = |text: &str| priority_of(Some(text.as_bytes()));
        assert_eq!([read("0"), read("1"), read("2")], Priority::ALL);
        assert_eq!([read("3"), read("-1"), read(""), priority_of(None)], [Priority::Normal; 4]);
    }
}
