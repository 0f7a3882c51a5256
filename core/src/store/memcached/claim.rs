//! One server at a time: the last.
//!
//! Pages of the index belong to a generation, and one item says which one counts. Whoever opens the queue puts a generation of its
//! own there, copies the pages of the last one, and deletes those. A server looks at that item after each batch: what it has
//! written to pages of a generation that no longer counts is never acknowledged, and what it has acknowledged was there to be copied.
//!
//! A server begins a generation whenever it connects anew as well: what its last connection had on the way reaches pages that no
//! longer count. Until a generation has its meta item, written last, the one before it counts.

use std::hash::{BuildHasher, RandomState};

use super::index::Index;
use super::wire::{Fault, Wire};
use super::{Memcached, PORTION};
use crate::store::{StoreError, StoreErrorKind};

/// The layout that this version writes.
const VERSION: u32 = 1;

pub(super) struct Claim {
    /// Our name, which nobody else has; all our generations begin with it.
    name: String,
    /// How many of them there were.
    count: u64,
    generation: String,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Owner,
    /// Somebody else has the queue.
    Over,
}

impl Claim {
    pub(super) fn new() -> Self {
        let name = format!("{:016x}", RandomState::new().hash_one(0));
        Self { name, count: 0, generation: String::new(), state: State::New }
    }

    fn is_ours(&self, generation: &str) -> bool {
        generation.split('.').next() == Some(&self.name)
    }
}

/// What the item of the generation says.
struct Standing {
    current: String,
    before: String,
    cas: u64,
}

/// What the meta item of a generation says.
struct Meta {
    generation: String,
    counter: u64,
    pages: u32,
    servers: usize,
}

impl Memcached {
    pub(super) fn page_key(&self, page: u32) -> String {
        self.key_in(&self.claim.generation, &page.to_string())
    }

    pub(super) fn meta_key(&self) -> String {
        self.key_in(&self.claim.generation, "meta")
    }

    fn key_in(&self, generation: &str, name: &str) -> String {
        format!("{}{generation}:{name}", self.base)
    }

    pub(super) fn check_owner(&self) -> Result<(), StoreError> {
        match self.claim.state {
            State::Over => Err(self.over()),
            _ => Ok(()),
        }
    }

    /// That the generation is still ours, so that what has been written counts.
    pub(super) fn confirm(&mut self, home: &mut Wire) -> Result<(), Fault> {
        match self.standing(home)? {
            Some(standing) if standing.current == self.claim.generation => Ok(()),
            Some(standing) if self.claim.is_ours(&standing.current) => Err(Fault::Lost(self.gone())),
            Some(_) => {
                self.claim.state = State::Over;
                Err(Fault::Lost(self.over()))
            }
            None => Err(Fault::Lost(self.gone())),
        }
    }

    /// Begins a generation with what was in the last one, or with what is in memory where that is known to be the same.
    pub(super) fn claim(&mut self, home: &mut Wire) -> Result<(), StoreError> {
        let standing = self.standing(home)?;
        if let Some(Standing { current, .. }) = &standing
            && self.claim.state == State::Owner
            && !self.claim.is_ours(current)
        {
            self.claim.state = State::Over;
            return Err(self.over());
        }
        let last = self.last(home, standing.as_ref())?;
        self.claim.count += 1;
        let generation = format!("{}.{}", self.claim.name, self.claim.count);
        let before = last.as_ref().map_or("-", |meta| &meta.generation);
        let item = format!("{VERSION} {generation} {before}");
        if !home.replace(&self.generation_key(), item.as_bytes(), standing.map(|standing| standing.cas))? {
            let text = format!("{}: another server opens the queue at the same moment", self.place);
            return Err(StoreError::new(StoreErrorKind::Locked, text));
        }
        if let (State::New, Some(meta)) = (self.claim.state, &last) {
            self.load(home, meta)?;
        }
        self.claim.generation = generation;
        self.index.soil();
        self.flush(home)?;
        self.confirm(home)?;
        self.claim.state = State::Owner;
        if let Some(meta) = last {
            let pages = (0..meta.pages).map(|page| self.key_in(&meta.generation, &page.to_string()));
            let keys: Vec<String> = pages.chain([self.key_in(&meta.generation, "meta")]).collect();
            home.delete(&keys)?;
        }
        Ok(())
    }

    /// Loads the generation that counts, without a claim to it.
    pub(super) fn look(&mut self, home: &mut Wire) -> Result<(), StoreError> {
        let standing = self.standing(home)?;
        match self.last(home, standing.as_ref())? {
            Some(meta) => self.load(home, &meta),
            None => Ok(()),
        }
    }

