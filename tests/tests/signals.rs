//! What signals do, with Debian's gearmand beside ours.

use lineshaft_tests::clock::{PATIENCE, poll};
use lineshaft_tests::server::{Maker, Server};
use rustix::process::Signal;
use std::net::TcpStream;
use std::os::unix::process::ExitStatusExt as _;

const SUBMIT_JOB_BG: u32 = 18;

fn servers() -> impl Iterator<Item = Server> {
    Maker::ALL.into_iter().map(|maker| Server::start(maker, &[]).unwrap())
}

#[test]
fn term_and_int_end_it_at_once_and_well() {
    for signal in [Signal::TERM, Signal::INT] {
        for mut server in servers() {
            server.connect().unwrap().submit(SUBMIT_JOB_BG, "f", "u", b"w").unwrap();
            server.stop(signal).unwrap();
        }
    }
}

#[test]
fn usr1_without_jobs_ends_it_and_with_jobs_closes_the_port() {
    for mut server in servers() {
        server.stop(Signal::USR1).unwrap();
    }
    for mut server in servers() {
        let mut client = server.connect().unwrap();
        client.submit(SUBMIT_JOB_BG, "f", "u", b"w").unwrap();
        server.signal(Signal::USR1).unwrap();
        let closed = || TcpStream::connect(server.address()).is_err().then_some(());
        poll(PATIENCE, closed).expect("a closed port");
        assert!(client.text("status\n").unwrap().starts_with("f\t1\t0\t0\n"), "{}", server.maker());
        server.stop(Signal::TERM).unwrap();
    }
}

#[test]
fn pipe_and_hup_do_not_end_it() {
    for mut server in servers() {
        for signal in [Signal::PIPE, Signal::HUP] {
            server.signal(signal).unwrap();
        }
        assert!(
            server.connect().unwrap().text("version\n").unwrap().starts_with("OK "),
            "{}",
            server.maker()
        );
        server.stop(Signal::TERM).unwrap();
    }
}

#[test]
fn quit_and_usr2_kill_it() {
    for signal in [Signal::QUIT, Signal::USR2] {
        for mut server in servers() {
            server.signal(signal).unwrap();
            assert_eq!(server.wait().unwrap().signal(), Some(signal.as_raw()), "{}", server.maker());
        }
    }
}
