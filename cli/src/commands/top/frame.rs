//! What `top` shows, as lines. No terminal.

use std::time::Duration;

use lineshaft::broker::Age;

use super::Sort;
use super::sample::{Function, Sample, Worker};
use crate::render::visible;

/// A line, and how it looks where there are colours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) text: String,
    pub(super) look: Look,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    Plain,
    /// Names of columns.
    Head,
    Alarm,
    /// Help.
    Dim,
}

/// What the person in front of the screen has chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct View {
    pub(super) sort: Sort,
    pub(super) list: List,
    /// Rows of the list that are above the screen.
    pub(super) scroll: usize,
}

/// What the lower part shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum List {
    Functions,
    Workers,
    Alarms,
}

/// Alarms that are shown above a list that is not that of alarms.
const ALARMS_ABOVE: usize = 4;
/// Widths, in columns: that of a name at the least, and that of a number at the least.
const NAME: usize = 12;
const NUMBER: usize = 7;
/// The widest column of a worker's address or identifier.
const WORKER: usize = 40;
const KEYS: &str = "q quit  tab list  sort: n name, j jobs, r running, w workers, c change, d done, o oldest";

fn line(look: Look, text: impl Into<String>) -> Line {
    Line { text: text.into(), look }
}

/// Everything, for a file or a pipe.
pub(super) fn all(sample: &Sample, sort: Sort) -> Vec<Line> {
    let mut lines = header(sample);
    lines.extend(alarms(sample));
    lines.extend(functions(sample, &sample.sorted(sort), usize::MAX));
    if !sample.workers.is_empty() {
        lines.push(line(Look::Plain, ""));
        lines.extend(workers(&sample.workers, usize::MAX));
    }
    lines
}

/// One screen of at most that many columns and rows. `lost` is why the server cannot be asked at the moment. The scrolling is put
/// right where there is nothing so far down.
pub(super) fn screen(
    sample: &Sample,
    view: &mut View,
    lost: Option<&str>,
    (columns, rows): (usize, usize),
) -> Vec<Line> {
    let mut lines = header(sample);
    match lost {
        Some(why) => lines.push(line(Look::Alarm, format!("LOST  {}; trying again", visible(why)))),
        None if view.list != List::Alarms => {
            let mut all = alarms(sample);
            let hidden = all.len().saturating_sub(ALARMS_ABOVE);
            if hidden > 1 {
                all.truncate(ALARMS_ABOVE - 1);
                all.push(line(Look::Alarm, format!("ALARM  and {} more (tab)", hidden + 1)));
            }
            lines.extend(all);
        }
        None => {}
    }
    let sorted = sample.sorted(view.sort);
    let mut list = match view.list {
        List::Functions => functions(sample, &sorted, columns),
        List::Workers => workers(&sample.workers, columns),
        List::Alarms => [vec![line(Look::Head, "ALARMS")], alarms(sample)].concat(),
    };
    // A head, as much of the list as there is room for, and the keys.
    let room = rows.saturating_sub(lines.len() + 2).max(1);
    let body = list.split_off(1);
    view.scroll = view.scroll.min(body.len().saturating_sub(room));
    lines.append(&mut list);
    lines.extend(body.into_iter().skip(view.scroll).take(room));
    lines.truncate(rows.saturating_sub(1));
    lines.resize(rows.saturating_sub(1), line(Look::Plain, ""));
    lines.push(line(Look::Dim, KEYS));
    for line in &mut lines {
        line.text = cut(&line.text, columns);
    }
    lines
}

fn header(sample: &Sample) -> Vec<Line> {
    let [queued, running] = sample.totals();
    let time = sample.time.strftime("%H:%M:%S");
    let connections = sample.connections.map(|count| format!("  connections {count}")).unwrap_or_default();
    let mut lines = vec![
        line(Look::Plain, format!("{time}  {}  version {}", sample.server, visible(&sample.version))),
        line(
            Look::Plain,
            format!(
                "queued {queued}  running {running}  functions {}  workers {}{connections}",
                sample.functions.len(),
                sample.workers.len()
            ),
        ),
    ];
    if let Some(store) = &sample.store {
        let health = if store.failing.is_some() { "fails" } else { "ok" };
        lines.push(line(Look::Plain, format!("store {}: {health}", visible(&store.store))));
    }
    lines
}

