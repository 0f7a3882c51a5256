//! TLS between our server and our clients and workers, blocking and async. Who is refused is in the program's tests, with the log.

use std::sync::Arc;
use std::time::Duration;

use lineshaft::blocking;
use lineshaft::broker::{Config, Grant, Right};
use lineshaft::client::Options;
use lineshaft::client::admin::AdminOptions;
use lineshaft::net::{Address, ClientTls, ServerTls, Verify};
use lineshaft::server::Server;
use lineshaft::{Admin, Client, ErrorKind, Worker, worker};
use lineshaft_tests::certificates::{Authority, Pair};
use lineshaft_tests::clock::{PATIENCE, poll};

/// Everything that a conversation needs.
struct Mill {
    authority: Authority,
    server: Server,
}

fn bytes(text: &str) -> Vec<u8> {
    text.as_bytes().to_vec()
}

fn settings(authority: &Authority, verify: Verify) -> ServerTls {
    let pair = authority.server(&["localhost", "127.0.0.1"]).unwrap();
    let tls = ServerTls::new(bytes(&pair.certificate), bytes(&pair.key));
    tls.client_ca(bytes(&authority.pem()), verify)
}

impl Mill {
    fn new(threads: usize, rights: Vec<Grant>) -> Self {
        let authority = Authority::new("mill").unwrap();
        let server = Server::builder()
            .listen_tls("127.0.0.1:0".parse().unwrap())
            .listen("127.0.0.1:0".parse().unwrap())
            .tls(settings(&authority, Verify::Optional))
            .threads(threads)
            .broker(Config { rights, ..Config::default() })
            .start()
            .unwrap();
        Self { authority, server }
    }

    fn address(&self) -> &Address {
        &self.server.addresses()[0]
    }

    fn tls(&self) -> ClientTls {
        ClientTls::builder(bytes(&self.authority.pem())).build().unwrap()
    }

    fn tls_of(&self, name: &str) -> ClientTls {
        let Pair { certificate, key } = self.authority.client(name).unwrap();
        let tls = ClientTls::builder(bytes(&self.authority.pem()));
        tls.certificate(bytes(&certificate), bytes(&key)).build().unwrap()
    }

    fn client(&self, tls: ClientTls) -> blocking::Client {
        let options = Options { tls: Some(tls), ..Options::default() };
        blocking::Client::with_options(self.address(), options).unwrap()
    }

    fn admin(&self, tls: ClientTls) -> blocking::Admin {
        let options = AdminOptions { tls: Some(tls), ..AdminOptions::default() };
        blocking::Admin::with_options(self.address(), options).unwrap()
    }

    fn worker(&self, tls: ClientTls) -> blocking::Worker {
        let options = worker::Options { tls: Some(tls), ..worker::Options::default() };
        blocking::Worker::with_options(self.address(), options).unwrap()
    }
}

