//! How a worker gets a job from one of its servers.

use std::ffi::c_int;
use std::ptr::null_mut;
use std::time::Duration;

use lineshaft::net::{Woken, wait_for};
use lineshaft::protocol::{Request, Response};
use lineshaft::{Error, ErrorKind};

use super::station::Mood;
use super::{Worker, inner, within};
use crate::abi::{GEARMAN_WORKER_WAIT_TIMEOUT, gearman_job_st, gearman_return_t, gearman_worker_st};
use crate::allocator::Allocator;
use crate::connection::Line;
use crate::job::{Job, give_memory};
use crate::pointer::put;
use crate::returns::{
    self, COULD_NOT_CONNECT, INVALID_ARGUMENT, IO_WAIT, NO_JOBS, NO_REGISTERED_FUNCTIONS, NO_SERVERS,
    SUCCESS, TIMEOUT, UNEXPECTED_PACKET,
};

/// What a call for a job has brought: a job, or why there is none. Nothing in it has to be dropped.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fetched {
    pub(super) code: gearman_return_t,
    pub(super) job: *mut Job,
    /// The program's own allocator wants to hold the workload, which has so many bytes.
    memory: Option<(Allocator, usize)>,
}

impl Fetched {
    const fn none(code: gearman_return_t) -> Self {
        Self { code, job: null_mut(), memory: None }
    }
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Caller {
    /// gearman_worker_grab_job(): answers when no server has a job.
    Grab,
    /// gearman_worker_work(): waits for one.
    Work,
}

/// What a round over the servers has brought.
enum Round {
    Job(Box<Job>),
    /// A server has been asked, or is being connected.
    Pending,
    /// No server that can be reached has a job; `pending`: others are being connected.
    Empty {
        pending: bool,
    },
    Over(gearman_return_t),
}

/// What one server has said.
enum Said {
    Job(Box<Job>),
    /// It has not answered yet.
    Nothing,
    Connecting,
    NoJob,
    /// An error, or something that no worker is sent.
    Wrong(gearman_return_t, String),
}

/// One packet, as far as a worker wants it.
enum Packet {
    Noop,
    NoJob,
    Job(Box<Job>),
    Wrong(gearman_return_t, String),
    /// The late answer to another call.
    Late,
}

/// What a round does beside looking at what is there.
#[derive(Clone, Copy)]
struct Pass {
    /// Something may have arrived.
    read: bool,
    /// Servers that could not be reached are tried again.
    dial: bool,
}

/// Gets a job and gives its workload the memory that the program wants.
///
/// # Safety
/// `object` is NULL or valid. Not inside a fence.
pub(super) unsafe fn fetch(object: *mut Worker, caller: Caller) -> Fetched {
    // SAFETY: the caller's promise; between the two fences nothing of Rust's is alive.
    unsafe {
        let fetched = within(object, Fetched::none(INVALID_ARGUMENT), |worker| match worker.grab(caller) {
            Ok(job) => worker.keep(job),
            Err(code) => Fetched::none(code),
        });
        if let Some((allocator, size)) = fetched.memory {
            give_memory(fetched.job, allocator.allocate(size));
        }
        fetched
    }
}

impl Worker {
    /// Owns a new job.
    fn keep(&mut self, job: Box<Job>) -> Fetched {
        let size = job.workload_size();
        let memory =
            (size > 0 && self.universal.allocator.is_custom()).then_some((self.universal.allocator, size));
        let job = Box::into_raw(job);
        // SAFETY: just made, at a place that it keeps.
        unsafe { Job::bind(job, self) };
        self.jobs.push(job);
        Fetched { code: SUCCESS, job, memory }
    }

    fn grab(&mut self, caller: Caller) -> Result<Box<Job>, gearman_return_t> {
        self.universal.report.reset();
        if self.universal.connections.is_empty() {
            return Err(self.universal.report.record("worker", NO_SERVERS, "add a server first"));
        }
        if self.functions.is_empty() {
            let why = "add a function first";
            return Err(self.universal.report.record("worker", NO_REGISTERED_FUNCTIONS, why));
        }
        let non_blocking = self.universal.non_blocking;
        // A wait tells of a signal by itself.
        let signal = if non_blocking { self.wake.signalled() } else { self.wake.known() };
        if let Some(code) = signal {
            return Err(self.universal.report.note(code));
        }
        self.settle(Mood::Refused);
        // Whoever can be reached is told with the first request of this call.
        self.flags.has_changes = false;
        let mut pass = Pass { read: non_blocking, dial: true };
        let mut patience = self.universal.timeout;
        loop {
            match self.round(pass) {
                Round::Job(job) => return Ok(job),
                Round::Over(code) => return Err(code),
                Round::Empty { pending } if caller == Caller::Work || non_blocking => {
                    self.sleep();
                    if non_blocking {
                        let code = if pending { IO_WAIT } else { NO_JOBS };
                        return Err(self.universal.report.note(code));
                    }
                }
                Round::Empty { pending: false } => return Err(self.universal.report.note(NO_JOBS)),
                Round::Pending if non_blocking => return Err(self.universal.report.note(IO_WAIT)),
                Round::Empty { .. } | Round::Pending => {}
            }
            pass = self.wait_for_news(&mut patience)?;
        }
    }