fn alarms(sample: &Sample) -> Vec<Line> {
    sample.alarms.iter().map(|alarm| line(Look::Alarm, format!("ALARM  {}", alarm.text))).collect()
}

/// A head and a line for each; what the server does not tell has no column.
fn functions(sample: &Sample, functions: &[&Function], columns: usize) -> Vec<Line> {
    let mut titles = vec!["QUEUED", "RUNNING", "WORKERS", "CHANGE"];
    let counted = sample.functions.iter().any(|function| function.rates.is_some());
    let oldest = sample.functions.iter().any(|function| function.oldest.is_some());
    if counted {
        titles.extend(["ADDED/S", "DONE/S", "FAIL/S"]);
    }
    titles.extend(oldest.then_some("OLDEST"));
    let rows = functions.iter().map(|function| {
        let [running, workers] = [function.running, function.workers].map(|it| it.to_string());
        let queued = match function.delayed {
            None | Some(0) => function.queued.to_string(),
            Some(delayed) => format!("{} +{delayed}", function.queued),
        };
        let mut cells = vec![queued, running, workers, rate(function.change, true)];
        if counted {
            let rates = function.rates.map_or([None; 3], |rates| rates.map(Some));
            cells.extend(rates.map(|it| rate(it, false)));
        }
        cells.extend(oldest.then(|| age(function.oldest)));
        (function.name.as_str(), cells)
    });
    table("FUNCTION", &titles, rows.collect(), columns)
}

fn workers(workers: &[Worker], columns: usize) -> Vec<Line> {
    let width = |of: fn(&Worker) -> usize, title: &str| {
        workers.iter().map(of).chain([title.len()]).max().unwrap_or_default().min(WORKER)
    };
    let address = width(|worker| worker.address.chars().count(), "WORKER");
    let id = width(|worker| worker.id.chars().count(), "ID");
    let states = workers.iter().any(|worker| worker.state.is_some());
    let row = |look, [one, two, state, rest]: [&str; 4]| {
        let (one, two) = (cut(one, address), cut(two, id));
        let state = if states { format!("{state:<6}  ") } else { String::new() };
        line(look, cut(&format!("{one:<address$}  {two:<id$}  {state}{rest}"), columns))
    };
    let title = if states { "RUNS" } else { "FUNCTIONS" };
    let mut lines = vec![row(Look::Head, ["WORKER", "ID", "STATE", title])];
    for worker in workers {
        let rest = match (&worker.runs, &worker.state) {
            (Some((job, function, age)), _) => format!("{function} {job} for {}", Age(*age)),
            (None, Some(_)) => "-".into(),
            (None, None) => worker.functions.join(" "),
        };
        let state = worker.state.as_deref().unwrap_or_default();
        lines.push(row(Look::Plain, [&worker.address, &worker.id, state, &rest]));
    }
    lines
}

/// Names to the left, numbers to the right of them; the name gives way where the columns are few.
fn table(title: &str, titles: &[&str], rows: Vec<(&str, Vec<String>)>, columns: usize) -> Vec<Line> {
    let widths: Vec<usize> = titles
        .iter()
        .enumerate()
        .map(|(at, title)| {
            let cells = rows.iter().map(|(_, cells)| cells[at].chars().count());
            cells.chain([title.len(), NUMBER]).max().unwrap_or_default()
        })
        .collect();
    let numbers: usize = widths.iter().map(|width| width + 1).sum();
    let longest = rows.iter().map(|(name, _)| name.chars().count()).chain([NAME]).max().unwrap_or_default();
    let name = longest.min(columns.saturating_sub(numbers).max(NAME));
    let row = |look, first: &str, cells: &[String]| {
        let mut text = format!("{:<name$}", cut(first, name));
        for (cell, width) in cells.iter().zip(&widths) {
            text.push_str(&format!(" {cell:>width$}"));
        }
        line(look, text)
    };
    let head: Vec<String> = titles.iter().map(|title| (*title).to_owned()).collect();
    let mut lines = vec![row(Look::Head, title, &head)];
    lines.extend(rows.iter().map(|(name, cells)| row(Look::Plain, name, cells)));
    lines
}

