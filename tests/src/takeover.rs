//! Queues that Debian's gearmand writes, and what is to become of them.

use anyhow::{Context, Result, ensure};
use lineshaft::store::{self, Batch, Change, Each, Store, StoreError, StoreErrorKind};
use lineshaft::types::Priority;
use rustix::process::Signal;

use crate::server::{Maker, Server};
use crate::servers::SqlServer;
use crate::stores::Job;
use crate::wire::kind;

/// What plug-ins differ in.
#[derive(Clone, Copy, Debug)]
pub struct Abilities {
    /// It stores jobs with a time, and gives them back with it.
    pub times: bool,
    /// It takes names that are not UTF-8.
    pub bytes: bool,
    /// It takes blanks in names.
    pub blanks: bool,
}

/// Function, unique, priority, time, workload.
type Row<'a> = (&'a [u8], &'a [u8], Priority, u64, &'a [u8]);

/// Jobs of all kinds; no two of them have the same function and unique. Their numbers say nothing.
pub fn jobs(abilities: Abilities) -> Vec<Job> {
    let all: Vec<u8> = (0..=255).collect();
    let long = vec![b'l'; 63];
    let large = vec![b'x'; 200_000];
    let mut list: Vec<Row<'_>> = vec![
        (b"resize", b"u1", Priority::High, 0, b"plain"),
        (b"resize", b"u2", Priority::Normal, 0, b"a\0b\0\0c"),
        (b"resize", b"u3", Priority::Low, 0, b""),
        (b"resize", b"a-b-c", Priority::Normal, 0, &all),
        (b"with-dash", b"d-1", Priority::Normal, 0, b"\0"),
        (b"resize", b"it's", Priority::Normal, 0, b"'quotes' \"both\""),
        (b"resize", b"\"double\"", Priority::High, 0, b"\\ % _ ; --"),
        (b"resize", b"U1", Priority::Low, 0, b"as u1, and not"),
        (b"resize", &long, Priority::Normal, 0, b"63"),
        (b"resize", b"large", Priority::Normal, 0, &large),
        (b"unnamed", b"", Priority::Normal, 0, b"no unique"),
        (b"same", b"-", Priority::Low, 0, b"the workload is the unique"),
    ];
    if abilities.times {
        // Far away, and where 31 bits end.
        list.push((b"later", b"e1", Priority::Normal, 2_147_483_647, b"epoch"));
        list.push((b"later", b"e2", Priority::Normal, 1, b""));
    }
    if abilities.bytes {
        list.push((b"f\xff", b"\xc3\xa4 \xfe", Priority::Normal, 0, b"no text"));
    }
    if abilities.blanks {
        list.push((b"two words", b" u ", Priority::High, 0, b"blanks"));
    }
    let job = |(function, unique, priority, due, workload): Row<'_>| Job {
        number: 0,
        function: function.into(),
        unique: unique.into(),
        reducer: None,
        priority,
        due,
        returns: 0,
        schedule: 0,
        cron: None,
        workload: workload.into(),
    };
    list.into_iter().map(job).collect()
}

/// Submits them in the background, one after the other, each durable before the next.
///
/// # Errors
/// When the server refuses one.
pub fn submit(server: &Server, jobs: &[Job]) -> Result<()> {
    let mut peer = server.connect()?;
    for job in jobs {
        let due = job.due.to_string();
        let mut arguments: Vec<&[u8]> = vec![&job.function, &job.unique];
        let command = match (job.due, job.priority) {
            (1.., _) => {
                arguments.push(due.as_bytes());
                kind::SUBMIT_JOB_EPOCH
            }
            (0, Priority::High) => kind::SUBMIT_JOB_HIGH_BG,
            (0, Priority::Normal) => kind::SUBMIT_JOB_BG,
            (0, Priority::Low) => kind::SUBMIT_JOB_LOW_BG,
        };
        arguments.push(&job.workload);
        peer.request(command, &arguments)?;
        peer.expect(kind::JOB_CREATED).with_context(|| format!("submit {job:?}"))?;
    }
    Ok(())
}

