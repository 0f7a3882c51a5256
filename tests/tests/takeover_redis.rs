//! The keys of Debian's gearmand with its Redis plug-in, and keys as other versions have made them.

use anyhow::{Result, ensure};
use lineshaft::store::{self, StoreErrorKind};
use lineshaft_tests::server::{Maker, Server};
use lineshaft_tests::servers::{DatabaseServer, RedisServer};
use lineshaft_tests::stores::{Job, fails};
use lineshaft_tests::takeover::{Abilities, Look, compare, jobs, served, submit};
use rustix::process::Signal;

const KEYS: Abilities = Abilities { times: false, bytes: true, blanks: true };

fn gearmand(redis: &RedisServer, more: &[&str]) -> Result<Server> {
    let port = redis.port().to_string();
    let words = ["-q", "redis", "--redis-server", "127.0.0.1", "--redis-port", &port];
    Server::start(Maker::Debian, &[&words[..], more].concat())
}

#[test]
fn a_queue_of_gearmands_becomes_ours() -> Result<()> {
    let redis = RedisServer::start(&["--requirepass", "secret"])?;
    let with_password = |more: &[&str]| gearmand(&redis, &[&["--redis-password", "secret"], more].concat());
    let cli = |words: &[&str]| redis.cli(&[&["-a", "secret", "--no-auth-warning"], words].concat());
    let address = format!("redis://:secret@127.0.0.1:{}", redis.port());
    let ours = || store::open(&format!("{address}?functions=with-dash"));
    let mut expected = jobs(KEYS);
    // It keeps 63 bytes of this one.
    expected.push(Job { unique: vec![b'z'; 64], ..expected[0].clone() });
    let mut server = with_password(&[])?;
    submit(&server, &expected)?;
    server.stop(Signal::TERM)?;
    if let Some(last) = expected.last_mut() {
        last.unique.pop();
    }
    cli(&["SET", "_gear_other", "not gearmand's"])?;
    cli(&["LPUSH", "_gear_-a-list", "not gearmand's"])?;
    // A look at them changes nothing.
    // Redis says them in no order.
    let all_keys = || -> Result<Vec<String>> {
        let mut keys: Vec<String> = cli(&["KEYS", "*"])?.lines().map(Into::into).collect();
        keys.sort_unstable();
        Ok(keys)
    };
    let keys = all_keys()?;
    for _ in 0..2 {
        compare(&mut Look(format!("{address}?functions=with-dash")), &expected)?;
    }
    ensure!(all_keys()? == keys, "{:?}", all_keys()?);
    for _ in 0..2 {
        compare(&mut ours()?, &expected)?;
        compare(&mut Look(address.clone()), &expected)?;
        ensure!(cli(&["KEYS", "_gear_*"])?.lines().count() == 2, "{}", cli(&["KEYS", "*"])?);
    }
    // gearmand does not start where there are such. Else it finds no key, and what it adds is taken over the next time.
    cli(&["DEL", "_gear_other", "_gear_-a-list"])?;
    let mut server = with_password(&[])?;
    let later = Job { unique: b"later".to_vec(), ..expected[1].clone() };
    submit(&server, std::slice::from_ref(&later))?;
    server.kill()?;
    expected.push(later);
    compare(&mut ours()?, &expected)?;
    // Another prefix is another queue, and its signs mean nothing.
    let mut server = with_password(&["--redis-prefix", "a*[b]"])?;
    submit(&server, &expected[..3])?;
    server.stop(Signal::TERM)?;
    compare(&mut store::open(&format!("{address}?prefix=a%2A%5Bb%5D"))?, &expected[..3])?;
    compare(&mut ours()?, &expected)
}

#[test]
fn keys_of_other_versions_are_read() -> Result<()> {
    let redis = RedisServer::start(&[])?;
    let plain = jobs(KEYS).swap_remove(1);
    let job = |function: &str, unique: &str, workload: &str| Job {
        function: function.into(),
        unique: unique.into(),
        workload: workload.into(),
        ..plain.clone()
    };
    // Up to 1.1.15 a string; from 2 on with names; and what is not as it should be.
    redis.cli(&["SET", "_gear_-old-u-1", "text"])?;
    redis.cli(&["SET", "_gear_-old-empty", ""])?;
    redis.cli(&[
        "HSET",
        "_gear_-a-b-c-d",
        "data",
        "new",
        "priority",
        "1",
        "function",
        "a-b",
        "unique",
        "c-d",
    ])?;
    redis.cli(&["HSET", "_gear_-a-b-c-e", "data", "its function is known", "priority", "7"])?;
    redis.cli(&["HSET", "_gear_-x-y-z", "data", "a guess"])?;
    redis.cli(&["HSET", "_gear_-no-data", "something", "else"])?;
    redis.cli(&["SET", "_gear_-", "no name"])?;
    let expected = [
        job("old", "u-1", "text"),
        job("old", "empty", ""),
        job("a-b", "c-d", "new"),
        job("a-b", "c-e", "its function is known"),
        job("x", "y-z", "a guess"),
    ];
    compare(&mut store::open(&redis.address())?, &expected)?;
    compare(&mut store::open(&redis.address())?, &expected)?;
    ensure!(redis.cli(&["KEYS", "_gear_*"])?.lines().count() == 2);
    Ok(())
}

#[test]
fn many_are_taken_over_as_one_is() -> Result<()> {
    let redis = RedisServer::start(&["--appendfsync", "no"])?;
    let plain = jobs(KEYS).swap_remove(0);
    let many: Vec<Job> = (0..2000)
        .map(|number| Job {
            unique: format!("u{number}").into(),
            workload: format!("{number}").into(),
            ..plain.clone()
        })
        .collect();
    let mut server = gearmand(&redis, &[])?;
    submit(&server, &many)?;
    server.stop(Signal::TERM)?;
    let mut first = store::open(&redis.address())?;
    compare(&mut first, &many)?;
    fails(store::open(&redis.address()), StoreErrorKind::Locked, &["in use"])?;
    fails(store::read(&redis.address(), &mut |_| Ok(())), StoreErrorKind::Locked, &["in use"])
}

#[test]
fn our_daemon_serves_what_gearmand_has_kept() -> Result<()> {
    let redis = RedisServer::start(&["--requirepass", "secret"])?;
    let port = redis.port().to_string();
    let words =
        ["-q", "redis", "--redis-server", "127.0.0.1", "--redis-port", &port, "--redis-password", "secret"];
    // Of a function with a dash gearmand says in its keys what can be read in two ways.
    let expected: Vec<Job> = jobs(KEYS).into_iter().filter(|job| !job.function.contains(&b'-')).collect();
    ensure!(served(&words, &expected)?.is_empty());
    compare(&mut store::open(&format!("redis://:secret@127.0.0.1:{port}"))?, &[])
}
