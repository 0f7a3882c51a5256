//! Where clients, workers and servers meet their limits: peers that do not read, ends in mid-flight, times without end.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use lineshaft::client::{Event, Options};
use lineshaft::net::Address;
use lineshaft::protocol::{Assign, Data, Grab, OutBuf, Request, Response, Submit, When};
use lineshaft::server::Server;
use lineshaft::types::Priority;
use lineshaft::{Client, ErrorKind, Worker, blocking, worker};

const MIB: usize = 1 << 20;
/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(30);

fn listening() -> (Server, Address) {
    let server = Server::builder().listen("127.0.0.1:0".parse().unwrap()).start().unwrap();
    let address = server.addresses()[0].clone();
    (server, address)
}

/// A server that does nothing by itself.
fn silent() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

fn block_on<R>(future: impl Future<Output = R>) -> R {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn path(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("lineshaft-edges-{}-{name}", std::process::id()))
}

#[test]
fn an_async_client_holds_requests_back_when_the_server_does_not_read() {
    let (_listener, address) = silent();
    block_on(async {
        let client =
            Client::with_options(address, Options { max_unsent: MIB, ..Options::default() }).unwrap();
        let workload = vec![7; MIB / 16];
        let all = async {
            let mut tasks = Vec::new();
            for _ in 0..1000 {
                tasks.push(client.job("f", &workload).start().await.unwrap());
                // The connection's own task comes between.
                tokio::task::yield_now().await;
            }
        };
        // A bound that does not hold lets everything pass at once; one that holds is never passed, however long this waits.
        assert!(
            tokio::time::timeout(Duration::from_millis(500), all).await.is_err(),
            "62 MiB wait to be written"
        );
    });
}

