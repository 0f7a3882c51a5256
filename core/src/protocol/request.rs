//! What clients and workers send.

use memchr::memchr;

use super::{Command, Data, Limits, OutBuf, REQUEST_MAGIC, Work};
use crate::error::ErrorKind;
use crate::types::Priority;

/// A packet of a client or worker. Bytes are borrowed from where they were read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request<'a> {
    /// CAN_DO.
    CanDo {
        /// What the worker can do.
        function: &'a [u8],
    },
    /// CAN_DO_TIMEOUT.
    CanDoTimeout {
        /// What the worker can do.
        function: &'a [u8],
        /// The time it may take, in milliseconds; 0 for no limit.
        millis: u64,
    },
    /// CANT_DO.
    CantDo {
        /// What the worker can no longer do.
        function: &'a [u8],
    },
    /// RESET_ABILITIES.
    ResetAbilities,
    /// PRE_SLEEP.
    PreSleep,
    /// ALL_YOURS.
    AllYours,
    /// GRAB_JOB, GRAB_JOB_UNIQ, GRAB_JOB_ALL.
    Grab(Grab),
    /// SET_CLIENT_ID.
    SetClientId {
        /// The name to show; everything from the first NUL on has been cut.
        id: &'a [u8],
    },
    /// OPTION_REQ.
    SetOption {
        /// The option's name as it came, which is what the answer repeats.
        name: &'a [u8],
    },
    /// ECHO_REQ.
    Echo {
        /// Any bytes.
        data: Data<'a>,
    },
    /// SUBMIT_*.
    Submit(Submit<'a>),
    /// GET_STATUS.
    GetStatus {
        /// The job.
        handle: &'a [u8],
    },
    /// GET_STATUS_UNIQUE.
    GetStatusUnique {
        /// The job's unique.
        unique: &'a [u8],
    },
    /// WORK_*: a worker reports on a job it holds.
    Work {
        /// The job.
        handle: &'a [u8],
        /// What there is to report.
        work: Work<'a>,
    },
}

/// How much of a job a worker wants to be told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Grab {
    /// GRAB_JOB: handle, function and workload.
    #[default]
    Job,
    /// GRAB_JOB_UNIQ: the unique as well.
    Uniq,
    /// GRAB_JOB_ALL: the unique, and the reducer where there is one.
    All,
}

/// A submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submit<'a> {
    /// What is to be done.
    pub function: &'a [u8],
    /// Submissions of one function with the same unique become one job. Empty: a job of its own. `-`: the workload tells.
    pub unique: &'a [u8],
    /// How urgent it is. Epoch, scheduled and reduce jobs are always [`Priority::Normal`].
    pub priority: Priority,
    /// True where nobody waits for the result. Epoch and scheduled jobs always are.
    pub background: bool,
    /// When the job may run.
    pub when: When<'a>,
    /// The function that a map/reduce worker hands the pieces to.
    pub reducer: Option<&'a [u8]>,
    /// What the job is about.
    pub workload: Data<'a>,
}

/// When a job may run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum When<'a> {
    /// At once.
    #[default]
    Now,
    /// From this Unix second on. A time that has passed means at once.
    Epoch(i64),
    /// Again and again.
    Schedule(Schedule<'a>),
}

/// The five fields of a cron line: minute (0 to 59), hour (0 to 23), day of month (1 to 31), month (1 to 12) and day of
/// week (0 to 6, where **0 is Monday**: the protocol's numbering, not cron's). Numbers, lists, ranges, steps, or `*`; an
/// empty field counts as `*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule<'a>(&'a [u8]);

impl<'a> Schedule<'a> {
    /// How many fields there are.
    pub const FIELDS: usize = 5;

    /// The fields as they travel, separated by NULs. `None` where they are not five.
    pub fn new(fields: &'a [u8]) -> Option<Self> {
        (memchr::memchr_iter(0, fields).count() == Self::FIELDS - 1).then_some(Self(fields))
    }

    /// The fields as they travel, separated by NULs.
    pub const fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// Minute, hour, day of month, month, day of week.
    pub fn fields(self) -> impl Iterator<Item = &'a [u8]> {
        self.0.split(|byte| *byte == 0)
    }
}

/// A packet that is answered by an ERROR and otherwise ignored; the connection goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The code of the ERROR packet.
    pub kind: ErrorKind,
    /// Its text.
    pub text: &'static str,
}

impl Refusal {
    const fn new(kind: ErrorKind, text: &'static str) -> Self {
        Self { kind, text }
    }

