//! The daemon under a service manager: what it says, and the sockets it is passed.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::process::{Child, Command, Stdio};

use lineshaft_tests::clock::{PATIENCE, poll};
use lineshaft_tests::port::free_port;
use lineshaft_tests::wire::Peer;
use rustix::process::{Pid, Signal, kill_process};

use super::Place;

const SUBMIT_JOB_BG: u32 = 18;

/// A service manager that listens, and its service. The service is killed at the end of the test if it still runs.
struct Manager {
    socket: UnixDatagram,
    service: Child,
}

impl Manager {
    /// Starts `words` in `place` as a manager does: as the process that it waits for.
    fn start(place: &Place, words: &[&str], change: impl FnOnce(&mut Command)) -> Self {
        let path = place.path("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        // The shell becomes the program, so that both have one id.
        let script = r#"program=$1; shift; SYSTEMD_EXEC_PID=$$ LISTEN_PID=$$ exec "$program" "$@""#;
        let mut shell = Command::new("/bin/sh");
        shell
            .current_dir(place.folder.path())
            .env_clear()
            .args(["-c", script, "sh"])
            .arg(place.path("lineshaft"));
        shell.args(words).env("NOTIFY_SOCKET", &path).stdin(Stdio::null());
        change(&mut shell);
        Self { socket, service: shell.spawn().unwrap() }
    }

    /// The next message that is not about the watchdog.
    fn next(&self) -> String {
        loop {
            let message = self.any();
            if message != "WATCHDOG=1" {
                return message;
            }
        }
    }

    fn any(&self) -> String {
        let mut bytes = [0; 4096];
        let length = self.socket.recv(&mut bytes).expect("a message of the service");
        String::from_utf8_lossy(&bytes[..length]).trim_end().to_owned()
    }

    /// Waits until it is ready: where it listens.
    fn ready(&self) -> String {
        let message = self.next();
        message.strip_prefix("READY=1\nSTATUS=Listening on ").expect(&message).to_owned()
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.service), signal).unwrap();
    }

    fn end(&mut self) -> std::process::ExitStatus {
        poll(PATIENCE, || self.service.try_wait().unwrap()).expect("the service's end")
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        // It may have ended before.
        let _ = self.service.kill();
        let _ = self.service.wait();
    }
}

fn peer(address: &str) -> Peer {
    Peer::connect(address.parse::<SocketAddr>().expect(address)).unwrap()
}

#[test]
fn the_manager_hears_of_every_step() {
    let place = Place::new();
    let mut manager = Manager::start(&place, &["serve", "-p", "0", "--store", "memory"], |_| {});
    let address = manager.ready();
    assert!(peer(&address).text("version\n").unwrap().starts_with("OK "), "ready means that it answers");
    manager.signal(Signal::HUP);
    let message = manager.next();
    let since = message.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").expect(&message);
    assert!(since.parse::<u64>().unwrap() > 0);
    assert_eq!(manager.next(), "READY=1");
    assert!(
        peer(&address).text("version\n").unwrap().starts_with("OK "),
        "it runs on, though no terminal is there"
    );
    manager.signal(Signal::TERM);
    assert_eq!(manager.next(), "STOPPING=1");
    assert!(manager.end().success());
}

#[test]
fn the_watchdog_hears_that_it_lives_and_draining_is_no_end() {
    let place = Place::new();
    let mut manager = Manager::start(&place, &["serve", "-p", "0", "--store", "memory"], |service| {
        service.env("WATCHDOG_USEC", "100000");
    });
    let mut client = peer(&manager.ready());
    client.submit(SUBMIT_JOB_BG, "f", "u", b"w").unwrap();
    let lives = |manager: &Manager| (0..3).for_each(|_| assert_eq!(manager.any(), "WATCHDOG=1"));
    lives(&manager);
    manager.signal(Signal::USR1);
    assert_eq!(manager.next(), "STATUS=Draining: ends when no job is left");
    lives(&manager);
    manager.signal(Signal::TERM);
    assert_eq!(manager.next(), "STOPPING=1");
    assert!(manager.end().success());
}