/// What a store has, without the numbers, by function and unique.
///
/// # Errors
/// Those of the store, and where numbers are not as they must be: none twice, none above the counter.
pub fn content(store: &mut dyn Store) -> Result<Vec<Job>> {
    let (mut jobs, mut numbers, mut counter) = (Vec::new(), Vec::new(), 0);
    store.replay(&mut |change| {
        match change {
            Change::Add(job) => {
                numbers.push(job.number);
                jobs.push(Job { number: 0, ..Job::from(job) });
            }
            Change::Counter { number } => counter = *number,
            _ => {}
        }
        Ok(())
    })?;
    numbers.sort_unstable();
    ensure!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "a number comes twice: {numbers:?}");
    ensure!(
        numbers.iter().all(|number| (1..=counter).contains(number)),
        "the counter is {counter}: {numbers:?}"
    );
    sort(&mut jobs);
    Ok(jobs)
}

/// Compares what a store has with what it should have.
///
/// # Errors
/// The first difference.
pub fn compare(store: &mut dyn Store, expected: &[Job]) -> Result<()> {
    let (found, mut expected) = (content(store)?, expected.to_vec());
    sort(&mut expected);
    for (found, expected) in found.iter().zip(&expected) {
        ensure!(found == expected, "{expected:?}\nhas become\n{found:?}");
    }
    ensure!(found.len() == expected.len(), "{} jobs, not {}", found.len(), expected.len());
    Ok(())
}

/// By function, unique and workload.
pub fn sort(jobs: &mut [Job]) {
    jobs.sort_by(|a, b| (&a.function, &a.unique, &a.workload).cmp(&(&b.function, &b.unique, &b.workload)));
}

/// A store that is only looked at, by its address.
#[derive(Debug)]
pub struct Look(pub String);

impl Store for Look {
    fn describe(&self) -> String {
        "a look at a store".into()
    }

    fn replay(&mut self, each: Each<'_>) -> Result<(), StoreError> {
        store::read(&self.0, each)
    }

    fn commit(&mut self, _: &Batch) -> Result<(), StoreError> {
        Err(StoreError::new(StoreErrorKind::Settings, "a look changes nothing"))
    }
}

/// Has Debian's gearmand keep `jobs`, then our daemon with the same options hand them out and do them: those that are left, since
/// their time has not come.
///
/// # Errors
/// Where a job is not handed out as it was submitted, or not in the order of priorities.
pub fn served(words: &[&str], jobs: &[Job]) -> Result<Vec<Job>> {
    let mut server = Server::start(Maker::Debian, words)?;
    submit(&server, jobs)?;
    server.stop(Signal::TERM)?;
    let mut server = Server::start(Maker::Ours, words)?;
    let (later, now): (Vec<Job>, Vec<Job>) = jobs.iter().cloned().partition(|job| job.due > 1);
    let done = do_all(&server, &now)?;
    // All of them, the most urgent first.
    let mut urgent = now.clone();
    urgent.sort_by_key(|job| job.priority);
    let priority = |(function, unique, _): &Found| {
        now.iter().find(|job| job.function == *function && job.unique == *unique).map(|job| job.priority)
    };
    ensure!(done.iter().map(priority).eq(urgent.iter().map(|job| Some(job.priority))), "{done:?}");
    let sorted = |mut list: Vec<Found>| {
        list.sort();
        list
    };
    let wanted = now.into_iter().map(|job| (job.function, job.unique, job.workload)).collect();
    ensure!(sorted(done.clone()) == sorted(wanted), "{done:?}");
    server.stop(Signal::TERM)?;
    Ok(later)
}

/// Function, unique and workload.
type Found = (Vec<u8>, Vec<u8>, Vec<u8>);

