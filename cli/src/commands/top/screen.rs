//! The terminal: it is taken, drawn on, and given back as it was.

use std::io::{self, Write};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use crossterm::style::{Attribute, Color, Print, ResetColor, SetAttribute, SetForegroundColor};
use crossterm::terminal::{self, Clear, ClearType};
use crossterm::{cursor, execute, queue};
use nix::sys::signal::{SigSet, Signal};

use super::Sort;
use super::frame::{self, Line, List, Look, View};
use super::sample::{Sample, Watch};
use crate::exit::Failure;
use crate::surroundings;

/// What happens while the screen is there.
enum Happening {
    Looked(lineshaft::Result<Box<Sample>>),
    Typed(Event),
    /// The terminal has gone, or somebody wants us to end.
    End,
}

/// Shows the server until somebody has seen enough.
pub(super) fn run(mut watch: Watch, first: Sample, interval: Duration, sort: Sort) -> Result<(), Failure> {
    let blocked = block_signals()?;
    let taken = Taken::take().map_err(|error| Failure::system("cannot use the terminal", &error))?;
    // Three who wait, each for something of its own, and one who draws. They end with the process.
    let (happens, happenings) = channel();
    let looks = happens.clone();
    thread::spawn(move || {
        loop {
            // Time has to pass between two looks.
            surroundings::pause(interval);
            if looks.send(Happening::Looked(watch.look().map(Box::new))).is_err() {
                return;
            }
        }
    });
    let ends = happens.clone();
    thread::spawn(move || {
        let _ = blocked.wait();
        let _ = ends.send(Happening::End);
    });
    thread::spawn(move || read_keys(&happens));

    let (mut sample, mut lost) = (Box::new(first), None);
    let mut view = View { sort, list: List::Functions, scroll: 0 };
    let shown = loop {
        if let Err(error) = draw(&sample, &mut view, lost.as_deref()) {
            break Err(error);
        }
        match happenings.recv() {
            Ok(Happening::Looked(Ok(look))) => (sample, lost) = (look, None),
            Ok(Happening::Looked(Err(error))) => lost = Some(error.to_string()),
            Ok(Happening::Typed(event)) if !is_end(&event) => heed(&event, &mut view),
            Ok(Happening::Typed(_) | Happening::End) | Err(_) => break Ok(()),
        }
    };
    drop(taken);
    shown.map_err(Failure::from)
}

/// They would end the program while the terminal is not as it was.
fn block_signals() -> Result<SigSet, Failure> {
    let signals: SigSet =
        [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGQUIT].into_iter().collect();
    signals.thread_block().map_err(|error| Failure::system("cannot block signals", &error.into()))?;
    Ok(signals)
}

fn read_keys(happens: &Sender<Happening>) {
    loop {
        let happening = event::read().map_or(Happening::End, Happening::Typed);
        let last = matches!(happening, Happening::End);
        if happens.send(happening).is_err() || last {
            return;
        }
    }
}

/// `q`, Escape and Ctrl-C.
fn is_end(event: &Event) -> bool {
    let Event::Key(key) = event else { return false };
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Char('c') => control,
        KeyCode::Char('q') | KeyCode::Esc => true,
        _ => false,
    }
}

fn heed(event: &Event, view: &mut View) {
    let Event::Key(key) = event else { return };
    if key.kind == KeyEventKind::Release {
        return;
    }
    let page = terminal::size().map_or(20, |(_, rows)| usize::from(rows / 2).max(1));
    let sort = match key.code {
        KeyCode::Char('n') => Sort::Name,
        KeyCode::Char('j') => Sort::Queued,
        KeyCode::Char('r') => Sort::Running,
        KeyCode::Char('w') => Sort::Workers,
        KeyCode::Char('c') => Sort::Change,
        KeyCode::Char('d') => Sort::Done,
        KeyCode::Char('o') => Sort::Oldest,
        KeyCode::Tab => {
            view.list = match view.list {
                List::Functions => List::Workers,
                List::Workers => List::Alarms,
                List::Alarms => List::Functions,
            };
            view.scroll = 0;
            return;
        }
        KeyCode::Up => return view.scroll = view.scroll.saturating_sub(1),
        KeyCode::Down => return view.scroll = view.scroll.saturating_add(1),
        KeyCode::PageUp => return view.scroll = view.scroll.saturating_sub(page),
        KeyCode::PageDown => return view.scroll = view.scroll.saturating_add(page),
        KeyCode::Home => return view.scroll = 0,
        KeyCode::End => return view.scroll = usize::MAX,
        _ => return,
    };
    *view = View { sort, list: List::Functions, scroll: 0 };
}

