//! The page: what is on it, as text. The templates escape all of it.

use std::collections::HashSet;
use std::fmt;
use std::time::Duration;

use askama::Template;

use super::query::{Escaped, Notice, Query, STATES, Sort};
use super::snapshot::{FunctionRow, Rates, Snapshot};
use crate::broker::report::{Activity, ConnectionReport, JobFilter, JobReport, JobState};
use crate::broker::{Age, Alarm};
use crate::server::View;
use crate::server::http::text;
use crate::types::Priority;

/// Rows of each table on a page.
const ROWS: usize = 50;
/// Functions and jobs that are named of a worker.
const DETAILS: usize = 8;
/// Alarms that are shown.
const ALARMS: usize = 10;
/// What is not known.
const NOTHING: &str = "–";

/// The whole page.
#[derive(Template)]
#[template(path = "page.html")]
struct Page {
    main: String,
    still: bool,
    reload: String,
    hold: String,
}

/// All that changes.
#[derive(Template)]
#[template(path = "main.html")]
struct Main<'a> {
    query: &'a Query,
    notice: Option<Notice>,
    tiles: [Tile; 5],
    facts: Vec<(&'static str, String)>,
    alarm_count: String,
    alarms: Vec<AlarmItem>,
    more_alarms: Option<String>,
    function_count: String,
    search_fields: Vec<(&'static str, String)>,
    columns: Vec<Column>,
    functions: Vec<Function>,
    range: String,
    previous: Option<Query>,
    next: Option<Query>,
    worker_count: String,
    workers: Vec<Worker>,
    first_workers: Option<Query>,
    next_workers: Option<Query>,
    job_count: String,
    filters: Vec<Filter>,
    chosen_function: Option<(String, Query)>,
    jobs: Vec<Job>,
    first_jobs: Option<Query>,
    more_jobs: Option<Query>,
    may_cancel: bool,
    here: String,
}

struct Tile {
    name: &'static str,
    title: &'static str,
    value: String,
    plotted: f64,
}

struct AlarmItem {
    key: String,
    text: String,
}

struct Column {
    title: &'static str,
    link: Query,
    sorted: bool,
    direction: &'static str,
    number: bool,
}

struct Function {
    key: String,
    name: String,
    link: Query,
    alarm: bool,
    queued: String,
    oldest: String,
    added: String,
    done: String,
    failed: String,
    running: String,
    workers: String,
    /// Queued, age of the oldest in seconds, done a second.
    plotted: (u64, f64, f64),
}

struct Worker {
    key: u32,
    peer: String,
    id: Option<String>,
    alarm: bool,
    state: String,
    running: Vec<Job>,
    more_running: bool,
    functions: Vec<String>,
    more: usize,
}

struct Filter {
    title: &'static str,
    link: Query,
    chosen: bool,
}

struct Job {
    handle: String,
    link: String,
    function: String,
    state: String,
    priority: &'static str,
    foreground: bool,
    unique: String,
    bytes: String,
    returns: u16,
}

/// The part of the page that changes, as HTML.
pub(super) fn main(
    view: &View,
    snapshot: &Snapshot,
    query: &Query,
    may_cancel: bool,
) -> Result<String, askama::Error> {
    let broker = &snapshot.report.broker;
    let in_alarm: HashSet<&[u8]> = snapshot.alarms.iter().filter_map(Alarm::function).collect();
    let matching = matching(snapshot, query);
    let first = (query.page as usize).saturating_mul(ROWS).min(matching.len());
    let rows = &matching[first..matching.len().min(first + ROWS)];
    let last = first + rows.len();
    let workers = view.connections(query.workers, ROWS, DETAILS, true);
    let filter = JobFilter { function: query.function.as_deref(), state: query.state };
    let jobs = view.jobs(query.jobs, ROWS, filter);
    let slow = view.alarm_limits().wake;
    let all_alarms = snapshot.alarms.len() + snapshot.more_alarms;
    Main {
        query,
        notice: query.notice,
        tiles: tiles(snapshot),
        facts: facts(snapshot),
        alarm_count: grouped(all_alarms),
        alarms: snapshot.alarms.iter().take(ALARMS).map(AlarmItem::new).collect(),
        more_alarms: (all_alarms > ALARMS).then(|| grouped(all_alarms - ALARMS)),
        function_count: grouped(broker.functions),
        search_fields: search_fields(query),
        columns: columns(query),
        functions: rows
            .iter()
            .map(|row| Function::new(row, query, in_alarm.contains(&row.name[..])))
            .collect(),
        range: match rows {
            [] => String::new(),
            _ => format!("{} to {} of {}", grouped(first + 1), grouped(last), grouped(matching.len())),
        },
        previous: (query.page > 0).then(|| query.with(|other| other.page -= 1)),
        next: (last < matching.len()).then(|| query.with(|other| other.page += 1)),
        worker_count: grouped(broker.workers as usize),
        workers: workers.items.iter().map(|worker| Worker::new(worker, slow)).collect(),
        first_workers: (query.workers > 0).then(|| query.with(|other| other.workers = 0)),
        next_workers: workers.next.map(|next| query.with(|other| other.workers = next as u32)),
        job_count: grouped(broker.queued + broker.delayed + broker.running),
        filters: filters(query),
        chosen_function: query.function.as_ref().map(|name| {
            let all = query.with(|other| (other.function, other.jobs) = (None, 0));
            (shown(name), all)
        }),
        jobs: jobs.items.iter().map(Job::new).collect(),
        first_jobs: (query.jobs > 0).then(|| query.with(|other| other.jobs = 0)),
        more_jobs: jobs.next.map(|next| query.with(|other| other.jobs = next as u32)),
        may_cancel,
        here: query.with(|_| ()).to_string(),
    }
    .render()
}

/// The whole page around it.
pub(super) fn whole(main: String, query: &Query) -> Result<String, askama::Error> {
    let reload = query.with(|_| ()).to_string();
    let hold = query.with(|other| other.still = true).to_string();
    Page { main, still: query.still, reload, hold }.render()
}

/// Functions that are searched for, in their order.
fn matching<'a>(snapshot: &'a Snapshot, query: &Query) -> Vec<&'a FunctionRow> {
    let search = query.search.to_lowercase();
    let found = |row: &&FunctionRow| search.is_empty() || shown(&row.name).to_lowercase().contains(&search);
    let mut rows: Vec<&FunctionRow> = snapshot.functions.iter().filter(found).collect();
    let rate = |row: &FunctionRow, of: fn(&Rates) -> f64| row.rates.as_ref().map_or(0.0, of);
    rows.sort_by(|left, right| {
        let down = |of: fn(&Rates) -> f64| rate(right, of).total_cmp(&rate(left, of));
        let order = match query.sort {
            Sort::Name => std::cmp::Ordering::Equal,
            Sort::Queued => right.ready().cmp(&left.ready()),
            Sort::Oldest => right.oldest.cmp(&left.oldest),
            Sort::Added => down(|rates| rates.added),
            Sort::Done => down(|rates| rates.done),
            Sort::Failed => down(|rates| rates.failed),
            Sort::Running => right.running.cmp(&left.running),
            Sort::Workers => right.workers.cmp(&left.workers),
        };
        order.then_with(|| left.name.cmp(&right.name))
    });
    rows
}

