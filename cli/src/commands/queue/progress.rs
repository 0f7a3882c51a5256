//! How far it is: a bar on a terminal, elsewhere a line now and then.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::exit::say;
use crate::surroundings;

const BAR: &str = "{msg} {bar:40} {pos}/{len} {eta}";
/// How often a line is printed where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);

pub(super) struct Progress {
    what: &'static str,
    total: usize,
    done: usize,
    bar: Option<ProgressBar>,
    next_line: Instant,
}

impl Progress {
    /// `what` has been done with the jobs so far.
    pub(super) fn new(what: &'static str, total: usize) -> Self {
        let bar = io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(Some(total as u64), ProgressDrawTarget::stderr());
            let bar = bar.with_message(what);
            match ProgressStyle::with_template(BAR) {
                Ok(style) => bar.with_style(style),
                Err(_) => bar,
            }
        });
        Self { what, total, done: 0, bar, next_line: surroundings::instant() + LINE_EVERY }
    }

    pub(super) fn add(&mut self, jobs: usize) {
        self.done += jobs;
        if let Some(bar) = &self.bar {
            bar.inc(jobs as u64);
        } else if self.done.is_multiple_of(64) || jobs > 1 {
            let now = surroundings::instant();
            if now >= self.next_line {
                self.next_line = now + LINE_EVERY;
                say(format_args!("lineshaft: {} {} of {}", self.what, self.done, self.total));
            }
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_can_be_drawn() {
        assert!(ProgressStyle::with_template(BAR).is_ok());
    }
}
