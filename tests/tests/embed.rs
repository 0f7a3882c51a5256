//! Servers inside another program.

use anyhow::{Context, Result, bail, ensure};
use lineshaft::net::{Address, LinkClosed};
use lineshaft::protocol::{OutBuf, Request, Submit, When};
use lineshaft::server::Server;
use lineshaft::types::Priority;
use lineshaft_tests::clock::{PATIENCE, poll};
use lineshaft_tests::wire::{Peer, kind, request};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

fn start() -> Result<(Server, SocketAddr)> {
    let server = Server::builder().listen("127.0.0.1:0".parse()?).start()?;
    let address = tcp_address(&server)?;
    Ok((server, address))
}

fn tcp_address(server: &Server) -> Result<SocketAddr> {
    match server.addresses() {
        [Address::Tcp { host, port }] => Ok(SocketAddr::new(host.parse()?, *port)),
        other => bail!("it listens on {other:?}"),
    }
}

/// Makes a worker run the one job that a client waits for.
fn serve(client: &mut Peer, worker: &mut Peer, handle: &str) -> Result<()> {
    worker.request(kind::WORK_COMPLETE, &[handle.as_bytes(), b"done"])?;
    let result = client.expect(kind::WORK_COMPLETE)?;
    ensure!(result.ends_with(b"\0done"), "result: {}", result.escape_ascii());
    Ok(())
}

#[test]
fn two_servers_live_in_one_process() -> Result<()> {
    let (first, first_address) = start()?;
    let (second, second_address) = start()?;
    ensure!(first_address != second_address, "one address for both");
    let handle = Peer::connect(first_address)?.submit(kind::SUBMIT_JOB_BG, "work", "", b"x")?;
    ensure!(first.jobs() == 1 && second.jobs() == 0, "{} jobs here, {} there", first.jobs(), second.jobs());

    // The other one does not know the job; and it lives on when the first one is stopped.
    first.stop();
    let mut peer = Peer::connect(second_address)?;
    peer.request(kind::GET_STATUS, &[handle.as_bytes()])?;
    let status = peer.expect(kind::STATUS_RES)?;
    ensure!(status.ends_with(b"\x000\x000\x000\x000"), "status: {}", status.escape_ascii());
    ensure!(TcpStream::connect(first_address).is_err(), "a stopped server accepts");
    Ok(())
}

#[test]
fn stopping_ends_connections_and_links() -> Result<()> {
    let (server, address) = start()?;
    let mut peer = Peer::connect(address)?;
    peer.sync()?;
    let link = server.local().connect().ok().context("a link")?;
    let entrance = server.local();
    server.stop();
    peer.closed()?;
    let mut output = OutBuf::new();
    ensure!(
        link.exchange(&[Request::Echo { data: b"x".into() }], &mut output) == Err(LinkClosed),
        "the link works"
    );
    ensure!(link.wait_readable(Some(Duration::from_secs(10))), "who waits at the link is not told");
    ensure!(entrance.connect().is_err(), "a stopped server lets in");
    Ok(())
}

#[test]
fn an_address_can_be_used_again_at_once() -> Result<()> {
    let (server, address) = start()?;
    let mut peer = Peer::connect(address)?;
    peer.sync()?;
    server.stop();
    let again = Server::builder().listen(address.into()).start()?;
    ensure!(tcp_address(&again)? == address, "another address");
    Peer::connect(address)?.sync()
}

#[test]
fn draining_finishes_what_runs_and_refuses_what_is_new() -> Result<()> {
    let (server, address) = start()?;
    let (mut client, mut worker) = (Peer::connect(address)?, Peer::connect(address)?);
    worker.request(kind::CAN_DO, &[b"work"])?;
    let running = client.submit(kind::SUBMIT_JOB, "work", "", b"1")?;
    worker.request(kind::GRAB_JOB, &[])?;
    worker.expect(kind::JOB_ASSIGN)?;
    client.submit(kind::SUBMIT_JOB_BG, "work", "", b"2")?;

    let stopping = thread::spawn(move || server.shutdown(Duration::from_secs(60)));
    // From some moment on submissions are refused: that is when the drain has begun.
    let refused = poll(PATIENCE, || {
        client.request(kind::SUBMIT_JOB_BG, &[b"other", b"", b"x"]).ok()?;
        (client.packet().ok()?.kind == kind::ERROR).then_some(())
    });
    refused.context("new jobs are still taken")?;
    worker.request(kind::GRAB_JOB, &[])?;
    worker.expect(kind::NO_JOB)?;
    serve(&mut client, &mut worker, &running)?;
    let finished = stopping.join().map_err(|_| anyhow::anyhow!("the server panicked"))?;
    ensure!(finished, "it did not wait for the job that was running");
    client.closed()?;
    worker.closed()
}

/// Half a packet that comes together with something for its sender must not hold that back: the rest may never come.
#[test]
fn half_a_packet_does_not_hold_back_what_others_send() -> Result<()> {
    let (_server, address) = start()?;
    let (mut client, mut worker) = (Peer::connect(address)?, Peer::connect(address)?);
    worker.request(kind::CAN_DO, &[b"work"])?;
    let echo = request(kind::ECHO_REQ, &[b"whole"]);
    // Which of the two comes first is a race; of many rounds some go either way.
    for _ in 0..200 {
        let handle = client.submit(kind::SUBMIT_JOB, "work", "", b"x")?;
        worker.request(kind::GRAB_JOB, &[])?;
        worker.expect(kind::JOB_ASSIGN)?;
        worker.request(kind::WORK_COMPLETE, &[handle.as_bytes(), b"done"])?;
        client.send(&echo[..7])?;
        client.expect(kind::WORK_COMPLETE)?;
        client.send(&echo[7..])?;
        client.expect(kind::ECHO_RES)?;
    }
    Ok(())
}

/// Pieces of a result that are large enough to be shared must all wait for a client that does not read just now.
#[test]
fn large_pieces_wait_for_their_reader() -> Result<()> {
    const PIECES: usize = 10;
    let (server, address) = start()?;
    let link = server.local().connect().ok().context("a link")?;
    let mut worker = Peer::connect(address)?;
    worker.request(kind::CAN_DO, &[b"work"])?;
    let submit = Submit {
        function: b"work",
        unique: b"",
        priority: Priority::Normal,
        background: false,
        when: When::Now,
        reducer: None,
        workload: b"x".into(),
    };
    worker.sync()?;
    let mut output = OutBuf::new();
    ensure!(link.exchange(&[Request::Submit(submit)], &mut output).is_ok(), "the link is closed");
    worker.request(kind::GRAB_JOB, &[])?;
    let assign = worker.expect(kind::JOB_ASSIGN)?;
    let handle = assign.split(|byte| *byte == 0).next().context("a handle")?;
    let piece = vec![b'p'; 100 << 10];
    for _ in 0..PIECES {
        worker.request(kind::WORK_DATA, &[handle, &piece])?;
        // Its answer gives the thread memory to use again.
        worker.sync()?;
    }
    ensure!(link.exchange(&[], &mut output).is_ok(), "the link is closed");
    let arrived = output.len();
    ensure!(arrived > PIECES * piece.len(), "{arrived} bytes have arrived of {}", PIECES * piece.len());
    Ok(())
}