fn tiles(snapshot: &Snapshot) -> [Tile; 5] {
    let broker = &snapshot.report.broker;
    let oldest = snapshot.oldest();
    let [added, done] = [|rates: &Rates| rates.added, |rates: &Rates| rates.done]
        .map(|of: fn(&Rates) -> f64| snapshot.rates.as_ref().map(of));
    let tile = |name, title, value, plotted| Tile { name, title, value, plotted };
    [
        tile("all queued", "Queued", grouped(broker.queued), broker.queued as f64),
        tile("all oldest", "Oldest waits", age(oldest), seconds(oldest)),
        tile("all added", "Added a second", rate(added), added.unwrap_or_default()),
        tile("all done", "Done a second", rate(done), done.unwrap_or_default()),
        tile("all running", "Running", grouped(broker.running), broker.running as f64),
    ]
}

fn facts(snapshot: &Snapshot) -> Vec<(&'static str, String)> {
    let (report, broker) = (&snapshot.report, &snapshot.report.broker);
    let health = if broker.store_failing.is_some() { "fails" } else { "ok" };
    let mut facts = vec![
        (
            "Workers",
            format!("{}, {} busy", grouped(broker.workers as usize), grouped(broker.busy_workers as usize)),
        ),
        ("Connections", grouped(report.connections)),
        ("Not yet due", grouped(broker.delayed)),
        ("Schedules", grouped(broker.schedules)),
        ("Queue", mebibytes(broker.queue_bytes)),
        ("Store", format!("{} ({health})", broker.store)),
        ("Version", broker.version.clone()),
        ("Up", Age(report.uptime).to_string()),
    ];
    if broker.draining || report.stopping {
        facts.push(("Ending", "no new jobs are taken".into()));
    }
    facts
}