#[test]
fn a_service_does_not_leave_its_process() {
    let place = Place::new();
    // As Debian's /etc/default/gearman-job-server has it.
    let mut manager =
        Manager::start(&place, &["serve", "-p", "0", "--daemon", "-P", "pid", "--store", "memory"], |_| {});
    manager.ready();
    assert_eq!(place.read("pid").trim(), manager.service.id().to_string());
    manager.signal(Signal::INT);
    assert!(manager.end().success());
}

#[test]
fn passed_sockets_take_the_place_of_those_of_the_settings() {
    let place = Place::new();
    let path = place.path("gear");
    let (tcp, unix) = (TcpListener::bind("127.0.0.1:0").unwrap(), UnixListener::bind(&path).unwrap());
    let address = tcp.local_addr().unwrap().to_string();
    // No machine has that address: binding it would fail.
    let elsewhere = ["serve", "-L", "192.0.2.1", "--unix", path.to_str().unwrap(), "--store", "memory"];
    let mut manager = Manager::start(&place, &elsewhere, |service| {
        let words: Vec<_> = service.get_args().skip(3).map(ToOwned::to_owned).collect();
        *service = with_descriptors(tcp.into(), unix.into(), service);
        service.args(words);
    });
    assert_eq!(manager.ready(), format!("{address}, unix:{}", path.display()));
    assert!(peer(&address).text("version\n").unwrap().starts_with("OK "));
    assert!(UnixStream::connect(&path).is_ok());
    manager.signal(Signal::TERM);
    assert!(manager.end().success());
    assert!(path.exists(), "the file is the manager's");
}

/// The same service with `third` and `fourth` as its descriptors 3 and 4.
fn with_descriptors(third: OwnedFd, fourth: OwnedFd, service: &Command) -> Command {
    let script = r#"exec 3<&0 4<&1 </dev/null >/dev/null
                    program=$1; shift; SYSTEMD_EXEC_PID=$$ LISTEN_PID=$$ LISTEN_FDS=2 exec "$program" "$@""#;
    let mut shell = Command::new("/bin/sh");
    shell.env_clear().args(["-c", script, "sh"]).stdin(third).stdout(fourth);
    for (name, value) in service.get_envs() {
        shell.env(name, value.unwrap_or_default());
    }
    if let Some(folder) = service.get_current_dir() {
        shell.current_dir(folder);
    }
    shell
}

#[test]
fn a_descriptor_that_is_no_socket_is_refused() {
    let place = Place::new();
    let file = fs::File::open(place.folder.path()).unwrap();
    let mut command =
        with_descriptors(file.try_clone().unwrap().into(), file.into(), &place.command("lineshaft"));
    let output = command
        .arg(place.path("lineshaft"))
        .args(["serve", "--store", "memory"])
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(
        said,
        "lineshaft: LISTEN_FDS: descriptor 3 is no stream socket: pass sockets of ListenStream= only\n"
    );
}

/// As systemd passes one where the socket unit says Accept=yes.
#[test]
fn a_connection_is_refused_where_a_listening_socket_belongs() {
    let place = Place::new();
    let (one, other) = UnixStream::pair().unwrap();
    let mut command = with_descriptors(one.into(), other.into(), &place.command("lineshaft"));
    let output = command
        .arg(place.path("lineshaft"))
        .args(["serve", "--store", "memory"])
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("it does not listen: pass sockets that do"), "{said}");
}

#[test]
fn a_port_that_is_in_use_fails_the_first_process() {
    let place = Place::new();
    let port = free_port().unwrap();
    let _taken = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let text = port.to_string();
    let words = ["serve", "-d", "-p", &text, "-P", "pid", "--store", "memory"];
    let outcome = place.run("lineshaft", &words, b"");
    assert_eq!(outcome.status.code(), Some(1));
    assert!(outcome.err.contains(&format!("127.0.0.1:{port}: Address already in use")), "{}", outcome.err);
    assert!(!place.path("pid").exists());
}