    /// Servers in this mood may be asked again.
    fn settle(&mut self, mood: Mood) {
        for connection in &mut self.universal.connections {
            if connection.peer.mood == mood {
                connection.peer.mood = Mood::Ready;
            }
        }
    }

    /// Asks one server after the other, from the one that had the last job on. While one owes an answer no other is asked: two jobs at
    /// once would be one too many.
    fn round(&mut self, pass: Pass) -> Round {
        let count = self.universal.connections.len();
        let first = self.turn % count;
        let (mut reached, mut pending, mut last) = (false, false, None);
        for at in (first..count).chain(0..first) {
            match self.ask(at, pass) {
                Ok(None) => {}
                Ok(Some(Said::Job(job))) => {
                    self.turn = at;
                    return Round::Job(job);
                }
                Ok(Some(Said::Nothing)) => {
                    self.turn = at;
                    return Round::Pending;
                }
                Ok(Some(Said::NoJob)) => reached = true,
                Ok(Some(Said::Connecting)) => pending = true,
                Ok(Some(Said::Wrong(code, why))) => {
                    return Round::Over(self.universal.report.record("worker", code, &why));
                }
                Err(error) => last = Some(error),
            }
        }
        match (reached, pending) {
            (true, pending) => Round::Empty { pending },
            (false, true) => Round::Pending,
            (false, false) => Round::Over(self.unreachable(last)),
        }
    }

    fn unreachable(&mut self, last: Option<Error>) -> gearman_return_t {
        let why = last.map_or_else(|| "no server can be reached".to_owned(), |error| error.to_string());
        self.universal.report.record("worker", COULD_NOT_CONNECT, &why)
    }

    /// Asks one server, over a new connection where the old one turns out to be lost. `None` for a server that cannot be reached and
    /// is not tried now.
    fn ask(&mut self, at: usize, pass: Pass) -> Result<Option<Said>, Error> {
        let line = &self.universal.connections[at].line;
        if line.is_closed() && !pass.dial {
            return Ok(None);
        }
        let was_open = line.is_open();
        match self.ask_once(at, pass.read) {
            Err(error) if was_open && error.kind() == ErrorKind::LostConnection => {
                self.universal.connections[at].line.close();
                self.ask_once(at, false)
            }
            answer => answer,
        }
        .inspect_err(|_| self.universal.connections[at].line.close())
        .map(Some)
    }

    fn ask_once(&mut self, at: usize, read: bool) -> Result<Said, Error> {
        let connection = &mut self.universal.connections[at];
        if !connection.line.open(&self.universal.greeting)? {
            return Ok(Said::Connecting);
        }
        let mut may_read = read;
        if !connection.is_announced() {
            self.conversations += 1;
            connection.peer.session = connection.line.session();
            connection.peer.conversation = self.conversations;
            connection.peer.mood = Mood::Ready;
            for function in self.functions.iter() {
                connection.line.send(&function.can_do());
            }
        }
        let (line, peer) = (&mut connection.line, &mut connection.peer);
        loop {
            if peer.mood == Mood::Ready {
                line.send(&Request::Grab(self.flags.grab));
                peer.mood = Mood::Asked;
                line.flush()?;
                // A server on another core may have answered already: trying costs less than a wait for it.
                may_read = true;
            }
            match line.next(|response| packet(response, peer.conversation))? {
                None if may_read => {
                    may_read = false;
                    if !line.fill()? {
                        break;
                    }
                }
                None => break,
                Some(Packet::Noop) if peer.mood == Mood::Asleep => peer.mood = Mood::Ready,
                Some(Packet::NoJob) if peer.mood == Mood::Asked => peer.mood = Mood::Refused,
                Some(Packet::Noop | Packet::NoJob | Packet::Late) => {}
                Some(Packet::Job(job)) => {
                    peer.mood = Mood::Ready;
                    return Ok(Said::Job(job));
                }
                Some(Packet::Wrong(code, why)) => {
                    peer.mood = Mood::Ready;
                    return Ok(Said::Wrong(code, why));
                }
            }
        }
        line.flush()?;
        Ok(if peer.mood == Mood::Asked { Said::Nothing } else { Said::NoJob })
    }

