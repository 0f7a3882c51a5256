//! `/healthz` and `/readyz`.

use hyper::StatusCode;

use super::answer::{Answer, answer};
use crate::server::View;

const TEXT: &str = "text/plain; charset=utf-8";

/// The process lives, and the broker's lock can be had.
pub(super) fn alive(view: &View) -> Answer {
    // Whoever holds the lock for ever keeps this answer from being given.
    let _ = view.report();
    answer(StatusCode::OK, TEXT, "alive\n")
}

/// The server is to be sent work, or why not.
pub(super) fn ready(view: &View) -> Answer {
    match view.report().unready() {
        None => answer(StatusCode::OK, TEXT, "ready\n"),
        Some(why) => answer(StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("{why}\n")),
    }
}
