//! Lineshaft's daemon and gearmand side by side, in one run: what a job costs the server in CPU time, how many there are
//! in a second, how long they take, and what waiting costs in memory. `README.md` tells how to read it.
#![forbid(unsafe_code)]

mod clock;
mod cores;
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

use crate::cores::Cores;
use crate::options::{Against, Options};
use crate::report::Report;
use crate::run::Plan;
use crate::scenario::{SCENARIOS, Scenario};
use crate::server::{Kind, Programs, Variant, find_gearmand};

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
        for line in SCENARIOS.iter().flat_map(|scenario| scenario.lines) {
            println!("{:24} {}", line.id, line.title.trim());
        }
        return Ok(());
    }
    let plan = plan(options)?;
    raise_descriptor_limit()?;
    let settings = settings(options, &plan);
    let report = Report { rows: plan.run()?, variants: plan.variants };
    if options.server_cores > 1 {
        print!("{}", table::more_cores(&report));
    } else {
        print!("{}", table::costs(&report));
    }
    if let Some(path) = &options.json {
        let text = format!("{:#}\n", json::report(&report, settings));
        std::fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    }
    Ok(())
}

fn plan(options: &Options) -> Result<Plan> {
    let cores = Cores::of_this_process()?;
    let many = options.server_cores as usize;
    if many > cores.count() {
        return Err(format!("--server-cores {many}: this process may use {} cores", cores.count()));
    }
    let ours = options.server.clone().map(|path| {
        // The server runs in a folder of its own.
        let path = std::path::absolute(&path).unwrap_or(path);
        (path, options.server_arg.clone())
    });
    if let Some((path, _)) = &ours
        && !path.is_file()
    {
        return Err(format!("--server {}: there is no such file; cargo build builds it", path.display()));
    }
    let gearmand = match options.against {
        Against::Gearmand => Some(find_gearmand(options.gearmand.as_deref())?),
        Against::Nobody => None,
    };
    let kinds = [Kind::Ours, Kind::Tuned, Kind::Gearmand].into_iter().filter(|kind| match kind {
        Kind::Ours => ours.is_some(),
        Kind::Tuned => gearmand.is_some(),
        // How many threads the defaults are does not depend on the cores.
        Kind::Gearmand => gearmand.is_some() && many == 1,
    });
    let counts = if many > 1 { vec![1, many] } else { vec![1] };
    let variants = kinds
        .flat_map(|kind| counts.iter().map(move |cores| Variant { kind, cores: *cores }))
        .collect::<Vec<_>>();
    if variants.is_empty() {
        return Err("there is nothing to measure: name a daemon with --server PATH".into());
    }
    Ok(Plan {
        programs: Programs { ours, gearmand },
        cores,
        variants,
        scenarios: choose(&options.only, many > 1)?,
        rounds: options.rounds as usize,
        time: Duration::from_secs_f64(options.seconds),
        deep: options.deep,
    })
}

/// The scenarios of the lines in `only`; where it is empty, all of them, or all that show whether more cores help.
fn choose(only: &[String], more_cores: bool) -> Result<Vec<&'static Scenario>> {
    let has = |scenario: &Scenario, id: &str| scenario.lines.iter().any(|line| line.id == id);
    if let Some(unknown) = only.iter().find(|id| !SCENARIOS.iter().any(|scenario| has(scenario, id))) {
        return Err(format!("--only {unknown}: there is no such line; --list names them"));
    }
    let chosen = |scenario: &&Scenario| match only {
        [] => scenario.for_more_cores || !more_cores,
        only => only.iter().any(|id| has(scenario, id)),
    };
    Ok(SCENARIOS.iter().filter(chosen).collect())
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

fn settings(options: &Options, plan: &Plan) -> serde_json::Value {
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    json!({
        "rounds": plan.rounds,
        "seconds": plan.time.as_secs_f64(),
        "server_cores": options.server_cores,
        "server_arguments": options.server_arg,
        "cores": plan.cores.count(),
        "cpu": model.map_or("unknown", |(_, model)| model.trim()),
        "kernel": kernel.trim(),
    })
}
