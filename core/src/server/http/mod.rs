//! HTTP: a JSON API, metrics, health and a dashboard, on listeners and a thread of their own, so that the I/O threads stay as they are.
//!
//! A request comes in by `listen`, is checked by `guard`, found in the table of `route`, and answered by an endpoint. Endpoints look
//! at the server through [`View`](super::View) and act through connections to the broker without a socket, as any local caller.
//! gearmand's own HTTP protocol has listeners of its own, and a room: `gearmand`.

mod answer;
mod api;
mod caller;
mod dashboard;
mod exposition;
mod gearmand;
mod guard;
mod health;
mod io;
mod listen;
mod metrics;
mod route;
mod settings;
mod text;

pub use settings::Http;

pub(super) use listen::{Bounds, start};
