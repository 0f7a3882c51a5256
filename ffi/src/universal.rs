//! What clients and workers have in common: servers, time limits, names, errors.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::os::fd::BorrowedFd;
use std::ptr::null_mut;
use std::time::Duration;

use lineshaft::net::{Woken, wait_for};
use lineshaft::protocol::{Data, Request, Response, Work};

use crate::abi::{GEARMAN_MAX_IDENTIFIER, gearman_return_t};
use crate::allocator::Allocator;
use crate::connection::{Connection, Greeting, Line, answers_option, locate};
use crate::parse::entries;
use crate::pointer::c_text;
use crate::report::Report;
use crate::returns::{
    self, ARGUMENT_TOO_LARGE, ECHO_DATA_CORRUPTION, GETADDRINFO, INVALID_ARGUMENT, IO_WAIT, NO_ACTIVE_FDS,
    NO_SERVERS, SUCCESS, TIMEOUT, UNKNOWN_OPTION,
};
use crate::tls::environment;

const DEFAULT_HOST: &str = "localhost";
const DEFAULT_PORT: u16 = 4730;
/// The option that turns WORK_FAIL into WORK_EXCEPTION.
pub(crate) const EXCEPTIONS: &[u8] = b"exceptions";

/// The common part of a client or worker. `P` is what it knows about each conversation.
#[derive(Debug)]
pub(crate) struct Universal<P> {
    /// The newest first: it is tried first.
    pub(crate) connections: Vec<Connection<P>>,
    pub(crate) greeting: Greeting,
    pub(crate) report: Report,
    pub(crate) allocator: Allocator,
    /// Milliseconds for one wait; negative for no limit.
    pub(crate) timeout: c_int,
    pub(crate) non_blocking: bool,
    /// A signal ends a wait with [`IO_WAIT`].
    pub(crate) stop_wait_on_signal: bool,
    /// Stands in front of every function's name.
    pub(crate) namespace: Option<Box<CStr>>,
    pub(crate) context: *mut c_void,
}

impl<P: Default> Default for Universal<P> {
    fn default() -> Self {
        Self {
            connections: Vec::new(),
            greeting: Greeting::default(),
            report: Report::default(),
            allocator: Allocator::default(),
            timeout: -1,
            non_blocking: false,
            stop_wait_on_signal: false,
            namespace: None,
            context: null_mut(),
        }
    }
}

/// What was waited for has come, or the wait is over for another reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waited {
    Ready,
    /// The descriptor beside the connections can be read.
    Other,
    /// With the code that a call ends with.
    Over(gearman_return_t),
}

impl<P: Default> Universal<P> {
    /// A copy for a clone: not its context, its allocators and the options that it has asked servers for.
    pub(crate) fn copy<Q: Default>(&self) -> Universal<Q> {
        let mut copy = Universal::<Q> {
            timeout: self.timeout,
            non_blocking: self.non_blocking,
            stop_wait_on_signal: self.stop_wait_on_signal,
            namespace: self.namespace.clone(),
            ..Universal::default()
        };
        copy.greeting.identifier = self.greeting.identifier.clone();
        // Its files are those of the environment.
        copy.greeting.tls.on = self.greeting.tls.on;
        copy.report.log_as(&self.report);
        // libgearman reverses the order here; clients and programs have got used to it.
        copy.connections = self.connections.iter().rev().map(Connection::again).collect();
        copy
    }

    /// Adds the servers of `GEARMAN_SERVERS`, where the program's user has set it. False where one of them cannot be added.
    pub(crate) fn add_servers_of_environment(&mut self) -> bool {
        let Some(list) = environment("GEARMAN_SERVERS") else { return true };
        self.add_servers(list.as_encoded_bytes()) == SUCCESS
    }

    /// Adds one server in front of the others.
    pub(crate) fn add_server(&mut self, host: &[u8], port: u16) -> gearman_return_t {
        let Ok(host) = std::str::from_utf8(host) else {
            return self.report.record("add_server", GETADDRINFO, "a host's name is UTF-8");
        };
        let host = if host.is_empty() { DEFAULT_HOST } else { host };
        let port = if port == 0 { DEFAULT_PORT } else { port };
        match locate(host, port) {
            Ok(address) => {
                self.connections.insert(0, Connection::new(host.into(), port, address));
                SUCCESS
            }
            Err(error) => {
                let why = format!("{host}:{port} getaddrinfo:{error}");
                self.report.record("add_server", GETADDRINFO, &why)
            }
        }
    }

    /// Adds the servers of a list, up to the first that cannot be added.
    pub(crate) fn add_servers(&mut self, list: &[u8]) -> gearman_return_t {
        for entry in entries(list) {
            let rc = self.add_server(entry.host.to_bytes(), entry.port);
            if rc != SUCCESS {
                return rc;
            }
        }
        SUCCESS
    }