/// A workload whose every part is its own, of more bytes than any buffer on the way has.
fn large() -> Vec<u8> {
    (0..3_000_000u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

#[test]
fn blocking_clients_and_workers_speak_tls() {
    let mill = Mill::new(1, Vec::new());
    let mut worker = mill.worker(mill.tls_of("worker"));
    worker
        .add_function("reverse", |job| {
            job.send_status(1, 2)?;
            Ok(job.workload().iter().rev().copied().collect::<Vec<u8>>())
        })
        .unwrap();
    let stopper = worker.stopper().unwrap();
    let thread = std::thread::spawn(move || worker.run());
    let client = mill.client(mill.tls());
    client.echo("x").unwrap();
    assert_eq!(client.submit("reverse", "abc").unwrap().result().unwrap(), "cba");
    let there = large();
    let back: Vec<u8> = there.iter().rev().copied().collect();
    assert!(client.submit("reverse", &there).unwrap().result().unwrap() == back);
    let jobs = (0..50).map(|number| lineshaft::client::Submission::new("reverse", format!("{number:02}")));
    let results: Vec<_> = client.map(jobs, 8).map(Result::unwrap).collect();
    assert_eq!(results[17], "71");
    let mut admin = mill.admin(mill.tls());
    assert_eq!(admin.status().unwrap().len(), 1);
    assert_eq!(admin.workers().unwrap().len(), 3);
    stopper.stop();
    thread.join().unwrap().unwrap();
}

#[test]
fn async_clients_and_workers_speak_tls_on_several_threads() {
    let mill = Mill::new(3, Vec::new());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let options =
            worker::Options { tls: Some(mill.tls_of("worker")), concurrency: 4, ..Default::default() };
        let worker = Worker::builder(mill.address())
            .options(options)
            .function("reverse", |job| async move {
                job.send_status(1, 2).await?;
                Ok(job.workload().iter().rev().copied().collect::<Vec<u8>>())
            })
            .build()
            .unwrap();
        let control = worker.control();
        let working = tokio::spawn(worker.run());
        let options = Options { tls: Some(mill.tls()), ..Options::default() };
        let client = Client::with_options(mill.address(), options).unwrap();
        assert_eq!(client.submit("reverse", "abc").await.unwrap().await.unwrap(), "cba");
        let there = Arc::new(large());
        let back: Vec<u8> = there.iter().rev().copied().collect();
        // Several at once: each fills the buffers of TLS on its way.
        let mut tasks = Vec::new();
        for _ in 0..4 {
            tasks.push(client.submit("reverse", &there[..]).await.unwrap());
        }
        for task in tasks {
            assert!(task.await.unwrap() == back);
        }
        let options = AdminOptions { tls: Some(mill.tls()), ..AdminOptions::default() };
        let mut admin = Admin::with_options(mill.address(), options).unwrap();
        assert_eq!(admin.status().await.unwrap().len(), 1);
        assert_eq!(admin.status().await.unwrap()[0].total, 0);
        control.stop(Duration::from_secs(5));
        working.await.unwrap().unwrap();
    });
}

#[test]
fn a_new_certificate_is_for_new_connections_and_a_bad_one_changes_nothing() {
    let mill = Mill::new(1, Vec::new());
    let old = mill.client(mill.tls());
    old.echo("before").unwrap();
    let other = Authority::new("another mill").unwrap();
    let bad = ServerTls::new("/nonexistent/certificate", "/nonexistent/key");
    let why = mill.server.reload_tls(&bad).unwrap_err();
    assert_eq!(why.kind(), ErrorKind::InvalidArgument);
    assert!(why.detail().starts_with("certificate /nonexistent/certificate: No such file"), "{why}");
    let pair = other.server(&["127.0.0.1"]).unwrap();
    let foreign = authority_key(&mill.authority);
    let why = mill.server.reload_tls(&ServerTls::new(bytes(&pair.certificate), bytes(&foreign))).unwrap_err();
    assert!(why.detail().contains("does not belong to the certificate"), "{why}");
    mill.client(mill.tls()).echo("still").unwrap();
    mill.server.reload_tls(&settings(&other, Verify::None)).unwrap();
    old.echo("lives on").unwrap();
    let why = mill.client(mill.tls()).connect().unwrap_err();
    assert!(why.to_string().contains("it is not signed by an authority of the CA file"), "{why}");
    let tls = ClientTls::builder(bytes(&other.pem())).build().unwrap();
    mill.client(tls).echo("after").unwrap();
}

