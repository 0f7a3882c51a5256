//! Peers that break the protocol, or use it to hurt. Whatever they do, the daemon's memory stays bounded, nothing panics, and
//! an honest peer is served.

use anyhow::{Context, Result, ensure};
use lineshaft_tests::clock::{now, pause};
use lineshaft_tests::server::{Maker, Server};
use lineshaft_tests::wire::{Arrival, Peer, kind, request};
use rustix::process::Signal;
use std::io::{ErrorKind, Write};
use std::time::Duration;

const MIB: u64 = 1 << 20;

/// Starts a daemon, lets `attack` loose on it, and then asks of it what every daemon owes: an honest peer is served, its memory
/// has grown by less than `growth` bytes, and it ends well.
fn survives(growth: u64, attack: impl FnOnce(&Server) -> Result<()>) -> Result<()> {
    let mut server = Server::start(Maker::Ours, &[])?;
    honest_peers_are_served(&server)?;
    let before = server.peak_memory()?;
    attack(&server)?;
    honest_peers_are_served(&server)?;
    let grown = server.peak_memory()?.saturating_sub(before);
    ensure!(grown < growth, "memory has grown by {grown} bytes, the bound is {growth}");
    server.stop(Signal::TERM)
}

fn honest_peers_are_served(server: &Server) -> Result<()> {
    let (mut client, mut worker) = (server.connect()?, server.connect()?);
    worker.request(kind::CAN_DO, &[b"honest"])?;
    worker.request(kind::PRE_SLEEP, &[])?;
    worker.sync()?;
    let handle = client.submit(kind::SUBMIT_JOB, "honest", "", b"work")?;
    worker.expect(kind::NOOP)?;
    worker.request(kind::GRAB_JOB, &[])?;
    let assigned = worker.expect(kind::JOB_ASSIGN)?;
    ensure!(assigned.ends_with(b"\0honest\0work"), "assigned: {}", assigned.escape_ascii());
    worker.request(kind::WORK_COMPLETE, &[handle.as_bytes(), b"done"])?;
    let result = client.expect(kind::WORK_COMPLETE)?;
    ensure!(result.ends_with(b"\0done"), "result: {}", result.escape_ascii());
    Ok(())
}

/// A header that announces `size` bytes.
fn header(kind: u32, size: u32) -> Vec<u8> {
    [&b"\0REQ"[..], &kind.to_be_bytes(), &size.to_be_bytes()].concat()
}

/// Sends until everything is sent or the other side takes no more; `None` where it has closed.
fn push(peer: &Peer, bytes: &[u8]) -> Result<Option<usize>> {
    let mut stream = peer.stream();
    match stream.write(bytes) {
        Ok(sent) => Ok(Some(sent)),
        Err(error) => match error.kind() {
            ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => Ok(None),
            ErrorKind::WouldBlock | ErrorKind::TimedOut => Ok(Some(0)),
            _ => Err(error).context("send"),
        },
    }
}

#[test]
fn four_gigabytes_announced() -> Result<()> {
    survives(16 * MIB, |server| {
        for _ in 0..200 {
            let mut peer = server.connect()?;
            peer.send(&header(kind::SUBMIT_JOB, u32::MAX))?;
            let text = peer.expect(kind::ERROR)?;
            ensure!(text.starts_with(b"ARGUMENT_TOO_LARGE\0"), "error: {}", text.escape_ascii());
            peer.closed()?;
        }
        Ok(())
    })
}

#[test]
fn the_largest_packet_announced_by_many_and_sent_by_nobody() -> Result<()> {
    survives(32 * MIB, |server| {
        let mut peers = Vec::new();
        for _ in 0..200 {
            let mut peer = server.connect()?;
            peer.send(&header(kind::SUBMIT_JOB_BG, 64 << 20))?;
            peer.send(b"function\0\0the first few bytes")?;
            peers.push(peer);
        }
        honest_peers_are_served(server)
    })
}

#[test]
fn a_type_of_all_ones() -> Result<()> {
    survives(4 * MIB, |server| {
        for kind in [0, 43, 0x7fff_ffff, 0x8000_0000, u32::MAX] {
            let mut peer = server.connect()?;
            peer.send(&header(kind, 0))?;
            peer.closed()?;
        }
        Ok(())
    })
}

#[test]
fn every_bit_of_a_packet_flipped() -> Result<()> {
    let packet = request(kind::SUBMIT_JOB_BG, &[b"flipped", b"unique", b"workload"]);
    survives(16 * MIB, |server| {
        for at in 0..packet.len() * 8 {
            let mut bytes = packet.clone();
            bytes[at / 8] ^= 1 << (at % 8);
            let mut peer = server.connect()?;
            peer.send(&bytes)?;
            peer.finish_sending()?;
            // An answer, an error or nothing: in any case an end, since no more is to come.
            peer.closed().with_context(|| format!("bit {at}"))?;
        }
        Ok(())
    })
}

#[test]
fn half_packets_of_100_000_connections() -> Result<()> {
    let packet = request(kind::SUBMIT_JOB_BG, &[b"half", b"unique", &[7; 2000]]);
    survives(32 * MIB, |server| {
        for wave in 0..250 {
            let mut peers = Vec::new();
            for at in 0..400 {
                let mut peer = server.connect()?;
                // At every place in turn; the whole packet is never sent.
                peer.send(&packet[..(wave * 400 + at) % packet.len()])?;
                peers.push(peer);
            }
            if wave % 50 == 0 {
                honest_peers_are_served(server)?;
            }
        }
        let status = server.connect()?.text("status\n")?;
        ensure!(!status.contains("half"), "half a packet made a job: {status}");
        Ok(())
    })
}

