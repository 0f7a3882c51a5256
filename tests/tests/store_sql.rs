//! What the stores in PostgreSQL and MySQL do when the database, or the way to it, is not as it should be.

use anyhow::{Context, Result, bail, ensure};
use lineshaft::net::Address;
use lineshaft::server::Server;
use lineshaft::store::{Batch, Change, Store, StoreError, StoreErrorKind};
use lineshaft_tests::clock::{PATIENCE, poll};
use lineshaft_tests::network::Network;
use lineshaft_tests::port::free_port;
use lineshaft_tests::server::{Maker, Server as Daemon};
use lineshaft_tests::servers::{DatabaseServer, MariaDbServer, PostgresServer, SqlServer};
use lineshaft_tests::stores::Job;
use lineshaft_tests::takeover::compare;
use lineshaft_tests::wire::{Peer, kind};
use lineshaft_tests::{place, program};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::thread;
use std::time::Duration;

/// The stores' default.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Enough for a server on the same machine, also where that is busy; waited out where a story is about it.
const SHORT: Duration = Duration::from_secs(2);

#[test]
fn postgres_says_what_is_wrong() -> Result<()> {
    let server = PostgresServer::start()?;
    says_what_is_wrong(&server)?;
    let name = server.create_database()?;
    server.sql(&name, "CREATE ROLE guest LOGIN")?;
    let place = server.socket_folder().display().to_string().replace('/', "%2F");
    let address = format!("postgres://guest@{place}:{}/{name}", server.port());
    refused(&address, StoreErrorKind::Settings, "the user has to be allowed to create the tables")?;
    let address = format!("{}?sslmode=require", server.address(&name));
    refused(&address, StoreErrorKind::Settings, "does not speak TLS")?;
    // The daemon says so and ends, as gearmand does: without its queue it must not hand out numbers.
    let mut daemon = Command::new(place::lineshaft()?);
    let nowhere = format!("port={} host=127.0.0.1 password=secret", free_port()?);
    daemon.args(["serve", "-p", "0", "-q", "Postgres", "--libpq-conninfo", &nowhere]);
    let outcome = program::run(&mut daemon, b"")?;
    ensure!(!outcome.status.success() && outcome.err.contains("Connection refused"), "{outcome:?}");
    ensure!(!outcome.err.contains("secret"), "{}", outcome.err);
    // What its address leaves out comes from the environment, the password from its file.
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("passwords");
    let password = server.password().replace('\\', "\\\\").replace(':', "\\:");
    std::fs::write(&file, format!("127.0.0.1:*:{name}:lineshaft:{password}\n"))?;
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600))?;
    let mut list = Command::new(place::lineshaft()?);
    list.args(["queue", "verify", &format!("postgres:///{name}")]).env("PGPASSFILE", &file);
    list.envs([("PGHOST", "127.0.0.1"), ("PGPORT", &server.port().to_string()), ("PGUSER", "lineshaft")]);
    program::run(&mut list, b"")?.success().map(drop)
}

#[test]
fn mysql_says_what_is_wrong() -> Result<()> {
    let server = MariaDbServer::start(&[])?;
    says_what_is_wrong(&server)?;
    let name = server.create_database()?;
    server.sql(&name, &format!("CREATE USER guest; GRANT SELECT ON {name}.* TO guest"))?;
    let address = format!("mysql://guest@127.0.0.1:{}/{name}", server.port());
    refused(&address, StoreErrorKind::Settings, "the user has to be allowed to create the tables")?;
    // By its socket as well.
    let (user, socket) = (server.user().0, server.socket());
    let bare = format!("mysql://{user}:wrong@localhost/{name}?socket={}", socket.display());
    refused(&bare, StoreErrorKind::Settings, "see the user and the password")
}

