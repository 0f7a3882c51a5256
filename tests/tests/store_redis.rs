//! Redis as a store: what is its own, beside the body of tests that every store passes (stores.rs).

use anyhow::{Context, Result, bail, ensure};
use lineshaft::net::Address;
use lineshaft::server::Server;
use lineshaft::store::{Change, Redis, RedisSettings, Store, StoreErrorKind, open};
use lineshaft_tests::clock::{PATIENCE, poll};
use lineshaft_tests::servers::{DatabaseServer, RedisServer};
use lineshaft_tests::stores::{add, content, end, fails, numbers};
use lineshaft_tests::wire::{Peer, kind};
use rustix::process::Signal;
use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

#[test]
fn nothing_acknowledged_is_lost_when_redis_is_killed_in_mid_load() -> Result<()> {
    let mut server = RedisServer::start(&[])?;
    let address = server.address();
    let (stop, stopped) = mpsc::channel();
    let load = thread::spawn(move || -> Result<Vec<u64>> {
        let mut store = open(&address)?;
        let mut there = Vec::new();
        for number in 1.. {
            if stopped.try_recv().is_ok() {
                break;
            }
            let mut batch = add([number]);
            let ends = (number % 3 == 0).then_some(number - 1);
            ends.into_iter().for_each(|number| batch.push(&Change::End { number }));
            while let Err(error) = store.commit(&batch) {
                ensure!(error.kind() == StoreErrorKind::Unavailable, "{error}");
            }
            there.retain(|number| Some(*number) != ends);
            there.push(number);
        }
        Ok(there)
    });
    for _ in 0..3 {
        // Let it do something in between.
        let count = || server.cli(&["HLEN", "lineshaft:_gear_:jobs"]).ok()?.parse::<u64>().ok();
        let before = count();
        let more = poll(PATIENCE, || (count()? > before? + 100 || load.is_finished()).then_some(()));
        ensure!(more.is_some(), "nothing is stored any more");
        server.kill()?;
        server.start_again()?;
    }
    stop.send(())?;
    let there = load.join().expect("the load does not panic")?;
    ensure!(numbers(&mut *open(&server.address())?)? == there, "the queue is another one");
    Ok(())
}

#[test]
fn a_server_on_redis_loses_nothing_and_foreground_work_goes_on() -> Result<()> {
    let mut redis = RedisServer::start(&[])?;
    let server = Server::builder().listen("127.0.0.1:0".parse()?).store(open(&redis.address())?).start()?;
    let Address::Tcp { host, port } = &server.addresses()[0] else { bail!("it listens on TCP") };
    let address = SocketAddr::new(host.parse()?, *port);
    let mut client = Peer::connect(address)?;
    let mut submitted = Vec::new();
    let mut submit = |client: &mut Peer| {
        let unique = format!("u{}", submitted.len());
        let sent = client.request(kind::SUBMIT_JOB_BG, &[b"background", unique.as_bytes(), b"x"]);
        submitted.push(unique.into_bytes());
        sent
    };
    for _ in 0..3 {
        for _ in 0..50 {
            submit(&mut client)?;
            client.expect(kind::JOB_CREATED)?;
        }
        redis.kill()?;
        // Its answer waits until Redis is back; that of a foreground job does not.
        submit(&mut client)?;
        let mut other = Peer::connect(address)?;
        other.request(kind::SUBMIT_JOB, &[b"foreground", b"", b"x"])?;
        other.expect(kind::JOB_CREATED)?;
        redis.start_again()?;
        client.expect(kind::JOB_CREATED)?;
    }
    drop(server);
    let stored = content(&mut *open(&redis.address())?)?.jobs.into_values().map(|job| job.unique);
    ensure!(stored.eq(submitted), "other jobs are stored");
    Ok(())
}