#[test]
fn async_clients_and_workers_say_why_they_trust_nobody() {
    let mill = Mill::new(1, Vec::new());
    let stranger = Authority::new("stranger").unwrap();
    let tls = || Some(ClientTls::builder(bytes(&stranger.pem())).build().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client =
            Client::with_options(mill.address(), Options { tls: tls(), ..Options::default() }).unwrap();
        let why = client.connect().await.unwrap_err();
        assert_eq!(why.kind(), ErrorKind::CouldNotConnect);
        assert!(why.to_string().contains("it is not signed by an authority of the CA file"), "{why}");
        let (told, mut complaints) = tokio::sync::mpsc::unbounded_channel();
        let worker = Worker::builder(mill.address())
            .options(worker::Options { tls: tls(), ..Default::default() })
            .function("f", |_| async { Ok("") })
            .on_error(move |_, error| _ = told.send(error.to_string()))
            .build()
            .unwrap();
        let control = worker.control();
        let working = tokio::spawn(worker.run());
        let why = complaints.recv().await.unwrap();
        assert!(why.contains("it is not signed by an authority of the CA file"), "{why}");
        control.stop(Duration::ZERO);
        working.await.unwrap().unwrap();
    });
}

fn authority_key(authority: &Authority) -> String {
    authority.server(&["127.0.0.1"]).unwrap().key
}

fn grant(identity: &str, right: Right, functions: &str) -> Grant {
    Grant { identity: identity.into(), rights: vec![right], functions: vec![functions.into()] }
}

#[test]
fn rights_follow_the_certificate() {
    let rights = vec![
        grant("submitter", Right::Submit, "image-*"),
        grant("worker-*", Right::Work, "image-*"),
        grant("boss", Right::Admin, "*"),
        grant("foreman", Right::Admin, "image-*"),
        grant("anonymous", Right::Submit, "free"),
    ];
    let mill = Mill::new(1, rights);
    let submitter = mill.client(mill.tls_of("submitter"));
    submitter.job("image-big", "x").background().send().unwrap();
    let why = submitter.job("video", "x").background().send().unwrap_err();
    assert_eq!(why.kind(), ErrorKind::Server);
    assert_eq!(why.detail(), "SERVER_ERROR: certificate submitter lacks the right submit for function video");
    let anonymous = mill.client(mill.tls());
    anonymous.job("free", "x").background().send().unwrap();
    let why = anonymous.submit("image-big", "x").unwrap_err();
    assert_eq!(why.detail(), "SERVER_ERROR: anonymous lacks the right submit for function image-big");
    // Who comes without TLS is nobody as well.
    let plain = blocking::Client::new(&mill.server.addresses()[1]).unwrap();
    plain.job("free", "x").background().send().unwrap();
    assert_eq!(plain.submit("video", "x").unwrap_err().kind(), ErrorKind::Server);

    let mut worker = mill.worker(mill.tls_of("worker-7"));
    let complaints = Arc::new(std::sync::Mutex::new(Vec::new()));
    let told = complaints.clone();
    worker.on_error(move |_, error| told.lock().unwrap().push(error.to_string()));
    worker.add_function("video", |_| Ok("never")).unwrap();
    worker.add_function("image-big", |_| Ok("done")).unwrap();
    assert!(worker.work(Some(PATIENCE)).unwrap());
    let complaints = complaints.lock().unwrap().join("\n");
    assert!(
        complaints.contains("certificate worker-7 lacks the right work for function video"),
        "{complaints}"
    );

    let mut foreman = mill.admin(mill.tls_of("foreman"));
    foreman.create_function("image-small").unwrap();
    let why = foreman.create_function("video").unwrap_err();
    assert!(
        why.to_string().contains("certificate foreman lacks the right admin for function video"),
        "{why}"
    );
    let why = foreman.status().unwrap_err();
    assert!(why.to_string().contains("certificate foreman lacks the right admin for all functions"), "{why}");
    foreman.version().unwrap();
    // Case tells functions apart, and so rights.
    mill.admin(mill.tls_of("boss")).create_function("IMAGE-SMALL").unwrap();
    let mut other = mill.admin(mill.tls_of("foreman"));
    other.create_function("image-Small").unwrap();
    let _ = other.drop_function("image-Small");
    let names: Vec<_> =
        mill.admin(mill.tls_of("boss")).status().unwrap().into_iter().map(|row| row.function).collect();
    assert!(names.iter().any(|name| name == "IMAGE-SMALL"), "{names:?}");
    assert!(!names.iter().any(|name| name == "image-Small" || name == "image-small"), "{names:?}");
    foreman.create_function("image-small").unwrap();
    let why = foreman.cancel("H:nobody:9").unwrap_err();
    assert_eq!(why.kind(), ErrorKind::JobNotFound, "{why}");
    assert!(
        mill.admin(mill.tls_of("boss")).status().unwrap().iter().any(|row| row.function == "image-small")
    );
    // The server's own process may do everything.
    mill.server.blocking_client().job("video", "x").background().send().unwrap();
}