fn says_what_is_wrong(server: &dyn SqlServer) -> Result<()> {
    let name = server.create_database()?;
    let nobody = free_port()?;
    refused(&server.address_by(nobody, &name), StoreErrorKind::Unavailable, "Connection refused")?;
    refused(&server.address("nowhere"), StoreErrorKind::Settings, "make the database")?;
    let wrong = server.address(&name).replace("secret", "wrong");
    refused(&wrong, StoreErrorKind::Settings, "see the user and the password")?;
    refused(
        &format!("{}?table={}", server.address(&name), "t".repeat(60)),
        StoreErrorKind::Settings,
        "no name of a table",
    )?;
    // Of a newer version, and as it was afterwards.
    let meta = "lineshaft_mine_meta";
    let address = format!("{}?table=mine", server.address(&name));
    drop(lineshaft::store::open(&address)?);
    server.sql(&name, &format!("UPDATE {meta} SET version = 99, counter = 7"))?;
    let counts = format!("SELECT opening, counter FROM {meta}");
    let before = server.sql(&name, &counts)?;
    refused(&address, StoreErrorKind::Newer, "says version 99, and this program knows 1")?;
    ensure!(server.sql(&name, &counts)? == before, "it has been changed");
    // In use, and free at once when it is closed.
    server.sql(&name, &format!("UPDATE {meta} SET version = 1"))?;
    let open = lineshaft::store::open(&address)?;
    refused(&address, StoreErrorKind::Locked, "another server uses this queue (session ")?;
    let other = lineshaft::store::open(&address.replace("mine", "other"))?;
    drop((open, other));
    lineshaft::store::open(&address)?;
    Ok(())
}

fn refused(address: &str, kind: StoreErrorKind, text: &str) -> Result<()> {
    match lineshaft::store::open(address) {
        Ok(store) => bail!("it has opened {}", store.describe()),
        Err(error) => {
            ensure!(error.kind() == kind && error.to_string().contains(text), "{text}: {error:?}");
            ensure!(!error.to_string().contains("secret"), "{error}");
            Ok(())
        }
    }
}

/// A store with what it should have.
struct Told {
    store: Box<dyn Store>,
    jobs: Vec<Job>,
}

impl Told {
    fn new(store: Result<Box<dyn Store>, StoreError>) -> Result<Self> {
        let mut told = Self { store: store?, jobs: Vec::new() };
        told.check()?;
        Ok(told)
    }

    fn batch(&self, numbers: std::ops::Range<u64>) -> Batch {
        let mut batch = Batch::new();
        numbers.for_each(|number| batch.push(&Change::Add(Job::new(number).stored())));
        batch
    }

    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        self.store.commit(batch)?;
        for change in batch.changes() {
            if let Change::Add(job) = &change {
                self.jobs.push(Job { number: 0, ..Job::from(job) });
            }
        }
        Ok(())
    }

    fn check(&mut self) -> Result<()> {
        compare(&mut *self.store, &self.jobs)
    }
}

/// It has failed because the database could not be reached.
fn unavailable(answer: Result<(), StoreError>) -> Result<()> {
    match answer {
        Err(error) if error.kind() == StoreErrorKind::Unavailable => Ok(()),
        other => bail!("{other:?}"),
    }
}

#[test]
fn postgres_comes_back() -> Result<()> {
    comes_back(&mut PostgresServer::start()?)
}

#[test]
fn mysql_comes_back() -> Result<()> {
    comes_back(&mut MariaDbServer::start(&[])?)
}

fn comes_back(server: &mut dyn SqlServer) -> Result<()> {
    let name = server.create_database()?;
    let mut told = Told::new(server.open(server.port(), &name, TIMEOUT))?;
    told.commit(&told.batch(1..10))?;
    for killed in [true, false] {
        let next = told.jobs.len() as u64 + 1;
        let batch = told.batch(next..next + 10);
        if killed {
            server.kill()?
        } else {
            server.stop()?
        }
        // The first finds that the session is over, the second that nobody is there.
        for _ in 0..2 {
            unavailable(told.commit(&batch))?;
        }
        server.start_again()?;
        told.commit(&batch).context("the server is back")?;
        told.check()?;
    }
    // A session that is thrown out costs one attempt.
    let batch = told.batch(100..110);
    server.throw_out(&name)?;
    unavailable(told.commit(&batch))?;
    told.commit(&batch)?;
    told.check()?;
    drop(told);
    Ok(())
}