#[test]
fn who_refuses_says_what_to_do() -> Result<()> {
    let mut server = RedisServer::start(&["--requirepass", "secret"])?;
    let port = server.port();
    let at = |user: &str| open(&format!("redis://{user}127.0.0.1:{port}"));
    use StoreErrorKind::{Settings, Unavailable};
    fails(at(""), Settings, &[&format!("Redis at 127.0.0.1:{port} wants a password")])?;
    fails(at(":secrets@"), Settings, &["does not take the user and password"])?;
    fails(at("who:secret@"), Settings, &["does not take the user and password"])?;
    at(":secret@")?.commit(&add([1]))?;
    let cli = |words: &[&str]| server.cli(&[&["-a", "secret", "--no-auth-warning"], words].concat());
    cli(&["ACL", "SETUSER", "small", "on", ">secret", "~*", "+get"])?;
    fails(at("small:secret@"), Settings, &["does not allow its user what a queue needs"])?;
    cli(&["ACL", "SETUSER", "large", "on", ">secret", "~*", "+@all"])?;
    ensure!(numbers(&mut *at("large:secret@")?)? == [1]);
    fails(open(&format!("redis://:secret@127.0.0.1:{port}/99")), Unavailable, &["database"])?;
    server.kill()?;
    fails(at(":secret@"), Unavailable, &[&format!("127.0.0.1:{port} cannot be reached")])?;
    fails(open("redis://no-such-host.invalid"), Unavailable, &["no-such-host.invalid:6379 cannot be reached"])
}

