//! A server for tests, which says what a test wants and hears what it is told.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;

use lineshaft::protocol::{Decoder, Frame, Grab, Limits, OutBuf, Request, Response, Step, Work};

/// One peer of a test's server.
pub(crate) struct Peer {
    stream: TcpStream,
    arrived: Vec<u8>,
}

impl Peer {
    /// The next request in a few words; `None` where the connection has ended.
    pub(crate) fn next(&mut self) -> Option<String> {
        loop {
            let step = Decoder::new(Limits::default()).next(&self.arrived).expect("a packet");
            if let Step::Frame { length, frame } = step {
                let text = match frame {
                    Frame::Request(request) => words(&request),
                    other => format!("{other:?}"),
                };
                self.arrived.drain(..length);
                return Some(text);
            }
            let mut piece = [0; 4096];
            match self.stream.read(&mut piece) {
                Ok(count) if count > 0 => self.arrived.extend_from_slice(&piece[..count]),
                _ => return None,
            }
        }
    }

    pub(crate) fn say(&mut self, responses: &[Response<'_>]) {
        let mut out = OutBuf::new();
        responses.iter().for_each(|response| response.encode(&mut out));
        self.stream.write_all(&out.to_vec()).expect("a peer that reads");
    }

    pub(crate) fn expect(&mut self, request: &str) {
        assert_eq!(self.next().as_deref(), Some(request));
    }

    pub(crate) fn expect_all(&mut self, requests: &[&str]) {
        requests.iter().for_each(|request| self.expect(request));
    }

    /// Nothing more comes.
    pub(crate) fn expect_end(&mut self) {
        assert_eq!(self.next(), None);
    }
}

/// A submission is its function, everything else its name with what matters in it.
fn words(request: &Request<'_>) -> String {
    let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
    match request {
        Request::Submit(submit) => text(submit.function),
        Request::GetStatusUnique { .. } => "status".to_owned(),
        Request::CanDo { function } => format!("can {}", text(function)),
        Request::CanDoTimeout { function, millis } => format!("can {} in {millis}", text(function)),
        Request::CantDo { function } => format!("can't {}", text(function)),
        Request::ResetAbilities => "reset".to_owned(),
        Request::PreSleep => "sleep".to_owned(),
        Request::Grab(Grab::All) => "grab all".to_owned(),
        Request::Grab(Grab::Uniq) => "grab uniq".to_owned(),
        Request::Grab(Grab::Job) => "grab".to_owned(),
        Request::SetClientId { id } => format!("id {}", text(id)),
        Request::Work { handle, work: Work::Complete(data) } => {
            format!("complete {} {}", text(handle), text(data))
        }
        Request::Work { handle, work: Work::Data(data) } => format!("data {} {}", text(handle), text(data)),
        Request::Work { handle, work: Work::Fail } => format!("fail {}", text(handle)),
        other => format!("{other:?}"),
    }
}

/// A server whose connections are handed to `serve` one after the other; how often is `times`.
pub(crate) fn server(
    times: usize,
    mut serve: impl FnMut(usize, Peer) + Send + 'static,
) -> (u16, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let thread = std::thread::spawn(move || {
        for time in 0..times {
            let (stream, _) = listener.accept().expect("a client");
            serve(time, Peer { stream, arrived: Vec::new() });
        }
    });
    (port, thread)
}

/// A port that nobody listens on.
pub(crate) fn nobody() -> u16 {
    TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("an address").port()
}
