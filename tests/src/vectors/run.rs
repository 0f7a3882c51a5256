//! Running a vector.

use anyhow::{Context, Result, bail, ensure};
use fancy_regex::Regex;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::template::{Handles, Template, fill, latin1};
use super::{Action, Arm, Step, Vector};
use crate::wire::{Arrival, packet_length, request};

/// How long an expectation may take where the vector does not say.
const DEFAULT_LIMIT: Duration = Duration::from_millis(2000);

/// Runs `vector` against `arm`.
///
/// # Errors
/// The step at which the server did something else, and what it did.
pub fn run(vector: &Vector, arm: &mut dyn Arm) -> Result<()> {
    let mut script = Script { arm, conns: BTreeMap::new(), handles: Handles::new() };
    let mut outcome = Ok(());
    for (number, step) in vector.steps.iter().enumerate() {
        outcome = script.step(step).with_context(|| format!("step {}: {step:?}", number + 1));
        if outcome.is_err() {
            break;
        }
    }
    for conn in script.conns.into_values() {
        script.arm.close(conn.number);
    }
    outcome
}

struct Conn {
    number: usize,
    unread: Vec<u8>,
    closed: bool,
}

struct Script<'a> {
    arm: &'a mut dyn Arm,
    conns: BTreeMap<String, Conn>,
    handles: Handles,
}

impl Script<'_> {
    fn step(&mut self, step: &Step) -> Result<()> {
        match &step.action {
            Action::SleepMs(time) => {
                self.arm.pass(Duration::from_millis(*time));
                return Ok(());
            }
            Action::AssertDiffer(names) => return self.differ(names),
            _ => {}
        }
        let name = step.conn.as_deref().context("the step names no connection")?;
        if !self.conns.contains_key(name) {
            let number = self.arm.open()?;
            self.conns.insert(name.to_owned(), Conn { number, unread: Vec::new(), closed: false });
        }
        let limit = step.timeout_ms.map_or(DEFAULT_LIMIT, Duration::from_millis);
        match &step.action {
            Action::SendHex(template) => {
                let bytes = Template::parse(template)?.build(&self.handles)?;
                self.send(name, &bytes)
            }
            Action::SendText(text) => {
                let text = fill(text, &self.handles, str::to_owned)?;
                let bytes: Vec<u8> = text.chars().map(u8::try_from).collect::<Result<_, _>>()?;
                self.send(name, &bytes)
            }
            Action::ExpectHex(templates) => self.expect_packet(name, templates.as_slice(), limit),
            Action::ExpectRegex(pattern) => self.expect_text(name, pattern, limit),
            Action::ExpectNoneMs(time) => self.expect_silence(name, Duration::from_millis(*time)),
            Action::ExpectClose(_) => self.expect_close(name, limit),
            Action::Sync(_) => self.sync(name, limit),
            Action::Close(_) => {
                if let Some(conn) = self.conns.remove(name) {
                    self.arm.close(conn.number);
                }
                Ok(())
            }
            Action::SleepMs(_) | Action::AssertDiffer(_) => bail!("handled above"),
        }
    }

    fn differ(&self, names: &[String]) -> Result<()> {
        let handles: BTreeSet<_> = names.iter().map(|name| self.handles.get(name)).collect();
        ensure!(
            handles.len() == names.len() && !handles.contains(&None),
            "the handles are not all different"
        );
        Ok(())
    }

    fn send(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        let number = self.conns[name].number;
        self.arm.send(number, bytes)
    }

    /// Waits for more bytes on a connection until `done` finds what it looks for; false when the time is up or the other
    /// side has closed.
    fn wait<T>(
        &mut self,
        name: &str,
        limit: Duration,
        mut done: impl FnMut(&mut Conn) -> Result<Option<T>>,
    ) -> Result<Option<T>> {
        let deadline = self.arm.elapsed() + limit;
        let conn = self.conns.get_mut(name).context("a connection")?;
        loop {
            if let Some(found) = done(conn)? {
                return Ok(Some(found));
            }
            let left = deadline.saturating_sub(self.arm.elapsed());
            if conn.closed || left.is_zero() {
                return Ok(None);
            }
            if self.arm.receive(conn.number, left, &mut conn.unread)? == Arrival::Closed {
                conn.closed = true;
            }
        }
    }

    fn packet(&mut self, name: &str, limit: Duration) -> Result<Vec<u8>> {
        let packet = self.wait(name, limit, |conn| {
            let length = packet_length(&conn.unread)?.filter(|&length| length <= conn.unread.len());
            Ok(length.map(|length| conn.unread.drain(..length).collect()))
        })?;
        let conn = &self.conns[name];
        let state = if conn.closed { "closed" } else { "open" };
        packet
            .with_context(|| format!("no packet; the connection is {state}; unread: {}", shown(&conn.unread)))
    }

    fn expect_packet(&mut self, name: &str, templates: &[String], limit: Duration) -> Result<()> {
        let packet = self.packet(name, limit)?;
        for template in templates {
            if let Some(new) = Template::parse(template)?.matches(&packet, &self.handles)? {
                self.handles.extend(new);
                return Ok(());
            }
        }
        bail!("got {}", shown(&packet))
    }

    fn expect_text(&mut self, name: &str, pattern: &str, limit: Duration) -> Result<()> {
        let pattern = fill(pattern, &self.handles, |handle| fancy_regex::escape(handle).into_owned())?;
        let regex = Regex::new(&format!(r"\A(?s:{pattern})\z")).with_context(|| pattern.clone())?;
        let found = self.wait(name, limit, |conn| {
            let matched = regex.is_match(&latin1(&conn.unread))?;
            Ok(matched.then(|| conn.unread.clear()))
        })?;
        found.with_context(|| format!("the text {} does not match", shown(&self.conns[name].unread)))
    }

    fn expect_silence(&mut self, name: &str, time: Duration) -> Result<()> {
        self.wait(name, time, |conn| Ok((!conn.unread.is_empty()).then_some(())))?;
        let conn = &self.conns[name];
        ensure!(conn.unread.is_empty(), "unexpected: {}", shown(&conn.unread));
        ensure!(!conn.closed, "the connection was closed");
        Ok(())
    }

    fn expect_close(&mut self, name: &str, limit: Duration) -> Result<()> {
        self.wait(name, limit, |conn| Ok(conn.closed.then_some(())))?;
        let conn = &self.conns[name];
        ensure!(conn.closed, "the connection was not closed");
        ensure!(conn.unread.is_empty(), "before the close came {}", shown(&conn.unread));
        Ok(())
    }

    fn sync(&mut self, name: &str, limit: Duration) -> Result<()> {
        let mark = format!("sync at {:?}", self.arm.elapsed());
        self.send(name, &request(16, &[mark.as_bytes()]))?;
        let packet = self.packet(name, limit)?;
        ensure!(packet[4..8] == [0, 0, 0, 17], "expected an echo, got {}", shown(&packet));
        ensure!(packet[12..] == *mark.as_bytes(), "the echo came back as {}", shown(&packet));
        Ok(())
    }
}

fn shown(bytes: &[u8]) -> String {
    let cut = &bytes[..bytes.len().min(300)];
    format!("{} bytes: {}", bytes.len(), cut.escape_ascii())
}
