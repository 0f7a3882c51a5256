//! The events: those who watch get the part of the page that changes, once a second, as long as they take it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::{MissedTickBehavior, interval_at};

use super::page;
use super::query::Query;
use crate::server::http::listen::House;

/// Time between two events.
const PERIOD: Duration = Duration::from_secs(1);
/// Events that wait for a slow reader; it misses further ones.
const WAITING: usize = 2;

/// What somebody watches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Watched {
    pub(super) query: Query,
    pub(super) may_cancel: bool,
}

/// All who watch.
#[derive(Debug, Default)]
pub(super) struct Listeners(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    all: Vec<(Watched, Sender<Bytes>)>,
    /// Somebody tells them.
    telling: bool,
}

/// One more who watches; `None` where there are as many as there may be. The first event is there at once.
pub(super) fn listen(house: &Arc<House>, watched: Watched) -> Option<Receiver<Bytes>> {
    let mut state = house.dashboard.listeners.0.lock();
    state.all.retain(|(_, events)| !events.is_closed());
    if state.all.len() >= house.settings.max_listeners {
        return None;
    }
    let (events, receiver) = channel(WAITING);
    // There is room, and somebody who reads.
    let _ = events.try_send(event(house, &watched));
    state.all.push((watched, events));
    if !std::mem::replace(&mut state.telling, true) {
        tokio::spawn(tell(house.clone()));
    }
    Some(receiver)
}

/// Tells all who watch, until nobody does.
async fn tell(house: Arc<House>) {
    let mut ticks = interval_at(tokio::time::Instant::now() + PERIOD, PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let mut state = house.dashboard.listeners.0.lock();
        state.all.retain(|(_, events)| !events.is_closed());
        if state.all.is_empty() {
            state.telling = false;
            return;
        }
        // Most look at the same.
        let mut told: Vec<(&Watched, Bytes)> = Vec::new();
        for (watched, events) in &state.all {
            let known = told.iter().find(|(known, _)| *known == watched).map(|(_, event)| event.clone());
            let event = known.unwrap_or_else(|| {
                let event = event(&house, watched);
                told.push((watched, event.clone()));
                event
            });
            // Who is slow misses one.
            let _ = events.try_send(event);
        }
    }
}

/// What is sent of how things stand.
fn event(house: &House, watched: &Watched) -> Bytes {
    let snapshot = house.dashboard.snapshots.get(&house.view);
    let Watched { query, may_cancel } = watched;
    match page::main(&house.view, &snapshot, query, *may_cancel) {
        Ok(html) => framed("main", &html),
        // A string is all it writes to.
        Err(error) => framed("trouble", &error.to_string()),
    }
}

/// An event as the stream has it.
fn framed(name: &str, data: &str) -> Bytes {
    let mut text = format!("event: {name}\n");
    // A lone CR ends a line as well, and names may hold one.
    for line in data.lines().flat_map(|line| line.split('\r')) {
        text.push_str("data: ");
        text.push_str(line);
        text.push('\n');
    }
    text.push('\n');
    text.into()
}

#[cfg(test)]
mod tests {
    use super::framed;

    #[test]
    fn no_line_ends_an_event_early() {
        assert_eq!(
            framed("main", "<p>\n\na\r\n</p>"),
            "event: main\ndata: <p>\ndata: \ndata: a\ndata: </p>\n\n"
        );
        assert_eq!(framed("main", "a\revent: x"), "event: main\ndata: a\ndata: event: x\n\n");
    }
}
