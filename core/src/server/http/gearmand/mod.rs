//! gearmand's own HTTP protocol (`--protocol http`): one request for each connection, whose path names a function and whose body is
//! the workload. What gearmand does wrong there is done right here; docs/compatibility.md has the list.

mod request;

use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::super::accept;
use super::super::listener::Listener;
use super::super::stream::Stream;
use super::caller::{Caller, Gone, Said, Who};
use super::listen::House;
use crate::broker::Compat;
use crate::error::ErrorKind;
use crate::protocol::{Data, Request, Submit, When};
use crate::types::Identity;
use request::{Head, MAX_HEAD, Method, Step, read};

/// Serves everybody who comes. Their number has the limit that Gearman's own connections have.
pub(super) async fn accept(house: Arc<House>, listener: Listener) {
    let shared = house.view.shared().clone();
    let open = Arc::new(Semaphore::new(shared.bounds.get().max_connections.min(Semaphore::MAX_PERMITS)));
    loop {
        let (stream, peer) = match accept::next(&listener).await {
            Ok(accepted) => accepted,
            Err(error) => {
                accept::shortage(&shared, &error).await;
                continue;
            }
        };
        // Whoever is one too many is closed at once, as on Gearman's own port.
        let Ok(place) = open.clone().try_acquire_owned() else { continue };
        let house = house.clone();
        tokio::spawn(async move {
            // What it would be on Gearman's own port.
            let identity = if peer == "unix" { Identity::Unix } else { Identity::Anonymous };
            let who = Who { peer, identity };
            if let Err(error) = serve(&house, stream, &who).await {
                tracing::debug!(target: "lineshaft::http", "HTTP connection from {}: {error}", who.peer);
            }
            drop(place);
        });
    }
}

/// An answer that is known: what stands in its lines.
#[derive(Debug)]
struct Reply {
    status: &'static str,
    handle: Option<Bytes>,
    command: Option<&'static str>,
    body: Bytes,
}

impl Reply {
    const fn new(status: &'static str) -> Self {
        Self { status, handle: None, command: None, body: Bytes::new() }
    }

    /// A refusal that says why.
    fn refused(status: &'static str, text: impl Into<String>) -> Self {
        let text: String = text.into();
        Self { command: Some("ERROR"), body: Bytes::from(text + "\n"), ..Self::new(status) }
    }
}

async fn serve(house: &House, mut stream: Stream, who: &Who) -> io::Result<()> {
    let patience = house.settings.patience;
    let slow = || io::Error::new(io::ErrorKind::TimedOut, "the request did not come in time (http-patience)");
    let mut bytes = BytesMut::with_capacity(1024);
    let begun = timeout(patience, head(&mut stream, &mut bytes)).await.map_err(|_| slow())??;
    let Some((head, length)) = begun else { return Ok(()) };
    let reply = match house.accepts(&head) {
        Err(reply) => reply,
        Ok(()) => {
            let mut body = bytes.split_off(length);
            timeout(patience, rest(&mut stream, &head, &mut body)).await.map_err(|_| slow())??;
            match run(house, &mut stream, who, &head, body.freeze()).await {
                Some(reply) => reply,
                None => return Ok(()),
            }
        }
    };
    let text = house.written(&head, &reply);
    timeout(patience, stream.write_all(&text)).await.map_err(|_| slow())??;
    timeout(patience, stream.shutdown()).await.map_err(|_| slow())??;
    // What the peer sends beyond its request must not turn the answer into a reset.
    let _ = timeout(patience, discard(&mut stream)).await;
    Ok(())
}

/// Bytes that are read and forgotten before a connection is closed.
const DISCARD: usize = 1 << 20;

async fn discard(stream: &mut Stream) -> io::Result<()> {
    let mut memory = [0; 4096];
    let mut left = DISCARD;
    while left > 0 {
        match stream.read(&mut memory).await? {
            0 => break,
            read => left = left.saturating_sub(read),
        }
    }
    Ok(())
}

/// Reads the head; `None` where there is no answer to what comes.
async fn head(stream: &mut Stream, bytes: &mut BytesMut) -> io::Result<Option<(Box<Head>, usize)>> {
    loop {
        match read(bytes) {
            Step::Head(head, length) => return Ok(Some((head, length))),
            Step::Nonsense => return Ok(None),
            Step::Need => {
                bytes.reserve(MAX_HEAD);
                if stream.read_buf(bytes).await? == 0 {
                    return Ok(None);
                }
            }
        }
    }
}