    pub(crate) fn set_namespace(&mut self, prefix: Option<&[u8]>) {
        self.namespace = prefix.filter(|prefix| !prefix.is_empty()).map(c_text);
    }

    pub(crate) fn namespace(&self) -> *const c_char {
        self.namespace.as_ref().map_or(std::ptr::null(), |prefix| prefix.as_ptr())
    }

    /// A function's name as it is sent.
    pub(crate) fn full_name(&self, function: &[u8]) -> Vec<u8> {
        let prefix = self.namespace.as_ref().map_or(&b""[..], |prefix| prefix.to_bytes());
        [prefix, function].concat()
    }

    /// Waits until a connection is worth stepping, or the time is over.
    pub(crate) fn wait(&mut self, other: Option<BorrowedFd<'_>>) -> Waited {
        let Self { connections, timeout, stop_wait_on_signal, report, .. } = self;
        wait(connections.iter().map(|it| &it.line), other, *timeout, *stop_wait_on_signal, report)
    }

    /// Opens a connection, however long that takes within the time limit of a wait.
    fn open_now(&mut self, at: usize) -> Result<(), gearman_return_t> {
        loop {
            match self.connections[at].line.open(&self.greeting) {
                Ok(true) => return Ok(()),
                Ok(false) => self.wait_for_one(at)?,
                Err(error) => return Err(self.fail(at, &error)),
            }
        }
    }

    pub(crate) fn wait_for_one(&mut self, at: usize) -> Result<(), gearman_return_t> {
        let Self { connections, timeout, stop_wait_on_signal, report, .. } = self;
        match wait(
            connections[at..=at].iter().map(|it| &it.line),
            None,
            *timeout,
            *stop_wait_on_signal,
            report,
        ) {
            Waited::Over(code) => Err(code),
            Waited::Ready | Waited::Other => Ok(()),
        }
    }

    /// Closes a connection because of `error`. What was under way on it notices when it is next looked at.
    pub(crate) fn fail(&mut self, at: usize, error: &lineshaft::Error) -> gearman_return_t {
        self.connections[at].line.close();
        self.report.error(error)
    }

