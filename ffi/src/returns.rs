//! `gearman_return_t`: the numbers that this crate names itself, and the texts of all.

use std::ffi::{CStr, c_char};

use lineshaft::error::return_name;

use crate::abi::gearman_return_t;

pub(crate) const SUCCESS: gearman_return_t = 0;
pub(crate) const IO_WAIT: gearman_return_t = 1;
pub(crate) const SHUTDOWN: gearman_return_t = 2;
pub(crate) const SHUTDOWN_GRACEFUL: gearman_return_t = 3;
pub(crate) const ERRNO: gearman_return_t = 4;
pub(crate) const NO_ACTIVE_FDS: gearman_return_t = 7;
pub(crate) const UNEXPECTED_PACKET: gearman_return_t = 11;
pub(crate) const GETADDRINFO: gearman_return_t = 12;
pub(crate) const NO_SERVERS: gearman_return_t = 13;
pub(crate) const LOST_CONNECTION: gearman_return_t = 14;
pub(crate) const MEMORY_ALLOCATION_FAILURE: gearman_return_t = 15;
pub(crate) const JOB_EXISTS: gearman_return_t = 16;
pub(crate) const SERVER_ERROR: gearman_return_t = 18;
pub(crate) const ERROR: gearman_return_t = 19;
pub(crate) const WORK_EXCEPTION: gearman_return_t = 23;
pub(crate) const WORK_FAIL: gearman_return_t = 24;
pub(crate) const FATAL: gearman_return_t = 24;
pub(crate) const COULD_NOT_CONNECT: gearman_return_t = 26;
pub(crate) const INVALID_FUNCTION_NAME: gearman_return_t = 31;
pub(crate) const NO_REGISTERED_FUNCTION: gearman_return_t = 33;
pub(crate) const NO_REGISTERED_FUNCTIONS: gearman_return_t = 34;
pub(crate) const NO_JOBS: gearman_return_t = 35;
pub(crate) const ECHO_DATA_CORRUPTION: gearman_return_t = 36;
pub(crate) const PAUSE: gearman_return_t = 38;
pub(crate) const UNKNOWN_STATE: gearman_return_t = 39;
pub(crate) const UNKNOWN_OPTION: gearman_return_t = 46;
pub(crate) const TIMEOUT: gearman_return_t = 47;
pub(crate) const ARGUMENT_TOO_LARGE: gearman_return_t = 48;
pub(crate) const INVALID_ARGUMENT: gearman_return_t = 49;
pub(crate) const IN_PROGRESS: gearman_return_t = 50;
pub(crate) const MAX_RETURN: gearman_return_t = 53;

const PREFIX: &[u8] = b"GEARMAN_";
/// Room for the longest name with its prefix and NUL.
const ROOM: usize = 48;
const COUNT: usize = MAX_RETURN as usize + 1;

/// Every name as C wants it.
static NAMES: [[u8; ROOM]; COUNT] = names();

const fn names() -> [[u8; ROOM]; COUNT] {
    let mut names = [[0; ROOM]; COUNT];
    let mut code = 0;
    while code < COUNT {
        let name = return_name(code as u32).expect("the table has all numbers").as_bytes();
        let mut at = 0;
        while at < PREFIX.len() + name.len() {
            names[code][at] = if at < PREFIX.len() { PREFIX[at] } else { name[at - PREFIX.len()] };
            at += 1;
        }
        code += 1;
    }
    names
}

/// The name of a code with its prefix; codes above the table have the name of the last.
pub(crate) fn name(code: gearman_return_t) -> &'static CStr {
    let row = &NAMES[(code as usize).min(COUNT - 1)];
    CStr::from_bytes_until_nul(row).unwrap_or_default()
}

/// The number that the name in an ERROR packet stands for; [`SERVER_ERROR`] for a name that libgearman does not have.
pub(crate) fn from_name(name: &[u8]) -> gearman_return_t {
    (0..MAX_RETURN)
        .find(|&code| return_name(code).is_some_and(|known| known.as_bytes() == name))
        .unwrap_or(SERVER_ERROR)
}

/// The name of a return code, for example `GEARMAN_SUCCESS`. A static text; a number that is no return code gives
/// `GEARMAN_MAX_RETURN`.
#[unsafe(no_mangle)]
pub extern "C" fn gearman_strerror(rc: gearman_return_t) -> *const c_char {
    name(rc).as_ptr()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_codes() {
        assert_eq!(name(SUCCESS), c"GEARMAN_SUCCESS");
        assert_eq!(name(MEMORY_ALLOCATION_FAILURE), c"GEARMAN_MEMORY_ALLOCATION_FAILURE");
        assert_eq!(name(52), c"GEARMAN_JOB_NOT_FOUND");
        assert_eq!(name(54), c"GEARMAN_MAX_RETURN");
        assert_eq!(name(u32::MAX), c"GEARMAN_MAX_RETURN");
        assert_eq!(from_name(b"UNKNOWN_OPTION"), UNKNOWN_OPTION);
        assert_eq!(from_name(b"NOBODY_KNOWS"), SERVER_ERROR);
    }
}