#[test]
fn postgres_finds_a_way_around_a_network_that_is_lost() -> Result<()> {
    finds_a_way(&PostgresServer::start()?)
}

#[test]
fn mysql_finds_a_way_around_a_network_that_is_lost() -> Result<()> {
    finds_a_way(&MariaDbServer::start(&[])?)
}

/// The lost session lives on at the database, and has the queue locked: the next one has to end it.
fn finds_a_way(server: &dyn SqlServer) -> Result<()> {
    let name = server.create_database()?;
    let network = Network::to(server.port())?;
    let mut told = Told::new(server.open(network.port(), &name, SHORT))?;
    told.commit(&told.batch(1..10))?;
    for round in 1..3 {
        let batch = told.batch(round * 10..round * 10 + 10);
        network.cut();
        match told.commit(&batch) {
            Err(error) => ensure!(error.to_string().contains("no answer within"), "{error}"),
            Ok(()) => bail!("by which way?"),
        }
        told.commit(&batch).context("by a new connection")?;
        told.check()?;
    }
    Ok(())
}

#[test]
fn postgres_notices_that_another_server_has_come_between() -> Result<()> {
    notices_another(&PostgresServer::start()?)
}

#[test]
fn mysql_notices_that_another_server_has_come_between() -> Result<()> {
    notices_another(&MariaDbServer::start(&[])?)
}

/// Numbers that both would hand out would cost a job: nothing may be committed any more.
fn notices_another(server: &dyn SqlServer) -> Result<()> {
    let name = server.create_database()?;
    let mut first = Told::new(server.open(server.port(), &name, TIMEOUT))?;
    first.commit(&first.batch(1..3))?;
    server.throw_out(&name)?;
    let mut second = server.open(server.port(), &name, TIMEOUT)?;
    compare(&mut *second, &first.jobs)?;
    let batch = first.batch(3..5);
    unavailable(first.commit(&batch))?;
    for while_open in [true, false] {
        if !while_open {
            drop(std::mem::replace(&mut second, Box::new(Nothing)));
        }
        match first.commit(&batch) {
            Err(error) if error.kind() == StoreErrorKind::Locked => {
                ensure!(error.to_string().contains("another server has used this queue"), "{error}");
            }
            other => bail!("{other:?}"),
        }
    }
    compare(&mut *server.open(server.port(), &name, TIMEOUT)?, &first.jobs)
}

/// In the place of a store that has been closed.
struct Nothing;

impl Store for Nothing {
    fn describe(&self) -> String {
        "nothing".into()
    }

    fn replay(&mut self, _: lineshaft::store::Each<'_>) -> Result<(), StoreError> {
        Ok(())
    }

    fn commit(&mut self, _: &Batch) -> Result<(), StoreError> {
        Ok(())
    }
}

#[test]
fn names_may_be_longer_than_gearmands_and_tables_have_odd_ones() -> Result<()> {
    let (postgres, mariadb) = (PostgresServer::start()?, MariaDbServer::start(&[])?);
    for server in [&postgres as &dyn SqlServer, &mariadb] {
        let name = server.create_database()?;
        // we"ird 'Tab`le\
        let address = format!("{}?table=we%22ird%20%27Tab%60le%5C", server.address(&name));
        let mut told = Told::new(lineshaft::store::open(&address))?;
        let long = Job { function: vec![b'f'; 8191], unique: vec![b'u'; 100_000], ..Job::new(1) };
        let mut batch = Batch::new();
        batch.push(&Change::Add(long.stored()));
        told.commit(&batch)?;
        told.check()?;
    }
    Ok(())
}

