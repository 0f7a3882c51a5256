//! The result of a task of `gearman_execute`: nothing, a number or a text.

use std::ffi::{CStr, c_char, c_void};
use std::ptr::null;

use crate::abi::{gearman_return_t, gearman_string_t};
use crate::panic::fence;
use crate::pointer::{bytes, object};
use crate::returns::{INVALID_ARGUMENT, SUCCESS};

/// A result. The bytes of a text have a NUL behind them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum gearman_result_st {
    /// No result yet.
    #[default]
    Null,
    /// A number.
    Integer(i64),
    /// A text, with a NUL behind it.
    Text(Vec<u8>),
}

impl gearman_result_st {
    pub(crate) fn store(&mut self, text: &[u8]) {
        let mut kept = Vec::with_capacity(text.len() + 1);
        kept.extend_from_slice(text);
        kept.push(0);
        *self = Self::Text(kept);
    }

    /// Puts `more` behind what is there.
    pub(crate) fn append(&mut self, more: &[u8]) {
        match self {
            Self::Text(kept) => {
                kept.pop();
                kept.extend_from_slice(more);
                kept.push(0);
            }
            Self::Null | Self::Integer(_) => self.store(more),
        }
    }

    /// The text without its NUL; `None` where the result is none.
    pub(crate) fn text(&self) -> Option<&[u8]> {
        match self {
            Self::Text(kept) => kept.split_last().map(|(_, text)| text),
            Self::Null | Self::Integer(_) => None,
        }
    }

    fn integer(&self) -> i64 {
        match self {
            Self::Null => 0,
            Self::Integer(number) => *number,
            Self::Text(kept) => {
                let text = CStr::from_bytes_until_nul(kept).unwrap_or_default();
                // SAFETY: the text ends with a NUL.
                unsafe { libc::atoll(text.as_ptr()) }
            }
        }
    }
}

/// True for a number other than 0 and for a text that is not empty.
///
/// # Safety
/// `self_` is NULL or a result of this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_result_boolean(self_: *const gearman_result_st) -> bool {
    // SAFETY: the caller's promise.
    match unsafe { object(self_.cast_mut()) } {
        None | Some(gearman_result_st::Null) => false,
        Some(gearman_result_st::Integer(number)) => *number != 0,
        Some(result) => result.text().is_some_and(|text| !text.is_empty()),
    }
}

/// The number; of a text, what atoll() reads in it; 0 where there is none.
///
/// # Safety
/// As for gearman_result_boolean().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_result_integer(self_: *const gearman_result_st) -> i64 {
    // SAFETY: the caller's promise.
    fence(0, || unsafe { object(self_.cast_mut()) }.map_or(0, |result| result.integer()))
}

/// True where there is no result, or NULL.
///
/// # Safety
/// As for gearman_result_boolean().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_result_is_null(self_: *const gearman_result_st) -> bool {
    // SAFETY: the caller's promise.
    match unsafe { object(self_.cast_mut()) } {
        None | Some(gearman_result_st::Null) => true,
        Some(gearman_result_st::Integer(_)) => false,
        Some(result) => result.text().is_none_or(<[u8]>::is_empty),
    }
}

/// The size of a text in bytes, without its NUL; 0 for anything else.
///
/// # Safety
/// As for gearman_result_boolean().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_result_size(self_: *const gearman_result_st) -> usize {
    // SAFETY: the caller's promise.
    unsafe { object(self_.cast_mut()) }.and_then(|result| result.text()).map_or(0, <[u8]>::len)
}

/// The text, with a NUL behind it; NULL where the result is none. Lives until the result changes.
///
/// # Safety
/// As for gearman_result_boolean().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_result_value(self_: *const gearman_result_st) -> *const c_char {
    // SAFETY: the caller's promise.
    unsafe { gearman_result_string(self_) }.c_str
}

/// The text and its size; NULL and 0 where the result is none. Lives until the result changes.
///
/// # Safety
/// As for gearman_result_boolean().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_result_string(self_: *const gearman_result_st) -> gearman_string_t {
    // SAFETY: the caller's promise.
    match unsafe { object(self_.cast_mut()) } {
        Some(gearman_result_st::Text(kept)) => {
            gearman_string_t { c_str: kept.as_ptr().cast(), size: kept.len().saturating_sub(1) }
        }
        _ => gearman_string_t { c_str: null(), size: 0 },
    }
}

/// Makes the result a number.
///
/// # Safety
/// As for gearman_result_boolean().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_result_store_integer(self_: *mut gearman_result_st, value: i64) {
    fence((), || {
        // SAFETY: the caller's promise.
        if let Some(result) = unsafe { object(self_) } {
            *result = gearman_result_st::Integer(value);
        }
    });
}

/// Makes the result a copy of a text.
///
/// # Safety
/// As for gearman_result_boolean(); `arg` has as many bytes as it says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_result_store_string(
    self_: *mut gearman_result_st,
    arg: gearman_string_t,
) -> gearman_return_t {
    // SAFETY: the caller's promise.
    unsafe { gearman_result_store_value(self_, arg.c_str.cast(), arg.size) }
}

/// Makes the result a copy of `size` bytes at `value`.
///
/// # Safety
/// As for gearman_result_boolean(); `value` is NULL or has `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_result_store_value(
    self_: *mut gearman_result_st,
    value: *const c_void,
    size: usize,
) -> gearman_return_t {
    fence(INVALID_ARGUMENT, || {
        // SAFETY: the caller's promise.
        match unsafe { object(self_) } {
            Some(result) => {
                // SAFETY: the caller's promise.
                result.store(unsafe { bytes(value, size) });
                SUCCESS
            }
            None => INVALID_ARGUMENT,
        }
    })
}
