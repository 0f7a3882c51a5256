//! A broker as simple as can be, written from protocol.md: vectors, and a walk through all of them for every question. It says
//! exactly what each peer is to be sent, but for waking, where it says what is allowed.

use std::collections::{BTreeMap, BTreeSet};

use lineshaft::broker::{Compat, Stats};

pub(crate) const FUNCTIONS: [&str; 3] = ["f", "g", "h"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Queued,
    Running { worker: usize, since: u64, deadline: Option<u64> },
}

#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) number: u64,
    pub(crate) function: usize,
    unique: &'static str,
    workload: &'static str,
    priority: usize,
    background: bool,
    /// In seconds of the wall clock.
    due: u64,
    listeners: Vec<usize>,
    returns: u32,
    /// Its place among the jobs of its function and priority.
    line: u64,
    pub(crate) state: State,
    progress: (u32, u32),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Sleep {
    #[default]
    Awake,
    Asleep,
    Told,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Peer {
    /// Function, limit in milliseconds, how often registered; the one to be served first in front.
    abilities: Vec<(usize, u64, u32)>,
    pub(crate) sleep: Sleep,
    pub(crate) all_yours: bool,
    exceptions: bool,
    grab: &'static str,
    excepted: u64,
    /// It has registered for a waiting job in its sleep, which nobody tells it of.
    excused: bool,
}

pub(crate) struct Model {
    pub(crate) compat: Compat,
    pub(crate) round_robin: bool,
    pub(crate) retries: Option<u32>,
    pub(crate) jobs: Vec<Job>,
    pub(crate) peers: Vec<Peer>,
    /// Milliseconds.
    pub(crate) now: u64,
    /// Seconds of the wall clock when `now` was 0.
    pub(crate) epoch: u64,
    known: BTreeSet<usize>,
    pub(crate) last: u64,
    lines: u64,
    starts: u64,
    pub(crate) stats: Stats,
    /// What must be sent, by peer.
    pub(crate) expected: BTreeMap<usize, Vec<String>>,
}

pub(crate) struct Submission {
    pub(crate) function: usize,
    pub(crate) unique: &'static str,
    pub(crate) workload: &'static str,
    pub(crate) priority: usize,
    pub(crate) background: bool,
    pub(crate) due: u64,
}

const NOT_FOUND: &str = "ERROR JOB_NOT_FOUND ";

impl Model {
    pub(crate) fn new(
        compat: Compat,
        round_robin: bool,
        retries: Option<u32>,
        epoch: u64,
        peers: usize,
    ) -> Self {
        Self {
            compat,
            round_robin,
            retries,
            jobs: Vec::new(),
            peers: vec![Peer { grab: "GRAB_JOB", ..Peer::default() }; peers],
            now: 0,
            epoch,
            known: BTreeSet::new(),
            last: 0,
            lines: 0,
            starts: 0,
            stats: Stats::default(),
            expected: BTreeMap::new(),
        }
    }

    fn expect(&mut self, peer: usize, words: String) {
        self.expected.entry(peer).or_default().push(words);
    }

    fn wall(&self) -> u64 {
        self.epoch + self.now / 1000
    }

    fn next_line(&mut self) -> u64 {
        self.lines += 1;
        self.lines
    }

    fn at(&self, number: u64) -> Option<usize> {
        self.jobs.iter().position(|job| job.number == number)
    }

    fn runnable(&self, job: &Job) -> bool {
        job.state == State::Queued && job.due <= self.wall()
    }

    /// Whether the worker could run anything now.
    pub(crate) fn has_work(&self, peer: usize) -> bool {
        self.jobs.iter().any(|job| {
            self.runnable(job) && self.peers[peer].abilities.iter().any(|ability| ability.0 == job.function)
        })
    }

    /// 3.3: "empty: nothing; `-`: byte-equal payload and not empty; other: the same unique".
    pub(crate) fn submit(&mut self, peer: usize, new: &Submission) {
        self.known.insert(new.function);
        let same = self.jobs.iter_mut().find(|job| {
            job.function == new.function
                && job.unique == new.unique
                && match new.unique {
                    "" => false,
                    "-" => job.workload == new.workload && !new.workload.is_empty(),
                    _ => true,
                }
        });
        if let Some(job) = same {
            job.background |= new.background;
            if !new.background {
                job.listeners.push(peer);
            }
            let created = format!("JOB_CREATED T:{}", job.number);
            self.stats.coalesced += 1;
            return self.expect(peer, created);
        }
        self.last += 1;
        let line = self.next_line();
        let Submission { function, unique, workload, priority, background, due } = *new;
        self.jobs.push(Job {
            number: self.last,
            function,
            unique,
            workload,
            priority,
            background,
            due,
            listeners: if background { vec![] } else { vec![peer] },
            returns: 0,
            line,
            state: State::Queued,
            progress: (0, 0),
        });
        self.stats.submitted += 1;
        self.expect(peer, format!("JOB_CREATED T:{}", self.last));
    }

    pub(crate) fn can_do(&mut self, peer: usize, function: usize, limit: u64) {
        self.known.insert(function);
        let ready = self.jobs.iter().any(|job| self.runnable(job) && job.function == function);
        let worker = &mut self.peers[peer];
        let count =
            worker.abilities.iter().find(|ability| ability.0 == function).map_or(0, |ability| ability.2);
        worker.abilities.retain(|ability| ability.0 != function);
        worker.abilities.insert(0, (function, limit, count + 1));
        worker.excused |= worker.sleep == Sleep::Asleep && ready;
    }

    pub(crate) fn cant_do(&mut self, peer: usize, function: usize) {
        let before = self.peers[peer].abilities.len();
        self.peers[peer].abilities.retain(|ability| ability.0 != function);
        if self.peers[peer].abilities.len() < before {
            self.give_back_held(peer, |job| job.function == function);
        }
    }

    pub(crate) fn reset(&mut self, peer: usize) {
        self.peers[peer].abilities.clear();
        self.give_back_held(peer, |_| true);
    }

    pub(crate) fn close(&mut self, peer: usize) {
        self.peers[peer] = Peer { grab: "GRAB_JOB", ..Peer::default() };
        for job in &mut self.jobs {
            job.listeners.retain(|listener| *listener != peer);
        }
        let before = self.jobs.len();
        self.jobs.retain(|job| job.background || !job.listeners.is_empty() || job.state != State::Queued);
        self.stats.abandoned += (before - self.jobs.len()) as u64;
        self.give_back_held(peer, |_| true);
        self.expected.remove(&peer);
    }

    /// "When a worker with several jobs disappears, they are given back newest first."
    fn give_back_held(&mut self, peer: usize, which: impl Fn(&Job) -> bool) {
        let mut held: Vec<(u64, u64)> = Vec::new();
        for job in &self.jobs {
            match job.state {
                State::Running { worker, since, .. } if worker == peer && which(job) => {
                    held.push((since, job.number))
                }
                _ => {}
            }
        }
        held.sort_unstable();
        for (_, number) in held.into_iter().rev() {
            let line = self.next_line();
            self.give_back(number, line);
        }
    }

    fn give_back(&mut self, number: u64, line: u64) {
        let at = self.at(number).expect("a running job");
        self.stats.given_back += 1;
        let job = &mut self.jobs[at];
        job.returns += 1;
        if !job.background && job.listeners.is_empty() {
            self.stats.abandoned += 1;
            self.jobs.remove(at);
        } else if self.retries.is_some_and(|allowed| job.returns >= allowed) {
            self.stats.dropped += 1;
            self.fail(at);
        } else {
            job.state = State::Queued;
            job.progress = (0, 0);
            job.line = line;
        }
    }

    fn fail(&mut self, at: usize) {
        let job = self.jobs.remove(at);
        for listener in job.listeners {
            self.expect(listener, format!("WORK_FAIL T:{}", job.number));
        }
    }

    pub(crate) fn cancel(&mut self, number: u64) -> &'static str {
        let Some(at) = self.at(number) else { return r#""ERR UNKNOWN_JOB\r\n""# };
        self.stats.cancelled += 1;
        self.fail(at);
        r#""OK\r\n""#
    }

    /// The function and priority that the worker is to be served from: 3.4.
    fn choose(&self, peer: usize) -> Option<(usize, usize)> {
        let has = |function, priority| {
            let mut jobs = self.jobs.iter();
            jobs.any(|job| self.runnable(job) && (job.function, job.priority) == (function, priority))
        };
        let functions = || self.peers[peer].abilities.iter().map(|ability| ability.0);
        let all = |priority| functions().map(move |function| (function, priority));
        let mut order: Vec<(usize, usize)> = match self.compat {
            Compat::V2_0 => (0..3).flat_map(all).collect(),
            Compat::V1_1 => functions().flat_map(|function| (0..3).map(move |p| (function, p))).collect(),
        };
        order.retain(|(function, priority)| has(*function, *priority));
        order.first().copied()
    }

    /// Hands the job to the worker; its answer in words.
    fn start(&mut self, at: usize, peer: usize) -> String {
        self.starts += 1;
        let since = self.starts;
        let worker = &mut self.peers[peer];
        let job = &mut self.jobs[at];
        let place =
            worker.abilities.iter().position(|ability| ability.0 == job.function).expect("its function");
        let limit = worker.abilities[place].1;
        let deadline = (limit > 0).then(|| self.now + limit.max(1000));
        job.state = State::Running { worker: peer, since, deadline };
        if self.compat == Compat::V2_0 || self.round_robin {
            let ability = worker.abilities.remove(place);
            worker.abilities.push(ability);
        }
        worker.sleep = Sleep::Awake;
        worker.excused = false;
        self.stats.assigned += 1;
        let (command, unique) = match worker.grab {
            "GRAB_JOB" => ("JOB_ASSIGN", String::new()),
            _ if job.unique.is_empty() => ("JOB_ASSIGN_UNIQ", " ''".into()),
            _ => ("JOB_ASSIGN_UNIQ", format!(" {}", job.unique)),
        };
        let words =
            format!("{command} T:{} {}{unique} {}", job.number, FUNCTIONS[job.function], job.workload);
        words.trim_end().to_owned()
    }

    /// The job that is first of its function and priority.
    fn head(&self, function: usize, priority: usize) -> usize {
        let line = |at: &usize| self.jobs[*at].line;
        let of = |at: &usize| {
            let job = &self.jobs[*at];
            self.runnable(job) && (job.function, job.priority) == (function, priority)
        };
        (0..self.jobs.len()).filter(of).min_by_key(line).expect("somebody stands there")
    }

    fn serve(&mut self, peer: usize) -> Option<String> {
        let (function, priority) = self.choose(peer)?;
        let at = self.head(function, priority);
        Some(self.start(at, peer))
    }

    pub(crate) fn grab(&mut self, peer: usize, kind: &'static str) {
        self.peers[peer].grab = kind;
        self.peers[peer].sleep = Sleep::Awake;
        self.peers[peer].excused = false;
        let words = self.serve(peer).unwrap_or_else(|| "NO_JOB".into());
        self.expect(peer, words);
    }

    /// "If a runnable job exists for any registered function: NOOP at once. Otherwise no reply; it is marked sleeping."
    pub(crate) fn pre_sleep(&mut self, peer: usize) {
        self.peers[peer].excused = false;
        if !self.has_work(peer) {
            self.peers[peer].sleep = Sleep::Asleep;
        } else if self.peers[peer].all_yours {
            let words = self.serve(peer).expect("it has work");
            self.expect(peer, words);
        } else {
            self.peers[peer].sleep = Sleep::Told;
            self.expect(peer, "NOOP".into());
        }
    }

    pub(crate) fn exceptions(&mut self, peer: usize) {
        self.peers[peer].exceptions = true;
        self.expect(peer, "OPTION_RES exceptions".into());
    }

    pub(crate) fn work(&mut self, peer: usize, number: u64, report: &'static str) {
        let held = |job: &Job| matches!(job.state, State::Running { worker, .. } if worker == peer);
        let Some(at) = self.at(number).filter(|at| held(&self.jobs[*at])) else {
            if report == "WORK_FAIL" && self.peers[peer].excepted == number {
                self.peers[peer].excepted = 0;
                return;
            }
            let text = match report {
                "WORK_DATA" | "WORK_WARNING" => "Job does not exist on server",
                "WORK_EXCEPTION" => "An exception was received for a job that does not exist",
                _ => "Job given in work result not found",
            };
            self.stats.late_results += 1;
            return self.expect(peer, format!("{NOT_FOUND}{text}"));
        };
        let words = packet_of(report, number);
        for listener in self.jobs[at].listeners.clone() {
            let plain = report == "WORK_EXCEPTION" && !self.peers[listener].exceptions;
            let told = if plain { packet_of("WORK_FAIL", number) } else { words.clone() };
            self.expect(listener, told);
        }
        match report {
            "WORK_STATUS" => self.jobs[at].progress = (number as u32, 10),
            "WORK_COMPLETE" => self.stats.completed += 1,
            "WORK_FAIL" => self.stats.failed += 1,
            "WORK_EXCEPTION" => {
                self.stats.excepted += 1;
                self.peers[peer].excepted = number;
            }
            _ => {}
        }
        if matches!(report, "WORK_COMPLETE" | "WORK_FAIL" | "WORK_EXCEPTION") {
            self.jobs.remove(at);
        }
    }

    fn report(&self, at: Option<usize>) -> String {
        let Some(at) = at else { return "0 0 0 0".into() };
        let job = &self.jobs[at];
        let running = u8::from(job.state != State::Queued);
        format!("1 {running} {} {}", job.progress.0, job.progress.1)
    }

    pub(crate) fn get_status(&mut self, peer: usize, number: u64) {
        let report = self.report(self.at(number));
        self.expect(peer, format!("STATUS_RES T:{number} {report}"));
    }

    /// "Searches all functions; with several matches the one created last is reported."
    pub(crate) fn get_status_unique(&mut self, peer: usize, unique: &'static str) {
        let found = (0..self.jobs.len())
            .filter(|at| self.jobs[*at].unique == unique && unique != "-")
            .max_by_key(|at| self.jobs[*at].number);
        let clients = found.map_or(0, |at| self.jobs[at].listeners.len());
        let report = self.report(found);
        self.expect(peer, format!("STATUS_RES_UNIQUE {unique} {report} {clients}"));
    }

    /// Running jobs whose time is up go back. Which of those that end at one moment comes first, nobody says.
    pub(crate) fn tick(&mut self) {
        while let Some(first) = self.first_deadline().filter(|first| *first <= self.now) {
            let line = self.next_line();
            let over =
                |job: &&Job| matches!(job.state, State::Running { deadline: Some(at), .. } if at == first);
            let numbers: Vec<u64> = self.jobs.iter().filter(over).map(|job| job.number).collect();
            for number in numbers {
                self.stats.timed_out += 1;
                self.give_back(number, line);
            }
        }
    }

    pub(crate) fn first_deadline(&self) -> Option<u64> {
        let deadline = |job: &Job| match job.state {
            State::Running { deadline, .. } => deadline,
            State::Queued => None,
        };
        self.jobs.iter().filter_map(deadline).min()
    }

    /// A NOOP that nobody has to be sent: may it be?
    pub(crate) fn woken(&mut self, peer: usize) {
        assert_eq!(self.peers[peer].sleep, Sleep::Asleep, "only who sleeps is woken, and only once");
        assert!(!self.peers[peer].all_yours, "jobs are pushed to it");
        assert!(self.has_work(peer), "there is something to wake up for");
        self.peers[peer].sleep = Sleep::Told;
        self.peers[peer].excused = false;
        self.stats.noops += 1;
    }

    /// A job that nobody grabbed. With `exactly` nothing else has happened since, so that the choice can be foretold.
    pub(crate) fn pushed(&mut self, peer: usize, words: &str, exactly: bool) {
        assert!(self.peers[peer].all_yours && self.peers[peer].sleep == Sleep::Asleep, "{words}");
        let handle = words.split(' ').nth(1).and_then(|handle| handle.strip_prefix("T:"));
        let number: u64 = handle.and_then(|number| number.parse().ok()).expect("a handle");
        let at = self.at(number).expect("a job that lives");
        let (function, priority) = (self.jobs[at].function, self.jobs[at].priority);
        assert!(self.runnable(&self.jobs[at]), "{words} is not to be had");
        if exactly {
            assert_eq!(self.choose(peer), Some((function, priority)), "{words} is not what comes next");
        }
        let first = self.head(function, priority);
        assert_eq!(self.jobs[at].line, self.jobs[first].line, "{words} is not first in line");
        assert_eq!(self.start(at, peer), words);
    }

    /// Workers that sleep on work nobody has told them of.
    pub(crate) fn forgotten(&self) -> Vec<usize> {
        let forgotten = |peer: &usize| {
            self.peers[*peer].sleep == Sleep::Asleep && !self.peers[*peer].excused && self.has_work(*peer)
        };
        (0..self.peers.len()).filter(forgotten).collect()
    }

    /// The lines of `status`, sorted.
    pub(crate) fn status(&self) -> Vec<String> {
        let line = |function: &usize| {
            let of: Vec<&Job> = self.jobs.iter().filter(|job| job.function == *function).collect();
            let running = of.iter().filter(|job| job.state != State::Queued).count();
            let abilities = self.peers.iter().flat_map(|peer| &peer.abilities);
            let workers: u32 =
                abilities.filter(|ability| ability.0 == *function).map(|ability| ability.2).sum();
            format!("{}\\t{}\\t{running}\\t{workers}", FUNCTIONS[*function], of.len())
        };
        self.known.iter().map(line).collect()
    }

    /// The lines of `show jobs`, sorted.
    pub(crate) fn show_jobs(&self) -> Vec<String> {
        let line =
            |job: &Job| format!("T:{}\\t{}\\t0\\t{}", job.number, job.returns, u8::from(job.background));
        let mut lines: Vec<String> = self.jobs.iter().map(line).collect();
        lines.sort();
        lines
    }
}

/// The packet in which a worker of the model reports.
pub(crate) fn packet_of(report: &str, number: u64) -> String {
    match report {
        "WORK_FAIL" => format!("WORK_FAIL T:{number}"),
        "WORK_STATUS" => format!("WORK_STATUS T:{number} {number} 10"),
        _ => format!("{report} T:{number} {number}-data"),
    }
}