    /// For packets that only a server sends, and numbers that are reserved.
    pub(super) const NOT_EXPECTED: Self = Self::new(ErrorKind::InvalidCommand, "Command not expected");
    /// For a packet with a response's magic.
    pub(super) const WRONG_MAGIC: Self = Self::new(ErrorKind::InvalidMagic, "Request magic expected");
    /// For a unique above the limit.
    pub const UNIQUE_TOO_LARGE: Self = Self::new(ErrorKind::ArgumentTooLarge, "Unique value too large");
    /// For a reducer above the limit, which is that of uniques.
    pub const REDUCER_TOO_LARGE: Self = Self::new(ErrorKind::ArgumentTooLarge, "Reducer name too large");
    // The text is gearmand's, word for word.
    const HANDLE_TOO_LARGE: Self = Self::new(
        ErrorKind::ArgumentTooLarge,
        "Error occurred due to GEARMAND_JOB_HANDLE_SIZE being too small from snprintf",
    );
    const BAD_TIMEOUT: Self =
        Self::new(ErrorKind::ArgumentTooLarge, "Timeout is not a number of milliseconds");
    const BAD_EPOCH: Self = Self::new(ErrorKind::ArgumentTooLarge, "Epoch is outside the range of 64 bits");
}

/// The handles of every server are shorter than this.
pub(super) const MAX_HANDLE: usize = 64;

/// `bytes` up to the first NUL.
fn until_nul(bytes: &[u8]) -> &[u8] {
    memchr(0, bytes).map_or(bytes, |at| &bytes[..at])
}

/// Reads a number as C does: blanks, a sign, digits, and nothing else counts. No digits are 0; `None` is out of range.
pub(crate) fn leading_number(bytes: &[u8]) -> Option<i64> {
    let text = bytes.trim_ascii_start();
    let (negative, digits) = match text.first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let mut value = 0i64;
    for digit in digits.iter().take_while(|byte| byte.is_ascii_digit()) {
        let digit = i64::from(digit - b'0');
        value = value.checked_mul(10)?;
        value = if negative { value.checked_sub(digit)? } else { value.checked_add(digit)? };
    }
    Some(value)
}

impl<'a> Request<'a> {
    /// Reads the body of a packet. `args` are its arguments, `data` what follows them.
    #[inline(always)]
    pub(super) fn parse(
        command: Command,
        args: &Arguments<'a>,
        data: Data<'a>,
        limits: &Limits,
    ) -> Result<Self, Refusal> {
        let arg = |i: usize| args.get(i);
        Ok(match command {
            Command::CanDo => Request::CanDo { function: arg(0) },
            Command::CanDoTimeout => {
                let number = arg(1);
                let value = if number.len() > 20 { None } else { leading_number(number) };
                let millis = value.ok_or(Refusal::BAD_TIMEOUT)?.max(0).unsigned_abs();
                Request::CanDoTimeout { function: arg(0), millis }
            }
            Command::CantDo => Request::CantDo { function: arg(0) },
            Command::ResetAbilities => Request::ResetAbilities,
            Command::PreSleep => Request::PreSleep,
            Command::AllYours => Request::AllYours,
            Command::GrabJob => Request::Grab(Grab::Job),
            Command::GrabJobUniq => Request::Grab(Grab::Uniq),
            Command::GrabJobAll => Request::Grab(Grab::All),
            Command::SetClientId => Request::SetClientId { id: until_nul(arg(0)) },
            Command::OptionReq => Request::SetOption { name: arg(0) },
            Command::EchoReq => Request::Echo { data },
            Command::GetStatus => match until_nul(arg(0)) {
                handle if handle.len() >= MAX_HANDLE => return Err(Refusal::HANDLE_TOO_LARGE),
                handle => Request::GetStatus { handle },
            },
            Command::GetStatusUnique => match until_nul(arg(0)) {
                unique if unique.len() > limits.max_unique => return Err(Refusal::UNIQUE_TOO_LARGE),
                unique => Request::GetStatusUnique { unique },
            },
            Command::WorkStatus => {
                let work = Work::Status { numerator: arg(1), denominator: arg(2) };
                Request::Work { handle: arg(0), work }
            }
            Command::WorkComplete => Request::Work { handle: arg(0), work: Work::Complete(data) },
            Command::WorkData => Request::Work { handle: arg(0), work: Work::Data(data) },
            Command::WorkWarning => Request::Work { handle: arg(0), work: Work::Warning(data) },
            Command::WorkException => Request::Work { handle: arg(0), work: Work::Exception(data) },
            Command::WorkFail => match until_nul(arg(0)) {
                handle if handle.len() >= MAX_HANDLE => return Err(Refusal::HANDLE_TOO_LARGE),
                handle => Request::Work { handle, work: Work::Fail },
            },
            _ => Request::Submit(Submit::parse(command, args, data, limits)?),
        })
    }