/// What a search keeps of the page; it begins at the first one.
fn search_fields(query: &Query) -> Vec<(&'static str, String)> {
    let kept = query.with(|other| (other.search, other.page) = (String::new(), 0)).to_string();
    let pairs = kept.trim_start_matches('?').split('&').filter_map(|pair| pair.split_once('='));
    let known = pairs.filter_map(|(name, value)| {
        let name = ["sort", "state", "still"].into_iter().find(|known| *known == name)?;
        Some((name, value.to_owned()))
    });
    known.collect()
}

fn columns(query: &Query) -> Vec<Column> {
    let columns = [
        ("Function", Sort::Name),
        ("Queued", Sort::Queued),
        ("Oldest", Sort::Oldest),
        ("Added/s", Sort::Added),
        ("Done/s", Sort::Done),
        ("Failed/s", Sort::Failed),
        ("Running", Sort::Running),
        ("Workers", Sort::Workers),
    ];
    let column = |(title, sort)| Column {
        title,
        link: query.with(|other| (other.sort, other.page) = (sort, 0)),
        sorted: query.sort == sort,
        direction: if sort == Sort::Name { "ascending" } else { "descending" },
        number: sort != Sort::Name,
    };
    columns.into_iter().map(column).collect()
}

fn filters(query: &Query) -> Vec<Filter> {
    let states = STATES.iter().map(|(state, title)| (*title, Some(*state)));
    let filter = |(title, state)| Filter {
        title,
        link: query.with(|other| (other.state, other.jobs) = (state, 0)),
        chosen: query.state == state,
    };
    [("all", None)].into_iter().chain(states).map(filter).collect()
}

impl AlarmItem {
    fn new(alarm: &Alarm) -> Self {
        let text = visible(&alarm.to_string());
        // The text changes with the time; whom it is about does not.
        let about = match alarm {
            Alarm::Wake { worker, .. } => visible(worker),
            other => other.function().map(shown).unwrap_or_default(),
        };
        Self { key: format!("{} {about}", alarm.kind()), text }
    }
}

impl Function {
    fn new(row: &FunctionRow, query: &Query, alarm: bool) -> Self {
        let name = shown(&row.name);
        let of = |rate: fn(&Rates) -> f64| row.rates.as_ref().map(rate);
        let [added, done, failed] =
            [of(|rates| rates.added), of(|rates| rates.done), of(|rates| rates.failed)];
        Self {
            // Never empty, as a name may be.
            key: format!("f {name}"),
            link: query.with(|other| (other.function, other.jobs) = (Some(row.name.to_vec()), 0)),
            alarm,
            queued: match row.delayed {
                0 => grouped(row.ready()),
                delayed => format!("{} +{} later", grouped(row.ready()), grouped(delayed)),
            },
            oldest: age(row.oldest),
            added: rate(added),
            done: rate(done),
            failed: rate(failed),
            running: grouped(row.running),
            workers: grouped(row.workers),
            plotted: (row.ready(), seconds(row.oldest), done.unwrap_or_default()),
            name,
        }
    }
}

