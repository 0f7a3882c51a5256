//! Which events are logged: a level for everything and for single parts, changed while running.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

use lineshaft::types::{LogLevel, LogLevels, LogTarget};
use tracing::metadata::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use crate::options::{Refusal, refuse};

/// The name of events that are logged whatever the levels are: what a signal has done.
pub(crate) const ALWAYS: &str = "always";

/// What the targets of our own events begin with; what libraries below us say is not for this log.
const OURS: &str = "lineshaft";

/// gearmand has a level between WARNING and INFO; from there on `tracing`'s words stand one step lower.
pub(super) fn level_of(event: &Metadata<'_>) -> LogLevel {
    match *event.level() {
        tracing::Level::ERROR => LogLevel::Error,
        tracing::Level::WARN => LogLevel::Warning,
        tracing::Level::INFO => LogLevel::Notice,
        tracing::Level::DEBUG => LogLevel::Info,
        tracing::Level::TRACE => LogLevel::Debug,
    }
}

/// What `tracing` need not even ask about.
const fn ceiling(level: LogLevel) -> LevelFilter {
    match level {
        // What is always logged is at INFO at most.
        LogLevel::Fatal | LogLevel::Alert | LogLevel::Critical => LevelFilter::INFO,
        LogLevel::Error | LogLevel::Warning | LogLevel::Notice => LevelFilter::INFO,
        LogLevel::Info => LevelFilter::DEBUG,
        LogLevel::Debug => LevelFilter::TRACE,
    }
}

/// Reads `store=debug,net=warn`.
pub(crate) fn read(general: LogLevel, list: &str) -> Result<LogLevels, Refusal> {
    let mut levels = LogLevels::new(general);
    for pair in list.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let Some((target, level)) = pair.split_once('=') else {
            return refuse(format!(
                "--log-levels is a list such as store=debug,net=warn; '{pair}' has no level"
            ));
        };
        let wrong = |word: &str, why| {
            let word = word.trim();
            Refusal(format!("--log-levels: '{word}' is not {why}"))
        };
        let target: LogTarget = target.trim().parse().map_err(|why| wrong(target, why))?;
        let level: LogLevel = level.trim().parse().map_err(|why| wrong(level, why))?;
        levels.set(level, Some(target));
    }
    Ok(levels)
}

/// The levels of the process, shared with who changes them.
#[derive(Clone)]
pub(crate) struct Levels(Arc<Shared>);

/// A number for each level: `tracing` asks on every thread.
struct Shared {
    general: AtomicU8,
    of: [AtomicU8; LogTarget::ALL.len()],
}

impl fmt::Debug for Levels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Levels")
    }
}

impl Levels {
    pub(super) fn new(levels: &LogLevels) -> Self {
        let this = Self(Arc::new(Shared { general: AtomicU8::new(0), of: Default::default() }));
        this.store(levels);
        this
    }

    fn store(&self, levels: &LogLevels) {
        self.0.general.store(levels.general() as u8, Relaxed);
        for (target, _) in LogTarget::ALL {
            self.0.of[target as usize].store(levels.of(Some(target)) as u8, Relaxed);
        }
    }

    /// Lets other events through from now on.
    pub(crate) fn set(&self, levels: &LogLevels) {
        self.store(levels);
        // Each place in the code that logs remembers whether anybody listens.
        tracing::callsite::rebuild_interest_cache();
    }

    fn lets_through(&self, event: &Metadata<'_>) -> bool {
        if !event.target().starts_with(OURS) {
            return false;
        }
        let level = match LogTarget::of(event.target()) {
            Some(target) => &self.0.of[target as usize],
            None => &self.0.general,
        };
        event.name() == ALWAYS || level_of(event) as u8 <= level.load(Relaxed)
    }
}

/// Stands in front of all that write.
impl<S: Subscriber> Layer<S> for Levels {
    fn register_callsite(&self, event: &'static Metadata<'static>) -> Interest {
        if self.lets_through(event) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, event: &Metadata<'_>, _: Context<'_, S>) -> bool {
        self.lets_through(event)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        let most = self.0.of.iter().fold(self.0.general.load(Relaxed), |most, of| most.max(of.load(Relaxed)));
        LogLevel::ALL.get(usize::from(most)).map(|(level, _)| ceiling(*level))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_of_parts_are_read() {
        let levels = read(LogLevel::Error, "store=debug, Net = warn,").unwrap();
        assert_eq!(levels.of(Some(LogTarget::Store)), LogLevel::Debug);
        assert_eq!(levels.of(Some(LogTarget::Net)), LogLevel::Warning);
        assert_eq!(levels.of(Some(LogTarget::Tls)), LogLevel::Error);
        for (list, why) in [
            ("store", "--log-levels is a list such as store=debug,net=warn; 'store' has no level"),
            ("x=debug", "--log-levels: 'x' is not one of broker, net, store, http, tls, daemon"),
            ("net=loud", "--log-levels: 'loud' is not one of FATAL, "),
        ] {
            let told = read(LogLevel::Error, list).unwrap_err().0;
            assert!(told.starts_with(why), "{told}");
        }
    }
}
