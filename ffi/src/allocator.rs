//! Memory that changes hands: what a program frees comes from `malloc`, or from the allocator that it has set.

use std::ffi::c_void;
use std::ptr::null_mut;

use crate::abi::{CallocFn, FreeFn, MallocFn, ReallocFn};
use crate::abi::{
    gearman_calloc_callback, gearman_free_callback, gearman_malloc_callback, gearman_realloc_callback,
};

/// The program's functions, and what they get as context. The default is libc's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allocator {
    malloc: Option<MallocFn>,
    free: Option<FreeFn>,
    context: *mut c_void,
}

impl Default for Allocator {
    fn default() -> Self {
        Self { malloc: None, free: None, context: null_mut() }
    }
}

impl Allocator {
    /// The context is shared: the later of both setters counts.
    pub(crate) fn set_malloc(&mut self, function: gearman_malloc_callback, context: *mut c_void) {
        (self.malloc, self.context) = (function, context);
    }

    /// As [`Allocator::set_malloc`].
    pub(crate) fn set_free(&mut self, function: gearman_free_callback, context: *mut c_void) {
        (self.free, self.context) = (function, context);
    }

    /// All four, or none for libc's; false where only some are given.
    pub(crate) fn set_all(
        &mut self,
        malloc: gearman_malloc_callback,
        free: gearman_free_callback,
        realloc: gearman_realloc_callback,
        calloc: gearman_calloc_callback,
        context: *mut c_void,
    ) -> bool {
        let (realloc, calloc): (Option<ReallocFn>, Option<CallocFn>) = (realloc, calloc);
        match (malloc.is_some(), free.is_some(), realloc.is_some(), calloc.is_some()) {
            (true, true, true, true) | (false, false, false, false) => {
                *self = Self { malloc, free, context };
                true
            }
            _ => false,
        }
    }

    /// True where the program wants to hold payloads in memory of its own.
    pub(crate) const fn is_custom(self) -> bool {
        self.malloc.is_some()
    }

    /// Memory for `size` bytes; NULL where there is none. The program's function may leave by `longjmp`: hold nothing.
    ///
    /// # Safety
    /// Not inside a fence.
    pub(crate) unsafe fn allocate(self, size: usize) -> *mut c_void {
        match self.malloc {
            // SAFETY: the program has promised that its function allocates.
            Some(malloc) => unsafe { malloc(size, self.context) },
            // SAFETY: malloc takes any size.
            None => unsafe { libc::malloc(size) },
        }
    }

    /// Frees what the matching function has allocated.
    ///
    /// # Safety
    /// Not inside a fence; `memory` is NULL or comes from the program's `malloc`, or libc's where it has none.
    pub(crate) unsafe fn release(self, memory: *mut c_void) {
        if memory.is_null() {
            return;
        }
        match self.free {
            // SAFETY: the caller's promise.
            Some(free) => unsafe { free(memory, self.context) },
            // SAFETY: the caller's promise.
            None => unsafe { libc::free(memory) },
        }
    }
}
