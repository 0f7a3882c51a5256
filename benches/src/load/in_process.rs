//! The broker inside this very process, called without a socket.

use std::sync::Arc;
use std::time::Duration;

use lineshaft::net::LocalLink;
use lineshaft::protocol::{Grab, OutBuf, Request, Submit, When, Work};
use lineshaft::server::Server;
use lineshaft::types::Priority;

use crate::wire::{self, kind};
use crate::{Result, clock, meter};

const FUNCTION: &[u8] = b"function";
/// Jobs between two looks at the clock.
const BETWEEN_LOOKS: u64 = 1000;

/// A client or worker of a server in this process.
struct Peer {
    link: Arc<dyn LocalLink>,
    out: OutBuf,
}

impl Peer {
    fn connect(server: &Server) -> Result<Self> {
        let link = server.local().connect().map_err(|error| format!("in process: {error:?}"))?;
        Ok(Self { link, out: OutBuf::new() })
    }

    /// Hands in `requests`; the answer is the one packet that comes back, and must be of one of `kinds`.
    fn ask(&mut self, requests: &[Request<'_>], kinds: &[u32]) -> Result<wire::Packet<'_>> {
        self.out.advance(self.out.len());
        self.link.exchange(requests, &mut self.out).map_err(|error| format!("in process: {error:?}"))?;
        let bytes = self.out.contiguous().unwrap_or_default();
        match wire::packet(bytes)? {
            Some((packet, length)) if length == bytes.len() && kinds.contains(&packet.kind) => Ok(packet),
            Some((packet, _)) => Err(packet.unexpected("in process")),
            None => Err("in process: no answer".into()),
        }
    }
}

/// Submits, grabs and completes background jobs one after the other, on this thread, for `time`. Answers how many there were
/// for each second of CPU time that this process spent, which on an idle machine is a second on the clock.
pub(crate) fn in_process(workload: usize, time: Duration) -> Result<f64> {
    let server =
        Server::builder().start().map_err(|error| format!("cannot start a server in process: {error}"))?;
    let (mut client, mut worker) = (Peer::connect(&server)?, Peer::connect(&server)?);
    let workload = vec![b'w'; workload];
    let submit = Request::Submit(Submit {
        function: FUNCTION,
        unique: b"",
        priority: Priority::Normal,
        background: true,
        when: When::Now,
        reducer: None,
        workload: workload[..].into(),
    });
    worker.ask(&[Request::CanDo { function: FUNCTION }, Request::Grab(Grab::Uniq)], &[kind::NO_JOB])?;

    let mut handle = Vec::new();
    let (until, before, mut jobs) = (clock::now() + time, meter::cpu_time(std::process::id())?, 0);
    while clock::now() < until {
        for _ in 0..BETWEEN_LOOKS {
            client.ask(std::slice::from_ref(&submit), &[kind::JOB_CREATED])?;
            let complete = Request::Work { handle: &handle, work: Work::Complete(b"".into()) };
            let requests = [complete, Request::Grab(Grab::Uniq)];
            // At first there is nothing to complete.
            let requests = &requests[usize::from(handle.is_empty())..];
            let assigned = worker.ask(requests, &[kind::JOB_ASSIGN_UNIQ])?.assigned()?;
            let (new, _) = assigned.ok_or("in process: no job")?;
            handle = new.to_vec();
        }
        jobs += BETWEEN_LOOKS;
    }
    let spent = meter::cpu_time(std::process::id())?.saturating_sub(before);
    server.stop();
    Ok(jobs as f64 / spent.as_secs_f64())
}
