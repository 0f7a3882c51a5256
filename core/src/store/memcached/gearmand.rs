//! Jobs that gearmand has left: key `PREFIX FUNCTION-UNIQUE` without the blank, the workload as value, the priority as flags.
//!
//! They are written as ours, and deleted when that is done: cut off in between, some are there twice and run twice.

use super::Memcached;
use super::wire::{Fault, Item, Wire};
use crate::store::address::unescape;
use crate::store::names::Names;
use crate::store::{Batch, Change, StoreError, StoredJob};
use crate::types::{Data, Priority};

/// Jobs that are taken over at once.
const AT_ONCE: usize = 16;

impl Memcached {
    pub(super) fn take_over(&mut self, wires: &mut [Wire]) -> Result<(), StoreError> {
        let mut names = Names::new(&self.settings.functions);
        let mut taken = 0;
        for at in 0..wires.len() {
            // Where memcached tells of some of its keys only, there are more when these are gone.
            loop {
                let mut keys = self.gearmand_keys(&mut wires[at])?;
                keys.sort_unstable();
                keys.iter().for_each(|key| names.learn_from(&key[self.settings.prefix.len()..]));
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
            tracing::info!(target: "lineshaft", "{place}: {taken} jobs of gearmand's have been taken over");
        }
        if names.guesses() > 0 {
            tracing::warn!(
                target: "lineshaft",
                "{place}: {} of these jobs have keys with several dashes; what is before the first was taken for the \
                 function, as gearmand does",
                names.guesses()
            );
        }
        Ok(())
    }

    fn take_over_some(
        &mut self,
        wires: &mut [Wire],
        at: usize,
        keys: &[Vec<u8>],
        names: &mut Names,
    ) -> Result<usize, StoreError> {
        let mut items: Vec<(Vec<u8>, Item)> = Vec::new();
        wires[at].get_each(keys, &mut |key, item| items.push((key.to_vec(), item)))?;
        let mut batch = Batch::new();
        let mut number = self.counter;
        let mut taken = Vec::new();
        for (key, item) in &items {
            let split = names.split(&key[self.settings.prefix.len()..]);
            let Some((function, unique)) = split else { continue };
            number += 1;
            batch.push(&Change::Add(StoredJob {
                number,
                function,
                unique,
                reducer: None,
                priority: Priority::ALL.get(item.flags as usize).copied().unwrap_or(Priority::Normal),
                due: 0,
                returns: 0,
                schedule: 0,
                cron: None,
                workload: Data::Borrowed(&item.data),
            }));
            taken.push(key);
        }
        if !taken.is_empty() {
            batch.push(&Change::Counter { number });
            self.write(wires, &batch)?;
            wires[at].delete(&taken)?;
        }
        Ok(taken.len())
    }

    fn gearmand_keys(&self, wire: &mut Wire) -> Result<Vec<Vec<u8>>, Fault> {
        let keys = match wire.list("lru_crawler metadump all")? {
            Some(lines) => {
                lines.iter().filter_map(|line| Some(unescape(word_behind(line, b"key=")?))).collect()
            }
            None => cachedump(wire)?,
        };
        let prefix = self.settings.prefix.as_bytes();
        let theirs = |key: &Vec<u8>| {
            !key.starts_with(self.base.as_bytes())
                && key.strip_prefix(prefix).is_some_and(|rest| rest.contains(&b'-'))
        };
        Ok(keys.into_iter().filter(theirs).collect())
    }
}

/// The keys that a memcached without crawler tells of.
fn cachedump(wire: &mut Wire) -> Result<Vec<Vec<u8>>, Fault> {
    let mut keys = Vec::new();
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
