//! memcached as a store: what is its own, beside the body of tests that every store passes (stores.rs).

use anyhow::{Context, Result, ensure};
use lineshaft::store::{Batch, Change, Memcached, MemcachedSettings, Store, StoreErrorKind, open};
use lineshaft_tests::clock::{PATIENCE, poll};
use lineshaft_tests::servers::{DatabaseServer, MemcachedServer, RedisServer};
use lineshaft_tests::stores::{Job, add, content, end, fails, numbers};
use rustix::process::Signal;
use std::time::Duration;

const GENERATION: &str = "lineshaft:gear_:generation";

fn settings(server: &MemcachedServer) -> MemcachedSettings {
    MemcachedSettings { servers: vec![format!("127.0.0.1:{}", server.port())], ..Default::default() }
}

/// For tests in which it hangs.
fn impatient(server: &MemcachedServer) -> MemcachedSettings {
    MemcachedSettings { timeout: Duration::from_millis(300), ..settings(server) }
}

/// A machine with much to do may need more than one try.
fn commit(store: &mut Memcached, batch: &Batch) -> Result<()> {
    poll(PATIENCE, || store.commit(batch).ok()).context("it does not come back")
}

fn large(numbers: impl IntoIterator<Item = u64>) -> Batch {
    let mut batch = Batch::new();
    for number in numbers {
        let job = Job { workload: vec![b'x'; 20_000], ..Job::new(number) };
        batch.push(&Change::Add(job.stored()));
    }
    batch
}

#[test]
fn a_restart_loses_what_was_there_and_says_so() -> Result<()> {
    let mut server = MemcachedServer::start(&[])?;
    let mut store = Memcached::open(settings(&server))?;
    store.commit(&add(1..=1000))?;
    store.commit(&end(7))?;
    server.kill()?;
    fails(store.commit(&add([1001])), StoreErrorKind::Unavailable, &["cannot be reached"])?;
    fails(store.tidy(), StoreErrorKind::Unavailable, &["cannot be reached"])?;
    server.start_again()?;
    let mut batch = add([1001, 1002]);
    batch.push(&Change::End { number: 8 });
    store.commit(&batch)?;
    store.commit(&add([1003]))?;
    ensure!(store.lost() == 0, "they are in memory");
    drop(store);
    let mut store = Memcached::open(settings(&server))?;
    ensure!(numbers(&mut store)? == [1001, 1002, 1003]);
    ensure!(store.lost() == 998, "{} are reported", store.lost());
    store.tidy()?;
    drop(store);
    let mut store = Memcached::open(settings(&server))?;
    ensure!(numbers(&mut store)? == [1001, 1002, 1003] && store.lost() == 0, "they are reported twice");
    Ok(())
}

/// The same with a batch whose first try went to the memcached that was killed.
#[test]
fn a_batch_that_was_half_done_is_done_whole() -> Result<()> {
    let mut server = MemcachedServer::start(&[])?;
    let mut store = Memcached::open(impatient(&server))?;
    server.signal(Signal::STOP)?;
    let batch = add([1, 2]);
    fails(store.commit(&batch), StoreErrorKind::Unavailable, &["does not answer in time"])?;
    server.kill()?;
    server.start_again()?;
    commit(&mut store, &batch)?;
    drop(store);
    ensure!(numbers(&mut *open(&server.address())?)? == [1, 2]);
    Ok(())
}

#[test]
fn a_memcached_that_hangs_and_comes_back_does_nothing_twice() -> Result<()> {
    let server = MemcachedServer::start(&[])?;
    let mut store = Memcached::open(impatient(&server))?;
    for number in 1..=4 {
        server.signal(Signal::STOP)?;
        let mut batch = add([number]);
        fails(store.commit(&batch), StoreErrorKind::Unavailable, &["does not answer in time"])?;
        server.signal(Signal::CONT)?;
        ensure!(batch.give_up(number));
        commit(&mut store, &batch)?;
        commit(&mut store, &add([100 + number]))?;
    }
    drop(store);
    ensure!(numbers(&mut *open(&server.address())?)? == [101, 102, 103, 104]);
    Ok(())
}