#[test]
fn text_without_end() -> Result<()> {
    survives(4 * MIB, |server| {
        let peer = server.connect()?;
        let mut sent = 0;
        // The kernel's buffers take some; the daemon must close long before this.
        while let Some(more) = push(&peer, &[b'a'; 4096])? {
            sent += more;
            ensure!(sent < 64 << 20, "{sent} bytes of one line are taken");
        }
        Ok(())
    })
}

#[test]
fn an_echo_that_nobody_reads() -> Result<()> {
    // max_output is 64 MiB: at most twice that is held, and one more packet.
    survives(160 * MIB, |server| {
        let peer = server.connect()?;
        peer.stream().set_write_timeout(Some(Duration::from_millis(500)))?;
        let packet = request(kind::ECHO_REQ, &[&vec![7; 1 << 20]]);
        let mut rest = &packet[..];
        let mut sent = 0;
        // Either the daemon stops reading, which ends in a write that times out, or it closes.
        while let Some(more @ 1..) = push(&peer, rest)? {
            sent += more;
            ensure!(sent < 1 << 30, "{sent} bytes are taken from a peer that reads nothing");
            rest = if more == rest.len() { &packet } else { &rest[more..] };
        }
        honest_peers_are_served(server)
    })
}

#[test]
fn a_client_that_does_not_read_its_results() -> Result<()> {
    survives(200 * MIB, |server| {
        let (mut client, mut worker) = (server.connect()?, server.connect()?);
        worker.request(kind::CAN_DO, &[b"much"])?;
        let handle = client.submit(kind::SUBMIT_JOB, "much", "", b"")?;
        worker.request(kind::GRAB_JOB, &[])?;
        worker.expect(kind::JOB_ASSIGN)?;
        let chunk = vec![7; 1 << 20];
        for _ in 0..400 {
            // The worker is not to suffer for the client.
            worker.request(kind::WORK_DATA, &[handle.as_bytes(), &chunk])?;
        }
        worker.sync()?;
        honest_peers_are_served(server)?;
        // The client was cut off, so that it never sees the end of what was sent.
        let mut received = Vec::new();
        while client.receive(Duration::from_secs(10), &mut received)? == Arrival::Bytes {
            ensure!(received.len() < 300 << 20, "the client was not cut off");
        }
        Ok(())
    })
}

#[test]
fn peers_that_send_a_byte_at_a_time() -> Result<()> {
    let packet = request(kind::ECHO_REQ, &[b"slowly"]);
    survives(8 * MIB, |server| {
        let mut peers: Vec<Peer> = (0..300).map(|_| server.connect()).collect::<Result<_>>()?;
        for at in 0..packet.len() {
            for peer in &mut peers {
                peer.send(&packet[at..=at])?;
            }
            // What makes them slow. Nobody else may have to wait for them.
            pause(Duration::from_millis(10));
            honest_peers_are_served(server)?;
        }
        for peer in &mut peers {
            ensure!(peer.expect(kind::ECHO_RES)? == b"slowly", "another echo");
        }
        Ok(())
    })
}

#[test]
fn functions_without_number() -> Result<()> {
    // 100,000 are taken, at about 500 bytes each; the others are refused.
    survives(128 * MIB, |server| {
        let mut peer = server.connect()?;
        for batch in 0..150 {
            let names: Vec<u8> = (0..1000)
                .flat_map(|at| request(kind::CAN_DO, &[format!("function {batch} {at}").as_bytes()]))
                .collect();
            peer.send(&names)?;
        }
        let refused = request(kind::ECHO_REQ, &[b"end"]);
        peer.send(&refused)?;
        let mut errors = 0;
        loop {
            let packet = peer.packet()?;
            match packet.kind {
                kind::ERROR => errors += 1,
                kind::ECHO_RES => break,
                other => anyhow::bail!("packet {other}"),
            }
        }
        // The function of the honest peers counts as well.
        ensure!(errors == 50_001, "{errors} functions were refused");
        Ok(())
    })
}

#[test]
fn one_function_registered_a_million_times() -> Result<()> {
    survives(16 * MIB, |server| {
        let mut peer = server.connect()?;
        let many = request(kind::CAN_DO, &[b"again"]).repeat(10_000);
        for _ in 0..100 {
            peer.send(&many)?;
        }
        peer.sync()
    })
}

#[test]
fn who_has_finished_sending_still_gets_answers() -> Result<()> {
    survives(4 * MIB, |server| {
        let mut peer = server.connect()?;
        peer.send(b"version\nstatus\n")?;
        peer.finish_sending()?;
        let mut answer = Vec::new();
        let start = now();
        while peer.receive(Duration::from_secs(10), &mut answer)? != Arrival::Closed {
            ensure!(start.elapsed() < Duration::from_secs(30), "the connection stays open");
        }
        let answer = String::from_utf8(answer)?;
        ensure!(answer.starts_with("OK ") && answer.ends_with("\n.\n"), "the answer is {answer:?}");
        Ok(())
    })
}
