//! The wire vectors: scripts of what peers send and what they must get.
//!
//! `vectors/scripts.json` is the project's reference data, every vector of it checked against gearmand; its "format" member
//! describes the language. `vectors/own.json`, in the same language, says what this server does where gearmand does less.

mod arm;
mod bare;
mod config;
mod departures;
mod pipe;
mod run;
mod template;

pub use arm::{Arm, Tcp};
pub use bare::Bare;
pub use departures::{DEPARTURES, Departure, NOT_BY_LINK};
pub use pipe::Pipe;
pub use run::run;

use anyhow::{Context, Result};
use serde::Deserialize;
use std::fmt;

#[derive(Deserialize)]
struct File {
    vectors: Vec<Vector>,
}

/// One script.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vector {
    /// Its number: `V01`, or `L01` for our own.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `core`: any server must do this; `edge`: odd input, same answer; `quirk`: debatable; `own`: not in gearmand;
    /// `slow`: the same, and takes a minute.
    pub class: String,
    /// What it shows.
    pub description: String,
    /// More about a debatable one.
    #[serde(default)]
    pub note: String,
    /// Options that the server must have been started with.
    #[serde(default)]
    pub server_args: Vec<String>,
    /// What happens.
    pub steps: Vec<Step>,
}

impl fmt::Display for Vector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.id, self.name)
    }
}

/// One step of a script.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Which connection; it is opened when its name first appears.
    pub conn: Option<String>,
    /// How long an expectation may take, in milliseconds; default 2000.
    pub timeout_ms: Option<u64>,
    /// What to do there.
    #[serde(flatten)]
    pub action: Action,
}

/// What a step does.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Sends these bytes.
    SendHex(String),
    /// Sends this text, a character a byte.
    SendText(String),
    /// The next packet matches one of these.
    ExpectHex(OneOrMore),
    /// All unread bytes together match this regular expression.
    ExpectRegex(String),
    /// Nothing arrives, and the connection stays open, for so many milliseconds.
    ExpectNoneMs(u64),
    /// The server closes, without sending anything more.
    ExpectClose(bool),
    /// An echo comes back as the next packet.
    Sync(bool),
    /// Closes from this side.
    Close(bool),
    /// Waits so many milliseconds.
    SleepMs(u64),
    /// These handles are all different.
    AssertDiffer(Vec<String>),
}

/// A template or a list of them.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum OneOrMore {
    /// One.
    One(String),
    /// Any of these.
    More(Vec<String>),
}

impl OneOrMore {
    fn as_slice(&self) -> &[String] {
        match self {
            Self::One(template) => std::slice::from_ref(template),
            Self::More(templates) => templates,
        }
    }
}

/// The reference vectors.
///
/// # Errors
/// When the file is damaged.
pub fn reference() -> Result<Vec<Vector>> {
    read(include_str!("../../vectors/scripts.json")).context("tests/vectors/scripts.json")
}

/// Our own vectors.
///
/// # Errors
/// When the file is damaged.
pub fn own() -> Result<Vec<Vector>> {
    read(include_str!("../../vectors/own.json")).context("tests/vectors/own.json")
}

fn read(text: &str) -> Result<Vec<Vector>> {
    Ok(serde_json::from_str::<File>(text)?.vectors)
}
