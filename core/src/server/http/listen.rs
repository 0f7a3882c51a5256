//! Letting requests in.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use hyper::body::{Body as _, Incoming};
use hyper::header::{CONNECTION, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, StatusCode};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::{Semaphore, watch};

use super::super::accept;
use super::super::listener::{Bound, Listener, SocketFile};
use super::super::state::Shared;
use super::super::stream::Stream;
use super::super::{Phase, View};
use super::answer::{Answer, Problem};
use super::api;
use super::dashboard::Dashboard;
use super::guard::{Guard, SECURITY_HEADERS};
use super::io::{Clock, Socket};
use super::route::{Call, Needs};
use super::settings::Http;
use crate::error::{Error, ErrorKind, Result};
use crate::net::Address;

/// What all requests share.
#[derive(Debug)]
pub(super) struct House {
    pub(super) view: View,
    pub(super) settings: Http,
    pub(super) dashboard: Dashboard,
}

/// The thread that speaks HTTP, where it listens, and its socket files.
pub(in super::super) type Started = (JoinHandle<()>, Vec<Address>, Vec<SocketFile>);

/// Starts the thread that speaks HTTP on `bound`.
pub(in super::super) fn start(
    shared: &Arc<Shared>,
    settings: Http,
    bound: Vec<Bound>,
    phase: &watch::Sender<Phase>,
) -> Result<Started> {
    let io = |error: std::io::Error| Error::new(ErrorKind::Io, "start HTTP", error.to_string());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(io)?;
    let open = Arc::new(Semaphore::new(settings.max_connections));
    let house =
        Arc::new(House { view: View::new(shared.clone()), settings, dashboard: Dashboard::default() });
    let (mut addresses, mut files) = (Vec::new(), Vec::new());
    for bound in bound {
        let _entered = runtime.enter();
        let address = bound.address().map_err(io)?;
        let (listener, file) = bound.register().map_err(io)?;
        let guard =
            Guard { hosts: house.hosts(), token: house.settings.token.clone(), local: is_local(&address) };
        if !guard.local && guard.token.is_none() {
            tracing::info!(target: "lineshaft::http", "HTTP on {address} is read-only: it is no loopback address, and there is no token (--http-token-file)");
        }
        let door = Arc::new(Door { house: house.clone(), guard, shared: shared.clone() });
        runtime.spawn(accept(door, listener, open.clone()));
        addresses.push(address);
        files.extend(file);
    }
    let mut phase = phase.subscribe();
    let run = move || {
        // An error means that the server is gone, which is an end as well.
        let _ = runtime.block_on(phase.wait_for(|phase| *phase == Phase::Stopping));
    };
    let thread = std::thread::Builder::new().name("lineshaft-http".into()).spawn(run).map_err(io)?;
    Ok((thread, addresses, files))
}

/// Only this machine reaches the address.
fn is_local(address: &Address) -> bool {
    match address {
        Address::Tcp { host, .. } => host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback()),
        Address::Unix(_) | Address::Local(_) => true,
    }
}

impl House {
    /// The names by which the server is reached.
    fn hosts(&self) -> Vec<String> {
        let listen = self.settings.listen.iter().filter_map(|address| match address {
            Address::Tcp { host, .. } => Some(host.clone()),
            _ => None,
        });
        listen.chain(self.settings.hosts.iter().cloned()).collect()
    }
}

/// A listener's way to the endpoints.
struct Door {
    house: Arc<House>,
    guard: Guard,
    shared: Arc<Shared>,
}

async fn accept(door: Arc<Door>, listener: Listener, open: Arc<Semaphore>) {
    loop {
        let (stream, peer) = match accept::next(&listener).await {
            Ok(accepted) => accepted,
            Err(error) => {
                accept::shortage(&door.shared, &error).await;
                continue;
            }
        };
        match open.clone().try_acquire_owned() {
            Ok(place) => {
                let door = door.clone();
                tokio::spawn(async move {
                    serve(door, stream, peer).await;
                    drop(place);
                });
            }
            Err(_) => refuse(stream, door.house.settings.max_connections).await,
        }
    }
}

/// Nothing is read from who is one too many; what is said fits into the socket's buffer.
async fn refuse(mut stream: Stream, limit: usize) {
    let text = format!("The limit of {limit} HTTP connections (http-connections) is reached\n");
    let head = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Type: text/plain\r\nRetry-After: 1\r\n";
    let answer = format!("{head}Content-Length: {}\r\n\r\n{text}", text.len());
    // Whoever is gone already needs no answer.
    let _ = tokio::time::timeout(Duration::from_millis(100), stream.write_all(answer.as_bytes())).await;
}

async fn serve(door: Arc<Door>, stream: Stream, peer: String) {
    let Http { patience, max_head, .. } = door.house.settings;
    let answer = service_fn(|request| {
        let door = door.clone();
        async move { Ok::<_, Infallible>(answer(&door, request).await) }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(Clock)
        .header_read_timeout(patience)
        .max_buf_size(max_head.max(8 << 10))
        .serve_connection(Socket::new(stream, patience), answer)
        .await;
    if let Err(error) = served {
        tracing::debug!(target: "lineshaft::http", "HTTP connection from {peer}: {error}");
    }
}

async fn answer(door: &Door, request: Request<Incoming>) -> Answer {
    let mut answer = match run(door, request).await {
        Ok(answer) => answer,
        Err(problem) => {
            // A body that nobody wants is not read to its end.
            let close = matches!(problem.status, StatusCode::PAYLOAD_TOO_LARGE | StatusCode::REQUEST_TIMEOUT);
            let mut answer = problem.into_answer();
            if close {
                answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            answer
        }
    };
    for (name, value) in SECURITY_HEADERS {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    answer
}

async fn run(door: &Door, request: Request<Incoming>) -> std::result::Result<Answer, Problem> {
    let (head, body) = request.into_parts();
    door.guard.check_host(&head.headers)?;
    let mut call = Call::find(&head.method, head.uri.path(), head.uri.query().unwrap_or_default())?;
    if call.needs == Needs::Rights {
        Guard::check_origin(&head.method, &head.headers)?;
        door.guard.check_rights(&head.headers)?;
    } else if call.needs == Needs::RightsByForm {
        Guard::check_form(&head.headers)?;
        door.guard.check_rights(&head.headers)?;
    }
    call.may_change = door.guard.may_change();
    let Http { patience, max_body, .. } = door.house.settings;
    call.body = match tokio::time::timeout(patience, read(body, max_body)).await {
        Ok(body) => body?,
        Err(_) => {
            let text = format!("The body did not come in {} s (http-patience)", patience.as_secs());
            return Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "too_slow", text));
        }
    };
    api::run(&door.house, &call).await
}

/// The whole body.
async fn read(mut body: Incoming, limit: usize) -> std::result::Result<Bytes, Problem> {
    let too_large = || {
        let text = format!("The body has more than {limit} bytes (http-max-body)");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", text)
    };
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large());
    }
    let mut whole = BytesMut::new();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let frame = frame.map_err(|error| Problem::bad(format_args!("The body broke off: {error}")))?;
        let Ok(data) = frame.into_data() else { continue };
        if whole.len() + data.len() > limit {
            return Err(too_large());
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}