/// Reads what is missing of the body. What follows it is not ours: one request for each connection.
async fn rest(stream: &mut Stream, head: &Head, body: &mut BytesMut) -> io::Result<()> {
    // Checked against a limit before.
    let length = head.length as usize;
    if head.expects && head.is_1_1 && body.len() < length {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
    }
    while body.len() < length {
        body.reserve((length - body.len()).min(1 << 20));
        if stream.read_buf(body).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    body.truncate(length);
    Ok(())
}

/// Has the job done; `None` where the peer has gone meanwhile.
async fn run(house: &House, stream: &mut Stream, who: &Who, head: &Head, workload: Bytes) -> Option<Reply> {
    if head.function.is_empty() {
        return Some(Reply::new(if head.method == Method::Head { "200 OK" } else { "404 NOT_FOUND" }));
    }
    let done = job(house, who, head, workload);
    tokio::select! {
        reply = done => Some(reply.unwrap_or_else(|Gone| {
            Reply::refused("503 Service Unavailable", "SHUTDOWN The server is being stopped, or has its limit of connections")
        })),
        // "A client that hangs up abandons its foreground job like any other."
        () = hung_up(stream) => None,
    }
}

/// Completes when the peer sends no more, or is gone. What it still sends is forgotten: one request for each connection.
async fn hung_up(stream: &mut Stream) {
    let mut memory = [0; 4096];
    while let Ok(1..) = stream.read(&mut memory).await {}
}

async fn job(house: &House, who: &Who, head: &Head, workload: Bytes) -> Result<Reply, Gone> {
    let mut caller = Caller::open(house.view.shared(), who)?;
    caller.request(&Request::Submit(Submit {
        function: &head.function,
        unique: &head.unique,
        priority: head.priority,
        background: head.background,
        when: When::Now,
        reducer: None,
        workload: Data::from(&workload),
    }))?;
    let created = caller.next().await?;
    let Said::Created(handle) = created else { return Ok(unexpected(created)) };
    let ended =
        |status, command, body| Reply { status, handle: Some(handle.clone()), command: Some(command), body };
    if head.background {
        return Ok(ended("200 OK", "JOB_CREATED", Bytes::new()));
    }
    let (mut result, limit) = (BytesMut::new(), house.settings.max_result);
    loop {
        let (data, over) = match caller.next().await? {
            Said::Data(data) => (data, false),
            Said::Complete(data) => (data, true),
            Said::Warning(_) => continue,
            Said::Fail => return Ok(ended(FAILED, "WORK_FAIL", Bytes::new())),
            Said::Exception(data) => return Ok(ended(FAILED, "WORK_EXCEPTION", data)),
            other => return Ok(unexpected(other)),
        };
        if result.len() + data.len() > limit {
            let text = format!("The result has more than {limit} bytes (http-max-result)");
            return Ok(Reply::refused(FAILED, text));
        }
        if over && result.is_empty() {
            return Ok(ended("200 OK", "WORK_COMPLETE", data));
        }
        result.extend_from_slice(&data);
        if over {
            return Ok(ended("200 OK", "WORK_COMPLETE", result.freeze()));
        }
    }
}

const FAILED: &str = "500 Internal Server Error";

/// The broker has refused the job.
fn unexpected(said: Said) -> Reply {
    let Said::Refused(code, text) = said else { return Reply::new(FAILED) };
    let status = match ErrorKind::from_name(code.as_bytes()) {
        ErrorKind::ArgumentTooLarge | ErrorKind::DataTooLarge => "413 Content Too Large",
        ErrorKind::QueueError | ErrorKind::QueueFull | ErrorKind::Closed => "503 Service Unavailable",
        ErrorKind::InvalidArgument | ErrorKind::InvalidFunctionName => "400 Bad Request",
        _ => "403 Forbidden",
    };
    Reply::refused(status, format!("{code} {text}"))
}

impl House {
    /// Refuses what is not to be read on.
    fn accepts(&self, head: &Head) -> Result<(), Reply> {
        let limit = self.view.shared().decoder.lock().limits().max_packet;
        if head.from_page {
            let text = "A page in a browser may not submit jobs: its requests carry Origin or Sec-Fetch-Site";
            return Err(Reply::refused("403 Forbidden", text));
        }
        if head.chunked {
            let text = "The body's length has to be known: Content-Length, not Transfer-Encoding";
            return Err(Reply::refused("411 Length Required", text));
        }
        if head.length > limit as u64 {
            let text = format!("ARGUMENT_TOO_LARGE The body has more than {limit} bytes (max-packet)");
            return Err(Reply::refused("413 Content Too Large", text));
        }
        Ok(())
    }

    /// The answer's bytes, its lines in gearmand's order.
    fn written(&self, head: &Head, reply: &Reply) -> Vec<u8> {
        // "[2.x]: HTTP/1.1 requests get HTTP/1.1 in the status line and a Connection: close line after Server."
        let newer = head.is_1_1 && self.compat == Compat::V2_0;
        let version = if newer { "1.1" } else { "1.0" };
        let mut text = format!("HTTP/{version} {}\r\n", reply.status).into_bytes();
        let server = format!("Server: Gearman/{}\r\n", self.version);
        if let Some(handle) = &reply.handle {
            text.extend_from_slice(b"X-Gearman-Job-Handle: ");
            text.extend_from_slice(handle);
            text.extend_from_slice(b"\r\n");
        }
        if let Some(command) = reply.command.filter(|_| head.method != Method::Head) {
            text.extend_from_slice(format!("X-Gearman-Command: {command}\r\n").as_bytes());
        }
        let length = format!("Content-Length: {}\r\n", reply.body.len());
        let nothing = reply.status.starts_with("404");
        let (first, second) = if nothing { (&server, &length) } else { (&length, &server) };
        text.extend_from_slice(first.as_bytes());
        text.extend_from_slice(second.as_bytes());
        if newer {
            text.extend_from_slice(b"Connection: close\r\n");
        }
        text.extend_from_slice(b"\r\n");
        text.extend_from_slice(&reply.body);
        text
    }
}