/// Does what there is to do of the functions of `jobs`: what the worker was handed.
fn do_all(server: &Server, jobs: &[Job]) -> Result<Vec<Found>> {
    let mut worker = server.connect()?;
    for job in jobs {
        worker.request(kind::CAN_DO, &[&job.function])?;
    }
    let mut done = Vec::new();
    loop {
        worker.request(kind::GRAB_JOB_UNIQ, &[])?;
        let packet = worker.packet()?;
        if packet.kind == kind::NO_JOB {
            // Nobody answers WORK_COMPLETE: an echo shows that the last one has arrived.
            worker.sync()?;
            return Ok(done);
        }
        ensure!(packet.kind == kind::JOB_ASSIGN_UNIQ, "a packet of type {}", packet.kind);
        let mut parts = packet.body.splitn(4, |byte| *byte == 0).map(<[u8]>::to_vec);
        let mut part = || parts.next().context("a JOB_ASSIGN_UNIQ of four parts");
        let handle = part()?;
        done.push((part()?, part()?, part()?));
        worker.request(kind::WORK_COMPLETE, &[&handle, b""])?;
    }
}

/// gearmand's table in a database of its own, and how a server is started with it.
#[derive(Clone, Copy)]
pub struct SqlQueue<'a> {
    /// Where the database is.
    pub server: &'a dyn SqlServer,
    /// Its name.
    pub database: &'a str,
    /// gearmand's options.
    pub options: &'a [&'a str],
    /// The option that names another table.
    pub table_option: &'a str,
    /// The table where nobody names one.
    pub table: &'a str,
}

impl SqlQueue<'_> {
    fn start(&self, maker: Maker, more: &[&str]) -> Result<Server> {
        Server::start(maker, &[self.options, more].concat())
    }

    fn rows(&self, of: &str) -> Result<String> {
        let text = self.server.sql(self.database, &format!("SELECT count(*) FROM {of}"))?;
        Ok(text.trim().to_owned())
    }

    /// A look changes nothing, be it the first or a later one.
    fn look(&self, expected: &[Job]) -> Result<()> {
        let tables = "information_schema.tables WHERE table_name LIKE 'lineshaft%'";
        let before = (self.rows(tables)?, self.rows(self.table)?);
        compare(&mut Look(self.server.address(self.database)), expected)?;
        ensure!((self.rows(tables)?, self.rows(self.table)?) == before, "was {before:?}");
        Ok(())
    }

    /// What Debian's gearmand keeps here becomes ours, whenever it comes, and stays.
    ///
    /// # Errors
    /// Where it does not.
    pub fn becomes_ours(&self, mut expected: Vec<Job>) -> Result<()> {
        let ours = || store::open(&self.server.address(self.database));
        let mut server = self.start(Maker::Debian, &[])?;
        submit(&server, &expected)?;
        server.stop(Signal::TERM)?;
        self.look(&expected)?;
        for _ in 0..2 {
            compare(&mut ours()?, &expected)?;
            ensure!(self.rows(self.table)? == "0");
        }
        // It finds its table empty, and what it adds is taken over the next time.
        let mut server = self.start(Maker::Debian, &[])?;
        let later = Job { unique: b"later".to_vec(), ..expected[1].clone() };
        submit(&server, std::slice::from_ref(&later))?;
        server.kill()?;
        expected.push(later);
        self.look(&expected)?;
        // The same options start ours, which has the queue at once.
        let mut server = self.start(Maker::Ours, &[])?;
        let status = server.connect()?.text("status\n")?;
        let totals = status.lines().filter_map(|line| line.split('\t').nth(1)?.parse::<usize>().ok());
        ensure!(expected.len() == totals.sum::<usize>(), "{status}");
        server.stop(Signal::TERM)?;
        compare(&mut ours()?, &expected)?;
        // Another table is another queue.
        let mut server = self.start(Maker::Debian, &[self.table_option, "mine"])?;
        submit(&server, &expected)?;
        server.stop(Signal::TERM)?;
        let mine = format!("{}?table=mine", self.server.address(self.database));
        compare(&mut store::open(&mine)?, &expected)?;
        compare(&mut ours()?, &expected)
    }
}