#[test]
fn mysql_keeps_to_the_packets_that_the_server_takes() -> Result<()> {
    let packet = 1 << 20;
    let server = MariaDbServer::start(&["--max-allowed-packet=1M"])?;
    let name = server.create_database()?;
    let mut told = Told::new(server.open(server.port(), &name, TIMEOUT))?;
    let most = told.store.max_job();
    ensure!((packet - 4096..packet).contains(&most), "a job may have {most} bytes");
    let mut batch = Batch::new();
    for number in 1..=40 {
        let mut job = Job::new(number);
        let size = if number == 7 { most } else { 100_000 };
        job.workload = vec![b'w'; size - job.function.len() - job.unique.len()];
        batch.push(&Change::Add(job.stored()));
    }
    told.commit(&batch)?;
    told.check()?;
    // Lists of numbers are cut to the same size.
    let mut batch = Batch::new();
    (1..100_000).for_each(|number| batch.push(&Change::End { number: number << 40 }));
    (1..100_000).for_each(|number| batch.push(&Change::Returned { number: number << 40, returns: 1 }));
    told.commit(&batch)?;
    told.check()
}

#[test]
fn a_server_on_postgres_loses_nothing_when_the_database_goes_away_in_mid_load() -> Result<()> {
    keeps_what_it_has_acknowledged(&mut PostgresServer::start()?)
}

#[test]
fn a_server_on_mysql_loses_nothing_when_the_database_goes_away_in_mid_load() -> Result<()> {
    keeps_what_it_has_acknowledged(&mut MariaDbServer::start(&[])?)
}

fn serve(store: Box<dyn Store>) -> Result<(Server, SocketAddr)> {
    let server = Server::builder().listen("127.0.0.1:0".parse()?).store(store).start()?;
    let Address::Tcp { host, port } = &server.addresses()[0] else { bail!("it listens on TCP") };
    let address = SocketAddr::new(host.parse()?, *port);
    Ok((server, address))
}

fn keeps_what_it_has_acknowledged(database: &mut dyn SqlServer) -> Result<()> {
    let name = database.create_database()?;
    let (server, address) = serve(database.open(database.port(), &name, TIMEOUT)?)?;
    let acknowledged = AtomicUsize::new(0);
    let over = AtomicBool::new(false);
    let more = |count: usize| {
        let wanted = acknowledged.load(Relaxed) + count;
        until("jobs are acknowledged", || Ok(acknowledged.load(Relaxed) >= wanted))
    };
    let clients = thread::scope(|scope| -> Result<Vec<Vec<String>>> {
        let clients: Vec<_> = (0..4)
            .map(|client| {
                let (acknowledged, over) = (&acknowledged, &over);
                scope.spawn(move || submit_until(address, client, acknowledged, over))
            })
            .collect();
        let outages = || -> Result<()> {
            for killed in [true, false] {
                more(100)?;
                if killed {
                    database.kill()?
                } else {
                    database.stop()?
                }
                // Foreground work goes on without a database.
                let mut peer = Peer::connect(address)?;
                peer.request(kind::CAN_DO, &[b"foreground"])?;
                peer.request(kind::SUBMIT_JOB, &[b"foreground", b"", b"x"])?;
                peer.expect(kind::JOB_CREATED)?;
                database.start_again()?;
            }
            more(100)
        }();
        over.store(true, Relaxed);
        let joined = clients.into_iter().map(|it| it.join().map_err(|_| anyhow::anyhow!("a panic"))?);
        let clients = joined.collect::<Result<_>>()?;
        outages.map(|()| clients)
    })?;
    drop(server);
    let mut found = BTreeMap::new();
    database.open(database.port(), &name, TIMEOUT)?.replay(&mut |change| {
        if let Change::Add(job) = change {
            *found.entry(String::from_utf8_lossy(job.unique).into_owned()).or_insert(0) += 1;
        }
        Ok(())
    })?;
    for unique in clients.iter().flatten() {
        ensure!(found.contains_key(unique), "{unique} was acknowledged and is lost");
    }
    ensure!(found.values().all(|count| *count == 1), "something is there twice: {found:?}");
    Ok(())
}

