//! The table of packet types.

use std::fmt;

/// Which side sends a packet type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// Clients and workers only.
    Peer,
    /// The server only.
    Server,
    /// Both: a worker's report is passed on to the clients as it is.
    Both,
    /// Nobody: the number is not in use.
    Nobody,
}

macro_rules! commands {
    ($($variant:ident = $number:literal, $name:literal, $sender:ident, $args:literal, $data:literal, $doc:literal;)*) => {
        /// A packet type of the protocol.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u32)]
        pub enum Command { $(#[doc = $doc] $variant = $number,)* }

        impl Command {
            /// Every packet type, in the order of the numbers.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name in the protocol's description.
            pub const fn name(self) -> &'static str { match self { $(Self::$variant => $name),* } }

            /// Who sends it.
            pub const fn sender(self) -> Sender { match self { $(Self::$variant => Sender::$sender),* } }

            /// How many arguments the body begins with. All end with a NUL, but where [`Command::has_data`] is false the
            /// last one is the rest of the body.
            pub const fn arguments(self) -> usize { match self { $(Self::$variant => $args),* } }

            /// Whether opaque data follows the arguments.
            pub const fn has_data(self) -> bool { match self { $(Self::$variant => $data),* } }

            /// One sentence for people.
            pub const fn describe(self) -> &'static str { match self { $(Self::$variant => $doc),* } }
        }

        impl TryFrom<RawCommand> for Command {
            type Error = RawCommand;

            fn try_from(raw: RawCommand) -> Result<Self, RawCommand> {
                match raw.0 { $($number => Ok(Self::$variant),)* _ => Err(raw) }
            }
        }
    };
}

commands! {
    // number, name, who sends it, arguments, data
    CanDo = 1, "CAN_DO", Peer, 1, false, "The worker can do a function.";
    CantDo = 2, "CANT_DO", Peer, 1, false, "The worker can no longer do a function.";
    ResetAbilities = 3, "RESET_ABILITIES", Peer, 0, false, "The worker can no longer do anything.";
    PreSleep = 4, "PRE_SLEEP", Peer, 0, false, "The worker goes to sleep until a NOOP.";
    Unused = 5, "UNUSED", Nobody, 0, false, "Not in use.";
    Noop = 6, "NOOP", Server, 0, false, "Wakes a sleeping worker.";
    SubmitJob = 7, "SUBMIT_JOB", Peer, 2, true, "A foreground job.";
    JobCreated = 8, "JOB_CREATED", Server, 1, false, "The answer to a submission: the job's handle.";
    GrabJob = 9, "GRAB_JOB", Peer, 0, false, "The worker asks for a job.";
    NoJob = 10, "NO_JOB", Server, 0, false, "There is no job for the worker.";
    JobAssign = 11, "JOB_ASSIGN", Server, 2, true, "A job for the worker.";
    WorkStatus = 12, "WORK_STATUS", Both, 3, false, "How far a job has come.";
    WorkComplete = 13, "WORK_COMPLETE", Both, 1, true, "The end of a job, with its result.";
    WorkFail = 14, "WORK_FAIL", Both, 1, false, "The end of a job that failed.";
    GetStatus = 15, "GET_STATUS", Peer, 1, false, "Asks how a job stands, by handle.";
    EchoReq = 16, "ECHO_REQ", Peer, 0, true, "Asks for the same bytes back.";
    EchoRes = 17, "ECHO_RES", Server, 0, true, "The bytes of an ECHO_REQ.";
    SubmitJobBg = 18, "SUBMIT_JOB_BG", Peer, 2, true, "A background job.";
    Error = 19, "ERROR", Server, 2, false, "A request was refused.";
    StatusRes = 20, "STATUS_RES", Server, 5, false, "The answer to GET_STATUS.";
    SubmitJobHigh = 21, "SUBMIT_JOB_HIGH", Peer, 2, true, "A foreground job of high priority.";
    SetClientId = 22, "SET_CLIENT_ID", Peer, 1, false, "The name that the admin command `workers` shows.";
    CanDoTimeout = 23, "CAN_DO_TIMEOUT", Peer, 2, false, "The worker can do a function, within so many milliseconds.";
    AllYours = 24, "ALL_YOURS", Peer, 0, false, "The worker has no other server: jobs may be pushed to it.";
    WorkException = 25, "WORK_EXCEPTION", Both, 1, true, "The end of a job by an exception.";
    OptionReq = 26, "OPTION_REQ", Peer, 1, false, "Sets an option of the connection.";
    OptionRes = 27, "OPTION_RES", Server, 1, false, "The option has been set.";
    WorkData = 28, "WORK_DATA", Both, 1, true, "A piece of a job's result.";
    WorkWarning = 29, "WORK_WARNING", Both, 1, true, "A warning of a job.";
    GrabJobUniq = 30, "GRAB_JOB_UNIQ", Peer, 0, false, "The worker asks for a job, with its unique.";
    JobAssignUniq = 31, "JOB_ASSIGN_UNIQ", Server, 3, true, "A job for the worker, with its unique.";
    SubmitJobHighBg = 32, "SUBMIT_JOB_HIGH_BG", Peer, 2, true, "A background job of high priority.";
    SubmitJobLow = 33, "SUBMIT_JOB_LOW", Peer, 2, true, "A foreground job of low priority.";
    SubmitJobLowBg = 34, "SUBMIT_JOB_LOW_BG", Peer, 2, true, "A background job of low priority.";
    SubmitJobSched = 35, "SUBMIT_JOB_SCHED", Peer, 7, true, "A background job that repeats by a cron line.";
    SubmitJobEpoch = 36, "SUBMIT_JOB_EPOCH", Peer, 3, true, "A background job for a time to come.";
    SubmitReduceJob = 37, "SUBMIT_REDUCE_JOB", Peer, 4, true, "A foreground job with a reducer.";
    SubmitReduceJobBackground = 38, "SUBMIT_REDUCE_JOB_BACKGROUND", Peer, 4, true, "A background job with a reducer.";
    GrabJobAll = 39, "GRAB_JOB_ALL", Peer, 0, false, "The worker asks for a job, with its unique and reducer.";
    JobAssignAll = 40, "JOB_ASSIGN_ALL", Server, 4, true, "A job for the worker, with its unique and reducer.";
    GetStatusUnique = 41, "GET_STATUS_UNIQUE", Peer, 1, false, "Asks how a job stands, by unique.";
    StatusResUnique = 42, "STATUS_RES_UNIQUE", Server, 6, false, "The answer to GET_STATUS_UNIQUE.";
}

impl Command {
    /// The number on the wire.
    pub const fn number(self) -> u32 {
        self as u32
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A packet type as it came, known or not, so that an unknown one can be logged and refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RawCommand(pub u32);

impl fmt::Display for RawCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Command::try_from(*self) {
            Ok(command) => command.fmt(f),
            Err(_) => write!(f, "type {}", self.0),
        }
    }
}
