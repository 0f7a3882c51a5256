//! One server at a time.
//!
//! The owner of a queue is named in its `meta`, and names its connections after itself. Whoever opens the queue looks whether
//! the owner still has a connection: then the queue is in use, else its server has ended, however it ended, and the newcomer writes
//! its own name. No clocks, no time limits: where a server was only cut off, it finds another name when it comes back, and gives up.
//!
//! Every connection watches `meta` and has seen its name there *after* it began to watch. A transaction is sent together with the
//! next watch: where anybody has written to `meta` in between, it does nothing. A connection that comes in the place of another
//! first has Redis end that, with whatever it had on the way.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use redis::Value;

use super::wire::{Commands, Fault, Wire, bytes, number};
use super::{Redis, StoreError, StoreErrorKind, begin};

/// The layout that this version writes.
const VERSION: u32 = 1;
/// How long the connection of a server that has just ended may still be there: Redis hears of its end when it comes to it.
const GRACE: Duration = Duration::from_secs(1);
/// How often it is looked for.
const PAUSE: Duration = Duration::from_millis(10);

pub(super) struct Claim {
    /// Our name, which nobody else has.
    name: String,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Owner,
    /// Somebody else has become the owner. What we have in memory is no longer what is stored.
    Over,
}

impl Claim {
    pub(super) fn new() -> Self {
        let random = || RandomState::new().hash_one(0);
        Self { name: format!("lineshaft-{:016x}{:016x}", random(), random()), state: State::New }
    }

    /// Completes `transaction` and sends it. [`Fault::Fenced`] where somebody else has written to `meta`: nothing is done then.
    pub(super) fn execute(
        &self,
        wire: &mut Wire,
        meta: &[u8],
        mut transaction: Commands,
    ) -> Result<(), Fault> {
        transaction.push(&[b"EXEC"]);
        watch(&mut transaction, meta);
        let mut answers = wire.ask(&transaction)?;
        let owner = answers.pop().and_then(bytes);
        answers.pop();
        let ours = owner.is_some_and(|owner| owner == self.name.as_bytes());
        if !ours || answers.last() == Some(&Value::Nil) {
            let text =
                format!("{}: somebody else writes to this queue: two servers need two prefixes", wire.place);
            return Err(Fault::Fenced(StoreError::new(StoreErrorKind::Locked, text)));
        }
        // The first error says more than that of EXEC, which follows from it.
        answers.iter().try_for_each(|answer| wire.check(answer))
    }
}

/// Begins to watch, and then asks who the owner is.
fn watch(commands: &mut Commands, meta: &[u8]) {
    commands.push(&[b"WATCH", meta]);
    commands.push(&[b"HGET", meta, b"owner"]);
}

impl Redis {
    /// A connection that may write.
    pub(super) fn connect(&mut self) -> Result<Wire, StoreError> {
        if self.claim.state == State::Over {
            return Err(self.over());
        }
        let mut wire = Wire::connect(&self.info, self.settings.timeout, &self.place)?;
        let (claim, meta) = (&self.claim, self.keys.meta.as_slice());
        let mut commands = Commands::default();
        commands.push(&[b"CLIENT", b"SETNAME", claim.name.as_bytes()]);
        commands.push(&[b"HGET", meta, b"version"]);
        watch(&mut commands, meta);
        let mut answers = wire.ask_all(&commands)?;
        let owner = answers.pop().and_then(bytes);
        answers.pop();
        self.check_version(answers.pop().and_then(bytes))?;

        match owner {
            Some(owner) if owner == claim.name.as_bytes() => end_others(&mut wire, &claim.name)?,
            owner => {
                match (claim.state, owner) {
                    (State::New, Some(owner)) => self.is_gone(&mut wire, &owner)?,
                    (State::New, None) => {}
                    (_, Some(_)) => {
                        self.claim.state = State::Over;
                        return Err(self.over());
                    }
                    (_, None) => tracing::error!(
                        target: "lineshaft::store",
                        "{} has lost the queue, or somebody has erased it: jobs acknowledged so far are now only in this \
                         server's memory, and end with it",
                        self.place
                    ),
                }
                let (version, name) = (VERSION.to_string(), claim.name.as_bytes());
                let mut transaction = begin();
                transaction.push(&[b"HSET", meta, b"version", version.as_bytes(), b"owner", name]);
                claim.execute(&mut wire, meta, transaction)?;
            }
        }
        self.claim.state = State::Owner;
        Ok(wire)
    }