    /// Lets the servers that have no job know that they have to tell of the next one.
    fn sleep(&mut self) {
        for connection in &mut self.universal.connections {
            if connection.peer.mood == Mood::Refused && connection.line.is_open() {
                connection.line.send(&Request::PreSleep);
                connection.peer.mood = Mood::Asleep;
                if connection.line.flush().is_err() {
                    // The next round connects anew.
                    connection.line.close();
                }
            }
        }
    }

    /// Waits for servers; answers what the next round is to do. Servers that cannot be reached are tried again every 10 s.
    fn wait_for_news(&mut self, patience: &mut c_int) -> Result<Pass, gearman_return_t> {
        let lines = || self.universal.connections.iter().map(|connection| &connection.line);
        let all_there = lines().all(Line::is_open);
        let slice = match *patience {
            ..0 if all_there => -1,
            ..0 => GEARMAN_WORKER_WAIT_TIMEOUT,
            left if all_there => left,
            left => left.min(GEARMAN_WORKER_WAIT_TIMEOUT),
        };
        let mut timeout = u64::try_from(slice).ok().map(Duration::from_millis);
        loop {
            match wait_for(lines().map(Line::link), self.wake.descriptor(), timeout) {
                Ok(Woken::Ready) => {
                    if let [only] = &mut self.universal.connections[..]
                        && only.peer.mood == Mood::Asleep
                    {
                        // What a sleeping worker hears is that there is a job: asking for it at once saves a round trip.
                        only.peer.mood = Mood::Ready;
                    }
                    return Ok(Pass { read: true, dial: false });
                }
                // Only servers that cannot be reached are left.
                Ok(Woken::Nothing) => return Ok(Pass { read: false, dial: true }),
                Ok(Woken::Other) => {
                    if let Some(code) = self.wake.signalled() {
                        return Err(self.universal.report.note(code));
                    }
                }
                Ok(Woken::Interrupted { left }) if !self.universal.stop_wait_on_signal => timeout = left,
                Ok(Woken::Interrupted { .. }) => return Err(self.universal.report.note(IO_WAIT)),
                Ok(Woken::TimedOut) => break,
                Err(error) => return Err(self.universal.report.system("wait", &error)),
            }
        }
        // Servers are asked again, and not only waited for: that also finds out whether they are still there.
        self.settle(Mood::Asleep);
        if *patience >= 0 {
            *patience -= slice;
            if *patience <= 0 {
                if self.flags.timeout_return {
                    let why = "no server has had a job in time";
                    return Err(self.universal.report.record("worker", TIMEOUT, why));
                }
                *patience = self.universal.timeout;
            }
        }
        Ok(Pass { read: false, dial: true })
    }
}

fn packet(response: Response<'_>, conversation: u64) -> Packet {
    match response {
        Response::Noop => Packet::Noop,
        Response::NoJob => Packet::NoJob,
        Response::Assign(assign) => Packet::Job(Box::new(Job::assigned(&assign, conversation))),
        Response::Error { code, text } => {
            let why = format!("{}: {}", code.escape_ascii(), text.escape_ascii());
            Packet::Wrong(returns::from_name(code), why)
        }
        Response::Echo { .. } | Response::OptionSet { .. } => Packet::Late,
        Response::JobCreated { .. }
        | Response::Work { .. }
        | Response::Status { .. }
        | Response::StatusUnique { .. }
        | Response::Text(_) => {
            Packet::Wrong(UNEXPECTED_PACKET, "the server has sent what no worker is sent".to_owned())
        }
    }
}

/// Gets one job and leaves it to the program, which frees it with gearman_job_free(). `job` must be NULL.
///
/// NULL where there is none; `ret_ptr`, which may be NULL, then says why: GEARMAN_NO_JOBS, GEARMAN_IO_WAIT for a worker that does
/// not block, GEARMAN_TIMEOUT, GEARMAN_NO_SERVERS, GEARMAN_NO_REGISTERED_FUNCTIONS, GEARMAN_COULD_NOT_CONNECT where no server can be
/// reached, and after gearman_kill() GEARMAN_SHUTDOWN_GRACEFUL or GEARMAN_SHUTDOWN.
///
/// # Safety
/// `worker` is NULL or a worker of this library; `ret_ptr` is NULL or can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn gearman_worker_grab_job(
    worker: *mut gearman_worker_st,
    job: *mut gearman_job_st,
    ret_ptr: *mut gearman_return_t,
) -> *mut gearman_job_st {
    // SAFETY: the caller's promise.
    unsafe {
        let object = inner(worker);
        if object.is_null() || !job.is_null() {
            put(ret_ptr, INVALID_ARGUMENT);
            return null_mut();
        }
        let fetched = fetch(object, Caller::Grab);
        put(ret_ptr, fetched.code);
        if fetched.job.is_null() { null_mut() } else { Job::shell(fetched.job) }
    }
}
