//! All rounds of all scenarios of a group with all its servers, interleaved.

use std::time::Duration;

use crate::contestant::{Kind, Programs, Variant};
use crate::cores::Cores;
use crate::disk::Place;
use crate::report::{Row, Summary};
use crate::scenario::{Figure, Group, Scenario, Who};
use crate::server::Server;
use crate::{Result, clock};

/// What is to be measured.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) group: Group,
    pub(crate) programs: Programs,
    pub(crate) place: Place,
    pub(crate) cores: Cores,
    pub(crate) variants: Vec<Variant>,
    pub(crate) scenarios: Vec<&'static Scenario>,
    pub(crate) rounds: usize,
    pub(crate) time: Duration,
    pub(crate) deep: bool,
}

impl Plan {
    /// Measures. Each figure comes from a fresh server; the servers take turns within each scenario of each round, and
    /// in the next round another one begins. What is happening is told on standard error.
    pub(crate) fn run(&self) -> Result<Vec<Row>> {
        // By scenario, line and variant: the figures of the rounds.
        let mut figures = self
            .scenarios
            .iter()
            .map(|scenario| vec![vec![Vec::<Figure>::new(); self.variants.len()]; scenario.lines.len()])
            .collect::<Vec<_>>();
        let begun = clock::now();
        for round in 0..self.rounds {
            for (scenario, figures) in self.scenarios.iter().zip(&mut figures) {
                for place in 0..self.variants.len() {
                    let column = (place + round) % self.variants.len();
                    let variant = self.variants[column];
                    if takes_part(scenario, variant.kind, round) {
                        for (line, figure) in self.once(scenario, variant)?.into_iter().enumerate() {
                            figures[line][column].push(figure);
                        }
                    }
                }
                if round < scenario.rounds {
                    self.tell(begun.elapsed().as_secs(), round, scenario, figures);
                }
            }
        }
        let lines = self
            .scenarios
            .iter()
            .zip(figures)
            .flat_map(|(scenario, figures)| scenario.lines.iter().zip(figures));
        Ok(lines
            .map(|(line, columns)| Row {
                line,
                columns: columns.iter().map(|rounds| Summary::of(rounds)).collect(),
            })
            .collect())
    }

    /// Shows what the round has brought.
    fn tell(&self, seconds: u64, round: usize, scenario: &Scenario, figures: &[Vec<Vec<Figure>>]) {
        for (line, columns) in scenario.lines.iter().zip(figures) {
            let last = self.variants.iter().zip(columns).filter_map(|(variant, rounds)| {
                rounds.get(round).map(|figure| format!(" {} {:.2}", variant.name(), figure.value))
            });
            eprintln!(
                "{seconds:4} s, {} of {}: {}{}",
                round + 1,
                self.rounds,
                line.id,
                last.collect::<String>()
            );
        }
    }

    fn once(&self, scenario: &Scenario, variant: Variant) -> Result<Vec<Figure>> {
        let place = |error| format!("{}, {}: {error}", scenario.lines[0].id, variant.name());
        let mut server =
            Server::start(&self.programs, variant, &self.cores, &self.place.folder).map_err(place)?;
        let figures = scenario.run(&server, variant.kind, self.time, self.deep);
        // A server that has ended explains whatever else went wrong.
        server.check().map_err(place)?;
        figures.map_err(place)
    }
}

fn takes_part(scenario: &Scenario, kind: Kind, round: usize) -> bool {
    round < scenario.rounds
        && match (scenario.who, kind) {
            (Who::DefaultsOnce, Kind::Gearmand) => round == 0,
            (Who::NotDefaults, Kind::Gearmand) | (Who::OursOnly, Kind::Gearmand | Kind::Tuned) => false,
            _ => true,
        }
}