#[test]
fn what_redis_cannot_do_now_it_does_later() -> Result<()> {
    let server = RedisServer::start(&[])?;
    let mut store = open(&server.address())?;
    store.commit(&add(1..=5))?;
    server.cli(&["CONFIG", "SET", "maxmemory", "1mb"])?;
    let mut batch = add(6..=7);
    batch.push(&Change::End { number: 2 });
    fails(store.commit(&batch), StoreErrorKind::Unavailable, &["is full", "maxmemory"])?;
    // What has ended makes room even so.
    ensure!(server.cli(&["HEXISTS", "lineshaft:_gear_:jobs", "2"])? == "0");
    store.commit(&end(3))?;
    // Also by a connection that it had not before.
    server.cli(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"])?;
    store.commit(&end(5))?;
    fails(store.commit(&batch), StoreErrorKind::Unavailable, &["is full", "maxmemory"])?;
    server.cli(&["CONFIG", "SET", "maxmemory", "0"])?;
    store.commit(&batch)?;
    server.cli(&["REPLICAOF", "127.0.0.1", "1"])?;
    fails(store.commit(&end(4)), StoreErrorKind::Unavailable, &["is a replica"])?;
    server.cli(&["REPLICAOF", "NO", "ONE"])?;
    store.commit(&end(4))?;
    drop(store);
    ensure!(numbers(&mut *open(&server.address())?)? == [1, 6, 7]);
    Ok(())
}

#[test]
fn prefixes_databases_and_sockets_tell_queues_apart() -> Result<()> {
    let server = RedisServer::start(&[])?;
    let socket = format!("redis://{}", server.socket().display());
    let addresses = [
        server.address(),
        format!("{}?prefix=other", server.address()),
        format!("{}?prefix=other:jobs", server.address()),
        format!("{}?prefix=%2A%5B%5D%3F%20%22", server.address()),
        format!("{}/1", server.address()),
        format!("{socket}?database=2"),
        format!("{socket}?prefix="),
    ];
    let mut stores = addresses.iter().map(|address| open(address)).collect::<Result<Vec<_>, _>>()?;
    for (number, store) in (1..).zip(&mut stores) {
        store.commit(&add([number, 100 + number]))?;
    }
    drop(stores);
    for (number, address) in (1..).zip(&addresses) {
        ensure!(numbers(&mut *open(address)?)? == [number, 100 + number], "{address}");
    }
    Ok(())
}

#[test]
fn one_server_at_a_time() -> Result<()> {
    let server = RedisServer::start(&[])?;
    let mut first = open(&server.address())?;
    first.commit(&add([1]))?;
    fails(
        open(&server.address()),
        StoreErrorKind::Locked,
        &["in use by the server connected from 127.0.0.1:", "CLIENT KILL"],
    )?;
    first.commit(&add([2]))?;
    // Cut off, and back before anybody else has come.
    server.cli(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"])?;
    first.commit(&add([3]))?;
    fails(open(&server.address()), StoreErrorKind::Locked, &["in use"])?;
    // Cut off, and somebody else has come.
    server.cli(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"])?;
    let mut second = open(&server.address())?;
    ensure!(numbers(&mut *second)? == [1, 2, 3]);
    fails(first.commit(&add([4])), StoreErrorKind::Locked, &["another server has taken over"])?;
    second.commit(&add([5]))?;
    drop(second);
    // It never comes back: what it has in memory is no longer what is stored.
    fails(first.commit(&add([4])), StoreErrorKind::Locked, &["another server has taken over"])?;
    ensure!(numbers(&mut *open(&server.address())?)? == [1, 2, 3, 5]);
    Ok(())
}

#[test]
fn whoever_writes_to_meta_stops_what_is_on_its_way() -> Result<()> {
    let server = RedisServer::start(&[])?;
    let mut store = open(&server.address())?;
    server.cli(&["HSET", "lineshaft:_gear_:meta", "owner", "lineshaft-somebody"])?;
    fails(store.commit(&add([1])), StoreErrorKind::Locked, &["another server has taken over"])?;
    ensure!(server.cli(&["HLEN", "lineshaft:_gear_:jobs"])? == "0");
    // Erased under its hands: it goes on with what it has.
    drop(store);
    let mut store = open(&server.address())?;
    server.cli(&["FLUSHALL"])?;
    store.commit(&add([2]))?;
    store.commit(&add([3]))?;
    drop(store);
    ensure!(numbers(&mut *open(&server.address())?)? == [2, 3]);
    Ok(())
}

/// What a connection has sent before it was given up must not be done after what came later.
#[test]
fn a_redis_that_hangs_and_comes_back_does_nothing_twice() -> Result<()> {
    let server = RedisServer::start(&[])?;
    let settings =
        RedisSettings { port: server.port(), timeout: Duration::from_millis(300), ..Default::default() };
    let mut store = Redis::open(settings)?;
    for number in 1..=5 {
        server.signal(Signal::STOP)?;
        let mut batch = add([number]);
        fails(store.commit(&batch), StoreErrorKind::Unavailable, &["does not answer in time"])?;
        server.signal(Signal::CONT)?;
        ensure!(batch.give_up(number));
        // A machine with much to do may need more than one try.
        poll(PATIENCE, || store.commit(&batch).ok()).context("it does not come back")?;
        ensure!(server.cli(&["HLEN", "lineshaft:_gear_:jobs"])? == "0");
    }
    Ok(())
}

#[test]
fn what_cannot_be_read_is_left_as_it_is() -> Result<()> {
    let server = RedisServer::start(&[])?;
    let [jobs, meta, returns] = ["jobs", "meta", "returns"].map(|name| format!("lineshaft:_gear_:{name}"));
    let replay = || open(&server.address()).and_then(|mut store| store.replay(&mut |_| Ok(())));
    open(&server.address())?.commit(&add([1]))?;
    use StoreErrorKind::{Damaged, Newer};
    let cases: &[(&str, &str, &str, StoreErrorKind, &str)] = &[
        (&meta, "version", "2", Newer, "has layout 2, and this version knows 1"),
        (&meta, "version", "x", Damaged, "a version that is none"),
        (&meta, "counter", "x", Damaged, "a counter that is no number"),
        (&jobs, "7", "\u{9}", Newer, "job 7 has been written by a newer version (9)"),
        (&jobs, "7", "\u{1}\u{1}", Damaged, "cannot be read at job 7"),
        (&jobs, "7", "\u{1}\u{2}\u{7}\0\0\0\0\0\0\0", Damaged, "cannot be read at job 7"),
        (&jobs, "7", "", Damaged, "cannot be read at job 7"),
        (&jobs, "x", "y", Damaged, "a field that is no number"),
        (&returns, "1", "70000", Damaged, "a field that is no number"),
    ];
    for (key, field, value, kind, words) in cases {
        let before = server.cli(&["HGET", key, field])?;
        match value.as_bytes() {
            b"" => server.cli(&["HSET", key, field, ""])?,
            value => server.cli_with(&["HSET", key, field], value)?,
        };
        fails(replay(), *kind, &[words])?;
        match before.as_str() {
            "" => server.cli(&["HDEL", key, field])?,
            before => server.cli(&["HSET", key, field, before])?,
        };
        replay()?;
    }
    server.cli(&["RENAME", &jobs, "kept"])?;
    server.cli(&["SET", &jobs, "text"])?;
    fails(replay(), Damaged, &["use another prefix"])?;
    server.cli(&["RENAME", "kept", &jobs])?;
    ensure!(numbers(&mut *open(&server.address())?)? == [1]);
    Ok(())
}
