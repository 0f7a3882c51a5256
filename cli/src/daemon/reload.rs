//! SIGHUP: the settings are read again, and what can change while the server runs is applied.

use lineshaft::server::Server;

use super::log::Log;
use super::log::levels::ALWAYS;
use super::settings::Settings;
use crate::options::choices::{Choices, Sources};
use crate::options::{Refusal, refuse};

/// What the server runs with.
#[derive(Debug)]
pub(super) struct Running {
    sources: Sources,
    choices: Choices,
    pub(super) settings: Settings,
}

impl Running {
    pub(super) fn new(sources: Sources) -> Result<Self, Refusal> {
        let choices = sources.resolve()?;
        let settings = Settings::read(&choices)?;
        Ok(Self { sources, choices, settings })
    }

    /// Reads the settings again and applies what can change. One line says what was applied and another one what cannot be until a
    /// restart; settings that cannot be used change nothing, and a line says why.
    pub(super) fn reload(&mut self, server: &Server, log: &Log) {
        match self.apply(server) {
            Err(Refusal(why)) => {
                log.reopen(&self.settings.log.file);
                tracing::error!(name: ALWAYS, "SIGHUP changes no setting: {why}");
            }
            Ok(Changes { applied, left }) => {
                log.reopen(&self.settings.log.file);
                if !applied.is_empty() {
                    tracing::info!(name: ALWAYS, "SIGHUP has changed {}", applied.join(", "));
                }
                if !left.is_empty() {
                    tracing::warn!(name: ALWAYS, "SIGHUP cannot change {}: restart the server", left.join(", "));
                }
            }
        }
    }

    fn apply(&mut self, server: &Server) -> Result<Changes, Refusal> {
        let choices = self.sources.resolve()?;
        if let Some(file) = self.choices.file().filter(|file| choices.file() != Some(*file)) {
            // Its rights and limits would all be lifted.
            return refuse(format!(
                "{} is gone; put it back, or restart the server to run without it",
                file.display()
            ));
        }
        let settings = Settings::read(&choices)?;
        let changed = self.choices.changed(&choices);
        let changes = |name: &str| changed.iter().any(|(flag, _)| flag.long == name);
        if let (Some(tls), Some(_)) = (&settings.tls, &self.settings.tls) {
            server.reload_tls(tls).map_err(|error| Refusal(error.detail().to_owned()))?;
        }
        server
            .reconfigure(&settings.broker, settings.limits, settings.server_limits)
            .map_err(|error| Refusal(error.detail().to_owned()))?;
        // Somebody may have changed the levels by `verbose`: they stay unless the settings say something new.
        if changes("verbose") || changes("log-levels") {
            server.set_log_levels(settings.log.levels);
        }
        let new_rights = settings.broker.rights != self.settings.broker.rights;
        if new_rights {
            server.set_rights(&settings.broker.rights);
            self.settings.broker.rights = settings.broker.rights;
        }
        self.settings.drain_deadline = settings.drain_deadline;
        self.settings.log.file = settings.log.file;
        let (applied, left): (Vec<_>, Vec<_>) = changed.into_iter().partition(|(flag, _)| flag.live);
        let changes = Changes {
            applied: applied
                .iter()
                .map(|(flag, value)| format!("{} to {value}", flag.long))
                .chain(new_rights.then(|| "the rights".to_owned()))
                .collect(),
            left: left.iter().map(|(flag, _)| flag.long).collect(),
        };
        // What cannot change is said again by the next SIGHUP.
        self.choices.take_live(choices);
        Ok(changes)
    }
}

/// What a reload has found, in the order of the table.
struct Changes {
    /// Options with their new values.
    applied: Vec<String>,
    /// Options whose old values go on to hold.
    left: Vec<&'static str>,
}