fn rate(rate: Option<f64>, signed: bool) -> String {
    match rate {
        None => "-".into(),
        Some(rate) if rate.abs() < 0.05 => "0".into(),
        Some(rate) if signed => format!("{rate:+.1}"),
        Some(rate) => format!("{rate:.1}"),
    }
}

fn age(age: Option<Duration>) -> String {
    age.map_or_else(|| "-".into(), |age| Age(age).to_string())
}

/// At most `columns` letters; what is missing is shown by an ellipsis.
fn cut(text: &str, columns: usize) -> String {
    match text.char_indices().nth(columns) {
        None => text.to_owned(),
        Some(_) if columns == 0 => String::new(),
        Some(_) => text.chars().take(columns - 1).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::tests::sample;
    use super::*;

    fn texts(lines: &[Line]) -> Vec<&str> {
        lines.iter().map(|line| line.text.trim_end()).collect()
    }

    fn view(list: List) -> View {
        View { sort: Sort::Queued, list, scroll: 0 }
    }

    #[test]
    fn a_pipe_gets_everything() {
        let lines = all(&sample(), Sort::Queued);
        let expected = [
            "12:34:56  127.0.0.1:4730  version 0.1.0",
            "queued 9  running 2  functions 3  workers 1  connections 3",
            "store log /q: fails",
            "ALARM  the store fails: no room",
            "ALARM  a\\u{1b}[2J: 7 jobs wait",
            "FUNCTION      QUEUED RUNNING WORKERS  CHANGE ADDED/S  DONE/S  FAIL/S  OLDEST",
            "a\\u{1b}[2J         7       0       0    +3.5       -       -       -   1 min",
            "resize             2       2       1       0     1.0    12.0       0       -",
            "mail               0       0       1       -       -       -       -       -",
            "",
            "WORKER    ID    STATE   RUNS",
            "10.0.0.1  shop  busy    resize H:7 for 3 s",
        ];
        assert_eq!(texts(&lines), expected);
    }

    #[test]
    fn a_screen_has_its_size_whatever_there_is_to_show() {
        let mut sample = sample();
        let one = sample.functions[0].clone();
        sample.functions.extend((0..500).map(|at| Function { name: format!("f{at}"), ..one.clone() }));
        for list in [List::Functions, List::Workers, List::Alarms] {
            for rows in [1, 2, 3, 5, 8, 13, 30] {
                for columns in [1, 2, 19, 20, 21, 60, 200] {
                    let lines = screen(&sample, &mut view(list), Some("gone"), (columns, rows));
                    assert_eq!(lines.len(), rows);
                    assert!(lines.iter().all(|line| line.text.chars().count() <= columns), "{lines:?}");
                }
            }
        }
    }

    #[test]
    fn scrolling_ends_with_the_list() {
        let sample = sample();
        let mut far = View { scroll: 1000, ..view(List::Functions) };
        let lines = screen(&sample, &mut far, None, (80, 9));
        assert_eq!(far.scroll, 1, "three functions, room for two");
        assert!(lines[6].text.starts_with("resize ") && lines[7].text.starts_with("mail "), "{lines:?}");
    }

    #[test]
    fn a_lost_server_is_said_above_what_it_said_last() {
        let lines = screen(&sample(), &mut view(List::Functions), Some("no route\x07"), (60, 20));
        let lost = lines.iter().find(|line| line.look == Look::Alarm).unwrap();
        assert_eq!(lost.text, "LOST  no route\\u{7}; trying again");
        assert!(lines.iter().any(|line| line.text.starts_with("mail")));
    }

    #[test]
    fn long_names_give_way_to_numbers() {
        let mut sample = sample();
        sample.functions[1].name = "ä".repeat(200);
        let lines = screen(&sample, &mut view(List::Functions), None, (80, 20));
        let row = lines.iter().find(|line| line.text.starts_with("ää")).unwrap();
        assert!(
            row.text.contains("ä… ") && row.text.trim_end().ends_with(" 12.0       0       -"),
            "{}",
            row.text
        );
    }
}