    /// Sends a request to one server and waits for the packet that `is` recognises.
    fn ask<R>(
        &mut self,
        at: usize,
        request: &Request<'_>,
        mut is: impl FnMut(&Response<'_>) -> Option<R>,
    ) -> Result<R, gearman_return_t> {
        self.open_now(at)?;
        self.connections[at].line.send(request);
        self.answer(at, &mut is)
    }

    /// Waits for the packet that `is` recognises.
    fn answer<R>(
        &mut self,
        at: usize,
        is: &mut impl FnMut(&Response<'_>) -> Option<R>,
    ) -> Result<R, gearman_return_t> {
        loop {
            let line = &mut self.connections[at].line;
            match line.flush().and_then(|()| line.find(&mut *is)) {
                Ok(Some(found)) => return Ok(found),
                Ok(None) => {}
                Err(error) => return Err(self.fail(at, &error)),
            }
            self.wait_for_one(at)?;
            // Not readable yet where only room to write has come.
            if let Err(error) = self.connections[at].line.fill() {
                return Err(self.fail(at, &error));
            }
        }
    }

    fn has_servers(&mut self, place: &str) -> Result<(), gearman_return_t> {
        match self.connections.is_empty() {
            true => Err(self.report.record(place, NO_SERVERS, "add a server first")),
            false => Ok(()),
        }
    }

    /// Lets every server send `workload` back.
    pub(crate) fn echo(&mut self, workload: &[u8]) -> gearman_return_t {
        self.report.reset();
        if workload.is_empty() {
            return self.report.record("echo", INVALID_ARGUMENT, "the workload is empty");
        }
        let result = self.has_servers("echo").and_then(|()| {
            (0..self.connections.len()).try_for_each(|at| {
                let request = Request::Echo { data: Data::Borrowed(workload) };
                let same = self.ask(at, &request, |response| match response {
                    Response::Echo { data } => Some(**data == *workload),
                    _ => None,
                })?;
                match same {
                    true => Ok(()),
                    false => {
                        let why = "the server has sent other bytes back";
                        Err(self.report.record("echo", ECHO_DATA_CORRUPTION, why))
                    }
                }
            })
        });
        result.err().unwrap_or(SUCCESS)
    }

    /// Asks every server for an option; true where all take it. It is then asked for again with every new connection.
    pub(crate) fn set_server_option(&mut self, name: &[u8]) -> bool {
        self.report.reset();
        if name.is_empty() {
            self.report.record("set_server_option", INVALID_ARGUMENT, "the option has no name");
            return false;
        }
        let result = self.has_servers("set_server_option").and_then(|()| {
            (0..self.connections.len()).try_for_each(|at| {
                let taken = self.ask(at, &Request::SetOption { name }, |response| {
                    answers_option(response).then_some(matches!(response, Response::OptionSet { .. }))
                })?;
                match taken {
                    true => Ok(()),
                    false => {
                        let why = format!("{} is unknown to the server", name.escape_ascii());
                        Err(self.report.record("set_server_option", UNKNOWN_OPTION, &why))
                    }
                }
            })
        });
        if result.is_ok() && !self.has_server_option(name) {
            self.greeting.options.push(name.into());
        }
        result.is_ok()
    }

    /// Reports a job as failed to every server. Those that take it say nothing, so an echo behind it shows that they have.
    pub(crate) fn cancel(&mut self, handle: &[u8]) -> gearman_return_t {
        self.report.reset();
        if handle.is_empty() {
            return self.report.record("cancel_job", INVALID_ARGUMENT, "the handle is empty");
        }
        let result = self.has_servers("cancel_job").and_then(|()| {
            (0..self.connections.len()).try_for_each(|at| {
                self.open_now(at)?;
                self.connections[at].line.send(&Request::Work { handle, work: Work::Fail });
                self.connections[at].line.send(&Request::Echo { data: Data::Borrowed(handle) });
                let mut answer = |response: &Response<'_>| match response {
                    Response::Error { code, .. } => Some(Some(returns::from_name(code))),
                    Response::Echo { data } => (**data == *handle).then_some(None),
                    _ => None,
                };
                let Some(refused) = self.answer(at, &mut answer)? else { return Ok(()) };
                self.answer(at, &mut answer)?;
                let why = "the server does not let the job be cancelled";
                Err(self.report.record("cancel_job", refused, why))
            })
        });
        result.err().unwrap_or(SUCCESS)
    }

    pub(crate) fn has_server_option(&self, name: &[u8]) -> bool {
        self.greeting.options.iter().any(|option| **option == *name)
    }

    /// Sets the name that servers show, now and with every new connection. That a server cannot be told is no error.
    pub(crate) fn set_identifier(&mut self, id: &[u8]) -> gearman_return_t {
        if id.is_empty() || !id.iter().all(u8::is_ascii_graphic) {
            let why = "an identifier has printable letters, digits and signs only";
            return self.report.record("set_identifier", INVALID_ARGUMENT, why);
        }
        if id.len() > GEARMAN_MAX_IDENTIFIER {
            let why = "an identifier has 254 bytes at the most";
            return self.report.record("set_identifier", ARGUMENT_TOO_LARGE, why);
        }
        self.greeting.identifier = Some(id.into());
        for at in 0..self.connections.len() {
            // A connection that is opened here says it in its greeting.
            let open = self.connections[at].line.is_open();
            if self.open_now(at).is_err() {
                continue;
            }
            let line = &mut self.connections[at].line;
            if open {
                line.send(&Request::SetClientId { id });
            }
            if let Err(error) = line.flush() {
                self.fail(at, &error);
            }
        }
        self.report.reset();
        SUCCESS
    }

    /// True where the first servers of both are the same. Without servers there is nothing to compare: false.
    pub(crate) fn same_first_server(&self, other: &Self) -> bool {
        match (self.connections.first(), other.connections.first()) {
            (Some(a), Some(b)) => a.host == b.host && a.port == b.port,
            _ => false,
        }
    }
}

fn wait<'a>(
    lines: impl Iterator<Item = &'a Line> + Clone,
    other: Option<BorrowedFd<'_>>,
    timeout: c_int,
    stop_on_signal: bool,
    report: &mut Report,
) -> Waited {
    let mut timeout = u64::try_from(timeout).ok().map(Duration::from_millis);
    loop {
        return match wait_for(lines.clone().map(Line::link), other, timeout) {
            Ok(Woken::Ready) => Waited::Ready,
            Ok(Woken::Other) => Waited::Other,
            Ok(Woken::Interrupted { left }) if !stop_on_signal => {
                timeout = left;
                continue;
            }
            Ok(Woken::Interrupted { .. }) => Waited::Over(report.note(IO_WAIT)),
            Ok(Woken::TimedOut) => {
                Waited::Over(report.record("wait", TIMEOUT, "no server has answered in time"))
            }
            Ok(Woken::Nothing) => {
                Waited::Over(report.record("wait", NO_ACTIVE_FDS, "there is nothing to wait for"))
            }
            Err(error) => Waited::Over(report.system("wait", &error)),
        };
    }
}
