//! Starting and stopping servers leaves no thread and no descriptor. The only test of its program: others would start threads
//! and open files meanwhile.

use anyhow::{Context, Result, ensure};
use lineshaft::net::Address;
use lineshaft::protocol::{OutBuf, Request};
use lineshaft::server::Server;
use lineshaft_tests::clock::{PATIENCE, poll};
use lineshaft_tests::wire::{Peer, kind};
use std::fs::read_dir;
use std::net::SocketAddr;
use std::path::Path;

/// Threads and open descriptors of this process.
fn open() -> Result<(usize, usize)> {
    let count = |path| Ok::<_, anyhow::Error>(read_dir(path).context(path)?.count());
    Ok((count("/proc/self/task")?, count("/proc/self/fd")?))
}

#[test]
fn start_and_stop_leave_nothing() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("socket");
    // Once before counting: what is made once for the whole process may stay.
    live_and_die(&path, true)?;
    let before = open()?;
    for round in 0..30 {
        live_and_die(&path, round % 2 == 0)?;
        ensure!(!path.exists(), "the Unix socket is still there");
        let after = poll(PATIENCE, || open().ok().filter(|after| *after == before));
        ensure!(after.is_some(), "threads and descriptors: {before:?} before, {:?} after", open()?);
    }
    Ok(())
}

/// Starts a server of several threads, gives it connections in every state, and stops it.
fn live_and_die(path: &Path, stop: bool) -> Result<()> {
    let builder = Server::builder().threads(3).listen("127.0.0.1:0".parse()?);
    let server = builder.listen(Address::Unix(path.to_owned())).start()?;
    let address = match &server.addresses()[0] {
        Address::Tcp { host, port } => SocketAddr::new(host.parse()?, *port),
        other => anyhow::bail!("it listens on {other}"),
    };
    let mut peers: Vec<Peer> = (0..8).map(|_| Peer::connect(address)).collect::<Result<_>>()?;
    // A worker asleep, a client that waits, half a packet, one that has finished sending, and some that said nothing.
    peers[0].request(kind::CAN_DO, &[b"other"])?;
    peers[0].request(kind::PRE_SLEEP, &[])?;
    peers[0].sync()?;
    peers[1].submit(kind::SUBMIT_JOB, "work", "", b"x")?;
    peers[2].send(b"\0REQ\0\0")?;
    peers[3].finish_sending()?;
    let link = server.local().connect().ok().context("a link")?;
    let mut output = OutBuf::new();
    ensure!(link.exchange(&[Request::Echo { data: b"x".into() }], &mut output).is_ok(), "the link is closed");
    ensure!(!output.is_empty(), "no echo over the link");
    let mut worker = server.blocking_worker();
    worker.add_function("reverse", |job| Ok(job.workload().iter().rev().copied().collect::<Vec<u8>>()))?;
    let client = server.blocking_client();
    let task = client.submit("reverse", "abc")?;
    worker.work(Some(PATIENCE))?;
    ensure!(task.result()? == "cba", "another result");
    std::os::unix::net::UnixStream::connect(path).context("the Unix socket")?;
    if stop {
        server.stop();
    } else {
        drop(server);
    }
    for peer in &mut peers {
        peer.closed()?;
    }
    Ok(())
}