    /// A connection that only reads what no server has open.
    pub(super) fn connect_to_look(&self) -> Result<Wire, StoreError> {
        let mut wire = Wire::connect(&self.info, self.settings.timeout, &self.place)?;
        self.check_version(bytes(wire.ask_one(&[b"HGET", &self.keys.meta, b"version"])?))?;
        if let Some(owner) = bytes(wire.ask_one(&[b"HGET", &self.keys.meta, b"owner"])?) {
            self.is_gone(&mut wire, &owner)?;
        }
        Ok(wire)
    }

    fn check_version(&self, version: Option<Vec<u8>>) -> Result<(), StoreError> {
        let Some(text) = version else { return Ok(()) };
        match number::<u32>(&text) {
            Some(VERSION) => Ok(()),
            Some(newer @ VERSION..) => {
                let text = format!(
                    "{}: the queue with prefix {} has layout {newer}, and this version knows {VERSION}: use a newer one",
                    self.place, self.settings.prefix
                );
                Err(StoreError::new(StoreErrorKind::Newer, text))
            }
            _ => Err(self.damaged(&self.keys.meta, "has a version that is none")),
        }
    }

    /// No connection has the owner's name any more.
    fn is_gone(&self, wire: &mut Wire, owner: &[u8]) -> Result<(), StoreError> {
        let name = String::from_utf8_lossy(owner);
        let mut patience = GRACE;
        let line = loop {
            let Some(line) = connections(wire, &name)?.pop() else { return Ok(()) };
            if patience < PAUSE {
                break line;
            }
            patience -= PAUSE;
            #[allow(clippy::disallowed_methods, reason = "a pause before the next look, not a clock")]
            std::thread::sleep(PAUSE);
        };
        let text = format!(
            "{}: the queue with prefix {} is in use by the server connected from {addr}: stop it, or use another prefix; \
             if that machine is gone, end the connection by CLIENT KILL ADDR {addr}",
            self.place,
            self.settings.prefix,
            addr = field(&line, "addr").unwrap_or("?")
        );
        Err(StoreError::new(StoreErrorKind::Locked, text))
    }

    fn over(&self) -> StoreError {
        let text = format!(
            "{}: another server has taken over the queue with prefix {} while this one was cut off: nothing more is written; \
             stop this server",
            self.place, self.settings.prefix
        );
        StoreError::new(StoreErrorKind::Locked, text)
    }
}

/// What Redis says of the connections with this name.
fn connections(wire: &mut Wire, name: &str) -> Result<Vec<String>, Fault> {
    let list = bytes(wire.ask_one(&[b"CLIENT", b"LIST"])?).unwrap_or_default();
    let list = String::from_utf8_lossy(&list);
    Ok(list.lines().filter(|line| field(line, "name") == Some(name)).map(Into::into).collect())
}

fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    line.split(' ')
        .filter_map(|word| word.split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}

/// Ends the connections before this one: what they have on the way is not done any more.
fn end_others(wire: &mut Wire, name: &str) -> Result<(), Fault> {
    let own = bytes(wire.ask_one(&[b"CLIENT", b"ID"])?).unwrap_or_default();
    let mut commands = Commands::default();
    for line in connections(wire, name)? {
        if let Some(id) = field(&line, "id").filter(|id| id.as_bytes() != own) {
            commands.push(&[b"CLIENT", b"KILL", b"ID", id.as_bytes()]);
        }
    }
    // Those that have ended by themselves since then make errors, which mean nothing.
    wire.ask(&commands).map(drop)
}
