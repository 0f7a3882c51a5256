//! TLS as the programs have it: who is let in, and what both sides say of who is not.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use lineshaft::blocking::Client;
use lineshaft::client::Options;
use lineshaft::net::ClientTls;
use lineshaft_tests::certificates::{Authority, Pair, write};
use lineshaft_tests::clock::{PATIENCE, poll};
use lineshaft_tests::program::{Program, run};
use rustix::process::Signal;

use super::{Daemon, Place};

/// Options that turn TLS on with the files that [`Mill::new`] writes.
const SSL: [&str; 7] =
    ["--ssl", "--ssl-certificate", "server.pem", "--ssl-key", "server.key", "--verbose", "WARNING"];
const VERIFY: [&str; 4] = ["--ssl-ca-file", "ca.pem", "--ssl-verify", "required"];

/// A folder with an authority, and what it has signed.
struct Mill {
    place: Place,
    authority: Authority,
}

impl Mill {
    fn new() -> Self {
        let (place, authority) = (Place::new(), Authority::new("mill").unwrap());
        let folder = place.folder.path();
        write(folder, "ca.pem", &authority.pem()).unwrap();
        authority.server(&["localhost", "127.0.0.1"]).unwrap().write(folder, "server").unwrap();
        authority.client("me").unwrap().write(folder, "client").unwrap();
        Self { place, authority }
    }

    fn folder(&self) -> &Path {
        self.place.folder.path()
    }

    fn daemon(&self, words: &[&str]) -> Daemon {
        Daemon::start(&self.place, &[&SSL[..], words].concat())
    }

    /// A program with libgearman's variables set.
    fn command(&self, name: &str) -> Command {
        let mut command = self.place.command(name);
        command
            .env("GEARMAND_CA_CERTIFICATE", "ca.pem")
            .env("GEARMAN_CLIENT_PEM", "client.pem")
            .env("GEARMAN_CLIENT_KEY", "client.key");
        command
    }

    /// A line of the log that has `text` in it.
    fn logged(&self, text: &str) -> String {
        let line = poll(PATIENCE, || {
            let log = self.place.read("log");
            log.lines().find(|line| line.contains(text)).map(str::to_owned)
        });
        line.unwrap_or_else(|| panic!("no '{text}' in the log:\n{}", self.place.read("log")))
    }

    /// `openssl s_client` asks for the version. It goes on to listen until the server closes.
    fn s_client(&self, daemon: &Daemon, words: &[&str]) -> Program {
        let to = format!("127.0.0.1:{}", daemon.port);
        let fixed = ["s_client", "-connect", &to, "-CAfile", "ca.pem", "-verify_return_error", "-quiet"];
        let mut command = Command::new("openssl");
        Program::start(command.current_dir(self.folder()).args(fixed).args(words), b"version\n").unwrap()
    }

    /// Whether it gets its answer.
    fn greets(&self, daemon: &Daemon, words: &[&str]) -> bool {
        self.s_client(daemon, words).wait_for(concat!("OK ", env!("CARGO_PKG_VERSION"), "\n")).is_ok()
    }
}

fn bytes(text: &str) -> Vec<u8> {
    text.as_bytes().to_vec()
}

/// What a client of ours says that trusts `authority`.
fn refusal(daemon: &Daemon, host: &str, authority: &Authority, own: Option<&Pair>) -> String {
    let mut tls = ClientTls::builder(bytes(&authority.pem()));
    if let Some(Pair { certificate, key }) = own {
        tls = tls.certificate(bytes(certificate), bytes(key));
    }
    let options = Options { tls: Some(tls.build().unwrap()), ..Options::default() };
    let client = Client::with_options(format!("{host}:{}", daemon.port), options).unwrap();
    client.echo("x").unwrap_err().to_string()
}

#[test]
fn openssl_speaks_both_versions_with_us() {
    let mill = Mill::new();
    let daemon = mill.daemon(&VERIFY);
    let own = ["-cert", "client.pem", "-key", "client.key"];
    for version in ["-tls1_2", "-tls1_3"] {
        assert!(mill.greets(&daemon, &[&own[..], &[version]].concat()), "{version}");
    }
    for version in ["-tls1_2", "-tls1_3"] {
        let outcome = mill.s_client(&daemon, &[version]).finish().unwrap();
        assert_eq!(outcome.text(), "");
        assert!(outcome.err.contains("alert"), "{}", outcome.err);
    }
    mill.logged("connection from 127.0.0.1 refused: the client has shown no certificate");
}