fn draw(sample: &Sample, view: &mut View, lost: Option<&str>) -> io::Result<()> {
    let (columns, rows) = terminal::size()?;
    let lines = frame::screen(sample, view, lost, (columns.into(), rows.into()));
    // One write for the whole picture: nothing flickers.
    let mut picture = Vec::new();
    for (row, line) in (0..).zip(&lines) {
        queue!(picture, cursor::MoveTo(0, row))?;
        paint(&mut picture, line)?;
        queue!(picture, Clear(ClearType::UntilNewLine))?;
    }
    let mut to = io::stdout().lock();
    to.write_all(&picture)?;
    to.flush()
}

fn paint(to: &mut Vec<u8>, line: &Line) -> io::Result<()> {
    match line.look {
        Look::Plain => {}
        Look::Head => queue!(to, SetAttribute(Attribute::Reverse))?,
        Look::Alarm => queue!(to, SetAttribute(Attribute::Bold), SetForegroundColor(Color::Red))?,
        Look::Dim => queue!(to, SetAttribute(Attribute::Dim))?,
    }
    queue!(to, Print(&line.text), ResetColor, SetAttribute(Attribute::Reset))
}

/// The terminal while it is ours. Dropping it gives it back, after a panic as well.
struct Taken;

impl Taken {
    fn take() -> io::Result<Self> {
        terminal::enable_raw_mode()?;
        let taken = Self;
        // Letters of other widths than one may make a line longer than was counted; it must not become two.
        execute!(io::stdout(), terminal::EnterAlternateScreen, terminal::DisableLineWrap, cursor::Hide)?;
        Ok(taken)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        // Where the terminal has gone there is nothing to give back.
        let _ =
            execute!(io::stdout(), cursor::Show, terminal::EnableLineWrap, terminal::LeaveAlternateScreen);
        let _ = terminal::disable_raw_mode();
    }
}

#[cfg(test)]
mod tests {
    use crossterm::event::KeyEvent;

    use super::*;

    fn typed(code: KeyCode, modifiers: KeyModifiers) -> Event {
        Event::Key(KeyEvent::new(code, modifiers))
    }

    #[test]
    fn keys_end_sort_and_scroll() {
        let plain = |code| typed(code, KeyModifiers::NONE);
        assert!(is_end(&plain(KeyCode::Char('q'))) && is_end(&plain(KeyCode::Esc)));
        assert!(is_end(&typed(KeyCode::Char('c'), KeyModifiers::CONTROL)));
        assert!(!is_end(&plain(KeyCode::Char('c'))));
        let mut view = View { sort: Sort::Queued, list: List::Functions, scroll: 0 };
        heed(&plain(KeyCode::Down), &mut view);
        heed(&plain(KeyCode::Char('x')), &mut view);
        assert_eq!(view, View { sort: Sort::Queued, list: List::Functions, scroll: 1 });
        heed(&plain(KeyCode::Char('c')), &mut view);
        assert_eq!(view, View { sort: Sort::Change, list: List::Functions, scroll: 0 });
        heed(&plain(KeyCode::Up), &mut view);
        heed(&plain(KeyCode::Tab), &mut view);
        assert_eq!(view, View { sort: Sort::Change, list: List::Workers, scroll: 0 });
        heed(&plain(KeyCode::Tab), &mut view);
        heed(&plain(KeyCode::Tab), &mut view);
        assert_eq!(view.list, List::Functions);
    }
}
