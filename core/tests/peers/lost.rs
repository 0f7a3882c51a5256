//! Servers that go away, say nothing, or talk nonsense: what clients make of it.

use std::thread;
use std::time::Duration;

use lineshaft::ErrorKind;
use lineshaft::client::{Event, Options, Submission};
use lineshaft::protocol::{Command, Response, Work};
use lineshaft::server::Server;

use crate::fake::{Fake, Peer};
use crate::kinds::{Client, KINDS, Kind, PATIENCE, Worker};

/// Runs `client` against a server that does `server` meanwhile.
fn against(server: impl Fn(&Fake) + Send + Sync, client: impl Fn(Kind, &str)) {
    for kind in KINDS {
        let fake = Fake::new();
        let address = fake.address();
        thread::scope(|scope| {
            let server = scope.spawn(|| server(&fake));
            client(kind, &address);
            server.join().unwrap();
        });
    }
}

fn options() -> Options {
    Options { answer_timeout: PATIENCE, reconnect_within: PATIENCE, ..Options::default() }
}

/// Takes a submission and gives its job the name `handle`.
fn take(peer: &mut Peer, handle: &str) {
    assert_eq!(peer.next().0, Command::SubmitJob);
    peer.send(&Response::JobCreated { handle: handle.as_bytes() });
}

#[test]
fn a_lost_connection_ends_its_tasks_and_the_next_submission_connects_again() {
    against(
        |fake| {
            let mut peer = fake.accept();
            peer.exceptions();
            take(&mut peer, "H:1");
            peer.send(&Response::Work { handle: b"H:1", work: Work::Data(b"a piece".into()) });
            drop(peer);
            let mut peer = fake.accept();
            peer.exceptions();
            take(&mut peer, "H:1");
            peer.send(&Response::Work { handle: b"H:1", work: Work::Complete(b"new".into()) });
            assert_eq!(peer.try_next(), None);
        },
        |kind, address| {
            let client = Client::with(kind, address, options());
            let (events, error) = client.send(Submission::new("f", "")).unwrap().events();
            assert_eq!(events, [Event::Created("H:1".into()), Event::Data("a piece".into())]);
            assert_eq!(error, Some(ErrorKind::LostConnection));
            assert_eq!(client.run("f", b"").unwrap(), "new");
        },
    );
}

#[test]
fn a_connection_that_ended_while_nobody_used_it_costs_nothing() {
    against(
        |fake| {
            let mut peer = fake.accept();
            peer.exceptions();
            assert_eq!(peer.next(), (Command::EchoReq, "hi".into()));
            peer.send(&Response::Echo { data: b"hi".into() });
            drop(peer);
            let mut peer = fake.accept();
            peer.exceptions();
            take(&mut peer, "H:1");
            peer.send(&Response::Work { handle: b"H:1", work: Work::Complete(b"fine".into()) });
            assert_eq!(peer.try_next(), None);
        },
        |kind, address| {
            let client = Client::with(kind, address, options());
            client.echo(b"hi").unwrap();
            // The end of the connection needs a moment to arrive; before that a submission is lost with it, and says so.
            let result = loop {
                match client.run("f", b"") {
                    Err(error) if error.kind() == ErrorKind::LostConnection => {}
                    result => break result,
                }
            };
            assert_eq!(result.unwrap(), "fine");
        },
    );
}

#[test]
fn a_server_that_owes_an_answer_is_given_up() {
    against(
        |fake| {
            let mut peer = fake.accept();
            peer.exceptions();
            assert_eq!(peer.next().0, Command::SubmitJob);
            assert_eq!(peer.try_next(), None, "the client hangs up");
        },
        |kind, address| {
            let impatient = Options { answer_timeout: Duration::from_millis(50), ..options() };
            let client = Client::with(kind, address, impatient);
            let error = client.send(Submission::new("f", "")).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::Timeout);
            assert!(error.detail().contains("50ms"), "{error}");
        },
    );
}

#[test]
fn what_a_server_says_before_it_hangs_up_explains_the_loss() {
    against(
        |fake| {
            let mut peer = fake.accept();
            peer.exceptions();
            take(&mut peer, "H:1");
            peer.send(&Response::error(ErrorKind::DataTooLarge, "you have been too slow"));
        },
        |kind, address| {
            let error = Client::with(kind, address, options()).run("f", b"").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::LostConnection);
            assert!(error.detail().contains("you have been too slow"), "{error}");
        },
    );
}

