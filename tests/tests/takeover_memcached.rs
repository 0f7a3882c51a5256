//! The items of Debian's gearmand with its memcached plug-in.

use anyhow::{Result, ensure};
use lineshaft::store;
use lineshaft_tests::server::{Maker, Server};
use lineshaft_tests::servers::{DatabaseServer, MemcachedServer};
use lineshaft_tests::stores::Job;
use lineshaft_tests::takeover::{Abilities, Look, compare, jobs, served, submit};
use rustix::process::Signal;

const KEYS: Abilities = Abilities { times: false, bytes: false, blanks: false };

fn gearmand(servers: &[&MemcachedServer], more: &[&str]) -> Result<Server> {
    let list: Vec<String> = servers.iter().map(|server| format!("127.0.0.1:{}", server.port())).collect();
    let list = list.join(",");
    Server::start(Maker::Debian, &[&["-q", "libmemcached", "--libmemcached-servers", &list], more].concat())
}

fn address(servers: &[&MemcachedServer]) -> String {
    let list: Vec<String> = servers.iter().map(|server| format!("127.0.0.1:{}", server.port())).collect();
    format!("memcached://{}", list.join(","))
}

fn becomes_ours(servers: &[&MemcachedServer]) -> Result<()> {
    let ours = || store::open(&format!("{}?functions=with-dash", address(servers)));
    let mut expected = jobs(KEYS);
    expected.push(Job { function: b"f\xff".into(), unique: b"\xfe%25".into(), ..expected[0].clone() });
    let mut server = gearmand(servers, &[])?;
    submit(&server, &expected)?;
    server.stop(Signal::TERM)?;
    servers[0].put("gear_other", Some(b"not gearmand's"))?;
    servers[0].put("other-key", Some(b"not gearmand's"))?;
    // A look at them changes nothing.
    let looked = format!("{}?functions=with-dash", address(servers));
    for _ in 0..2 {
        compare(&mut Look(looked.clone()), &expected)?;
    }
    for _ in 0..2 {
        let mut store = ours()?;
        compare(&mut store, &expected)?;
        compare(&mut Look(looked.clone()), &expected)?;
        store.tidy()?;
    }
    for key in ["gear_other", "other-key"] {
        ensure!(servers[0].ask(&format!("get {key}\r\n"), "END")?.len() == 3, "{key} is gone");
    }
    // What it adds is taken over the next time.
    let mut server = gearmand(servers, &[])?;
    let later = Job { unique: b"later".to_vec(), ..expected[1].clone() };
    submit(&server, std::slice::from_ref(&later))?;
    server.kill()?;
    expected.push(later);
    compare(&mut ours()?, &expected)?;
    // Another prefix is another queue.
    let mut server = gearmand(servers, &["--libmemcached-prefix", "mine"])?;
    submit(&server, &expected[..3])?;
    server.stop(Signal::TERM)?;
    compare(&mut store::open(&format!("{}?prefix=mine", address(servers)))?, &expected[..3])?;
    compare(&mut ours()?, &expected)
}

#[test]
fn a_queue_of_gearmands_becomes_ours() -> Result<()> {
    becomes_ours(&[&MemcachedServer::start(&[])?])
}

#[test]
fn a_queue_on_two_servers_becomes_ours() -> Result<()> {
    becomes_ours(&[&MemcachedServer::start(&[])?, &MemcachedServer::start(&[])?])
}

/// An old one tells of its keys in another way, and not of all of them at once.
#[test]
fn a_memcached_without_crawler_tells_of_its_keys_too() -> Result<()> {
    let server = MemcachedServer::start(&["-o", "no_lru_crawler,no_lru_maintainer"])?;
    becomes_ours(&[&server])
}

#[test]
fn our_daemon_serves_what_gearmand_has_kept() -> Result<()> {
    let server = MemcachedServer::start(&[])?;
    let place = format!("127.0.0.1:{}", server.port());
    let words = ["-q", "libmemcached", "--libmemcached-servers", &place];
    // Of a function with a dash gearmand says in its keys what can be read in two ways.
    let expected: Vec<Job> = jobs(KEYS).into_iter().filter(|job| !job.function.contains(&b'-')).collect();
    ensure!(served(&words, &expected)?.is_empty());
    compare(&mut store::open(&server.address())?, &[])
}