impl Worker {
    fn new(report: &ConnectionReport, slow: Duration) -> Self {
        let state = match (report.running.len(), report.activity, report.woken) {
            (_, Activity::Woken, Some(since)) => format!("woken {} ago, has not come", Age(since)),
            (0, Activity::Asleep, _) => "asleep".into(),
            (0, ..) => "awake".into(),
            _ => "busy".into(),
        };
        Self {
            key: report.conn.slot(),
            peer: report.peer.to_string(),
            id: report.identifier.as_deref().map(shown),
            alarm: report.woken.is_some_and(|since| since > slow),
            state,
            running: report.running.iter().map(Job::new).collect(),
            more_running: report.more_running,
            functions: report.abilities.iter().map(|name| shown(name)).collect(),
            more: (report.all_abilities as usize).saturating_sub(report.abilities.len()),
        }
    }
}

impl Job {
    fn new(report: &JobReport) -> Self {
        let state = match report.state {
            JobState::Queued { since } => format!("queued for {}", Age(since)),
            JobState::Delayed { .. } => "not yet due".into(),
            JobState::Running { since, progress, .. } => match (progress.numerator, progress.denominator) {
                (_, 0) => format!("running for {}", Age(since)),
                (done, all) => format!("running for {}, {done} of {all}", Age(since)),
            },
        };
        Self {
            link: format!("/api/jobs/{}", Escaped(report.handle.as_bytes())),
            handle: report.handle.clone(),
            function: shown(&report.function),
            state,
            priority: match report.priority {
                Priority::High => "high",
                Priority::Normal => "normal",
                Priority::Low => "low",
            },
            foreground: !report.background,
            unique: shown(&report.unique),
            bytes: grouped(report.workload_len),
            returns: report.returns,
        }
    }
}

/// A name that a peer chose, as the page shows it.
fn shown(name: &[u8]) -> String {
    visible(&text::shown(name))
}

/// Text in which nothing is invisible or turns what stands beside it around.
fn visible(text: &str) -> String {
    let hides = |letter: char| {
        letter.is_control()
            || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    let mut seen = String::with_capacity(text.len());
    for letter in text.chars() {
        if hides(letter) { seen.extend(letter.escape_unicode()) } else { seen.push(letter) }
    }
    seen
}

fn age(age: Option<Duration>) -> String {
    age.map_or_else(|| NOTHING.into(), |age| Age(age).to_string())
}

fn seconds(age: Option<Duration>) -> f64 {
    age.unwrap_or_default().as_secs_f64()
}

fn rate(rate: Option<f64>) -> String {
    match rate {
        None => NOTHING.into(),
        Some(rate) if rate >= 100.0 => grouped(rate as u64),
        Some(rate) => format!("{rate:.1}"),
    }
}

fn mebibytes(bytes: u64) -> String {
    match bytes {
        0..0x400 => format!("{bytes} B"),
        0x400..0x10_0000 => format!("{} KiB", bytes >> 10),
        _ => format!("{} MiB", grouped(bytes >> 20)),
    }
}

/// A number with commas between its thousands.
fn grouped(number: impl fmt::Display) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_hides_in_a_name() {
        assert_eq!(shown("a b\u{202e}c\t\u{feff}ü 漢".as_bytes()), "a b\\u{202e}c\\u{9}\\u{feff}ü 漢");
        assert_eq!(shown(b"\xff\\"), "\\xff\\\\");
    }

    #[test]
    fn numbers_are_readable() {
        for (number, text) in
            [(0, "0"), (999, "999"), (1000, "1,000"), (12_345, "12,345"), (1_000_000, "1,000,000")]
        {
            assert_eq!(grouped(number), text);
        }
        assert_eq!(
            [rate(None), rate(Some(0.04)), rate(Some(99.95)), rate(Some(1234.5))],
            ["–", "0.0", "100.0", "1,234"]
        );
        assert_eq!([mebibytes(1023), mebibytes(1024), mebibytes(5 << 20)], ["1023 B", "1 KiB", "5 MiB"]);
    }
}
