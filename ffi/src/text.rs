//! Texts that never change.

use std::ffi::{CStr, c_char};

use crate::abi::gearman_verbose_t;

/// The version of libgearman whose interface this is, as text: `1.1.20`.
#[unsafe(no_mangle)]
pub extern "C" fn gearman_version() -> *const c_char {
    c"1.1.20".as_ptr()
}

/// Where to report faults of this library, as text.
#[unsafe(no_mangle)]
pub extern "C" fn gearman_bugreport() -> *const c_char {
    c"Lineshaft's libgearman: report faults to whom you have it from".as_ptr()
}

/// The name of a level of the log: `NEVER`, `FATAL`, `ERROR`, `INFO`, `DEBUG`, `CRAZY`; `UNKNOWN` for any other number.
#[unsafe(no_mangle)]
pub extern "C" fn gearman_verbose_name(verbose: gearman_verbose_t) -> *const c_char {
    const NAMES: [&CStr; 6] = [c"NEVER", c"FATAL", c"ERROR", c"INFO", c"DEBUG", c"CRAZY"];
    NAMES.get(verbose as usize).copied().unwrap_or(c"UNKNOWN").as_ptr()
}
