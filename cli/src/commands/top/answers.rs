//! Two ways to ask a server how it is: that of ours, and that of gearmand, which tells less.

use std::time::Duration;

use lineshaft::blocking::Admin;
use lineshaft::broker::Alarms;
use lineshaft::client::admin::StoreRow;
use lineshaft::{Error, ErrorKind, Result};

use super::sample::{Alarm, Worker};
use crate::render::visible;

/// What a server has told.
pub(super) struct Told {
    pub(super) functions: Vec<FunctionTold>,
    pub(super) workers: Vec<Worker>,
    /// All connections; ours tells of workers alone.
    pub(super) connections: Option<usize>,
    pub(super) store: Option<StoreRow>,
    pub(super) alarms: Vec<Alarm>,
}

/// What a server has told of a function.
pub(super) struct FunctionTold {
    pub(super) name: Vec<u8>,
    /// Jobs that wait; those of gearmand that are not yet due among them.
    pub(super) queued: u64,
    pub(super) delayed: Option<u64>,
    pub(super) running: u64,
    pub(super) workers: u64,
    pub(super) oldest: Option<Duration>,
    /// Jobs added, done and failed so far.
    pub(super) counts: Option<[u64; 3]>,
}

/// Asks one of ours. `None` where it does not know the question.
pub(super) fn ours(admin: &mut Admin) -> Result<Option<Told>> {
    let functions = match lines(admin, "show functions") {
        Err(error) if error.kind() == ErrorKind::InvalidArgument => return Ok(None),
        functions => functions?,
    };
    let functions = functions.iter().map(|line| read(line, function)).collect::<Result<_>>()?;
    let workers = lines(admin, "show workers")?;
    let workers = workers.iter().map(|line| read(line, worker)).collect::<Result<_>>()?;
    let alarms = lines(admin, "show alarms")?;
    let alarms = alarms.iter().map(|line| read(line, alarm)).collect::<Result<_>>()?;
    Ok(Some(Told { functions, workers, connections: None, store: Some(admin.store()?), alarms }))
}

fn lines(admin: &mut Admin, question: &str) -> Result<Vec<String>> {
    let lines = admin.command(question)?;
    Ok(lines.iter().map(|line| String::from_utf8_lossy(line).into_owned()).collect())
}

fn read<T>(line: &str, row: impl FnOnce(&[&str]) -> Option<T>) -> Result<T> {
    let columns: Vec<&str> = line.split('\t').collect();
    row(&columns).ok_or_else(|| {
        let detail = format!("the server has answered a line that makes no sense: {}", line.escape_debug());
        Error::new(ErrorKind::InvalidPacket, "top", detail)
    })
}

fn function(columns: &[&str]) -> Option<FunctionTold> {
    // Newer servers may tell more behind these.
    let [name, high, normal, low, delayed, running, workers, oldest, added, done, failed, ..] = columns
    else {
        return None;
    };
    let number = |text: &str| text.parse::<u64>().ok();
    Some(FunctionTold {
        name: name.as_bytes().to_vec(),
        queued: number(high)?.checked_add(number(normal)?)?.checked_add(number(low)?)?,
        delayed: Some(number(delayed)?),
        running: number(running)?,
        workers: number(workers)?,
        oldest: match *oldest {
            "-" => None,
            millis => Some(Duration::from_millis(number(millis)?)),
        },
        counts: Some([number(added)?, number(done)?, number(failed)?]),
    })
}

fn worker(columns: &[&str]) -> Option<Worker> {
    let [address, id, state, functions, job, function, millis, ..] = columns else { return None };
    let runs = match *job {
        "-" => None,
        job => Some((visible(job), visible(function), Duration::from_millis(millis.parse().ok()?))),
    };
    Some(Worker {
        address: visible(address),
        id: visible(id),
        state: Some(visible(state)),
        runs,
        functions: Vec::new(),
        all_functions: functions.parse().ok()?,
    })
}

fn alarm(columns: &[&str]) -> Option<Alarm> {
    let [kind, function, text, ..] = columns else { return None };
    let function = if *function == "-" { None } else { Some(visible(function)) };
    Some(Alarm { kind: visible(kind), function, text: visible(text) })
}

/// Asks any server.
pub(super) fn any(admin: &mut Admin) -> Result<Told> {
    let mut alarms = Alarms::default();
    let mut functions = Vec::new();
    for row in admin.status()? {
        let queued = row.total.saturating_sub(row.running);
        alarms.function(&row.function, queued, row.workers, None);
        functions.push(FunctionTold {
            name: row.function.to_vec(),
            queued,
            delayed: None,
            running: row.running,
            workers: row.workers,
            oldest: None,
            counts: None,
        });
    }
    let connections = admin.workers()?;
    let text = |bytes: &[u8]| visible(&String::from_utf8_lossy(bytes));
    let workers = connections.iter().filter(|row| !row.functions.is_empty()).map(|row| Worker {
        address: visible(&row.address),
        id: visible(&row.client_id),
        state: None,
        runs: None,
        functions: row.functions.iter().map(|name| text(name)).collect(),
        all_functions: row.functions.len() as u64,
    });
    let (alarms, more) = alarms.list();
    let mut alarms: Vec<Alarm> = alarms
        .iter()
        .map(|alarm| Alarm {
            kind: alarm.kind().into(),
            function: alarm.function().map(text),
            text: visible(&alarm.to_string()),
        })
        .collect();
    if more > 0 {
        alarms.push(Alarm { kind: "more".into(), function: None, text: format!("and {more} more") });
    }
    Ok(Told {
        functions,
        workers: workers.collect(),
        connections: Some(connections.len()),
        store: None,
        alarms,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_ours_are_read_and_nonsense_is_refused() {
        let told = read("f\t1\t2\t3\t4\t5\t6\t7000\t8\t9\t10\tnewer", function).unwrap();
        assert_eq!((told.queued, told.delayed, told.running, told.workers), (6, Some(4), 5, 6));
        assert_eq!((told.oldest, told.counts), (Some(Duration::from_secs(7)), Some([8, 9, 10])));
        assert_eq!(read("f\t1\t2\t3\t4\t5\t6\t-\t8\t9\t10", function).unwrap().oldest, None);
        let busy = read("10.0.0.1\tb\tbusy\t2\tH:1\tf\t3000", worker).unwrap();
        assert_eq!(busy.runs, Some(("H:1".into(), "f".into(), Duration::from_secs(3))));
        assert_eq!(read("10.0.0.1\t-\tasleep\t2\t-\t-\t-", worker).unwrap().runs, None);
        assert_eq!(read("store\t-\tit fails", alarm).unwrap().function, None);
        for line in ["", "f\t1", "f\t1\t2\t3\t4\t5\t6\tx\t8\t9\t10", "f\t-1\t2\t3\t4\t5\t6\t-\t8\t9\t10"] {
            assert!(read(line, function).is_err(), "{line}");
        }
        assert!(read("10.0.0.1\tb\tbusy\tx\t-\t-\t-", worker).is_err());
        assert!(read("store", alarm).is_err());
    }
}
