//! Lineshaft's daemon and others side by side, in one run: what a job costs the server in CPU time, how many there are
//! in a second, how long they take, and what waiting costs in memory. `README.md` tells how to read it.
#![forbid(unsafe_code)]

mod clock;
mod contestant;
mod cores;
mod disk;
mod histogram;
mod json;
mod load;
mod measure;
mod meter;
mod net;
mod options;
mod report;
mod run;
mod scenario;
mod server;
mod table;
mod wire;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;

use crate::contestant::{Kind, Programs, Variant};
use crate::cores::Cores;
use crate::disk::Place;
use crate::options::Options;
use crate::report::Report;
use crate::run::Plan;
use crate::scenario::Group;

/// Errors are sentences for whoever sits in front of the screen.
pub(crate) type Result<T, E = String> = std::result::Result<T, E>;

fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("side-by-side: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<()> {
    if options.list {
        for line in Group::ALL.iter().flat_map(|group| group.scenarios()).flat_map(|scenario| scenario.lines)
        {
            println!("{:24} {}", line.id, line.title.trim());
        }
        return Ok(());
    }
    let (plans, cores) = (plans(options)?, Cores::of_this_process()?);
    raise_descriptor_limit()?;
    let settings = settings(options, &cores, &plans);
    let mut reports = Vec::new();
    for plan in plans {
        let report =
            Report { rows: plan.run()?, group: plan.group, place: plan.place, variants: plan.variants };
        if options.server_cores > 1 {
            println!("{}", table::more_cores(&report));
        } else {
            println!("{}", table::costs(&report));
        }
        reports.push(report);
    }
    if let Some(path) = &options.json {
        let text = format!("{:#}\n", json::report(&reports, settings));
        std::fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    }
    Ok(())
}

/// One for each group that has something to measure.
fn plans(options: &Options) -> Result<Vec<Plan>> {
    let cores = Cores::of_this_process()?;
    let many = options.server_cores as usize;
    if many > cores.count() {
        return Err(format!("--server-cores {many}: this process may use {} cores", cores.count()));
    }
    let all = Group::ALL.iter().flat_map(|group| group.scenarios()).collect::<Vec<_>>();
    if let Some(unknown) = options.only.iter().find(|id| !all.iter().any(|scenario| scenario.has(id))) {
        return Err(format!("--only {unknown}: there is no such line; --list names them"));
    }
    let programs = Programs::find(options)?;
    let place = Place::find(options.folder.as_deref())?;
    let counts = if many > 1 { vec![1, many] } else { vec![1] };
    let plan = |group: Group| Plan {
        group,
        programs: programs.clone(),
        place: place.clone(),
        cores: cores.clone(),
        variants: Kind::of(group)
            .iter()
            .filter(|kind| programs.has(**kind) && (many == 1 || kind.can_use_cores()))
            .flat_map(|kind| counts.iter().map(|cores| Variant { kind: *kind, cores: *cores }))
            .collect(),
        scenarios: group
            .scenarios()
            .iter()
            .filter(|scenario| scenario.is_chosen(&options.only, many))
            .collect(),
        rounds: options.rounds as usize,
        time: Duration::from_secs_f64(options.seconds),
        deep: options.deep,
    };
    let plans = Group::ALL.map(plan).into_iter();
    let plans = plans.filter(|plan| !plan.variants.is_empty() && !plan.scenarios.is_empty());
    let plans = plans.collect::<Vec<_>>();
    if plans.is_empty() {
        return Err("there is nothing to measure: name a daemon with --server PATH".into());
    }
    if let Some(plan) = plans.iter().find(|plan| plan.group == Group::Durable && plan.place.is_memory()) {
        let (folder, disk) = (plan.place.folder.display(), &plan.place.disk);
        return Err(format!(
            "{folder} is {disk}, where nothing is durable: name a folder on a disk with --folder"
        ));
    }
    Ok(plans)
}

/// Raises the limit of open files as far as this user may; the servers inherit it.
fn raise_descriptor_limit() -> Result<()> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    if let Some(maximum) = maximum.filter(|maximum| *maximum < scenario::DESCRIPTORS) {
        let needed = scenario::DESCRIPTORS;
        return Err(format!(
            "open files are limited to {maximum}, {needed} are needed: raise it with ulimit -Hn"
        ));
    }
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
        .map_err(|error| format!("cannot raise the limit of open files: {error}"))
}

fn settings(options: &Options, cores: &Cores, plans: &[Plan]) -> serde_json::Value {
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    json!({
        "rounds": options.rounds,
        "seconds": options.seconds,
        "server_cores": options.server_cores,
        "server_arguments": options.server_arg,
        "disk": plans.first().map(|plan| &plan.place.disk),
        "cores": cores.count(),
        "cpu": model.map_or("unknown", |(_, model)| model.trim()),
        "kernel": kernel.trim(),
    })
}