#[test]
fn nonsense_ends_the_connection_with_an_error_that_names_it() {
    let header = |kind: u32, size: u32| [&b"\0RES"[..], &kind.to_be_bytes(), &size.to_be_bytes()].concat();
    for (nonsense, named) in [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), "not the Gearman protocol"),
        (b"\0REQ\0\0\0\x08\0\0\0\x00".to_vec(), "not the Gearman protocol"),
        (header(99, 0), "unknown packet type 99"),
        (header(0xFFFF_FFFF, 0), "unknown packet"),
        (header(13, u32::MAX), "max_packet"),
        (header(12, 3), "WORK_STATUS needs 3 arguments"),
        (header(7, 0), "not a packet that servers send"),
    ] {
        against(
            |fake| {
                let mut peer = fake.accept();
                peer.exceptions();
                take(&mut peer, "H:1");
                peer.send_bytes(&nonsense);
                peer.send_bytes(b"123");
                assert_eq!(peer.try_next(), None, "the client hangs up");
            },
            |kind, address| {
                let error = Client::with(kind, address, options()).run("f", b"").unwrap_err();
                assert!(error.detail().contains(named), "{error}");
            },
        );
    }
}

#[test]
fn packets_in_pieces_are_put_together() {
    against(
        |fake| {
            let mut peer = fake.accept();
            peer.exceptions();
            assert_eq!(peer.next().0, Command::SubmitJob);
            let mut out = lineshaft::protocol::OutBuf::new();
            Response::JobCreated { handle: b"H:1" }.encode(&mut out);
            Response::Work { handle: b"H:1", work: Work::Complete(b"whole".into()) }.encode(&mut out);
            for byte in out.to_vec() {
                peer.send_bytes(&[byte]);
            }
            assert_eq!(peer.try_next(), None);
        },
        |kind, address| {
            assert_eq!(Client::with(kind, address, options()).run("f", b"").unwrap(), "whole");
        },
    );
}

#[test]
fn the_first_server_that_can_be_reached_is_used() {
    let server = Server::builder().listen("127.0.0.1:0".parse().unwrap()).start().unwrap();
    let address = &server.addresses()[0];
    // A port that nobody listens on: it was free a moment ago.
    let dead = Fake::new().address();
    for kind in KINDS {
        let _worker = Worker::new(kind, address);
        let client = Client::new(kind, format!("{dead},unix:/nobody/listens/here,{address}"));
        assert_eq!(client.run("reverse", b"abc").unwrap(), "cba");

        let error = Client::new(kind, [dead.as_str(), "unix:/nobody/listens/here"]).connect().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CouldNotConnect);
        assert!(error.detail().contains(&dead) && error.detail().contains("unix:/nobody"), "{error}");
    }
}

#[test]
fn a_client_goes_over_to_the_next_server_and_comes_back() {
    for kind in KINDS {
        let listen = |address: &str| Server::builder().listen(address.parse().unwrap()).start().unwrap();
        let (first, second) = (listen("127.0.0.1:0"), listen("127.0.0.1:0"));
        let (a, b) = (first.addresses()[0].to_string(), second.addresses()[0].to_string());
        let client = Client::with(kind, format!("{a},{b}"), options());
        let background = || Submission::new("f", "").background();
        client.send(background()).unwrap();
        assert_eq!((first.jobs(), second.jobs()), (1, 0));
        first.stop();
        retry(|| client.send(background()).map(|_| ()));
        assert_eq!(second.jobs(), 1);
        let first = listen(&a);
        second.stop();
        retry(|| client.send(background()).map(|_| ()));
        assert_eq!(first.jobs(), 1);
    }
}

/// A submission may meet the end of the connection, and says so; then it is made again.
fn retry(mut act: impl FnMut() -> lineshaft::Result<()>) {
    while let Err(error) = act() {
        assert!(error.is_retryable(), "{error}");
    }
}

#[test]
fn a_broker_of_this_process_that_ends_ends_its_tasks() {
    for kind in KINDS {
        let server = Server::builder().start().unwrap();
        let options = Options { reconnect_within: Duration::ZERO, ..options() };
        let client = Client::with(kind, lineshaft::net::Address::Local(server.local()), options);
        let task = client.send(Submission::new("nobody", "")).unwrap();
        server.stop();
        assert_eq!(task.result().unwrap_err().kind(), ErrorKind::LostConnection);
        let error = client.send(Submission::new("nobody", "")).err().unwrap();
        assert!(matches!(error.kind(), ErrorKind::CouldNotConnect | ErrorKind::LostConnection), "{error}");
    }
}
