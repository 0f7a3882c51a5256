//! A table that grows without moving what it holds and gives memory back.

use std::ops::{Index, IndexMut};

/// No entry: the end of a list.
pub(crate) const NONE: u32 = u32::MAX;

/// Entries in a chunk. A chunk is one allocation; growing never copies an entry.
const CHUNK: usize = 512;

/// Values by small numbers, which are used again after removal. Insertion, look-up and removal take constant time.
#[derive(Debug)]
pub(crate) struct Slab<T> {
    chunks: Vec<Chunk<T>>,
    /// Chunks that have room, the one to be used next last.
    roomy: Vec<u32>,
    /// How many chunks hold memory and no value. One is kept, so that a queue that fills and empties again and again does
    /// not go to the allocator each time.
    spare: u32,
    len: usize,
}

#[derive(Debug)]
struct Chunk<T> {
    entries: Vec<Entry<T>>,
    /// The first entry of the list of free ones.
    free: u32,
    used: u32,
}

#[derive(Debug)]
enum Entry<T> {
    Used(T),
    Free { next: u32 },
}

impl<T> Slab<T> {
    pub(crate) const fn new() -> Self {
        Self { chunks: Vec::new(), roomy: Vec::new(), spare: 0, len: 0 }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn insert(&mut self, value: T) -> u32 {
        let number = match self.roomy.last() {
            Some(number) => *number,
            None => {
                let number = self.chunks.len() as u32;
                self.chunks.push(Chunk { entries: Vec::new(), free: NONE, used: 0 });
                self.roomy.push(number);
                number
            }
        };
        let chunk = &mut self.chunks[number as usize];
        if chunk.used == 0 && chunk.entries.capacity() > 0 {
            self.spare -= 1;
        }
        chunk.used += 1;
        let offset = if chunk.free != NONE {
            let offset = chunk.free;
            let entry = &mut chunk.entries[offset as usize];
            if let Entry::Free { next } = *entry {
                chunk.free = next;
            }
            *entry = Entry::Used(value);
            offset
        } else {
            if chunk.entries.capacity() == 0 {
                chunk.entries.reserve_exact(CHUNK);
            }
            chunk.entries.push(Entry::Used(value));
            chunk.entries.len() as u32 - 1
        };
        if chunk.used as usize == CHUNK {
            self.roomy.pop();
        }
        self.len += 1;
        number * CHUNK as u32 + offset
    }

    /// Takes out the value at `id`; `None` where there is none.
    pub(crate) fn remove(&mut self, id: u32) -> Option<T> {
        let (number, offset) = (id / CHUNK as u32, id % CHUNK as u32);
        let chunk = self.chunks.get_mut(number as usize)?;
        let entry = chunk.entries.get_mut(offset as usize)?;
        if matches!(entry, Entry::Free { .. }) {
            return None;
        }
        let Entry::Used(value) = std::mem::replace(entry, Entry::Free { next: chunk.free }) else {
            return None;
        };
        chunk.free = offset;
        if chunk.used as usize == CHUNK {
            self.roomy.push(number);
        }
        chunk.used -= 1;
        self.len -= 1;
        if chunk.used == 0 {
            if self.spare > 0 {
                *chunk = Chunk { entries: Vec::new(), free: NONE, used: 0 };
            } else {
                self.spare += 1;
            }
        }
        Some(value)
    }

    pub(crate) fn get(&self, id: u32) -> Option<&T> {
        match self.chunks.get(id as usize / CHUNK)?.entries.get(id as usize % CHUNK)? {
            Entry::Used(value) => Some(value),
            Entry::Free { .. } => None,
        }
    }

    pub(crate) fn get_mut(&mut self, id: u32) -> Option<&mut T> {
        match self.chunks.get_mut(id as usize / CHUNK)?.entries.get_mut(id as usize % CHUNK)? {
            Entry::Used(value) => Some(value),
            Entry::Free { .. } => None,
        }
    }

    /// All values, by number.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        self.iter_from(0)
    }

    /// The values from number `from` on, by number.
    pub(crate) fn iter_from(&self, from: u32) -> impl Iterator<Item = (u32, &T)> {
        self.places_from(from).filter_map(|(id, value)| Some((id, value?)))
    }

    /// The places from number `from` on, those without a value included: for whoever looks at so many and goes on later.
    pub(crate) fn places_from(&self, from: u32) -> impl Iterator<Item = (u32, Option<&T>)> {
        let (first, skip) = (from as usize / CHUNK, from as usize % CHUNK);
        self.chunks.iter().enumerate().skip(first).flat_map(move |(number, chunk)| {
            let skip = if number == first { skip } else { 0 };
            chunk.entries.iter().enumerate().skip(skip).map(move |(offset, entry)| {
                let value = match entry {
                    Entry::Used(value) => Some(value),
                    Entry::Free { .. } => None,
                };
                ((number * CHUNK + offset) as u32, value)
            })
        })
    }
}

impl<T> Index<u32> for Slab<T> {
    type Output = T;

    /// # Panics
    /// Where there is no value at `id`: the number was kept longer than the value, which is a defect of this room.
    fn index(&self, id: u32) -> &T {
        self.get(id).expect("a number outlived its value")
    }
}

impl<T> IndexMut<u32> for Slab<T> {
    fn index_mut(&mut self, id: u32) -> &mut T {
        self.get_mut(id).expect("a number outlived its value")
    }
}