    /// Appends the packet to `out`.
    pub fn encode(&self, out: &mut OutBuf) {
        match self {
            Request::CanDo { function } => put(out, Command::CanDo, &[function], None),
            Request::CanDoTimeout { function, millis } => {
                put(out, Command::CanDoTimeout, &[function, decimal(&mut [0; 20], *millis)], None);
            }
            Request::CantDo { function } => put(out, Command::CantDo, &[function], None),
            Request::ResetAbilities => put(out, Command::ResetAbilities, &[], None),
            Request::PreSleep => put(out, Command::PreSleep, &[], None),
            Request::AllYours => put(out, Command::AllYours, &[], None),
            Request::Grab(Grab::Job) => put(out, Command::GrabJob, &[], None),
            Request::Grab(Grab::Uniq) => put(out, Command::GrabJobUniq, &[], None),
            Request::Grab(Grab::All) => put(out, Command::GrabJobAll, &[], None),
            Request::SetClientId { id } => put(out, Command::SetClientId, &[id], None),
            Request::SetOption { name } => put(out, Command::OptionReq, &[name], None),
            Request::Echo { data } => put(out, Command::EchoReq, &[], Some(data)),
            Request::Submit(submit) => submit.encode(out),
            Request::GetStatus { handle } => put(out, Command::GetStatus, &[handle], None),
            Request::GetStatusUnique { unique } => put(out, Command::GetStatusUnique, &[unique], None),
            Request::Work { handle, work } => work.encode(out, REQUEST_MAGIC, handle),
        }
    }
}

fn put(out: &mut OutBuf, command: Command, args: &[&[u8]], data: Option<&Data<'_>>) {
    put_packet(out, REQUEST_MAGIC, command, args, data);
}

/// Appends a packet: `args` separated by NULs, and `data` behind a last NUL where there is any.
pub(super) fn put_packet(
    out: &mut OutBuf,
    magic: [u8; 4],
    command: Command,
    args: &[&[u8]],
    data: Option<&Data<'_>>,
) {
    let separators = if data.is_some() { args.len() } else { args.len().saturating_sub(1) };
    let len =
        args.iter().map(|arg| arg.len()).sum::<usize>() + separators + data.map_or(0, |data| data.len());
    out.header(magic, command.number(), len);
    for (i, arg) in args.iter().enumerate() {
        out.put(arg);
        if i < separators {
            out.put(&[0]);
        }
    }
    if let Some(data) = data {
        out.put_data(data);
    }
}

/// Writes `value` in decimal into `buffer`; answers the digits.
pub(crate) fn decimal(buffer: &mut [u8; 20], mut value: u64) -> &[u8] {
    let mut at = buffer.len();
    loop {
        at -= 1;
        buffer[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            return &buffer[at..];
        }
    }
}

impl<'a> Submit<'a> {
    /// A foreground job of normal priority, to run now.
    pub fn new(function: &'a [u8], unique: &'a [u8], workload: Data<'a>) -> Self {
        let (priority, when) = (Priority::Normal, When::Now);
        Self { function, unique, priority, background: false, when, reducer: None, workload }
    }

    #[inline(always)]
    fn parse(
        command: Command,
        args: &Arguments<'a>,
        workload: Data<'a>,
        limits: &Limits,
    ) -> Result<Self, Refusal> {
        let unique = args.get(1);
        if unique.len() > limits.max_unique {
            return Err(Refusal::UNIQUE_TOO_LARGE);
        }
        let plain = Self::new(args.get(0), unique, workload);
        Ok(match command {
            Command::SubmitJob => plain,
            Command::SubmitJobHigh => Self { priority: Priority::High, ..plain },
            Command::SubmitJobLow => Self { priority: Priority::Low, ..plain },
            Command::SubmitJobBg => Self { background: true, ..plain },
            Command::SubmitJobHighBg => Self { priority: Priority::High, background: true, ..plain },
            Command::SubmitJobLowBg => Self { priority: Priority::Low, background: true, ..plain },
            Command::SubmitJobEpoch => {
                let epoch = leading_number(args.get(2)).ok_or(Refusal::BAD_EPOCH)?;
                Self { background: true, when: When::Epoch(epoch), ..plain }
            }
            Command::SubmitJobSched => {
                let schedule = Schedule(args.span(2, 6));
                Self { background: true, when: When::Schedule(schedule), ..plain }
            }
            Command::SubmitReduceJob | Command::SubmitReduceJobBackground => {
                let reducer = args.get(2);
                if reducer.len() > limits.max_unique {
                    return Err(Refusal::REDUCER_TOO_LARGE);
                }
                let background = command == Command::SubmitReduceJobBackground;
                Self { background, reducer: Some(reducer), ..plain }
            }
            _ => return Err(Refusal::NOT_EXPECTED),
        })
    }

