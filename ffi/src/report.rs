//! The last error of a client or worker, and its log.

use std::collections::VecDeque;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::{null, null_mut};

use lineshaft::{Error, ErrorKind};

use crate::abi::{LogFn, gearman_log_callback, gearman_return_t, gearman_verbose_t};
use crate::panic::fence;
use crate::pointer::c_text;
use crate::returns::{self, ERRNO, SUCCESS, UNKNOWN_STATE};

/// Level of the log: an error.
const VERBOSE_ERROR: gearman_verbose_t = 2;
/// Lines that can wait for the log function at the most; more than one call records.
const MAX_LINES: usize = 16;

/// What went wrong last. The log function is not called from here: [`tell`] does when no Rust code is under way.
#[derive(Debug)]
pub(crate) struct Report {
    code: gearman_return_t,
    text: Option<Box<CStr>>,
    errno: c_int,
    log: Option<LogFn>,
    log_context: *mut c_void,
    log_level: gearman_verbose_t,
    lines: VecDeque<Box<CStr>>,
    /// The line that the log function reads.
    told: Option<Box<CStr>>,
}

/// One line for the log function.
#[derive(Clone, Copy)]
struct Line {
    function: LogFn,
    text: *const c_char,
    context: *mut c_void,
}

impl Default for Report {
    fn default() -> Self {
        Self {
            code: SUCCESS,
            text: None,
            errno: 0,
            log: None,
            log_context: null_mut(),
            log_level: 0,
            lines: VecDeque::new(),
            told: None,
        }
    }
}

impl Report {
    /// A new call begins.
    pub(crate) fn reset(&mut self) {
        (self.code, self.text, self.errno) = (UNKNOWN_STATE, None, 0);
    }

    /// Keeps a code without a text: a state, or the failure of a job.
    pub(crate) fn note(&mut self, code: gearman_return_t) -> gearman_return_t {
        (self.code, self.text, self.errno) = (code, None, 0);
        code
    }

    /// Keeps an error: where, what, and in words why.
    pub(crate) fn record(&mut self, place: &str, code: gearman_return_t, why: &str) -> gearman_return_t {
        let name = returns::name(code).to_str().unwrap_or_default();
        let text = c_text(format!("{place}({name}) {why} -> pid({})", std::process::id()).as_bytes());
        if self.log.is_some() && self.log_level >= VERBOSE_ERROR {
            if self.lines.len() == MAX_LINES {
                self.lines.pop_front();
            }
            self.lines.push_back(text.clone());
        }
        (self.code, self.text, self.errno) = (code, Some(text), 0);
        code
    }

    /// Keeps an error of the system.
    pub(crate) fn system(&mut self, place: &str, error: &std::io::Error) -> gearman_return_t {
        let code = self.record(place, ERRNO, &error.to_string());
        self.errno = error.raw_os_error().unwrap_or(0);
        code
    }

    /// Keeps an error of the library below.
    pub(crate) fn error(&mut self, error: &Error) -> gearman_return_t {
        // Its ErrorKind::Io is a system call, ours has a name of its own.
        let code = if error.kind() == ErrorKind::Io { ERRNO } else { error.kind().code() };
        self.error_as(code, error)
    }

    /// As [`Report::error`], under the code that fits the call.
    pub(crate) fn error_as(&mut self, code: gearman_return_t, error: &Error) -> gearman_return_t {
        let why = if error.detail().is_empty() { error.kind().describe() } else { error.detail() };
        self.record(error.operation(), code, why);
        self.errno = error.os_error().unwrap_or(0);
        code
    }

    pub(crate) const fn code(&self) -> gearman_return_t {
        self.code
    }

    pub(crate) const fn errno(&self) -> c_int {
        self.errno
    }

    /// The text of the last error; its code's name where it has none; NULL where nothing was ever recorded.
    pub(crate) fn text(&self) -> *const c_char {
        match &self.text {
            Some(text) => text.as_ptr(),
            None if self.code == SUCCESS => null(),
            None => returns::name(self.code).as_ptr(),
        }
    }

    pub(crate) fn set_log(&mut self, function: gearman_log_callback, context: *mut c_void, level: u32) {
        (self.log, self.log_context, self.log_level) = (function, context, level);
    }

    /// Takes over where `other` sends its lines.
    pub(crate) fn log_as(&mut self, other: &Self) {
        self.set_log(other.log, other.log_context, other.log_level);
    }

    fn next_line(&mut self) -> Option<Line> {
        self.told = self.lines.pop_front();
        let text = self.told.as_ref()?.as_ptr();
        Some(Line { function: self.log?, text, context: self.log_context })
    }
}

/// Hands the lines that wait to the log function.
///
/// # Safety
/// `report` is valid, and no reference into its object is alive: the log function may use the object.
pub(crate) unsafe fn tell(report: *mut Report) {
    // SAFETY: the caller's promise; the reference ends before the function is called.
    while let Some(line) = fence(None, || unsafe { &mut *report }.next_line()) {
        // SAFETY: the program's own function; the line stays until the next one is taken.
        unsafe { (line.function)(line.text, VERBOSE_ERROR, line.context) };
    }
}
