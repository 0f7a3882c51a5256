//! The tasks of a client, in the order in which they were added.

use std::ptr::null_mut;

use super::Task;

/// A task of one client. Numbers are never used twice, so that what belonged to a freed task finds nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TaskId {
    index: u32,
    generation: u32,
}

impl TaskId {
    /// What a task has that is not in a list yet.
    pub(crate) const NONE: Self = Self { index: NONE, generation: 0 };

    #[cfg(test)]
    pub(crate) const fn test(index: u32) -> Self {
        Self { index, generation: 0 }
    }
}

const NONE: u32 = u32::MAX;

#[derive(Debug)]
struct Slot {
    generation: u32,
    /// Owned; a raw pointer because the program holds it as well. NULL where the slot is free.
    task: *mut Task,
    previous: u32,
    next: u32,
}

/// A table with a list in it: adding, removing and finding cost the same however many there are.
#[derive(Debug)]
pub(crate) struct Tasks {
    slots: Vec<Slot>,
    free: Vec<u32>,
    first: u32,
    last: u32,
}

impl Default for Tasks {
    fn default() -> Self {
        Self { slots: Vec::new(), free: Vec::new(), first: NONE, last: NONE }
    }
}

impl Tasks {
    /// Adds a task behind the others; a `hidden` one is in no list.
    pub(crate) fn add(&mut self, mut task: Box<Task>, hidden: bool) -> *mut Task {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot { generation: 0, task: null_mut(), previous: NONE, next: NONE });
            (self.slots.len() - 1) as u32
        });
        let previous = if hidden { NONE } else { self.last };
        if !hidden {
            match previous {
                NONE => self.first = index,
                before => self.slots[before as usize].next = index,
            }
            self.last = index;
        }
        let slot = &mut self.slots[index as usize];
        (slot.previous, slot.next) = (previous, NONE);
        task.id = TaskId { index, generation: slot.generation };
        slot.task = Box::into_raw(task);
        slot.task
    }

    fn slot(&self, id: TaskId) -> Option<&Slot> {
        self.slots.get(id.index as usize).filter(|slot| slot.generation == id.generation)
    }

    pub(crate) fn get(&self, id: TaskId) -> Option<&Task> {
        // SAFETY: what a slot points to lives until it is removed, and is borrowed with the table.
        unsafe { self.slot(id)?.task.as_ref() }
    }

    pub(crate) fn get_mut(&mut self, id: TaskId) -> Option<&mut Task> {
        // SAFETY: as in `get`.
        unsafe { self.slot(id)?.task.as_mut() }
    }

    pub(crate) fn remove(&mut self, id: TaskId) -> Option<Box<Task>> {
        let slot = self.slots.get_mut(id.index as usize).filter(|slot| slot.generation == id.generation)?;
        let task = std::mem::replace(&mut slot.task, null_mut());
        if task.is_null() {
            return None;
        }
        slot.generation = slot.generation.wrapping_add(1);
        let (previous, next) = (slot.previous, slot.next);
        match previous {
            NONE if self.first == id.index => self.first = next,
            NONE => {}
            before => self.slots[before as usize].next = next,
        }
        match next {
            NONE if self.last == id.index => self.last = previous,
            NONE => {}
            after => self.slots[after as usize].previous = previous,
        }
        self.free.push(id.index);
        // SAFETY: made from a box in `add`, and taken out of the table just now.
        Some(unsafe { Box::from_raw(task) })
    }

    fn at(&self, index: u32) -> Option<&Task> {
        // SAFETY: as in `get`.
        unsafe { self.slots.get(index as usize)?.task.as_ref() }
    }

    /// The oldest task that is in the list.
    pub(crate) fn first(&self) -> Option<&Task> {
        self.at(self.first)
    }

    /// The task that was added after `id`.
    pub(crate) fn after(&self, id: TaskId) -> Option<&Task> {
        self.get(id)?;
        self.at(self.slots[id.index as usize].next)
    }

    /// All tasks of the list, the oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Task> {
        std::iter::successors(self.first(), |task| self.after(task.id))
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        for slot in &self.slots {
            if !slot.task.is_null() {
                // SAFETY: made from a box in `add`, and never looked at again.
                drop(unsafe { Box::from_raw(slot.task) });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(tasks: &Tasks) -> Vec<u32> {
        tasks.iter().map(|task| task.id.index).collect()
    }

    #[test]
    fn tasks_stay_in_order_and_freed_ones_are_not_found() {
        let mut tasks = Tasks::default();
        let ids: Vec<TaskId> = (0..4)
            .map(|number| {
                let task = tasks.add(Box::default(), number == 2);
                // SAFETY: just added.
                unsafe { (*task).id }
            })
            .collect();
        assert_eq!(order(&tasks), [0, 1, 3]);
        assert_eq!(tasks.after(ids[1]).map(|task| task.id), Some(ids[3]));
        assert!(tasks.remove(ids[1]).is_some());
        assert!(tasks.remove(ids[1]).is_none() && tasks.get(ids[1]).is_none());
        assert_eq!(order(&tasks), [0, 3]);
        assert!(tasks.remove(ids[2]).is_some());
        assert_eq!(order(&tasks), [0, 3]);
        assert!(tasks.remove(ids[3]).is_some() && tasks.remove(ids[0]).is_some());
        assert!(tasks.first().is_none());
        let again = tasks.add(Box::default(), false);
        // SAFETY: just added.
        assert!(ids.iter().all(|&id| id != unsafe { (*again).id }));
    }
}