    /// The packet type that this submission travels as.
    pub const fn command(&self) -> Command {
        match (self.reducer, self.when, self.background, self.priority) {
            (Some(_), _, false, _) => Command::SubmitReduceJob,
            (Some(_), _, true, _) => Command::SubmitReduceJobBackground,
            (None, When::Epoch(_), _, _) => Command::SubmitJobEpoch,
            (None, When::Schedule(_), _, _) => Command::SubmitJobSched,
            (None, When::Now, false, Priority::High) => Command::SubmitJobHigh,
            (None, When::Now, false, Priority::Normal) => Command::SubmitJob,
            (None, When::Now, false, Priority::Low) => Command::SubmitJobLow,
            (None, When::Now, true, Priority::High) => Command::SubmitJobHighBg,
            (None, When::Now, true, Priority::Normal) => Command::SubmitJobBg,
            (None, When::Now, true, Priority::Low) => Command::SubmitJobLowBg,
        }
    }

    fn encode(&self, out: &mut OutBuf) {
        let (function, unique, data) = (self.function, self.unique, Some(&self.workload));
        let command = self.command();
        match (self.reducer, self.when) {
            (Some(reducer), _) => put(out, command, &[function, unique, reducer, b""], data),
            (None, When::Now) => put(out, command, &[function, unique], data),
            (None, When::Epoch(epoch)) => {
                let mut digits = [0; 20];
                // A time before 1970 has passed, as 0 has.
                let epoch = decimal(&mut digits, epoch.max(0).unsigned_abs());
                put(out, command, &[function, unique, epoch], data);
            }
            // The fields are separated by NULs as arguments are.
            (None, When::Schedule(schedule)) => put(out, command, &[function, unique, schedule.0], data),
        }
    }
}

/// The arguments at the front of a body.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arguments<'a> {
    body: &'a [u8],
    /// Where each argument ends.
    ends: [u32; 7],
    count: u8,
}

impl<'a> Arguments<'a> {
    /// Finds `count` arguments in `body`; `last_is_rest` where the last one has no NUL. Answers them and where the data
    /// begins; `None` where there are too few, or one is longer than `limit`.
    #[inline(always)]
    pub(super) fn split(
        body: &'a [u8],
        count: usize,
        last_is_rest: bool,
        limit: usize,
    ) -> Option<(Self, usize)> {
        let mut ends = [0u32; 7];
        let mut at = 0;
        for (i, end) in ends.iter_mut().enumerate().take(count) {
            let rest = &body[at..];
            let len = if last_is_rest && i + 1 == count {
                rest.len()
            } else {
                let window = &rest[..rest.len().min(limit.saturating_add(1))];
                memchr(0, window)?
            };
            *end = u32::try_from(at + len).ok()?;
            at += len + 1;
        }
        let args = Self { body, ends, count: count as u8 };
        Some((args, at.min(body.len())))
    }

    /// One argument that is the whole body up to the first NUL, or all of it where there is none.
    pub(super) fn lenient(body: &'a [u8]) -> Option<(Self, usize)> {
        let len = memchr(0, body).unwrap_or(body.len());
        let mut ends = [0; 7];
        ends[0] = u32::try_from(len).ok()?;
        Some((Self { body, ends, count: 1 }, (len + 1).min(body.len())))
    }

    /// Arguments `first` to `last`, with the NULs between them.
    fn span(&self, first: usize, last: usize) -> &'a [u8] {
        let (first, last) = (self.start(first), self.end(last));
        &self.body[first..last]
    }

    fn start(&self, i: usize) -> usize {
        if i == 0 { 0 } else { self.end(i - 1) + 1 }
    }

    fn end(&self, i: usize) -> usize {
        self.ends[i] as usize
    }

    /// Argument `i`; the caller knows the packet's table and asks for no other.
    pub(super) fn get(&self, i: usize) -> &'a [u8] {
        debug_assert!(i < usize::from(self.count));
        &self.body[self.start(i)..self.end(i)]
    }
}
