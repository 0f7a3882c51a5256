//! Workers among servers: several, dead ones, ones that come and go.

use std::sync::mpsc;
use std::thread;

use bytes::Bytes;
use lineshaft::ErrorKind;
use lineshaft::client::Submission;
use lineshaft::protocol::{Assign, Command, Data, Grab, Response};
use lineshaft::server::Server;
use lineshaft::worker::Options;

use crate::fake::{Fake, Peer};
use crate::kinds::{Client, KINDS, Kind, Worker, function};

fn listen(address: &str) -> Server {
    Server::builder().listen(address.parse().unwrap()).start().unwrap()
}

#[test]
fn all_servers_are_served_and_dead_ones_hinder_nobody() {
    let dead = Fake::new().address();
    for kind in KINDS {
        let servers: Vec<_> = (0..3).map(|_| listen("127.0.0.1:0")).collect();
        let mut list: Vec<_> = servers.iter().map(|server| server.addresses()[0].to_string()).collect();
        list.insert(1, dead.clone());
        let _worker = Worker::new(kind, list);
        for _ in 0..3 {
            for server in &servers {
                let client = Client::new(Kind::Blocking, &server.addresses()[0]);
                assert_eq!(client.run("reverse", b"abc").unwrap(), "cba");
            }
        }
    }
}

#[test]
fn a_busy_server_does_not_starve_the_others() {
    for kind in KINDS {
        let (busy, calm) = (listen("127.0.0.1:0"), listen("127.0.0.1:0"));
        let client = Client::new(kind, &busy.addresses()[0]);
        let jobs = (0..2000).map(|_| Submission::new("echo", "x").background()).collect();
        assert!(client.send_many(jobs).iter().all(Result::is_ok));
        let list = [&busy, &calm].map(|server| server.addresses()[0].clone()).to_vec();
        let _worker = Worker::new(kind, list);
        let calm = Client::new(kind, &calm.addresses()[0]);
        assert_eq!(calm.run("reverse", b"abc").unwrap(), "cba");
        println!("{} of 2000 jobs were still there", busy.jobs());
    }
}

#[test]
fn a_server_that_comes_back_is_served_again() {
    for kind in KINDS {
        let server = listen("127.0.0.1:0");
        let address = server.addresses()[0].to_string();
        let _worker = Worker::new(kind, &address);
        assert_eq!(Client::new(kind, &address).run("reverse", b"abc").unwrap(), "cba");
        server.stop();
        let _server = listen(&address);
        assert_eq!(Client::new(kind, &address).run("reverse", b"abc").unwrap(), "cba");
    }
}

