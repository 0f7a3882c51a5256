//! libgearman's C interface: every symbol of libgearman.so.8, over Lineshaft's protocol and connections.
//!
//! One folder or file per type of the C interface. What is common to clients and workers is [`universal`] (servers, errors, log,
//! time limits) and [`connection`]. The rules of this crate:
//!
//! - An export turns pointers into references in [`pointer`], and runs Rust code only inside [`panic::fence`].
//! - A callback of the program is called **outside** of every fence, by a function that holds nothing but plain numbers and
//!   pointers: it may leave by `longjmp` or by an exception. What it must see, and what a later call needs, is in the objects before it runs.
//! - No thread, no global state, no lock. What a program frees with `free` comes from `malloc`, or from its own allocator.
#![allow(non_camel_case_types, reason = "the names are libgearman's")]
#![allow(improper_ctypes_definitions, reason = "what stands behind a handle is nobody's but this library's")]
#![allow(unreachable_pub, reason = "exports are reached from C")]

pub mod abi;
mod actions;
mod allocator;
mod broker;
mod client;
mod connection;
mod job;
mod kill;
mod panic;
#[cfg(test)]
mod panic_tests;
mod parse;
mod pointer;
mod report;
mod result;
mod returns;
#[cfg(test)]
mod scripted;
mod status;
mod task_attr;
mod text;
mod tls;
mod unique;
mod universal;
mod worker;
