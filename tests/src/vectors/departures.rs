//! Where this server does not do what gearmand does.

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
        instead: "L02",
    },
];