pub(crate) fn assign(handle: &'static str) -> Response<'static> {
    Response::Assign(Assign {
        kind: Grab::Uniq,
        handle: handle.as_bytes(),
        function: b"wait",
        unique: b"",
        reducer: b"",
        workload: Data::EMPTY,
    })
}

fn registration(peer: &mut Peer) {
    assert_eq!(peer.next(), (Command::AllYours, String::new()));
    assert_eq!(peer.next(), (Command::SetClientId, "tester".into()));
    assert_eq!(peer.next(), (Command::CanDo, "wait".into()));
    assert_eq!(peer.next(), (Command::GrabJobAll, String::new()));
}

#[test]
fn the_result_of_a_job_whose_connection_was_lost_is_dropped() {
    for kind in KINDS {
        let fake = Fake::new();
        let (go, gone) = mpsc::channel::<()>();
        let gone = std::sync::Mutex::new(gone);
        let wait = function(move |job| {
            if job.handle() == b"H:1" {
                gone.lock().unwrap().recv().unwrap();
            }
            // Whether the loss is known already is a matter of luck, and of no importance.
            let _ = job.send_data("late");
            Ok(Bytes::from("result"))
        });
        let options = Options { client_id: Some("tester".into()), ..Options::default() };
        let worker = Worker::start(kind, fake.address(), options, vec![("wait", wait)]);

        let mut peer = fake.accept();
        registration(&mut peer);
        peer.send(&assign("H:1"));
        drop(peer);
        go.send(()).unwrap();
        let mut peer = fake.accept();
        registration(&mut peer);
        peer.send(&assign("H:2"));
        assert_eq!(peer.next(), (Command::WorkData, "H:2|late".into()));
        assert_eq!(peer.next(), (Command::WorkComplete, "H:2|result".into()));
        worker.stop();
        drop(peer);
    }
}

#[test]
fn with_a_server_like_gearmand_a_worker_grabs() {
    for kind in KINDS {
        let fake = Fake::new();
        let options = Options { client_id: Some("tester".into()), ..Options::default() };
        let done = function(|_| Ok(Bytes::new()));
        let worker = Worker::start(kind, fake.address(), options, vec![("wait", done)]);
        let mut peer = fake.accept();
        registration(&mut peer);
        peer.send(&Response::error(ErrorKind::InvalidCommand, "Command not expected"));
        peer.send(&Response::NoJob);
        assert_eq!(peer.next().0, Command::PreSleep);
        // Two at once, and one that nobody needs.
        peer.send(&Response::Noop);
        assert_eq!(peer.next().0, Command::GrabJobAll);
        peer.send(&Response::Noop);
        peer.send(&assign("H:1"));
        assert_eq!(peer.next(), (Command::WorkComplete, "H:1|".into()));
        assert_eq!(peer.next().0, Command::GrabJobAll);
        peer.send(&Response::NoJob);
        assert_eq!(peer.next().0, Command::PreSleep);
        worker.stop();
        assert_eq!(peer.try_next(), None);
    }
}

#[test]
fn a_server_that_does_not_answer_a_grab_is_left_and_tried_again() {
    for kind in KINDS {
        let fake = Fake::new();
        let answer_timeout = std::time::Duration::from_millis(50);
        let options = Options { client_id: Some("tester".into()), answer_timeout, ..Options::default() };
        let done = function(|_| Ok(Bytes::new()));
        let _worker = Worker::start(kind, fake.address(), options, vec![("wait", done)]);
        for _ in 0..2 {
            let mut peer = fake.accept();
            registration(&mut peer);
            assert_eq!(peer.try_next(), None);
        }
    }
}

#[test]
fn nonsense_from_a_server_ends_the_connection_and_not_the_worker() {
    for kind in KINDS {
        let fake = Fake::new();
        let options = Options { client_id: Some("tester".into()), ..Options::default() };
        let done = function(|_| Ok(Bytes::new()));
        let _worker = Worker::start(kind, fake.address(), options, vec![("wait", done)]);
        for nonsense in
            [&b"HTTP/1.1 400\r\n"[..], b"\0RES\0\0\0\x0b\xff\xff\xff\xff", b"\0RES\xff\xff\xff\xff\0\0\0\0"]
        {
            let mut peer = fake.accept();
            registration(&mut peer);
            peer.send_bytes(nonsense);
            assert_eq!(peer.try_next(), None);
        }
        let mut peer = fake.accept();
        registration(&mut peer);
    }
}

#[test]
fn several_jobs_run_at_once_on_one_connection() {
    let server = Server::builder().listen("127.0.0.1:0".parse().unwrap()).start().unwrap();
    for way in [server.addresses()[0].clone(), lineshaft::net::Address::Local(server.local())] {
        let meet = std::sync::Arc::new(std::sync::Barrier::new(4));
        let meeting = meet.clone();
        let functions = vec![(
            "meet",
            function(move |_| {
                // Nobody leaves before all four have come.
                meeting.wait();
                Ok(Bytes::from("met"))
            }),
        )];
        let options = Options { concurrency: 4, ..Options::default() };
        let _worker = Worker::start(Kind::Async, &way, options, functions);
        let client = Client::new(Kind::Blocking, &way);
        let jobs = (0..8).map(|_| Submission::new("meet", "")).collect();
        for result in client.map(jobs, 8) {
            assert_eq!(result.unwrap(), "met");
        }
        thread::yield_now();
    }
}
