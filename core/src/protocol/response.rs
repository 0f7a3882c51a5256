//! What a server sends.

use super::request::{Arguments, decimal, leading_number, put_packet};
use super::{Command, Data, Grab, OutBuf, RESPONSE_MAGIC};
use crate::error::ErrorKind;
use crate::types::Progress;

/// A packet of a server, or the text that answers an admin command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response<'a> {
    /// NOOP.
    Noop,
    /// NO_JOB.
    NoJob,
    /// JOB_CREATED.
    JobCreated {
        /// The job's handle: a new one, or that of the live job with the same unique.
        handle: &'a [u8],
    },
    /// JOB_ASSIGN, JOB_ASSIGN_UNIQ, JOB_ASSIGN_ALL.
    Assign(Assign<'a>),
    /// WORK_*: passed on to a client from the worker that has its job.
    Work {
        /// The job.
        handle: &'a [u8],
        /// What the worker reports.
        work: Work<'a>,
    },
    /// ECHO_RES.
    Echo {
        /// The bytes of the request.
        data: Data<'a>,
    },
    /// ERROR.
    Error {
        /// A name of [`ErrorKind`]'s table; servers may send others.
        code: &'a [u8],
        /// For people.
        text: &'a [u8],
    },
    /// OPTION_RES.
    OptionSet {
        /// The option's name as it was sent.
        name: &'a [u8],
    },
    /// STATUS_RES.
    Status {
        /// The handle that was asked for.
        handle: &'a [u8],
        /// How the job stands.
        report: StatusReport,
    },
    /// STATUS_RES_UNIQUE.
    StatusUnique {
        /// The unique that was asked for.
        unique: &'a [u8],
        /// How the job stands.
        report: StatusReport,
        /// How many submissions wait for it.
        clients: u32,
    },
    /// The answer to a text command, line ends included. Never decoded: an admin client reads lines.
    Text(&'a [u8]),
}

/// A job on its way to a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assign<'a> {
    /// How much is told: [`Grab::Job`] sends neither unique nor reducer, [`Grab::Uniq`] no reducer.
    pub kind: Grab,
    /// The job.
    pub handle: &'a [u8],
    /// What is to be done.
    pub function: &'a [u8],
    /// The submission's unique; empty where the packet does not tell.
    pub unique: &'a [u8],
    /// The submission's reducer; empty where there is none or the packet does not tell.
    pub reducer: &'a [u8],
    /// What the job is about.
    pub workload: Data<'a>,
}

/// What a worker reports of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work<'a> {
    /// A piece of the result.
    Data(Data<'a>),
    /// Something that people should know.
    Warning(Data<'a>),
    /// How far it has come. Both travel byte for byte; [`Work::progress`] reads them.
    Status {
        /// What is done.
        numerator: &'a [u8],
        /// What there is to do.
        denominator: &'a [u8],
    },
    /// The end, with the (rest of the) result.
    Complete(Data<'a>),
    /// The end without a result.
    Fail,
    /// The end with an exception, in whatever form worker and client agree on.
    Exception(Data<'a>),
}

/// How a job stands. All zero where the server does not know it: it has ended, or never was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StatusReport {
    /// The server has the job.
    pub known: bool,
    /// A worker has it.
    pub running: bool,
    /// What the worker last reported.
    pub progress: Progress,
}

impl StatusReport {
    fn parse(args: &Arguments<'_>) -> Self {
        let number = |i| leading_number(args.get(i)).map_or(u32::MAX, |value| value as u32);
        let progress = Progress { numerator: number(3), denominator: number(4) };
        Self { known: number(1) != 0, running: number(2) != 0, progress }
    }
}

/// The name of a flag's value on the wire.
const fn flag(value: bool) -> &'static [u8] {
    if value { b"1" } else { b"0" }
}

impl Work<'_> {
    /// True where the job is over after this.
    pub const fn ends_job(&self) -> bool {
        matches!(self, Work::Complete(_) | Work::Fail | Work::Exception(_))
    }

    /// The same report for a shorter while.
    pub fn reborrow(&self) -> Work<'_> {
        match self {
            Work::Data(data) => Work::Data(data.reborrow()),
            Work::Warning(data) => Work::Warning(data.reborrow()),
            Work::Complete(data) => Work::Complete(data.reborrow()),
            Work::Exception(data) => Work::Exception(data.reborrow()),
            Work::Fail => Work::Fail,
            Work::Status { numerator, denominator } => Work::Status { numerator, denominator },
        }
    }

    /// The numbers of [`Work::Status`], read as gearmand does: leading digits, anything else is 0, 32 bits are kept.
    pub fn progress(numerator: &[u8], denominator: &[u8]) -> Progress {
        let number = |bytes| leading_number(bytes).map_or(u32::MAX, |value| value as u32);
        let denominator = &denominator[..denominator.len().min(10)];
        Progress { numerator: number(numerator), denominator: number(denominator) }
    }

    pub(super) fn encode(&self, out: &mut OutBuf, magic: [u8; 4], handle: &[u8]) {
        let with = |out: &mut OutBuf, command, data: &Data<'_>| {
            put_packet(out, magic, command, &[handle], Some(data));
        };
        match self {
            Work::Data(data) => with(out, Command::WorkData, data),
            Work::Warning(data) => with(out, Command::WorkWarning, data),
            Work::Complete(data) => with(out, Command::WorkComplete, data),
            Work::Exception(data) => with(out, Command::WorkException, data),
            // "WORK_FAIL body = bare handle": libgearman before 2.0 compares the whole body.
            Work::Fail => put_packet(out, magic, Command::WorkFail, &[handle], None),
            Work::Status { numerator, denominator } => {
                put_packet(out, magic, Command::WorkStatus, &[handle, numerator, denominator], None);
            }
        }
    }
}

