//! Where clients, workers and servers meet their limits: peers that do not read, ends in mid-flight, times without end.

use std::path::PathBuf;
use std::time::Duration;

use lineshaft::net::Address;
use lineshaft::server::Server;
use lineshaft::{ErrorKind, blocking};

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(30);

fn path(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("lineshaft-edges-{}-{name}", std::process::id()))
}

#[test]
fn a_result_that_was_there_when_the_server_stopped_is_not_lost_in_process() {
    let server = Server::builder().start().unwrap();
    let mut worker = server.blocking_worker();
    worker.add_function("f", |_| Ok("done")).unwrap();
    let task = server.blocking_client().submit("f", "").unwrap();
    assert!(worker.work(None).unwrap());
    assert!(server.shutdown(PATIENCE));
    assert_eq!(task.result().unwrap(), "done");
}

#[test]
fn a_file_that_is_no_socket_is_not_removed() {
    let path = path("file");
    std::fs::write(&path, "precious").unwrap();
    let started = Server::builder().listen(Address::Unix(path.clone())).start();
    assert_eq!(started.err().map(|error| error.kind()), Some(ErrorKind::Io));
    assert_eq!(std::fs::read(&path).unwrap(), b"precious");
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn a_server_that_drains_leaves_the_socket_of_its_successor_alone() {
    let path = path("socket");
    let address = Address::Unix(path.clone());
    let old = Server::builder().listen(address.clone()).start().unwrap();
    let client = blocking::Client::new(&address).unwrap();
    let mut worker = blocking::Worker::new(&address).unwrap();
    let (started, has_started) = std::sync::mpsc::channel();
    let (end, ended) = std::sync::mpsc::channel::<()>();
    worker
        .add_function("f", move |_| {
            started.send(()).unwrap();
            ended.recv().unwrap();
            Ok("")
        })
        .unwrap();
    let task = client.submit("f", "").unwrap();
    let working = std::thread::spawn(move || worker.work(None).unwrap());
    has_started.recv().unwrap();
    let draining = std::thread::spawn(move || old.shutdown(PATIENCE));
    // The old one has let go of the path when a new one can have it.
    let new = loop {
        match Server::builder().listen(address.clone()).start() {
            Ok(new) => break new,
            Err(_) => std::thread::yield_now(),
        }
    };
    end.send(()).unwrap();
    task.result().unwrap();
    assert!(working.join().unwrap() && draining.join().unwrap());
    blocking::Client::new(&address).unwrap().echo("x").unwrap();
    new.stop();
    assert!(!path.exists());
}