/// The neighbours of an entry in one of the lists that run through a slab.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Links {
    pub(crate) prev: u32,
    pub(crate) next: u32,
}

impl Links {
    pub(crate) const LOOSE: Self = Self { prev: NONE, next: NONE };
}

/// An entry that can stand in a list of kind `L`.
pub(crate) trait Linked<L> {
    fn links(&self) -> &Links;
    fn links_mut(&mut self) -> &mut Links;
}

/// A list that runs through the entries of a slab: constant time at both ends and for removal from the middle. `L` tells the
/// kinds of list apart that one type of entry can stand in.
#[derive(Debug)]
pub(crate) struct List<L> {
    head: u32,
    tail: u32,
    kind: std::marker::PhantomData<fn() -> L>,
}

impl<L> List<L> {
    pub(crate) const fn new() -> Self {
        Self { head: NONE, tail: NONE, kind: std::marker::PhantomData }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.head == NONE
    }

    /// The oldest entry, or [`NONE`].
    pub(crate) const fn head(&self) -> u32 {
        self.head
    }

    /// The newest entry, or [`NONE`].
    pub(crate) const fn tail(&self) -> u32 {
        self.tail
    }

    pub(crate) fn push_back<T: Linked<L>>(&mut self, slab: &mut Slab<T>, id: u32) {
        *slab[id].links_mut() = Links { prev: self.tail, next: NONE };
        match self.tail {
            NONE => self.head = id,
            tail => slab[tail].links_mut().next = id,
        }
        self.tail = id;
    }

    pub(crate) fn push_front<T: Linked<L>>(&mut self, slab: &mut Slab<T>, id: u32) {
        *slab[id].links_mut() = Links { prev: NONE, next: self.head };
        match self.head {
            NONE => self.tail = id,
            head => slab[head].links_mut().prev = id,
        }
        self.head = id;
    }

    /// Takes `id` out; it stands in this list.
    pub(crate) fn remove<T: Linked<L>>(&mut self, slab: &mut Slab<T>, id: u32) {
        let Links { prev, next } = std::mem::replace(slab[id].links_mut(), Links::LOOSE);
        match prev {
            NONE => self.head = next,
            prev => slab[prev].links_mut().next = next,
        }
        match next {
            NONE => self.tail = prev,
            next => slab[next].links_mut().prev = prev,
        }
    }

    pub(crate) fn pop_front<T: Linked<L>>(&mut self, slab: &mut Slab<T>) -> Option<u32> {
        let id = self.head;
        if id == NONE {
            return None;
        }
        self.remove(slab, id);
        Some(id)
    }

    /// The entries from the oldest on.
    pub(crate) fn iter<'a, T: Linked<L>>(
        &self,
        slab: &'a Slab<T>,
    ) -> impl Iterator<Item = u32> + use<'a, T, L> {
        let mut at = self.head;
        std::iter::from_fn(move || {
            let id = at;
            (id != NONE).then(|| at = slab[id].links().next)?;
            Some(id)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_used_again_and_memory_comes_back() {
        let mut slab = Slab::new();
        let ids: Vec<u32> = (0..CHUNK as u32 * 3).map(|i| slab.insert(i)).collect();
        assert_eq!(slab.len(), CHUNK * 3);
        assert!(ids.iter().enumerate().all(|(i, id)| slab[*id] == i as u32));
        for id in &ids {
            assert!(slab.remove(*id).is_some());
            assert!(slab.remove(*id).is_none());
        }
        assert_eq!(slab.len(), 0);
        let held = slab.chunks.iter().filter(|chunk| chunk.entries.capacity() > 0).count();
        assert_eq!(held, 1, "one chunk is kept for the next job");
        assert!((slab.insert(7) as usize) < CHUNK * 3);
    }

    #[test]
    fn whoever_goes_on_later_misses_nothing() {
        let mut slab = Slab::new();
        let ids: Vec<u32> = (0..CHUNK as u32 * 2 + 5).map(|i| slab.insert(i)).collect();
        slab.remove(ids[CHUNK]);
        let (mut seen, mut from) = (Vec::new(), 0);
        while let Some((last, _)) = slab.places_from(from).take(7).last() {
            seen.extend(slab.iter_from(from).take_while(|(id, _)| *id <= last).map(|(_, value)| *value));
            from = last + 1;
        }
        let expected = ids.iter().copied().filter(|id| *id != ids[CHUNK]);
        assert_eq!(seen, expected.collect::<Vec<_>>());
    }

    struct Node(Links);
    impl Linked<()> for Node {
        fn links(&self) -> &Links {
            &self.0
        }
        fn links_mut(&mut self) -> &mut Links {
            &mut self.0
        }
    }

    #[test]
    fn a_list_keeps_its_order_when_the_middle_goes() {
        let mut slab = Slab::new();
        let ids: Vec<u32> = (0..5).map(|_| slab.insert(Node(Links::LOOSE))).collect();
        let mut list = List::<()>::new();
        for id in &ids[1..] {
            list.push_back(&mut slab, *id);
        }
        list.push_front(&mut slab, ids[0]);
        list.remove(&mut slab, ids[2]);
        list.remove(&mut slab, ids[4]);
        assert_eq!(list.iter(&slab).collect::<Vec<_>>(), [ids[0], ids[1], ids[3]]);
        assert_eq!(list.pop_front(&mut slab), Some(ids[0]));
        list.remove(&mut slab, ids[1]);
        list.remove(&mut slab, ids[3]);
        assert!(list.is_empty());
    }
}