#[test]
fn our_tools_speak_tls_with_the_variables_of_libgearman() {
    let mill = Mill::new();
    let daemon = mill.daemon(&VERIFY);
    let port = daemon.port.to_string();
    let mut worker = mill.command("gearman");
    worker.args(["-S", "-p", &port, "-w", "-f", "wc", "-c", "2", "--", "wc", "-c"]);
    let worker = Program::start(&mut worker, b"").unwrap();
    // With the variable set it speaks TLS by itself, as libgearman's does.
    for letter in [&["-S"][..], &[]] {
        let mut client = mill.command("gearman");
        let outcome = run(client.args(letter).args(["-p", &port, "-f", "wc", "abc"]), b"").unwrap();
        assert_eq!(outcome.success().unwrap().trim(), "3");
    }
    assert!(worker.finish().unwrap().status.success());
    let mut admin = mill.command("gearadmin");
    let outcome = run(admin.args(["-S", "-p", &port, "--status"]), b"").unwrap();
    assert_eq!(outcome.success().unwrap(), "wc\t0\t0\t0\n.\n");
    let to = format!("localhost:{port}");
    let files = ["--ssl-ca-file", "ca.pem", "--ssl-certificate", "client.pem", "--ssl-key", "client.key"];
    for words in [&["ping"][..], &["status"], &["submit", "-b", "wc", "x"], &["doctor"], &["top", "--once"]] {
        let words = [words, &["-S", &to, "--ssl"], &files].concat();
        mill.place.run("lineshaft", &words, b"").success().unwrap();
    }
    let words = ["work", "wc", "-c", "1", "-S", &to, "--ssl"];
    let words = [&words[..], &files, &["--", "true"]].concat();
    mill.place.run("lineshaft", &words, b"").success().unwrap();
}

#[test]
fn a_client_refuses_a_server_that_it_cannot_trust() {
    let mill = Mill::new();
    let daemon = mill.daemon(&[]);
    let stranger = Authority::new("stranger").unwrap();
    let said = refusal(&daemon, "127.0.0.1", &stranger, None);
    assert!(
        said.contains("the server's certificate is refused: it is not signed by an authority of the CA file"),
        "{said}"
    );
    mill.logged(
        "refused: the client refuses our certificate: it is signed by an authority that is unknown there",
    );
}

#[test]
fn a_client_refuses_a_server_of_another_name() {
    let mill = Mill::new();
    mill.authority.server(&["queue.example"]).unwrap().write(mill.folder(), "server").unwrap();
    let daemon = mill.daemon(&[]);
    let said = refusal(&daemon, "127.0.0.1", &mill.authority, None);
    assert!(said.contains("it is not for '127.0.0.1': it is for"), "{said}");
    assert!(said.contains("queue.example"), "{said}");
    mill.logged("refused: the client refuses our certificate: it is not valid there");
    let words = ["ping", "--ssl", "--ssl-ca-file", "ca.pem", "--ssl-server-name", "queue.example"];
    let to = format!("127.0.0.1:{}", daemon.port);
    mill.place.run("lineshaft", &[&words[..], &["-S", &to]].concat(), b"").success().unwrap();
}

#[test]
fn a_client_refuses_a_server_that_has_expired_and_the_server_knows() {
    let mill = Mill::new();
    mill.authority.expired_server(&["127.0.0.1"]).unwrap().write(mill.folder(), "server").unwrap();
    let daemon = mill.daemon(&[]);
    mill.logged("the certificate server.pem has expired: peers will refuse it; renew it");
    let said = refusal(&daemon, "127.0.0.1", &mill.authority, None);
    assert!(said.contains("the server's certificate is refused: it has expired"), "{said}");
    mill.logged("refused: the client refuses our certificate: it has expired");
}

