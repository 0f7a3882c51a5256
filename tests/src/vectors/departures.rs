//! Where this server does not do what gearmand does, and which vectors need a socket.

/// A reference vector that this server does not satisfy.
#[derive(Clone, Copy, Debug)]
pub struct Departure {
    /// The reference vector.
    pub id: &'static str,
    /// Why.
    pub reason: &'static str,
    /// The vector of `vectors/own.json` that says what happens instead.
    pub instead: &'static str,
}

/// All of them.
pub const DEPARTURES: &[Departure] = &[
    Departure {
        id: "V12",
        reason: "gearmand refuses ALL_YOURS; here it works: jobs are pushed without NOOP and GRAB",
        instead: "L01",
    },
    Departure {
        id: "V13",
        reason: "gearmand refuses SUBMIT_JOB_SCHED; here it works: a cron line that repeats",
        instead: "L03",
    },
];

/// Vectors that do not fit a link into the broker, and why.
pub const NOT_BY_LINK: &[(&str, &str)] = &[
    ("V06", "a link carries requests, and these bytes are none: response magic"),
    ("V07", "no request: no magic"),
    ("V08", "no request: type 0"),
    ("V09", "no request: a type past the table"),
    ("V10", "no request: types that only servers send"),
    ("V11", "no request: the unused number"),
    ("V35", "no request: the decoder refuses the unique"),
    ("V41", "no request: the decoder refuses the handle"),
    ("V58", "the address of a caller in the same process is `local`"),
    ("V65", "a link carries no text"),
    ("L17", "no request: a type past the table"),
    ("L18", "no request: the decoder refuses the handle"),
    ("L21", "no request: too few arguments"),
    ("L05", "takes a minute; the broker and the daemon are enough"),
];
