//! The servers that are measured: child processes, each with a folder and a port of its own.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::contestant::{Programs, Variant};
use crate::cores::Cores;
use crate::wire::Language;
use crate::{Result, clock};

/// How long a server may take to answer its first request.
const START_PATIENCE: Duration = Duration::from_secs(10);

/// A running server. Dropping it ends the process and removes its folder.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    folder: Folder,
    address: SocketAddr,
}

impl Server {
    /// Starts a server and waits until it answers.
    pub(crate) fn start(programs: &Programs, variant: Variant, cores: &Cores, place: &Path) -> Result<Self> {
        let folder = Folder::make(place)?;
        let address = free_address()?;
        let mut command = programs.command(variant, &folder.0, address)?;
        let log = File::create(folder.0.join("output"))
            .and_then(|log| Ok((log.try_clone()?, log)))
            .map_err(|error| format!("cannot write in {}: {error}", folder.0.display()))?;
        command.stdin(Stdio::null()).stdout(log.0).stderr(log.1);
        let spawned = cores.spawn_on(variant.cores, || command.spawn())?;
        let child = spawned.map_err(|error| format!("cannot run setpriv (package util-linux): {error}"))?;
        let mut server = Self { child, folder, address };
        server.wait_until_it_answers(variant.kind.language())?;
        Ok(server)
    }

    /// Where it listens.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it keeps its files.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder.0
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

    fn wait_until_it_answers(&mut self, language: Language) -> Result<()> {
        let until = clock::now() + START_PATIENCE;
        while !answers(self.address, language) {
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

/// A folder for one server's files, removed with everything in it when it is dropped.
#[derive(Debug)]
struct Folder(PathBuf);

impl Folder {
    fn make(place: &Path) -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("lineshaft-side-by-side-{}-{number}", std::process::id());
        let folder = place.join(name);
        fs::create_dir(&folder).map_err(|error| format!("cannot create {}: {error}", folder.display()))?;
        Ok(Self(folder))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Nobody could do anything about it here, and it is in a folder for what is temporary.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A port that nobody uses now. Servers that cannot say which one they chose have to be told.
fn free_address() -> Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map_err(|error| format!("cannot find a free port: {error}"))
}

fn answers(address: SocketAddr, language: Language) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(START_PATIENCE))?;
        let mut request = Vec::new();
        language.put_echo(&mut request);
        stream.write_all(&request)?;
        let mut buffer = Vec::new();
        loop {
            match language.packet(&buffer) {
                Ok(None) => {}
                other => {
                    return Ok(other.is_ok_and(|found| found.is_some_and(|(packet, _)| packet.is_echo())));
                }
            }
            let mut chunk = [0; 64];
            let length = stream.read(&mut chunk)?;
            if length == 0 {
                return Ok(false);
            }
            buffer.extend_from_slice(&chunk[..length]);
        }
    };
    ask().unwrap_or(false)
}