/// Asks until it is so.
fn until(what: &str, mut so: impl FnMut() -> Result<bool>) -> Result<()> {
    let answer = poll(PATIENCE, || match so() {
        Ok(false) => None,
        other => Some(other.map(drop)),
    });
    answer.with_context(|| format!("it does not come to be that {what}"))?
}

/// Submits one job after the other: the uniques of those that were acknowledged. On a machine with much to do a database may take
/// longer to start than the server lets anybody wait: then it is asked again.
fn submit_until(
    address: SocketAddr,
    client: usize,
    acknowledged: &AtomicUsize,
    over: &AtomicBool,
) -> Result<Vec<String>> {
    let mut peer = Peer::connect(address)?;
    let mut done = Vec::new();
    for number in 0.. {
        if over.load(Relaxed) {
            break;
        }
        let unique = format!("{client}-{number}");
        loop {
            peer.request(kind::SUBMIT_JOB_BG, &[b"background", unique.as_bytes(), b"workload"])?;
            let answer = peer.packet().with_context(|| format!("job {unique}"))?;
            if answer.kind == kind::JOB_CREATED {
                break;
            }
            let text = String::from_utf8_lossy(&answer.body);
            ensure!(
                answer.kind == kind::ERROR && text.starts_with("QUEUE_ERROR\0"),
                "job {unique}: {answer:?}"
            );
            if over.load(Relaxed) {
                return Ok(done);
            }
        }
        done.push(unique);
        acknowledged.fetch_add(1, Relaxed);
    }
    Ok(done)
}

#[test]
fn who_waits_too_long_for_the_database_is_told_why() -> Result<()> {
    let mut database = PostgresServer::start()?;
    let name = database.create_database()?;
    let (server, address) = serve(database.open(database.port(), &name, TIMEOUT)?)?;
    let mut peer = Peer::connect(address)?;
    database.kill()?;
    // The second one does not wait: it is known by then.
    for unique in ["first", "second"] {
        peer.request(kind::SUBMIT_JOB_BG, &[b"f", unique.as_bytes(), b""])?;
        let error = String::from_utf8_lossy(&peer.expect(kind::ERROR)?).into_owned();
        ensure!(error.starts_with("QUEUE_ERROR\0") && error.contains("Connection refused"), "{error:?}");
        ensure!(error.contains("lineshaft_queue") && !error.contains("secret"), "{error:?}");
    }
    database.start_again()?;
    until("jobs are taken again", || {
        peer.request(kind::SUBMIT_JOB_BG, &[b"f", b"third", b""])?;
        Ok(peer.packet()?.kind == kind::JOB_CREATED)
    })?;
    drop(server);
    let mut uniques = Vec::new();
    database.open(database.port(), &name, TIMEOUT)?.replay(&mut |change| {
        if let Change::Add(job) = change {
            uniques.push(String::from_utf8_lossy(job.unique).into_owned());
        }
        Ok(())
    })?;
    ensure!(uniques == ["third"], "{uniques:?}");
    Ok(())
}

#[test]
fn a_daemon_that_was_killed_starts_again_at_once() -> Result<()> {
    let (postgres, mariadb) = (PostgresServer::start()?, MariaDbServer::start(&[])?);
    for database in [&postgres as &dyn SqlServer, &mariadb] {
        let address = database.address(&database.create_database()?);
        let mut daemon = Daemon::start(Maker::Ours, &["--store", &address])?;
        for round in 1..=3 {
            let mut peer = daemon.connect()?;
            for _ in 0..50 {
                peer.request(kind::SUBMIT_JOB_BG, &[b"f", b"", b"x"])?;
                peer.expect(kind::JOB_CREATED)?;
            }
            // The lock of the last one is free as soon as the database sees that its session is over.
            daemon.kill()?;
            daemon.start_again()?;
            let status = daemon.connect()?.text("status\n")?;
            ensure!(status.starts_with(&format!("f\t{}\t0\t0\n", round * 50)), "{status}");
        }
    }
    Ok(())
}
