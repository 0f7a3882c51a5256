//! What of the page somebody wants to see: the words behind its `?`.

use std::fmt::{self, Write as _};

use hyper::Method;

use crate::broker::report::JobStateName;
use crate::server::http::answer::Problem;
use crate::server::http::route::Call;

/// What functions are sorted by: names upwards, numbers downwards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Sort {
    Name,
    #[default]
    Queued,
    Oldest,
    Added,
    Done,
    Failed,
    Running,
    Workers,
}

impl Sort {
    const ALL: [(Self, &'static str); 8] = [
        (Self::Name, "name"),
        (Self::Queued, "queued"),
        (Self::Oldest, "oldest"),
        (Self::Added, "added"),
        (Self::Done, "done"),
        (Self::Failed, "failed"),
        (Self::Running, "running"),
        (Self::Workers, "workers"),
    ];
}

/// States of jobs, as the query and the JSON have them.
pub(super) const STATES: [(JobStateName, &str); 3] = [
    (JobStateName::Queued, "queued"),
    (JobStateName::Delayed, "delayed"),
    (JobStateName::Running, "running"),
];

/// What a cancellation has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Notice {
    Cancelled,
    Gone,
}

impl Notice {
    const ALL: [(Self, &'static str); 2] = [(Self::Cancelled, "cancelled"), (Self::Gone, "gone")];
}

/// A page, as its address has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) sort: Sort,
    /// Part of the functions' names; empty for all.
    pub(super) search: String,
    /// Pages of functions in front of this one.
    pub(super) page: u32,
    /// The slot of the first worker.
    pub(super) workers: u32,
    /// Only jobs of this function.
    pub(super) function: Option<Vec<u8>>,
    /// Only jobs in this state.
    pub(super) state: Option<JobStateName>,
    /// The place of the first job.
    pub(super) jobs: u32,
    /// Without JavaScript the page is not loaded again by itself.
    pub(super) still: bool,
    pub(super) notice: Option<Notice>,
}

/// The words of the query, all of them.
const WORDS: [&str; 9] =
    ["sort", "search", "page", "workers", "function", "state", "jobs", "still", "notice"];

fn row<T: Copy>(call: &Call, word: &str, all: &[(T, &str)]) -> Result<Option<T>, Problem> {
    let Some(wanted) = call.word(word)?.filter(|wanted| !wanted.is_empty()) else { return Ok(None) };
    match all.iter().find(|(_, name)| *name == wanted) {
        Some((value, _)) => Ok(Some(*value)),
        None => {
            let known = all.iter().map(|(_, name)| *name).collect::<Vec<_>>().join(", ");
            Err(Problem::bad(format_args!("The query '{word}' is one of {known}")))
        }
    }
}

impl Query {
    /// The query of a request; words that are not known are refused.
    pub(super) fn of(call: &Call) -> Result<Self, Problem> {
        call.allow(&WORDS)?;
        let place = |word| call.number(word, 0, u32::MAX.into()).map(|place| place as u32);
        Ok(Self {
            sort: row(call, "sort", &Sort::ALL)?.unwrap_or_default(),
            search: call.word("search")?.unwrap_or_default().to_owned(),
            page: place("page")?,
            workers: place("workers")?,
            function: call.bytes("function").filter(|name| !name.is_empty()).map(<[u8]>::to_vec),
            state: row(call, "state", &STATES)?,
            jobs: place("jobs")?,
            still: call.flag("still")?,
            notice: row(call, "notice", &Notice::ALL)?,
        })
    }

    /// What an address has behind its `?`; `None` where it is no page.
    pub(super) fn parse(text: &str) -> Option<Self> {
        Self::of(&Call::find(&Method::GET, "/", text).ok()?).ok()
    }

    /// The same page with something else.
    pub(super) fn with(&self, change: impl FnOnce(&mut Self)) -> Self {
        let mut other = self.clone();
        // It is about what has just been done.
        other.notice = None;
        change(&mut other);
        other
    }
}

/// As it stands in an address, from the `?` on.
impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sort, search, page, workers, function, state, jobs, still, notice } = self;
        f.write_char('?')?;
        let mut between = "";
        let mut word = |name: &str, value: &dyn fmt::Display| {
            write!(f, "{between}{name}={value}")?;
            between = "&";
            fmt::Result::Ok(())
        };
        if *sort != Sort::default()
            && let Some((_, name)) = Sort::ALL.iter().find(|(known, _)| known == sort)
        {
            word("sort", name)?;
        }
        if !search.is_empty() {
            word("search", &Escaped(search.as_bytes()))?;
        }
        if let Some(function) = function {
            word("function", &Escaped(function))?;
        }
        if let Some((_, name)) = STATES.iter().find(|(known, _)| Some(*known) == *state) {
            word("state", name)?;
        }
        for (name, place) in [("page", page), ("workers", workers), ("jobs", jobs)] {
            if *place > 0 {
                word(name, place)?;
            }
        }
        if *still {
            word("still", &"true")?;
        }
        if let Some((_, name)) = Notice::ALL.iter().find(|(known, _)| Some(*known) == *notice) {
            word("notice", name)?;
        }
        Ok(())
    }
}

/// Bytes as they stand in an address.
pub(super) struct Escaped<'a>(pub(super) &'a [u8]);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0 {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                    f.write_char(char::from(*byte))?;
                }
                byte => write!(f, "%{byte:02X}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Query, &'static str> {
        let query = text.trim_start_matches('?');
        let call = Call::find(&Method::GET, "/", query).map_err(|problem| problem.code)?;
        Query::of(&call).map_err(|problem| problem.code)
    }

    #[test]
    fn what_is_written_is_read_again() {
        assert_eq!(Query::default().to_string(), "?");
        assert_eq!(read("?").unwrap(), Query::default());
        let all = Query {
            sort: Sort::Oldest,
            search: "a&b=\"<ü".into(),
            page: 3,
            workers: 7,
            function: Some(b"\xff+ %#'".to_vec()),
            state: Some(JobStateName::Running),
            jobs: u32::MAX,
            still: true,
            notice: Some(Notice::Gone),
        };
        assert_eq!(read(&all.to_string()).unwrap(), all);
        assert!(
            all.to_string().bytes().all(|byte| byte.is_ascii_alphanumeric() || b"?=&%.-_".contains(&byte))
        );
        for (sort, _) in Sort::ALL {
            let query = Query { sort, ..Query::default() };
            assert_eq!(read(&query.to_string()).unwrap(), query);
        }
    }

    #[test]
    fn empty_fields_of_a_form_are_not_there() {
        assert_eq!(read("search=&function=&state=").unwrap(), Query::default());
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for wrong in
            ["sort=x", "page=-1", "state=done", "nosuch=1", "still=maybe", "search=%ff", "notice=%3Cb%3E"]
        {
            assert_eq!(read(wrong).err(), Some("bad_request"), "{wrong}");
        }
    }

    #[test]
    fn a_notice_is_shown_once() {
        let query = Query { notice: Some(Notice::Gone), ..Query::default() };
        assert_eq!(query.with(|other| other.page = 1).to_string(), "?page=1");
    }
}