#[test]
fn a_server_refuses_clients_that_it_cannot_trust() {
    let stranger = Authority::new("stranger").unwrap();
    let foreign = stranger.client("me").unwrap();
    for verify in ["required", "optional"] {
        let mill = Mill::new();
        let daemon = mill.daemon(&["--ssl-ca-file", "ca.pem", "--ssl-verify", verify]);
        let said = refusal(&daemon, "127.0.0.1", &mill.authority, Some(&foreign));
        assert!(said.contains("the server refuses our certificate: it is signed by an authority"), "{said}");
        mill.logged(
            "refused: the client's certificate is refused: it is not signed by an authority of the CA file",
        );
    }
    let mill = Mill::new();
    let daemon = mill.daemon(&VERIFY);
    let expired = mill.authority.expired_client("me").unwrap();
    let said = refusal(&daemon, "127.0.0.1", &mill.authority, Some(&expired));
    assert!(said.contains("the server refuses our certificate: it has expired"), "{said}");
    mill.logged("refused: the client's certificate is refused: it has expired");
    let mill = Mill::new();
    let daemon = mill.daemon(&VERIFY);
    let said = refusal(&daemon, "127.0.0.1", &mill.authority, None);
    assert!(said.contains("the server asks for a client certificate: give one, with its key"), "{said}");
    mill.logged("refused: the client has shown no certificate");
}

#[test]
fn plain_text_is_told_that_the_port_takes_tls() {
    let mill = Mill::new();
    let daemon = mill.daemon(&[]);
    let port = daemon.port.to_string();
    let outcome = mill.place.run("gearadmin", &["-p", &port, "--status"], b"");
    assert!(outcome.err.contains("This port takes TLS only"), "{}", outcome.err);
    mill.logged("connection from 127.0.0.1 refused: it does not speak TLS, and this port takes nothing else");
    let mut peer = daemon.connect();
    peer.send(b"\0REQ\0\0\0\x10\0\0\0\x01x").unwrap();
    let mut answer = Vec::new();
    let mut stream = TcpStream::connect(("127.0.0.1", daemon.port)).unwrap();
    stream.write_all(b"\0REQ\0\0\0\x10\0\0\0\x01x").unwrap();
    stream.read_to_end(&mut answer).unwrap();
    assert!(answer.ends_with(b"SERVER_ERROR\0This port takes TLS only"), "{}", answer.escape_ascii());
}

#[test]
fn tls_is_told_that_the_port_takes_none() {
    let mill = Mill::new();
    let daemon = Daemon::start(&mill.place, &["--verbose", "WARNING"]);
    let said = refusal(&daemon, "127.0.0.1", &mill.authority, None);
    assert!(said.contains("does this port take TLS?"), "{said}");
    mill.logged("the peer speaks TLS to a port that takes none; turn it off in that client or worker");
    daemon.connect().text("version\n").unwrap();
}

#[test]
fn silent_peers_hold_up_nobody_and_are_closed() {
    let mill = Mill::new();
    let words = ["--ssl-handshake-timeout", "1", "--ssl-max-handshakes", "3", "-t", "1"];
    let daemon = mill.daemon(&[&VERIFY[..], &words].concat());
    let connect = || TcpStream::connect(("127.0.0.1", daemon.port)).unwrap();
    let mut silent = [connect(), connect()];
    // One who begins and stops in the middle of the first record is as silent.
    silent[1].write_all(&[0x16, 3, 1]).unwrap();
    let own = ["-cert", "client.pem", "-key", "client.key"];
    assert!(mill.greets(&daemon, &own));
    for mut peer in silent {
        assert_eq!(peer.read(&mut [0; 16]).unwrap(), 0);
    }
    mill.logged("refused: the TLS handshake was not finished within 1s (handshake_timeout)");
    let crowd = [connect(), connect(), connect(), connect()];
    mill.logged("refused: 3 TLS handshakes are under way (max_handshakes)");
    drop(crowd);
    poll(PATIENCE, || mill.greets(&daemon, &own).then_some(())).expect("room for another handshake");
}

#[test]
fn hup_takes_new_certificates_and_keeps_the_old_where_they_are_bad() {
    let mill = Mill::new();
    let daemon = mill.daemon(&[]);
    let trusting = |authority: &Authority| {
        let tls = ClientTls::builder(bytes(&authority.pem())).build().unwrap();
        let options = Options { tls: Some(tls), ..Options::default() };
        Client::with_options(format!("127.0.0.1:{}", daemon.port), options).unwrap()
    };
    let old = trusting(&mill.authority);
    old.echo("x").unwrap();
    fs::rename(mill.folder().join("server.pem"), mill.folder().join("away.pem")).unwrap();
    daemon.process.signal(Signal::HUP);
    mill.logged("certificate server.pem: No such file or directory");
    trusting(&mill.authority).echo("x").unwrap();
    let other = Authority::new("other").unwrap();
    other.server(&["127.0.0.1"]).unwrap().write(mill.folder(), "server").unwrap();
    daemon.process.signal(Signal::HUP);
    poll(PATIENCE, || trusting(&other).echo("x").ok()).expect("the new certificate");
    old.echo("lives on").unwrap();
    assert!(trusting(&mill.authority).echo("x").is_err());
}

