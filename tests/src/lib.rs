//! What the whole-system tests stand on: servers and other people's programs as child processes, peers that speak byte by
//! byte, and the runner of the wire vectors.
//!
//! The daemon under test is the release build (`cargo xtask test` builds it first); Python's peers live in a virtual
//! environment under the target folder, which the same command makes.
#![forbid(unsafe_code)]

pub mod browser;
pub mod certificates;
pub mod clock;
pub mod crash;
pub mod fuzz;
pub mod http;
pub mod network;
pub mod place;
pub mod port;
pub mod program;
pub mod random;
pub mod server;
pub mod servers;
pub mod soak;
pub mod stores;
pub mod takeover;
pub mod vectors;
pub mod wire;

/// The README's program, run by `cargo test`.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
mod readme {}