#[test]
fn what_is_thrown_away_is_counted() -> Result<()> {
    let server = MemcachedServer::start(&["-m", "4"])?;
    let mut store = Memcached::open(settings(&server))?;
    for at in 0..20 {
        store.commit(&large(at * 20 + 1..=at * 20 + 20))?;
    }
    drop(store);
    let mut store = Memcached::open(settings(&server))?;
    let left = numbers(&mut store)?.len();
    ensure!(left < 400 && left + store.lost() == 400, "{left} are left, {} are reported lost", store.lost());
    // Of the index.
    let server = MemcachedServer::start(&[])?;
    let mut store = Memcached::open(settings(&server))?;
    store.commit(&add(1..=800))?;
    drop(store);
    let item = server.ask(&format!("get {GENERATION}\r\n"), "END")?;
    let generation = item[1].split(' ').nth(1).context("a generation")?.to_owned();
    server.put(&format!("lineshaft:gear_:{generation}:1"), None)?;
    server.put("lineshaft:gear_:job:5", None)?;
    let mut store = Memcached::open(settings(&server))?;
    let expected: Vec<u64> =
        (1..=800).filter(|number| *number != 5 && !(341..=680).contains(number)).collect();
    ensure!(numbers(&mut store)? == expected);
    ensure!(store.lost() == 341, "{} are reported", store.lost());
    Ok(())
}

#[test]
fn a_full_memcached_that_keeps_what_it_has_takes_no_more() -> Result<()> {
    let server = MemcachedServer::start(&["-M", "-m", "4"])?;
    let mut store = open(&server.address())?;
    let mut stored = Vec::new();
    let refused = loop {
        let number = stored.len() as u64 + 1;
        let batch = large([number]);
        match store.commit(&batch) {
            Ok(()) => stored.push(number),
            Err(error) => break (batch, error),
        }
        ensure!(number < 1000, "it is never full");
    };
    let (mut batch, error) = refused;
    fails(Err::<(), _>(error), StoreErrorKind::Unavailable, &["is full", "-m"])?;
    // What has ended makes room, also together with what does not fit.
    for number in stored.drain(..20) {
        batch.push(&Change::End { number });
    }
    if store.commit(&batch).is_err() {
        store.commit(&batch)?;
    }
    stored.push(batch.changes().next().context("a job")?.number());
    drop(store);
    ensure!(numbers(&mut *open(&server.address())?)? == stored);
    Ok(())
}

#[test]
fn the_last_one_has_it() -> Result<()> {
    let server = MemcachedServer::start(&[])?;
    let mut first = open(&server.address())?;
    first.commit(&add([1, 2]))?;
    let mut second = open(&server.address())?;
    let words = ["another server has taken over", "use another prefix"];
    fails(first.commit(&add([3])), StoreErrorKind::Locked, &words)?;
    ensure!(numbers(&mut *second)? == [1, 2]);
    second.commit(&add([4]))?;
    fails(first.commit(&end(1)), StoreErrorKind::Locked, &words)?;
    fails(first.tidy(), StoreErrorKind::Locked, &words)?;
    second.commit(&end(2))?;
    drop((first, second));
    ensure!(numbers(&mut *open(&server.address())?)? == [1, 4]);
    Ok(())
}

