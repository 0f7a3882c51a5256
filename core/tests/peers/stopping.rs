//! Workers that change and stop while they work.

use std::sync::{Arc, OnceLock, mpsc};
use std::time::Duration;

use bytes::Bytes;
use lineshaft::client::Submission;
use lineshaft::net::Address;
use lineshaft::protocol::{Command, Response};
use lineshaft::server::Server;
use lineshaft::worker::{Control, JobError, Options};
use lineshaft::{Admin, ErrorKind, Worker as AsyncWorker, blocking};

use crate::fake::Fake;
use crate::kinds::{Client, KINDS, Kind, PATIENCE, Worker, function, runtime};
use crate::serving::assign;

/// A server, and the ways to it.
fn server() -> (Server, [Address; 2]) {
    let server = Server::builder().listen("127.0.0.1:0".parse().unwrap()).start().unwrap();
    let ways = [server.addresses()[0].clone(), Address::Local(server.local())];
    (server, ways)
}

#[test]
fn a_worker_that_stops_finishes_what_it_does() {
    let (_server, ways) = server();
    for way in &ways {
        for kind in KINDS {
            let (started, has_started) = mpsc::channel();
            let (go, may_go) = mpsc::channel::<()>();
            let may_go = std::sync::Mutex::new(may_go);
            let slow = function(move |_| {
                started.send(()).unwrap();
                may_go.lock().unwrap().recv().unwrap();
                Ok(Bytes::from("done"))
            });
            let worker = Worker::start(kind, way, Options::default(), vec![("slow", slow)]);
            let client = Client::new(Kind::Blocking, way);
            let first = client.send(Submission::new("slow", "").timeout(PATIENCE)).unwrap();
            let second = client.send(Submission::new("slow", "").timeout(PATIENCE)).unwrap();
            has_started.recv().unwrap();
            worker.stop();
            go.send(()).unwrap();
            assert_eq!(first.result().unwrap(), "done");
            drop(worker);
            // The second is for others.
            let other = function(|_| Ok(Bytes::from("by another")));
            let _other = Worker::start(kind, way, Options::default(), vec![("slow", other)]);
            assert_eq!(second.result().unwrap(), "by another");
        }
    }
}

#[test]
fn what_runs_at_the_deadline_is_handed_back() {
    let (_server, ways) = server();
    for way in &ways {
        let (started, has_started) = mpsc::channel();
        let worker = AsyncWorker::builder(way)
            .function("slow", move |_| {
                started.send(()).unwrap();
                std::future::pending::<Result<Bytes, JobError>>()
            })
            .build()
            .unwrap();
        let control = worker.control();
        let client = Client::new(Kind::Blocking, way);
        let task = client.send(Submission::new("slow", "").timeout(PATIENCE)).unwrap();
        let stop = std::thread::spawn(move || {
            has_started.recv().unwrap();
            control.stop(Duration::from_millis(10));
        });
        runtime().block_on(worker.run()).unwrap();
        stop.join().unwrap();
        let other = function(|_| Ok(Bytes::from("by another")));
        let _other = Worker::start(Kind::Blocking, way, Options::default(), vec![("slow", other)]);
        assert_eq!(task.result().unwrap(), "by another");
    }
}

#[test]
fn a_stopped_async_worker_hears_the_server_out() {
    // More than the server's end takes without reading: the rest is in the hands of the worker's kernel.
    const RESULT: usize = 512 << 10;
    let fake = Fake::new();
    let control = Arc::new(OnceLock::<Control>::new());
    let own = Arc::clone(&control);
    let worker = AsyncWorker::builder(fake.address())
        .function_blocking("wait", move |_| {
            own.get().unwrap().stop(PATIENCE);
            Ok(vec![b'r'; RESULT])
        })
        .build()
        .unwrap();
    control.set(worker.control()).unwrap();
    let (ended, has_ended) = mpsc::channel();
    let running = std::thread::spawn(move || {
        runtime().block_on(worker.run()).unwrap();
        let _ = ended.send(());
    });
    let mut peer = fake.accept();
    peer.send(&assign("H:1"));
    // A worker that closes at once has done so by then; one that listens waits for more.
    let _ = has_ended.recv_timeout(Duration::from_millis(200));
    peer.send(&Response::Noop);
    let mut results = 0;
    while let Some((command, body)) = peer.try_next() {
        if command == Command::WorkComplete {
            assert_eq!(body.len(), "H:1|".len() + RESULT);
            results += 1;
        }
    }
    assert_eq!(results, 1);
    drop(peer);
    running.join().unwrap();
}

