//! Jobs that gearmand has left: key `PREFIX FUNCTION-UNIQUE` without the blank, the workload as value, the priority as flags.
//!
//! They are written as ours, and deleted when that is done: cut off in between, some are there twice and run twice.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Memcached;
use super::wire::{Fault, Item, Wire};
use crate::store::address::unescape;
use crate::store::names::Names;
use crate::store::{Batch, Change, Each, StoreError, StoredJob};
use crate::types::Priority;

/// Jobs that are taken over at once.
const AT_ONCE: usize = 16;
/// Between two questions to a crawler.
const PAUSE: Duration = Duration::from_millis(10);

impl Memcached {
    pub(super) fn take_over(&mut self, wires: &mut [Wire]) -> Result<(), StoreError> {
        let mut names = Names::new(&self.settings.functions);
        let mut taken = 0;
        for at in 0..wires.len() {
            // Where memcached tells of some of its keys only, there are more when these are gone.
            loop {
                let keys = self.gearmand_keys(&mut wires[at], &mut names)?;
                let before = taken;
                for some in keys.chunks(AT_ONCE) {
                    taken += self.take_over_some(wires, at, some, &mut names)?;
                }
                if taken == before {
                    break;
                }
            }
        }
        let place = &self.place;
        if taken > 0 {
            tracing::info!(target: "lineshaft::store", "{place}: {taken} jobs of gearmand's have been taken over");
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
        wires: &mut [Wire],
        mut last: u64,
        each: Each<'_>,
    ) -> Result<u64, StoreError> {
        let mut names = Names::new(&self.settings.functions);
        for wire in wires {
            let keys = self.gearmand_keys(wire, &mut names)?;
            for some in keys.chunks(AT_ONCE) {
                for (key, item) in found(wire, some)? {
                    if let Some(job) = self.job(last + 1, &key, &item, &mut names) {
                        last += 1;
                        each(&Change::Add(job))?;
                    }
                }
            }
        }
        Ok(last)
    }

    fn take_over_some(
        &mut self,
        wires: &mut [Wire],
        at: usize,
        keys: &[Vec<u8>],
        names: &mut Names,
    ) -> Result<usize, StoreError> {
        let mut batch = Batch::new();
        let mut number = self.counter;
        let mut taken = Vec::new();
        for (key, item) in found(&mut wires[at], keys)? {
            if let Some(job) = self.job(number + 1, &key, &item, names) {
                number += 1;
                batch.push(&Change::Add(job));
                taken.push(key);
            }
        }
        if !taken.is_empty() {
            batch.push(&Change::Counter { number });
            self.write(wires, &batch)?;
            wires[at].delete(&taken)?;
        }
        Ok(taken.len())
    }

    fn job<'a>(
        &self,
        number: u64,
        key: &'a [u8],
        item: &'a Item,
        names: &mut Names,
    ) -> Option<StoredJob<'a>> {
        let (function, unique) = names.split(self.tail(key))?;
        Some(StoredJob {
            unique,
            priority: Priority::ALL.get(item.flags as usize).copied().unwrap_or(Priority::Normal),
            ..StoredJob::new(number, function, &item.data)
        })
    }

    /// Function, dash and unique.
    fn tail<'a>(&self, key: &'a [u8]) -> &'a [u8] {
        &key[self.settings.prefix.len()..]
    }

    /// All keys that there are.
    ///
    /// A walk along the hash table tells of each. Versions before 1.6.10 know only the walk along the lists by age
    /// (`all`), between which memcached moves items while it walks: one may be on neither when its turn comes. So they
    /// are asked until a walk tells nothing new.
    fn keys_of(&self, wire: &mut Wire) -> Result<BTreeSet<Vec<u8>>, Fault> {
        match self.dump(wire, "hash") {
            Ok(Some(keys)) => return Ok(keys),
            Ok(None) => return cachedump(wire),
            Err(Fault::Refused(_)) => {}
            Err(error) => return Err(error),
        }
        let mut keys = BTreeSet::new();
        let mut walks = 0;
        loop {
            let before = keys.len();
            let Some(found) = self.dump(wire, "all")? else { return cachedump(wire) };
            keys.extend(found);
            walks += 1;
            if walks > 1 && keys.len() == before {
                return Ok(keys);
            }
            pause();
        }
    }

    /// What the crawler tells of; `None` where there is none.
    fn dump(&self, wire: &mut Wire, which: &str) -> Result<Option<BTreeSet<Vec<u8>>>, Fault> {
        let mut patience = self.settings.timeout;
        loop {
            match wire.list(&format!("lru_crawler metadump {which}")) {
                Ok(Some(lines)) => {
                    let keys = lines.iter().filter_map(|line| word_behind(line, b"key="));
                    return Ok(Some(keys.map(unescape).collect()));
                }
                Ok(None) => return Ok(None),
                // The crawler has another task, memcached's own for instance, and tells nobody when it is free.
                Err(Fault::Busy(_)) if patience > PAUSE => {
                    patience -= PAUSE;
                    pause();
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// In an order that is always the same; the functions that they name beyond doubt are known then.
    fn gearmand_keys(&self, wire: &mut Wire, names: &mut Names) -> Result<Vec<Vec<u8>>, Fault> {
        let prefix = self.settings.prefix.as_bytes();
        let theirs = |key: &Vec<u8>| {
            !key.starts_with(self.base.as_bytes())
                && key.strip_prefix(prefix).is_some_and(|rest| rest.contains(&b'-'))
        };
        let keys: Vec<Vec<u8>> = self.keys_of(wire)?.into_iter().filter(theirs).collect();
        keys.iter().for_each(|key| names.learn_from(self.tail(key)));
        Ok(keys)
    }
}

fn pause() {
    #[allow(clippy::disallowed_methods, reason = "a pause before the next try, not a clock")]
    std::thread::sleep(PAUSE);
}

/// Keys and items.
fn found(wire: &mut Wire, keys: &[Vec<u8>]) -> Result<Vec<(Vec<u8>, Item)>, Fault> {
    let mut items = Vec::new();
    wire.get_each(keys, &mut |key, item| items.push((key.to_vec(), item)))?;
    Ok(items)
}

/// The keys that a memcached without crawler tells of.
fn cachedump(wire: &mut Wire) -> Result<BTreeSet<Vec<u8>>, Fault> {
    let mut keys = BTreeSet::new();
    for line in wire.list("stats items")?.unwrap_or_default() {
        let text = String::from_utf8_lossy(&line);
        let Some((class, _)) = text.strip_prefix("STAT items:").and_then(|rest| rest.split_once(":number "))
        else {
            continue;
        };
        let items = wire.list(&format!("stats cachedump {class} 0"))?.unwrap_or_default();
        keys.extend(items.iter().filter_map(|line| Some(word_behind(line, b"ITEM ")?.to_vec())));
    }
    Ok(keys)
}

fn word_behind<'a>(line: &'a [u8], start: &[u8]) -> Option<&'a [u8]> {
    line.strip_prefix(start)?.split(|byte| *byte == b' ').next()
}