impl<'a> Response<'a> {
    /// An ERROR with a code of the table.
    pub const fn error(kind: ErrorKind, text: &'a str) -> Self {
        Response::Error { code: kind.name().as_bytes(), text: text.as_bytes() }
    }

    /// Appends the packet to `out`.
    pub fn encode(&self, out: &mut OutBuf) {
        match self {
            Response::Noop => put(out, Command::Noop, &[], None),
            Response::NoJob => put(out, Command::NoJob, &[], None),
            Response::JobCreated { handle } => put(out, Command::JobCreated, &[handle], None),
            Response::Assign(assign) => assign.encode(out),
            Response::Work { handle, work } => work.encode(out, RESPONSE_MAGIC, handle),
            Response::Echo { data } => put(out, Command::EchoRes, &[], Some(data)),
            Response::Error { code, text } => put(out, Command::Error, &[code, text], None),
            Response::OptionSet { name } => put(out, Command::OptionRes, &[name], None),
            Response::Status { handle, report } => {
                let (mut n, mut d) = ([0; 20], [0; 20]);
                let n = decimal(&mut n, report.progress.numerator.into());
                let d = decimal(&mut d, report.progress.denominator.into());
                put(out, Command::StatusRes, &[handle, flag(report.known), flag(report.running), n, d], None);
            }
            Response::StatusUnique { unique, report, clients } => {
                let (mut n, mut d, mut c) = ([0; 20], [0; 20], [0; 20]);
                let n = decimal(&mut n, report.progress.numerator.into());
                let d = decimal(&mut d, report.progress.denominator.into());
                let c = decimal(&mut c, (*clients).into());
                let args = [unique, flag(report.known), flag(report.running), n, d, c];
                put(out, Command::StatusResUnique, &args, None);
            }
            Response::Text(text) => out.put(text),
        }
    }

    /// Reads the body of a packet; `None` for a packet that no server sends.
    pub(super) fn parse(command: Command, args: &Arguments<'a>, data: Data<'a>) -> Option<Self> {
        let arg = |i: usize| args.get(i);
        let work = |work| Some(Response::Work { handle: arg(0), work });
        match command {
            Command::Noop => Some(Response::Noop),
            Command::NoJob => Some(Response::NoJob),
            Command::JobCreated => Some(Response::JobCreated { handle: arg(0) }),
            Command::JobAssign | Command::JobAssignUniq | Command::JobAssignAll => {
                let (kind, unique, reducer): (_, &[u8], &[u8]) = match command {
                    Command::JobAssign => (Grab::Job, b"", b""),
                    Command::JobAssignUniq => (Grab::Uniq, arg(2), b""),
                    _ => (Grab::All, arg(2), arg(3)),
                };
                let (handle, function) = (arg(0), arg(1));
                Some(Response::Assign(Assign { kind, handle, function, unique, reducer, workload: data }))
            }
            Command::WorkData => work(Work::Data(data)),
            Command::WorkWarning => work(Work::Warning(data)),
            Command::WorkComplete => work(Work::Complete(data)),
            Command::WorkException => work(Work::Exception(data)),
            // gearmand leaves a NUL behind the handle where it turns an exception into a failure.
            Command::WorkFail => {
                let handle = arg(0).split(|byte| *byte == 0).next().unwrap_or_default();
                Some(Response::Work { handle, work: Work::Fail })
            }
            Command::WorkStatus => work(Work::Status { numerator: arg(1), denominator: arg(2) }),
            Command::EchoRes => Some(Response::Echo { data }),
            Command::Error => Some(Response::Error { code: arg(0), text: arg(1) }),
            Command::OptionRes => Some(Response::OptionSet { name: arg(0) }),
            Command::StatusRes => {
                Some(Response::Status { handle: arg(0), report: StatusReport::parse(args) })
            }
            Command::StatusResUnique => {
                let clients = leading_number(arg(5)).map_or(u32::MAX, |value| value as u32);
                Some(Response::StatusUnique { unique: arg(0), report: StatusReport::parse(args), clients })
            }
            _ => None,
        }
    }
}

fn put(out: &mut OutBuf, command: Command, args: &[&[u8]], data: Option<&Data<'_>>) {
    put_packet(out, RESPONSE_MAGIC, command, args, data);
}

impl Assign<'_> {
    fn encode(&self, out: &mut OutBuf) {
        let Assign { kind, handle, function, unique, reducer, workload } = self;
        match kind {
            Grab::Job => put(out, Command::JobAssign, &[handle, function], Some(workload)),
            Grab::Uniq => put(out, Command::JobAssignUniq, &[handle, function, unique], Some(workload)),
            Grab::All => {
                put(out, Command::JobAssignAll, &[handle, function, unique, reducer], Some(workload))
            }
        }
    }
}