#[test]
fn work_leaves_the_next_job_to_others() {
    let (_server, ways) = server();
    for way in &ways {
        let [mut one, mut other] = ["one", "other"].map(|name| {
            let mut worker = blocking::Worker::new(way).unwrap();
            worker.add_function("who", move |_| Ok(name)).unwrap();
            worker
        });
        let client = blocking::Client::new(way).unwrap();
        let [first, second] = [(); 2].map(|()| client.submit("who", "").unwrap());
        assert!(one.work(Some(PATIENCE)).unwrap());
        assert!(other.work(Some(PATIENCE)).unwrap());
        assert_eq!(first.result().unwrap(), "one");
        assert_eq!(second.result().unwrap(), "other");
        // Nor is one pushed to a worker that has waited in vain.
        assert!(!one.work(Some(Duration::from_millis(100))).unwrap());
        let third = client.submit("who", "").unwrap();
        assert!(other.work(Some(PATIENCE)).unwrap());
        assert_eq!(third.result().unwrap(), "other");
        assert!(!one.work(Some(Duration::ZERO)).unwrap());
    }
}

#[test]
fn functions_come_and_go_while_a_worker_works() {
    let (server, ways) = server();
    for way in &ways {
        let worker = AsyncWorker::builder(way)
            .function("first", |job| async move { Ok(job.workload().clone()) })
            .build()
            .unwrap();
        let control = worker.control();
        let running = std::thread::spawn(move || runtime().block_on(worker.run()).unwrap());
        let client = Client::new(Kind::Async, way);
        assert_eq!(client.run("first", b"1").unwrap(), "1");

        let waiting = client.send(Submission::new("second", "2").timeout(PATIENCE)).unwrap();
        control.add_function_blocking("second", |job| Ok(job.to_bytes())).unwrap();
        assert_eq!(waiting.result().unwrap(), "2");
        assert!(control.remove_function("first"));
        assert!(!control.remove_function("first"));
        assert_eq!(
            control.add_function("", |_| async { Ok("") }).unwrap_err().kind(),
            ErrorKind::InvalidFunctionName
        );
        // A job behind the change: when it is done the server knows.
        assert_eq!(client.run("second", b"3").unwrap(), "3");
        let workers = server.blocking_admin().status().unwrap();
        let of = |name: &str| workers.iter().find(|row| row.function == name).unwrap().workers;
        assert_eq!((of("first"), of("second")), (0, 1));
        control.stop(PATIENCE);
        running.join().unwrap();
    }
}

#[test]
fn a_blocking_worker_works_step_by_step() {
    let (server, ways) = server();
    for way in &ways {
        let mut worker = blocking::Worker::new(way).unwrap();
        let error = worker.work(None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NoRegisteredFunctions);
        worker.add_function("count", |job| Ok(job.workload().len().to_string())).unwrap();
        assert!(!worker.work(Some(Duration::from_millis(1))).unwrap());
        let client = blocking::Client::new(way).unwrap();
        let tasks: Vec<_> = (0..3).map(|_| client.submit("count", "abc").unwrap()).collect();
        for _ in 0..3 {
            assert!(worker.work(Some(PATIENCE)).unwrap());
        }
        for task in tasks {
            assert_eq!(task.result().unwrap(), "3");
        }
        assert!(worker.remove_function("count"));
        worker.add_function("other", |_| Ok("")).unwrap();
        drop(worker);
    }
    drop(server);
}

