//! The wire vectors against every way into a server, and the reference runner against our daemon.

use anyhow::{Context, Result, bail, ensure};
use libtest_mimic::{Arguments, Failed, Trial};
use lineshaft_tests::server::{Maker, Server};
use lineshaft_tests::vectors::{self, Arm, Bare, DEPARTURES, NOT_BY_LINK, Pipe, Tcp, Vector};
use lineshaft_tests::{place, program};
use rustix::process::Signal;
use std::process::Command;
use std::sync::{Arc, Mutex};

fn main() -> Result<()> {
    let reference = vectors::reference()?;
    let own = vectors::own()?;
    let mut trials = vec![departures_have_substitutes(&reference, &own)];
    let servers = Maker::ALL.map(|maker| Arc::new(Shared { maker, server: Mutex::default() }));
    for shared in &servers {
        let maker = shared.maker;
        for vector in of(maker, &reference, &own) {
            let shared = Arc::clone(shared);
            trials.push(Trial::test(format!("{maker}::{vector}"), move || {
                run(&vector, &mut *shared.arm(&vector)?)
            }));
        }
    }
    for vector in of(Maker::Ours, &reference, &own) {
        let (whole, bytes) = (vector.clone(), vector.clone());
        let name = format!("broker::{vector}");
        trials.push(Trial::test(name, move || run(&whole, &mut Bare::new(&whole)?)));
        let name = format!("broker_byte_by_byte::{vector}");
        trials.push(Trial::test(name, move || run(&bytes, &mut Bare::byte_by_byte(&bytes)?)));
        if NOT_BY_LINK.iter().all(|(id, _)| *id != vector.id) {
            trials
                .push(Trial::test(format!("pipe::{vector}"), move || run(&vector, &mut Pipe::new(&vector)?)));
        }
    }
    trials.extend(reference_runner(&of(Maker::Ours, &reference, &[])));
    let conclusion = libtest_mimic::run(&Arguments::from_args(), trials);
    for shared in servers {
        shared.stop()?;
    }
    conclusion.exit()
}

fn run(vector: &Vector, arm: &mut dyn Arm) -> Result<(), Failed> {
    // With its causes.
    vectors::run(vector, arm).map_err(|error| format!("{error:#}").into())
}

/// The vectors that servers of one maker must satisfy.
fn of(maker: Maker, reference: &[Vector], own: &[Vector]) -> Vec<Vector> {
    match maker {
        Maker::Debian => reference.to_vec(),
        Maker::Ours => {
            let copied = |vector: &&Vector| DEPARTURES.iter().all(|departure| departure.id != vector.id);
            reference.iter().filter(copied).chain(own).cloned().collect()
        }
    }
}

/// One server for all vectors that need no options of their own: each uses its own function names.
struct Shared {
    maker: Maker,
    server: Mutex<Option<Arc<Server>>>,
}

impl Shared {
    fn arm(&self, vector: &Vector) -> Result<Box<dyn Arm>> {
        let args: Vec<&str> = vector.server_args.iter().map(String::as_str).collect();
        let server = if args.is_empty() {
            let mut shared = self.server.lock().ok().context("another vector has panicked")?;
            match &*shared {
                Some(server) => Arc::clone(server),
                None => Arc::clone(shared.insert(Arc::new(Server::start(self.maker, &[])?))),
            }
        } else {
            Arc::new(Server::start(self.maker, &args)?)
        };
        Ok(Box::new(Tcp::new(server)))
    }

    /// After all that it went through, the server still ends well.
    fn stop(&self) -> Result<()> {
        let server = self.server.lock().ok().context("a vector has panicked")?.take();
        match server.map(Arc::try_unwrap) {
            Some(Ok(mut server)) => server.stop(Signal::TERM),
            Some(Err(_)) => bail!("a vector still uses the server"),
            None => Ok(()),
        }
    }
}

fn departures_have_substitutes(reference: &[Vector], own: &[Vector]) -> Trial {
    let missing: Vec<String> = DEPARTURES
        .iter()
        .flat_map(|departure| [(departure.id, reference), (departure.instead, own)])
        .filter(|(id, vectors)| !vectors.iter().any(|vector| vector.id == *id))
        .map(|(id, _)| id.to_owned())
        .collect();
    Trial::test("departures_have_substitutes", move || {
        if missing.is_empty() { Ok(()) } else { Err(format!("no vectors {missing:?}").into()) }
    })
}

/// The project's reference runner against our daemon, where the reference lies beside the clone; our own runner has the same
/// vectors in any case.
fn reference_runner(vectors: &[Vector]) -> Option<Trial> {
    let script = place::reference("run_vectors.py");
    let only: Vec<String> = vectors.iter().flat_map(|vector| ["--only".into(), vector.to_string()]).collect();
    let count = vectors.len();
    let trial = move || -> Result<()> {
        let folder = tempfile::tempdir()?;
        let mut server = Server::start(Maker::Ours, &[])?;
        let mut command = Command::new("python3");
        command.arg(place::reference("run_vectors.py")).args(["127.0.0.1", &server.port().to_string()]);
        command.arg("--spawn").arg(Maker::Ours.program("gearmand", &folder)?).args(only);
        let text = program::run(&mut command, b"")?.success()?;
        ensure!(text.trim_end() == format!("{count} passed, 0 failed"), "it says {text}");
        server.stop(Signal::TERM)
    };
    script
        .exists()
        .then(|| Trial::test("run_vectors.py", move || trial().map_err(|error| format!("{error:#}").into())))
}
