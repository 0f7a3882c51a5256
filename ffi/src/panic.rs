//! Panics end here: none crosses into C.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `body`; answers `otherwise` where it panics. Never call a callback of the program inside: what leaves by `longjmp` or
/// as an exception would cross frames that have something to drop.
pub(crate) fn fence<T>(otherwise: T, body: impl FnOnce() -> T) -> T {
    #[cfg(test)]
    let body = || {
        assert!(!PANIC.get(), "the test wants a panic");
        body()
    };
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(value) => value,
        Err(payload) => {
            // Dropping it could panic again.
            std::mem::forget(payload);
            otherwise
        }
    }
}

#[cfg(test)]
thread_local! {
    /// Makes every fence of this thread panic, so that tests can see that no export lets a panic through.
    pub(crate) static PANIC: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}
