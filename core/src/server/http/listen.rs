//! Letting requests in.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use hyper::body::{Body as _, Incoming};
use hyper::header::{ACCEPT, CONNECTION, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, StatusCode};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::{Semaphore, watch};

use super::super::accept;
use super::super::listener::{Bound, Listener, SocketFile};
use super::super::state::Shared;
use super::super::stream::Stream;
use super::super::{Phase, View};
use super::answer::{Answer, Problem};
use super::caller::Who;
use super::dashboard::Dashboard;
use super::guard::{Guard, SECURITY_HEADERS};
use super::io::{Clock, Socket};
use super::route::{Call, Needs};
use super::settings::Http;
use super::{api, gearmand};
use crate::broker::Compat;
use crate::error::{Error, ErrorKind, Result};
use crate::net::Address;

/// What all requests share.
#[derive(Debug)]
pub(super) struct House {
    pub(super) view: View,
    pub(super) settings: Http,
    pub(super) dashboard: Dashboard,
    pub(super) compat: Compat,
    pub(super) version: String,
}

/// Sockets that listen: for our HTTP, and for gearmand's.
pub(in super::super) struct Bounds {
    pub(in super::super) listen: Vec<Bound>,
    pub(in super::super) gearmand: Vec<Bound>,
}

/// The thread that speaks HTTP, where it listens, and its socket files.
pub(in super::super) type Started = (JoinHandle<()>, Vec<Address>, Vec<SocketFile>);

/// Starts the thread that speaks HTTP on `bound`.
pub(in super::super) fn start(
    shared: &Arc<Shared>,
    settings: Http,
    bounds: Bounds,
    phase: &watch::Sender<Phase>,
) -> Result<Started> {
    let io = |error: std::io::Error| Error::new(ErrorKind::Io, "start HTTP", error.to_string());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(io)?;
    let open = Arc::new(Semaphore::new(settings.max_connections.min(Semaphore::MAX_PERMITS)));
    let (compat, version) = {
        let state = shared.state.lock();
        let config = state.broker.config();
        (config.compat, config.version.clone())
    };
    let (view, dashboard) = (View::new(shared.clone()), Dashboard::default());
    let house = Arc::new(House { view, settings, dashboard, compat, version });
    let (mut addresses, mut files) = (Vec::new(), Vec::new());
    let entered = runtime.enter();
    for bound in bounds.listen {
        let address = bound.address().map_err(io)?;
        let (listener, file) = bound.register().map_err(io)?;
        let guard = Guard {
            hosts: house.hosts(),
            token: house.settings.token.clone(),
            local: is_local(&address),
            unix: matches!(address, Address::Unix(_)),
        };
        if !guard.local && guard.token.is_none() {
            tracing::info!(target: "lineshaft::http", "HTTP on {address} is read-only: it is no loopback address, and there is no token (--http-token-file)");
        }
        let door = Arc::new(Door { house: house.clone(), guard, shared: shared.clone() });
        runtime.spawn(accept(door, listener, open.clone()));
        addresses.push(address);
        files.extend(file);
    }
    for bound in bounds.gearmand {
        addresses.push(bound.address().map_err(io)?);
        let (listener, file) = bound.register().map_err(io)?;
        files.extend(file);
        runtime.spawn(gearmand::accept(house.clone(), listener));
    }
    drop(entered);
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
    /// Time since the Unix epoch.
    pub(super) fn wall(&self) -> Duration {
        self.view.shared().clock.now().wall
    }

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
        let (door, peer) = (door.clone(), peer.clone());
        async move { Ok::<_, Infallible>(answer(&door, request, peer).await) }
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

async fn answer(door: &Door, request: Request<Incoming>, peer: String) -> Answer {
    let mut answer = match run(door, request, peer).await {
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

async fn run(door: &Door, request: Request<Incoming>, peer: String) -> std::result::Result<Answer, Problem> {
    let (head, body) = request.into_parts();
    let mut call = Call::find(&head.method, head.uri.path(), head.uri.query().unwrap_or_default())?;
    if call.needs != Needs::Nothing {
        door.guard.check_host(&head.headers)?;
    }
    if call.needs == Needs::Rights {
        Guard::check_origin(&head.method, &head.headers)?;
        door.guard.check_rights(&head.headers)?;
    } else if call.needs == Needs::RightsByForm {
        Guard::check_form(&head.headers)?;
        door.guard.check_rights(&head.headers)?;
    }
    call.may_change = door.guard.may_change();
    let Http { patience, max_body, .. } = door.house.settings;
    let accept = head.headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    call.accept = accept.unwrap_or_default().to_owned();
    call.who = Who { peer, identity: door.guard.identity() };
    // Whoever only looks has nothing to say; memory is for those who may change something.
    let allowed = if head.method == Method::GET || head.method == Method::HEAD { 0 } else { max_body };
    call.body = match tokio::time::timeout(patience, read(body, allowed)).await {
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
        let text = match limit {
            0 => "A request of this method has no body".to_owned(),
            _ => format!("The body has more than {limit} bytes (http-max-body)"),
        };
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
