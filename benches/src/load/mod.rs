//! The kinds of work that servers are given.

mod drain;
mod in_process;
mod round_trip;
mod status;
mod submit;
mod template;
mod visit;
mod workers;

pub(crate) use drain::Drain;
pub(crate) use in_process::in_process;
pub(crate) use round_trip::RoundTrip;
pub(crate) use status::Status;
pub(crate) use submit::Submit;
pub(crate) use template::Template;
pub(crate) use visit::Visit;
pub(crate) use workers::{Manner, Workers};
