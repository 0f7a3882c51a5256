//! The servers that are measured: child processes, each with a folder and a port of its own.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::cores::Cores;
use crate::{Result, clock};

/// How long a server may take to answer its first request.
const START_PATIENCE: Duration = Duration::from_secs(10);

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Lineshaft's daemon, with its defaults.
    Ours,
    /// gearmand with what someone who knows its weak spots would set.
    Tuned,
    /// gearmand with its defaults.
    Gearmand,
}

impl Kind {
    /// The name in tables.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Tuned => "tuned",
            Self::Gearmand => "gearmand",
        }
    }
}

/// A server and the number of cores that it gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Variant {
    pub(crate) kind: Kind,
    pub(crate) cores: usize,
}

impl Variant {
    /// The name in tables.
    pub(crate) fn name(self) -> String {
        match self.cores {
            1 => self.kind.name().to_owned(),
            cores => format!("{} x{cores}", self.kind.name()),
        }
    }
}

/// The programs.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    /// Lineshaft's binary and more arguments for it; none where only the others are measured.
    pub(crate) ours: Option<(PathBuf, Vec<String>)>,
    /// gearmand's binary.
    pub(crate) gearmand: Option<PathBuf>,
}

/// A running server. Dropping it ends the process and removes its folder.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    folder: Folder,
    address: SocketAddr,
}

impl Server {
    /// Starts a server and waits until it answers.
    pub(crate) fn start(programs: &Programs, variant: Variant, cores: &Cores) -> Result<Self> {
        let folder = Folder::make()?;
        let address = free_address()?;
        let mut command = command(programs, variant, &folder.0)?;
        command.args([
            "-p",
            &address.port().to_string(),
            "-L",
            &address.ip().to_string(),
            "-l",
            "none",
            "-P",
        ]);
        command.arg(folder.0.join("pid")).current_dir(&folder.0);
        let log = File::create(folder.0.join("output"))
            .and_then(|log| Ok((log.try_clone()?, log)))
            .map_err(|error| format!("cannot write in {}: {error}", folder.0.display()))?;
        command.stdin(Stdio::null()).stdout(log.0).stderr(log.1);
        let spawned = cores.spawn_on(variant.cores, || command.spawn())?;
        let child = spawned.map_err(|error| format!("cannot run setpriv (package util-linux): {error}"))?;
        let mut server = Self { child, folder, address };
        server.wait_until_it_answers()?;
        Ok(server)
    }

    /// Where it listens.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// An error with the server's last words where it has ended by itself.
    pub(crate) fn check(&mut self) -> Result<()> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(format!("the server has ended ({status}){}", self.last_words())),
            Err(error) => Err(format!("cannot wait for the server: {error}")),
        }
    }

    fn last_words(&self) -> String {
        let text = fs::read_to_string(self.folder.0.join("output")).unwrap_or_default();
        let lines = text.lines().rev().take(5).collect::<Vec<_>>();
        lines.iter().rev().fold(String::new(), |all, line| all + "\n    " + line)
    }

    fn wait_until_it_answers(&mut self) -> Result<()> {
        let until = clock::now() + START_PATIENCE;
        while !answers(self.address) {
            self.check()?;
            if clock::now() >= until {
                let words = self.last_words();
                return Err(format!(
                    "the server does not answer on {} in {START_PATIENCE:?}{words}",
                    self.address
                ));
            }
            clock::pause(Duration::from_millis(5));
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It holds nothing that is worth an orderly end; what fails here has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program with the flags that tell the variants apart. It ends with this process, however that ends.
fn command(programs: &Programs, variant: Variant, folder: &Path) -> Result<Command> {
    let Variant { kind, cores } = variant;
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]);
    let threads = ["-t".to_owned(), cores.to_string()];
    match kind {
        Kind::Ours => {
            let (path, arguments) =
                programs.ours.as_ref().ok_or("no daemon of ours: name it with --server PATH")?;
            // It answers to the name it is called by.
            let link = folder.join("gearmand");
            std::os::unix::fs::symlink(path, &link)
                .map_err(|error| format!("cannot link {}: {error}", link.display()))?;
            command.arg(link);
            if cores > 1 {
                command.args(threads);
            }
            command.args(arguments);
        }
        Kind::Tuned | Kind::Gearmand => {
            command.arg(programs.gearmand.as_ref().ok_or("no gearmand to compare with")?);
            if kind == Kind::Tuned {
                command.args(threads).args(["-w", "1", "--hashtable-buckets", "1000003", "-b", "1024"]);
            }
        }
    }
    Ok(command)
}

/// A folder for one server's files, removed with everything in it when it is dropped.
#[derive(Debug)]
struct Folder(PathBuf);

impl Folder {
    fn make() -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("lineshaft-side-by-side-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder).map_err(|error| format!("cannot create {}: {error}", folder.display()))?;
        Ok(Self(folder))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left behind in the temporary folder is small, and nobody could do anything about it here.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A port that nobody uses now. Servers that cannot say which one they chose have to be told.
fn free_address() -> Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map_err(|error| format!("cannot find a free port: {error}"))
}

fn answers(address: SocketAddr) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(START_PATIENCE))?;
        stream.write_all(b"\0REQ\0\0\0\x10\0\0\0\x01?")?;
        let mut answer = [0; 13];
        stream.read_exact(&mut answer)?;
        Ok(&answer == b"\0RES\0\0\0\x11\0\0\0\x01?")
    };
    ask().unwrap_or(false)
}

/// Looks for gearmand: `named`, else in the places where packages put it.
pub(crate) fn find_gearmand(named: Option<&Path>) -> Result<PathBuf> {
    let places = match named {
        Some(path) => vec![path.to_owned()],
        None => ["/usr/sbin", "/usr/local/sbin", "/usr/bin", "/usr/local/bin"]
            .map(|folder| Path::new(folder).join("gearmand"))
            .to_vec(),
    };
    places.iter().find(|path| path.is_file()).cloned().ok_or_else(|| {
        let places = places.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
        format!(
            "gearmand is not installed (looked for {places}): install Debian's package gearman-job-server \
             (apt-get install gearman-job-server), or name the program with --gearmand PATH"
        )
    })
}