#[test]
fn rights_that_are_taken_end_what_rests_on_them() {
    let mill = Mill::new(1, vec![grant("*", Right::Work, "*"), grant("boss", Right::Admin, "*")]);
    let mut worker = mill.worker(mill.tls_of("worker"));
    worker.add_function("a", |_| Ok("")).unwrap();
    worker.add_function("b", |_| Ok("")).unwrap();
    let mut boss = mill.admin(mill.tls_of("boss"));
    let registered = |boss: &mut blocking::Admin, worker: &mut blocking::Worker| {
        worker.work(Some(Duration::ZERO)).unwrap();
        boss.status().unwrap().iter().map(|row| row.workers).sum::<u64>()
    };
    poll(PATIENCE, || (registered(&mut boss, &mut worker) == 2).then_some(())).expect("both functions");
    mill.server.set_rights(&[grant("worker", Right::Work, "b"), grant("boss", Right::Admin, "*")]);
    let rows = boss.status().unwrap();
    let workers = |name: &str| rows.iter().find(|row| row.function == name).unwrap().workers;
    assert_eq!((workers("a"), workers("b")), (0, 1));
    mill.server.set_rights(&[]);
    blocking::Client::new(&mill.server.addresses()[1]).unwrap().job("a", "x").background().send().unwrap();
}

#[test]
fn settings_that_cannot_be_used_are_named() {
    let authority = Authority::new("mill").unwrap();
    let Pair { certificate, key } = authority.server(&["localhost"]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path =
        |name: &str, text: &str| lineshaft_tests::certificates::write(folder.path(), name, text).unwrap();
    let (certificate, key) = (path("c.pem", &certificate), path("k.pem", &key));
    let empty = path("empty.pem", "nothing\n");
    let torn = path("torn.pem", "-----BEGIN CERTIFICATE-----\nxxx\n");
    let encrypted =
        path("enc.pem", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n");
    let start = |tls: ServerTls| {
        let builder = Server::builder().listen_tls("127.0.0.1:0".parse().unwrap()).tls(tls);
        builder.start().unwrap_err().detail().to_owned()
    };
    for (certificate, key, text) in [
        (&empty, &key, "empty.pem: no certificate in it; it has to hold"),
        (&key, &key, "k.pem: no certificate in it; it holds a key: have certificate and key changed places?"),
        (&torn, &key, "torn.pem: "),
        (&certificate, &certificate, "c.pem: no key in it but a certificate"),
        (&certificate, &encrypted, "enc.pem: it is encrypted"),
        (&certificate, &empty, "empty.pem: no key in it; it has to hold"),
    ] {
        let why = start(ServerTls::new(certificate.clone(), key.clone()));
        assert!(why.contains(text), "{why}");
    }
    let why =
        start(ServerTls::new(certificate.clone(), key.clone()).client_ca(key.clone(), Verify::Optional));
    assert!(why.starts_with("CA certificate ") && why.contains("no certificate in it"), "{why}");
    let listening = |address: &str| Server::builder().listen_tls(address.parse().unwrap());
    let why = listening("127.0.0.1:0").start().unwrap_err();
    assert!(why.detail().contains("needs a certificate"), "{why}");
    let why = listening("unix:/x").tls(ServerTls::new(certificate, key)).start().unwrap_err();
    assert!(why.detail().contains("TLS is for TCP addresses"), "{why}");
}