#[test]
fn files_that_cannot_be_used_end_the_program() {
    let mill = Mill::new();
    let fixed = ["-L", "127.0.0.1", "-p", "0", "-P", "pid", "-l", "none"];
    let cases: &[(&[&str], &str)] = &[
        (&["--ssl"], "certificate /etc/ssl/certs/gearmand.pem: "),
        (&["--ssl", "--ssl-certificate", "none"], "certificate none: No such file or directory"),
        (
            &["--ssl", "--ssl-certificate", "server.pem", "--ssl-key", "client.key"],
            "key client.key does not belong to the certificate server.pem",
        ),
        (&["--ssl-key", "server.key"], "--ssl-key (flag) is of no use without --ssl"),
        (&["--ssl", "--ssl-verify", "required"], "--ssl-verify required needs --ssl-ca-file"),
        (&["--ssl", "--ssl-verify", "yes"], "--ssl-verify is none, optional or required, not 'yes'"),
    ];
    for (words, why) in cases {
        let outcome = mill.place.run("gearmand", &[&fixed, *words].concat(), b"");
        assert_eq!(outcome.status.code(), Some(1), "{words:?}");
        assert!(outcome.err.contains(why), "{words:?}: {}", outcome.err);
    }
    let outcome = mill.place.run("lineshaft", &["serve", "--ssl"], b"");
    assert_eq!(outcome.status.code(), Some(2));
    assert!(
        outcome.err.contains("--ssl needs --ssl-certificate; `lineshaft tls init FOLDER`"),
        "{}",
        outcome.err
    );
    let words = ["config", "--check", "--ssl", "--ssl-certificate", "server.pem", "--ssl-key"];
    let checked = |key: &str| mill.place.run("lineshaft", &[&words[..], &[key]].concat(), b"");
    assert!(checked("server.key").status.success());
    let outcome = checked("client.key");
    assert_eq!(outcome.status.code(), Some(2));
    assert!(
        outcome.err.contains("key client.key does not belong to the certificate server.pem"),
        "{}",
        outcome.err
    );
    for (words, why) in [
        (&["gearadmin", "-S", "--status"][..], "Error: CA certificate nowhere: No such file or directory"),
        (&["gearman", "-S", "-f", "x", "y"], "gearman: CA certificate nowhere: No such file or directory"),
        (&["lineshaft", "status", "--ssl"], "lineshaft: CA certificate nowhere: No such file or directory"),
    ] {
        let mut command = mill.command(words[0]);
        let outcome = run(command.args(&words[1..]).env("GEARMAND_CA_CERTIFICATE", "nowhere"), b"").unwrap();
        assert_ne!(outcome.status.code(), Some(0));
        assert!(outcome.err.starts_with(why), "{}", outcome.err);
    }
}

#[test]
fn the_variables_of_gearmand_name_its_files() {
    let mill = Mill::new();
    let mut command = mill.place.command("gearmand");
    let port = lineshaft_tests::port::free_port().unwrap();
    // As there they are stronger than the command line.
    command
        .args(["-d", "-L", "127.0.0.1", "-P", "pid", "-l", "log", "-p", &port.to_string()])
        .args(["--ssl", "--ssl-certificate", "none", "--ssl-verify", "required"])
        .env("GEARMAND_CA_CERTIFICATE", "ca.pem")
        .env("GEARMAND_SERVER_PEM", "server.pem")
        .env("GEARMAND_SERVER_KEY", "server.key");
    run(&mut command, b"").unwrap().success().unwrap();
    let daemon = Daemon { process: super::Process::of(&mill.place), port };
    let own = mill.authority.client("me").unwrap();
    let mut tls = ClientTls::builder(bytes(&mill.authority.pem()));
    tls = tls.certificate(bytes(&own.certificate), bytes(&own.key));
    let options = Options { tls: Some(tls.build().unwrap()), ..Options::default() };
    Client::with_options(format!("127.0.0.1:{}", daemon.port), options).unwrap().echo("x").unwrap();
}