    /// The last generation that is complete.
    fn last(&self, home: &mut Wire, standing: Option<&Standing>) -> Result<Option<Meta>, StoreError> {
        let mut last = None;
        if let Some(Standing { current, before, .. }) = standing {
            last = match self.meta(home, current)? {
                Some(meta) => Some(meta),
                None => self.meta(home, before)?,
            };
        }
        if last.is_none() && (standing.is_some() || self.claim.state == State::Owner) {
            self.report_loss();
        }
        if let Some(meta) = &last
            && meta.servers != self.settings.servers.len()
        {
            let text = format!(
                "{}: the queue with prefix {} is spread over {} servers, not {}: name the same ones in the same order",
                self.place,
                self.settings.prefix,
                meta.servers,
                self.settings.servers.len()
            );
            return Err(StoreError::new(StoreErrorKind::Settings, text));
        }
        Ok(last)
    }

    fn report_loss(&self) {
        let place = &self.place;
        match self.claim.state {
            State::New => tracing::error!(
                target: "lineshaft::store",
                "{place} has thrown away the index of the queue: its jobs are lost; give it more memory, or start it with -M"
            ),
            _ => tracing::error!(
                target: "lineshaft::store",
                "{place} has lost the queue: {} acknowledged jobs are now only in this server's memory, and end with it",
                self.index.len()
            ),
        }
    }

    fn generation_key(&self) -> String {
        format!("{}generation", self.base)
    }

    fn standing(&self, home: &mut Wire) -> Result<Option<Standing>, Fault> {
        let Some(item) = home.get(&self.generation_key())? else { return Ok(None) };
        let text = String::from_utf8_lossy(&item.data);
        let words: Vec<&str> = text.split(' ').collect();
        let fault =
            |kind, text: String| Fault::Refused(StoreError::new(kind, format!("{}: {text}", self.place)));
        match (words.first().and_then(|version| version.parse::<u32>().ok()), &words[..]) {
            (Some(VERSION), [_, current, before]) => {
                Ok(Some(Standing { current: (*current).into(), before: (*before).into(), cas: item.cas }))
            }
            (Some(newer @ VERSION..), _) => Err(fault(
                StoreErrorKind::Newer,
                format!(
                    "the queue with prefix {} has layout {newer}, and this version knows {VERSION}: use a newer one",
                    self.settings.prefix
                ),
            )),
            _ => Err(fault(
                StoreErrorKind::Damaged,
                format!("the item {} is none of a queue: use another prefix", self.generation_key()),
            )),
        }
    }

    /// `None` where this generation was never complete, or is gone.
    fn meta(&self, home: &mut Wire, generation: &str) -> Result<Option<Meta>, Fault> {
        let Some(item) = home.get(&self.key_in(generation, "meta"))? else { return Ok(None) };
        let text = String::from_utf8_lossy(&item.data);
        let mut words = text.split(' ').map(str::parse::<u64>);
        let (Some(Ok(counter)), Some(Ok(pages)), Some(Ok(servers))) =
            (words.next(), words.next(), words.next())
        else {
            let text = format!("{}: the item {} cannot be read", self.place, self.key_in(generation, "meta"));
            return Err(Fault::Refused(StoreError::new(StoreErrorKind::Damaged, text)));
        };
        Ok(Some(Meta {
            generation: generation.into(),
            counter,
            pages: pages as u32,
            servers: servers as usize,
        }))
    }

    fn load(&mut self, home: &mut Wire, meta: &Meta) -> Result<(), StoreError> {
        let (mut pages, mut entries, mut unreadable) = (0, Vec::new(), false);
        let keys: Vec<String> =
            (0..meta.pages).map(|page| self.key_in(&meta.generation, &page.to_string())).collect();
        for some in keys.chunks(PORTION) {
            home.get_each(some, &mut |_, item| {
                pages += 1;
                match Index::decode(&item.data) {
                    Ok(page) => entries.extend(page),
                    Err(_) => unreadable = true,
                }
            })?;
        }
        if unreadable {
            let text = format!(
                "{}: the index of the queue with prefix {} cannot be read",
                self.place, self.settings.prefix
            );
            return Err(StoreError::new(StoreErrorKind::Damaged, text));
        }
        if pages < meta.pages {
            let gone = (meta.pages - pages) as usize;
            self.lost += gone * Index::page_holds();
            tracing::error!(
                target: "lineshaft::store",
                "{} has thrown away {gone} pages of the queue's index: up to {} acknowledged jobs are lost; give it more memory, \
                 or start it with -M",
                self.place,
                gone * Index::page_holds()
            );
        }
        entries.sort_unstable_by_key(|entry| entry.number);
        self.counter = meta.counter.max(entries.last().map_or(0, |entry| entry.number));
        entries.into_iter().for_each(|entry| self.index.add(entry));
        Ok(())
    }

    fn gone(&self) -> StoreError {
        let text = format!("{} has thrown away the queue's generation", self.place);
        StoreError::new(StoreErrorKind::Unavailable, text)
    }

    fn over(&self) -> StoreError {
        let text = format!(
            "{}: another server has taken over the queue with prefix {}: nothing more is written; stop this server, or use \
             another prefix",
            self.place, self.settings.prefix
        );
        StoreError::new(StoreErrorKind::Locked, text)
    }
}
