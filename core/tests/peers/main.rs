//! The clients, workers and admin clients as their users see them: every story is told by both clients and both workers,
//! over TCP, over a Unix socket and in process; and then against servers that misbehave.

mod fake;
mod flow;
mod kinds;
mod lost;
mod serving;
mod stopping;