#[test]
fn rights_stand_in_the_settings_file() {
    let mill = Mill::new();
    let rights = "[[rights]]\nidentity = \"me\"\nrights = [\"submit\", \"admin\"]\nfunctions = [\"a*\"]\n";
    fs::write(mill.folder().join("settings.toml"), rights).unwrap();
    let daemon = mill.daemon(&[&VERIFY[..], &["--config-file", "settings.toml"]].concat());
    let port = daemon.port.to_string();
    let submit = |function: &str| {
        let mut client = mill.command("gearman");
        run(client.args(["-S", "-b", "-p", &port, "-f", function, "x"]), b"").unwrap()
    };
    assert!(submit("abc").status.success());
    let refused = submit("b");
    assert!(refused.err.contains("certificate me lacks the right submit for function b"), "{}", refused.err);
    let mut admin = mill.command("gearadmin");
    let outcome = run(admin.args(["-S", "-p", &port, "--create-function", "b"]), b"").unwrap();
    assert!(outcome.err.contains("PERMISSION_DENIED"), "{}", outcome.err);
    // A new file counts from SIGHUP on, and one with a mistake does not.
    fs::write(mill.folder().join("settings.toml"), rights.replace("a*", "b")).unwrap();
    daemon.process.signal(Signal::HUP);
    poll(PATIENCE, || submit("b").status.success().then_some(())).expect("the new rights");
    assert!(!submit("abc").status.success());
    for (text, why) in [
        (rights.replace("submit", "submitt"), "there is no right 'submitt'"),
        (rights.replace("identity", "identitty"), "identitty"),
        (rights.replace("[\"a*\"]", "[]"), "must not be empty"),
    ] {
        fs::write(mill.folder().join("settings.toml"), text).unwrap();
        let outcome = mill.place.run("gearmand", &["--config-file", "settings.toml", "-p", "0"], b"");
        assert!(outcome.err.contains(why), "{}", outcome.err);
    }
}

#[test]
fn init_makes_what_its_advice_needs() {
    let place = Place::new();
    let advice =
        place.run("lineshaft", &["tls", "init", "made here", "--client", "me"], b"").success().unwrap();
    for name in ["ca", "server", "client"] {
        let mode = |end: &str| {
            let file = fs::metadata(place.path("made here").join(format!("{name}.{end}"))).unwrap();
            file.permissions().mode() & 0o777
        };
        assert_eq!(mode("key"), 0o600);
        assert_eq!(mode("pem") & 0o444, 0o444);
    }
    let again = place.run("lineshaft", &["tls", "init", "made here"], b"");
    assert_eq!(again.status.code(), Some(6));
    assert!(again.err.contains("ca.pem is there already"), "{}", again.err);

    // What it says can be typed as it stands, into a shell that finds the programs.
    let shell = |line: &str| {
        let mut command = place.command("lineshaft");
        let path = format!("{}:/usr/bin:/bin", place.folder.path().display());
        let mut shell = Command::new("sh");
        shell.current_dir(place.folder.path()).arg("-c").arg(line).env_clear().env("PATH", path);
        shell.env("HOME", place.folder.path());
        std::mem::swap(&mut command, &mut shell);
        command
    };
    let line = |beginning: &str| {
        let line = advice.lines().map(str::trim).find(|line| line.starts_with(beginning));
        line.unwrap_or_else(|| panic!("no {beginning} in\n{advice}")).to_owned()
    };
    let port = lineshaft_tests::port::free_port().unwrap();
    let serve = format!("exec {} -p {port} --store memory --pid-file pid", line("lineshaft serve"));
    let _server = Program::start(&mut shell(&serve), b"").unwrap();
    let process = super::Process::of(&place);
    poll(PATIENCE, || TcpStream::connect(("127.0.0.1", port)).ok()).expect("a port");
    let status = format!("{} -S localhost:{port} --json", line("lineshaft status"));
    assert_eq!(run(&mut shell(&status), b"").unwrap().success().unwrap().trim(), "[]");
    let classic = format!("{}; {} -p {port}", line("export "), line("gearadmin "));
    assert_eq!(run(&mut shell(&classic), b"").unwrap().success().unwrap(), ".\n");
    process.signal(Signal::TERM);
}