#[test]
fn an_async_worker_holds_reports_back_when_the_server_does_not_read() {
    let (listener, address) = silent();
    block_on(async {
        let (sent, mut sending) = tokio::sync::mpsc::unbounded_channel();
        let worker = Worker::builder(address)
            .function("f", move |job| {
                let sent = sent.clone();
                async move {
                    let data = vec![7; MIB / 16];
                    for _ in 0..1000 {
                        job.send_data(&data).await?;
                        sent.send(()).unwrap();
                        tokio::task::yield_now().await;
                    }
                    Ok("")
                }
            })
            .options(worker::Options { max_unsent: MIB, ..worker::Options::default() })
            .build()
            .unwrap();
        let running = tokio::spawn(worker.run());
        let accept = tokio::task::spawn_blocking(move || listener.accept().unwrap().0);
        let mut peer = accept.await.unwrap();
        let mut out = OutBuf::new();
        let (handle, function) = (b"H:1", b"f");
        Response::Assign(Assign {
            kind: Grab::Uniq,
            handle,
            function,
            unique: b"",
            reducer: b"",
            workload: Data::EMPTY,
        })
        .encode(&mut out);
        peer.write_all(&out.to_vec()).unwrap();
        sending.recv().await.unwrap();
        let all = async {
            for _ in 1..1000 {
                sending.recv().await.unwrap();
            }
        };
        // As above.
        assert!(
            tokio::time::timeout(Duration::from_millis(500), all).await.is_err(),
            "62 MiB wait to be written"
        );
        running.abort();
    });
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
fn a_client_whose_broker_was_stopped_goes_to_the_next_server_at_once() {
    let (_second, address) = listening();
    let first = Server::builder().start().unwrap();
    block_on(async {
        let servers = vec![Address::Local(first.local()), address];
        let client = Client::new(servers).unwrap();
        client.echo("1").await.unwrap();
        first.stop();
        assert_eq!(client.echo("2").await.unwrap_err().kind(), ErrorKind::LostConnection);
        client.echo("3").await.unwrap();
        client.echo("4").await.unwrap();
    });
}

#[test]
fn a_client_does_not_go_back_to_a_server_that_hangs() {
    let (_hangs, first) = silent();
    let (_server, second) = listening();
    // Long enough for the one that answers, however busy the machine is.
    let options = Options { answer_timeout: Duration::from_secs(2), ..Options::default() };
    let servers: Vec<Address> = vec![first.parse().unwrap(), second];
    let client = blocking::Client::with_options(servers.clone(), options.clone()).unwrap();
    assert_eq!(client.echo("1").unwrap_err().kind(), ErrorKind::Timeout);
    client.echo("2").unwrap();
    block_on(async {
        let client = Client::with_options(servers, options).unwrap();
        assert_eq!(client.echo("1").await.unwrap_err().kind(), ErrorKind::Timeout);
        client.echo("2").await.unwrap();
    });
}

/// Drops a task when it is woken, as an executor may that runs or drops futures from there.
struct Drops(Mutex<Option<lineshaft::client::Task>>);

impl Wake for Drops {
    fn wake(self: Arc<Self>) {
        drop(self.0.lock().unwrap().take());
    }
}

#[test]
fn a_waker_may_use_the_client_that_wakes_it() {
    let (done, is_done) = mpsc::channel();
    std::thread::spawn(move || {
        let (server, address) = listening();
        block_on(async {
            let client = Client::new(address).unwrap();
            let other = client.submit("f", "").await.unwrap();
            let mut task = client.submit("f", "").await.unwrap();
            let drops = Arc::new(Drops(Mutex::new(Some(other))));
            let waker = Waker::from(Arc::clone(&drops));
            assert!(std::pin::Pin::new(&mut task).poll(&mut Context::from_waker(&waker)).is_pending());
            server.stop();
            // Whatever it says, it has noticed.
            let _ = client.echo("x").await;
            assert!(drops.0.lock().unwrap().is_none());
        });
        done.send(()).unwrap();
    });
    is_done.recv_timeout(PATIENCE).expect("it does not wait for itself");
}

#[test]
fn a_server_that_ends_lets_nobody_in_from_its_own_process_either() {
    let server = Server::builder().start().unwrap();
    let local = server.local();
    let mut worker = server.blocking_worker();
    let (go, may_go) = mpsc::channel::<()>();
    let (started, has_started) = mpsc::channel();
    worker
        .add_function("f", move |_| {
            started.send(()).unwrap();
            may_go.recv().unwrap();
            Ok("done")
        })
        .unwrap();
    let task = server.blocking_client().submit("f", "").unwrap();
    let working = std::thread::spawn(move || worker.work(None).unwrap());
    has_started.recv().unwrap();
    let ending = std::thread::spawn(move || server.finish(None));
    // The other thread comes to it soon; a server that lets everybody in does so for as long as the job runs.
    let refused = (0..10_000).any(|_| {
        std::thread::park_timeout(Duration::from_millis(1));
        local.connect().is_err()
    });
    go.send(()).unwrap();
    assert!(refused);
    assert!(working.join().unwrap());
    assert!(ending.join().unwrap());
    assert_eq!(task.result().unwrap(), "done");
}

#[test]
fn a_server_that_does_not_start_leaves_no_socket_behind() {
    let (_server, taken) = listening();
    let path = path("not-started");
    let server = Server::builder().listen(Address::Unix(path.clone())).listen(taken);
    assert_eq!(server.start().unwrap_err().kind(), ErrorKind::Io);
    assert!(!path.exists());
}

#[test]
fn an_endless_time_is_a_time() {
    let max = Duration::MAX;
    let (server, address) = listening();
    let options =
        Options { answer_timeout: max, connect_timeout: max, reconnect_within: max, ..Options::default() };
    let client = blocking::Client::with_options(&address, options.clone()).unwrap();
    client.echo("x").unwrap();
    block_on(async {
        let client = Client::with_options(&address, options.clone()).unwrap();
        client.echo("x").await.unwrap();
    });
    let options = worker::Options { answer_timeout: max, connect_timeout: max, ..worker::Options::default() };
    for address in [address, Address::Local(server.local())] {
        let mut worker = blocking::Worker::with_options(&address, options.clone()).unwrap();
        worker.add_function("f", |_| Ok("done")).unwrap();
        let client = blocking::Client::new(&address).unwrap();
        let task = client.submit("f", "").unwrap();
        let working = std::thread::spawn(move || worker.work(Some(max)).unwrap());
        assert_eq!(task.result_within(max).unwrap(), "done");
        assert!(working.join().unwrap());
    }
    assert!(server.shutdown(max));
}

#[test]
fn looking_without_waiting_sees_what_has_come() {
    let server = Server::builder().start().unwrap();
    let mut worker = server.blocking_worker();
    worker.add_function("f", |_| Ok("done")).unwrap();
    let mut task = server.blocking_client().submit("f", "").unwrap();
    assert!(worker.work(None).unwrap());
    assert!(matches!(task.next_within(Duration::ZERO).unwrap(), Some(Event::Created(_))));
    assert_eq!(task.next_within(Duration::ZERO).unwrap(), Some(Event::Complete("done".into())));
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

#[test]
fn a_started_job_is_on_its_way() {
    let (server, address) = listening();
    let client = blocking::Client::new(&address).unwrap();
    let task = client.job("f", "1").background().start().unwrap();
    while server.jobs() < 1 {
        std::thread::yield_now();
    }
    drop(task);
    block_on(async {
        let client = Client::new(&address).unwrap();
        drop(client.job("f", "2").background().start().await.unwrap());
        drop(client);
        while server.jobs() < 2 {
            tokio::task::yield_now().await;
        }
    });
}

#[test]
fn questions_that_no_server_takes_are_not_sent() {
    let (_server, address) = listening();
    let client = blocking::Client::new(&address).unwrap();
    let waiting = client.submit("f", "").unwrap();
    let long = "u".repeat(10_000);
    assert_eq!(client.status_by_unique(&long).unwrap_err().kind(), ErrorKind::ArgumentTooLarge);
    assert_eq!(client.set_option(&long).unwrap_err().kind(), ErrorKind::ArgumentTooLarge);
    assert_eq!(client.echo(vec![0; (64 << 20) + 1]).unwrap_err().kind(), ErrorKind::DataTooLarge);
    assert!(!waiting.is_over(), "the connection has been lost for it");
    assert!(waiting.status().unwrap().known);
    block_on(async {
        let client = Client::new(&address).unwrap();
        assert_eq!(client.status_by_unique(&long).await.unwrap_err().kind(), ErrorKind::ArgumentTooLarge);
        assert_eq!(client.echo(vec![0; (64 << 20) + 1]).await.unwrap_err().kind(), ErrorKind::DataTooLarge);
    });
}

#[test]
fn a_result_is_with_the_server_when_work_returns() {
    let (_server, address) = listening();
    let mut worker = blocking::Worker::new(&address).unwrap();
    worker.add_function("f", |_| Ok(vec![7; 48 * MIB])).unwrap();
    let client = blocking::Client::new(&address).unwrap();
    let task = client.submit("f", "").unwrap();
    assert!(worker.work(None).unwrap());
    assert_eq!(task.result_within(PATIENCE).unwrap().len(), 48 * MIB);
    drop(worker);
}

/// Answers one submission, a piece of the packet at a time, with a rest after each that is short for the client's patience
/// while all of them together are long.
fn trickle(mut peer: TcpStream, packets: &[Response<'_>]) {
    let mut out = OutBuf::new();
    packets.iter().for_each(|packet| packet.encode(&mut out));
    let bytes = out.to_vec();
    for piece in bytes.chunks(bytes.len() / 8 + 1) {
        if peer.write_all(piece).is_err() {
            return;
        }
        #[allow(clippy::disallowed_methods, reason = "what is tested is the time that passes")]
        std::thread::sleep(Duration::from_millis(150));
    }
    let _ = peer.read(&mut [0; 4096]);
}

#[test]
fn a_server_that_is_still_talking_is_not_silent() {
    let options =
        || Options { answer_timeout: Duration::from_millis(600), exceptions: false, ..Options::default() };
    let workload = vec![7; MIB];
    let answers = || [Response::Echo { data: (&workload[..]).into() }];
    std::thread::scope(|scope| {
        let (listener, address) = silent();
        scope.spawn(move || trickle(listener.accept().unwrap().0, &answers()));
        let client = blocking::Client::with_options(address.as_str(), options()).unwrap();
        client.echo(&workload).unwrap();
        drop(client);

        let (listener, address) = silent();
        scope.spawn(move || trickle(listener.accept().unwrap().0, &answers()));
        block_on(async {
            let client = Client::with_options(address.as_str(), options()).unwrap();
            client.echo(&workload).await.unwrap();
        });
    });
}

#[test]
fn a_job_that_comes_slowly_comes() {
    let options =
        || worker::Options { answer_timeout: Duration::from_millis(600), ..worker::Options::default() };
    let workload = vec![7; MIB];
    let job = || {
        [Response::Assign(Assign {
            kind: Grab::Uniq,
            handle: b"H:1",
            function: b"f",
            unique: b"",
            reducer: b"",
            workload: Data::Borrowed(&workload),
        })]
    };
    std::thread::scope(|scope| {
        let (listener, address) = silent();
        scope.spawn(move || trickle(listener.accept().unwrap().0, &job()));
        let mut worker = blocking::Worker::with_options(address.as_str(), options()).unwrap();
        worker.add_function("f", |_| Ok("")).unwrap();
        assert!(worker.work(Some(PATIENCE)).unwrap());
        drop(worker);

        let (listener, address) = silent();
        scope.spawn(move || trickle(listener.accept().unwrap().0, &job()));
        block_on(async {
            let (told, mut came) = tokio::sync::mpsc::unbounded_channel();
            let (failed, mut failures) = tokio::sync::mpsc::unbounded_channel();
            let worker = Worker::builder(address.as_str())
                .function("f", move |_| {
                    told.send(()).unwrap();
                    async { Ok("") }
                })
                .options(options())
                .on_error(move |_, error| failed.send(error.clone()).unwrap())
                .build()
                .unwrap();
            let running = tokio::spawn(worker.run());
            tokio::select! {
                _ = came.recv() => {}
                error = failures.recv() => panic!("{error:?}"),
            }
            running.abort();
        });
    });
}

#[test]
fn a_server_that_hangs_does_not_keep_a_blocking_worker_from_the_others() {
    let (_listener, hangs) = silent();
    let (_server, address) = listening();
    let options = worker::Options { answer_timeout: Duration::MAX, ..worker::Options::default() };
    let mut worker =
        blocking::Worker::with_options(vec![hangs.parse().unwrap(), address.clone()], options).unwrap();
    worker.add_function("f", |_| Ok("done")).unwrap();
    let client = blocking::Client::new(&address).unwrap();
    for _ in 0..2 {
        let task = client.submit("f", "").unwrap();
        assert!(worker.work(Some(PATIENCE)).unwrap());
        assert_eq!(task.result().unwrap(), "done");
    }
}

#[test]
fn the_submissions_of_a_client_that_leaves_without_listening_are_taken() {
    const JOBS: usize = 20_000;
    let path = path("deaf");
    let server = Server::builder().listen(Address::Unix(path.clone())).start().unwrap();
    let submit = Submit {
        function: b"f",
        unique: b"",
        priority: Priority::Normal,
        background: true,
        when: When::Now,
        reducer: None,
        workload: Data::EMPTY,
    };
    let mut out = OutBuf::new();
    Request::Submit(submit).encode(&mut out);
    // What has been written to a Unix socket stands in the server's own queue; TCP may throw away a part of it in the client's.
    let mut stream = UnixStream::connect(&path).unwrap();
    stream.write_all(&out.to_vec().repeat(JOBS)).unwrap();
    drop(stream);
    while server.jobs() < JOBS && (server.jobs() == 0 || server.connections() > 0) {
        std::thread::yield_now();
    }
    assert_eq!(server.jobs(), JOBS);
}