#[test]
fn prefixes_tell_queues_apart() -> Result<()> {
    let server = MemcachedServer::start(&[])?;
    let prefixes = ["", "gear_", "a", "a:job", "%22%27", "lineshaft:gear_:"];
    let address = |prefix: &str| format!("{}?prefix={prefix}", server.address());
    let mut stores = prefixes.map(|prefix| open(&address(prefix)).map_err(|error| error.to_string()));
    for (number, store) in (1..).zip(&mut stores) {
        store.as_mut().map_err(|error| anyhow::anyhow!("{error}"))?.commit(&add([number, 10]))?;
    }
    drop(stores);
    for (number, prefix) in (1..).zip(prefixes) {
        ensure!(numbers(&mut *open(&address(prefix))?)? == [number, 10], "{prefix:?}");
    }
    fails(open(&address("a%20b")), StoreErrorKind::Settings, &["cannot begin keys"])
}

#[test]
fn what_cannot_be_a_queue_is_refused() -> Result<()> {
    use StoreErrorKind::{Settings, Unavailable};
    fails(
        open("memcached://no-such-host.invalid"),
        Unavailable,
        &["no-such-host.invalid cannot be reached"],
    )?;
    let other = RedisServer::start(&[])?;
    fails(
        open(&format!("memcached://127.0.0.1:{}", other.port())),
        Settings,
        &["is not memcached's language"],
    )?;
    let servers = [MemcachedServer::start(&[])?, MemcachedServer::start(&[])?];
    let both = format!("memcached://127.0.0.1:{},127.0.0.1:{}", servers[0].port(), servers[1].port());
    open(&both)?.commit(&add([1, 2, 3]))?;
    fails(open(&servers[0].address()), Settings, &["is spread over 2 servers, not 1"])?;
    ensure!(numbers(&mut *open(&both)?)? == [1, 2, 3]);
    Ok(())
}

#[test]
fn large_jobs_go_into_small_items() -> Result<()> {
    let server = MemcachedServer::start(&["-I", "16k", "-o", "slab_chunk_max=8192"])?;
    let mut store = open(&server.address())?;
    let jobs: Vec<Job> = (1..=60)
        .map(|number| Job { workload: vec![number as u8; number as usize * 5000], ..Job::new(number) })
        .collect();
    let mut batch = Batch::new();
    jobs.iter().for_each(|job| batch.push(&Change::Add(job.stored())));
    store.commit(&batch)?;
    store.commit(&end(60))?;
    drop(store);
    let found = content(&mut *open(&server.address())?)?;
    ensure!(found.jobs.into_values().eq(jobs.into_iter().take(59)), "they have changed");
    ensure!(server.ask("get lineshaft:gear_:job:60.3\r\n", "END")? == ["END"], "a piece is left");
    Ok(())
}

#[test]
fn what_cannot_be_read_is_left_as_it_is() -> Result<()> {
    use StoreErrorKind::{Damaged, Newer};
    let server = MemcachedServer::start(&[])?;
    open(&server.address())?.commit(&add([1]))?;
    let replay = || open(&server.address()).and_then(|mut store| store.replay(&mut |_| Ok(())));
    let value = |key: &str| -> Result<Vec<u8>> {
        let lines = server.ask(&format!("get {key}\r\n"), "END")?;
        Ok(lines[1].clone().into_bytes())
    };
    let generation = value(GENERATION)?;
    let newer = [&b"2 "[..], &generation[2..]].concat();
    let cases: [(&[u8], _, &str); 2] = [
        (&newer, Newer, "has layout 2, and this version knows 1"),
        (b"something else", Damaged, "is none of a queue: use another prefix"),
    ];
    for (bytes, kind, words) in cases {
        server.put(GENERATION, Some(bytes))?;
        fails(replay(), kind, &[words])?;
        server.put(GENERATION, Some(&generation))?;
    }
    let mut record = vec![1_u8; 9];
    record[1..].copy_from_slice(&3_u64.to_le_bytes());
    record.extend_from_slice(b"abc");
    server.put("lineshaft:gear_:job:1", Some(&record))?;
    fails(replay(), Damaged, &["lineshaft:gear_:job:1 is no job"])?;
    record[0] = 2;
    server.put("lineshaft:gear_:job:1", Some(&record))?;
    fails(replay(), Newer, &["job 1 has been written by a newer version"])
}
