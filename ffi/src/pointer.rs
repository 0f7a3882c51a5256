//! What C hands over, turned into what Rust can use.

use std::ffi::{CStr, c_char, c_void};

/// The object behind a pointer; `None` for NULL.
///
/// # Safety
/// `pointer` is NULL or valid, and nothing else uses the object while the reference lives. No callback runs in that time.
pub(crate) unsafe fn object<'a, T>(pointer: *mut T) -> Option<&'a mut T> {
    // SAFETY: the caller's promise.
    unsafe { pointer.as_mut() }
}

/// The bytes of a C string without its NUL; `None` for NULL.
///
/// # Safety
/// `text` is NULL or ends with a NUL, and stays as it is while the bytes are used.
pub(crate) unsafe fn c_bytes<'a>(text: *const c_char) -> Option<&'a [u8]> {
    // SAFETY: the caller's promise.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_bytes())
}

/// `size` bytes at `data`; none for NULL.
///
/// # Safety
/// `data` is NULL or has `size` bytes, which stay as they are while they are used.
pub(crate) unsafe fn bytes<'a>(data: *const c_void, size: usize) -> &'a [u8] {
    if data.is_null() || size == 0 || size > isize::MAX as usize {
        return &[];
    }
    // SAFETY: the caller's promise; `size` was checked against the limit of slices.
    unsafe { std::slice::from_raw_parts(data.cast(), size) }
}

/// Stores an out value where the program wants it.
///
/// # Safety
/// `place` is NULL or can be written.
pub(crate) unsafe fn put<T>(place: *mut T, value: T) {
    if !place.is_null() {
        // SAFETY: the caller's promise. What stood there before may be uninitialised and is not dropped.
        unsafe { place.write(value) }
    }
}

/// A text as bytes with one NUL at the end; what follows a NUL inside is cut off, as C would.
pub(crate) fn c_text(text: &[u8]) -> Box<CStr> {
    let end = text.iter().position(|&byte| byte == 0).unwrap_or(text.len());
    let mut bytes = Vec::with_capacity(end + 1);
    bytes.extend_from_slice(&text[..end]);
    bytes.push(0);
    CStr::from_bytes_until_nul(&bytes).unwrap_or_default().into()
}