#[test]
fn a_client_can_be_stepped_by_somebody_elses_loop() {
    let (_server, ways) = server();
    for way in &ways {
        let _worker = Worker::new(Kind::Blocking, way);
        let client = blocking::Client::new(way).unwrap();
        assert_eq!(client.interest().map(|(_, interest)| interest.read), None);
        let task = client.job("reverse", "abc").start().unwrap();
        if matches!(way, Address::Tcp { .. }) {
            let (_, interest) = client.interest().unwrap();
            assert!(interest.read);
            assert!(client.deadline().is_some());
        }
        while !task.is_over() {
            client.step().unwrap();
            std::thread::yield_now();
        }
        assert_eq!(task.result().unwrap(), "cba");
    }
}

#[test]
fn a_clients_runtime_may_end_before_the_client() {
    let (_server, ways) = server();
    for way in &ways {
        let client = lineshaft::Client::new(way).unwrap();
        let first = runtime();
        let task = first.block_on(client.submit("nobody", "")).unwrap();
        drop(first);
        let second = runtime();
        let error = second.block_on(task).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Closed);
        assert!(second.block_on(client.job("nobody", "").background().send()).is_ok());
        // Without any runtime it says what is missing.
        let client = lineshaft::Client::new(way).unwrap();
        let mut future = Box::pin(client.connect());
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        let std::task::Poll::Ready(Err(error)) = future.as_mut().poll(&mut cx) else {
            panic!("ready at once")
        };
        assert!(error.detail().contains("tokio runtime"), "{error}");
    }
}

#[test]
fn admin_commands_work_over_every_way() {
    let (_server, ways) = server();
    let runtime = runtime();
    for way in &ways {
        let mut blocking = blocking::Admin::new(way).unwrap();
        let mut admin = Admin::new(way).unwrap();
        let client = blocking::Client::new(way).unwrap();
        let task = client.job("jobs", "").unique("one").background().send().unwrap();
        let scheduled = client.job("jobs", "").schedule("0 0 1 1 *").send().unwrap();

        assert_eq!(blocking.version().unwrap(), runtime.block_on(admin.version()).unwrap());
        assert_eq!(blocking.getpid().unwrap(), runtime.block_on(admin.getpid()).unwrap());
        let status = blocking.status().unwrap();
        assert_eq!(status, runtime.block_on(admin.status()).unwrap());
        let row = status.iter().find(|row| row.function == "jobs").unwrap();
        assert_eq!((row.total, row.running, row.workers), (1, 0, 0));
        let priorities = blocking.priority_status().unwrap();
        assert_eq!(priorities.iter().find(|row| row.function == "jobs").unwrap().normal, 1);
        assert!(runtime.block_on(admin.workers()).unwrap().len() >= 3);
        assert_eq!(blocking.jobs().unwrap().len(), 1);
        assert_eq!(blocking.unique_jobs().unwrap(), ["one"]);
        let schedules = runtime.block_on(admin.schedules()).unwrap();
        assert_eq!(schedules[0].handle, scheduled.handle().as_bytes());
        assert_eq!(schedules[0].fields, "0 0 1 1 *");

        blocking.max_queue("jobs", Some(1)).unwrap();
        let full = client.job("jobs", "").background().send().unwrap_err();
        assert_eq!(full.kind(), ErrorKind::QueueError);
        blocking.max_queue_by_priority("jobs", [None, Some(2), None]).unwrap();

        assert_eq!(blocking.drop_function("never-made").unwrap_err().kind(), ErrorKind::Server);
        assert_eq!(blocking.drop_function("two words").unwrap_err().kind(), ErrorKind::InvalidArgument);
        for task in [&task, &scheduled] {
            blocking.cancel(task.handle().as_bytes()).unwrap();
            let again = runtime.block_on(admin.cancel(task.handle().as_bytes())).unwrap_err();
            assert_eq!(again.kind(), ErrorKind::JobNotFound);
        }
        runtime.block_on(admin.create_function("made")).unwrap();
        blocking.drop_function("made").unwrap();
        blocking.drop_function("jobs").unwrap();
        assert!(blocking.status().unwrap().is_empty());
        assert_eq!(blocking.command("nonsense").unwrap_err().kind(), ErrorKind::InvalidCommand);
        assert_eq!(blocking.command("a\nb").unwrap_err().kind(), ErrorKind::InvalidArgument);
        assert_eq!(blocking.command("version").unwrap().len(), 1);
    }
}
