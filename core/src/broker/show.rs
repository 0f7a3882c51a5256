//! What `lineshaft top` asks for: `show functions`, `show workers` and `show alarms`. Lists of lines with TABs between their columns;
//! what is not known is `-`.

use std::time::Duration;

use super::admin::{name, push};
use super::report::{Activity, JobState};
use super::{Alarm, Alarms, Broker};
use crate::protocol::decimal;
use crate::queue::Tick;

impl Broker {
    /// Name; ready jobs of high, normal and low priority; jobs not yet due; running jobs; workers; milliseconds for which the oldest job
    /// has been ready; jobs added, done and failed so far.
    pub(super) fn show_functions(&self, to: &mut Vec<u8>) {
        self.functions(0, usize::MAX, self.now, &mut |one| {
            name(to, &one.name);
            let [high, normal, low] = one.queued;
            for number in [high, normal, low, one.delayed, one.running, one.workers] {
                column(to, number);
            }
            optional(to, one.oldest.map(millis));
            for number in [one.counters.added, one.counters.done, one.counters.all_failed()] {
                column(to, number);
            }
            to.push(b'\n');
        });
        to.extend_from_slice(b".\n");
    }

    /// Address; identifier; `awake`, `asleep`, `woken` or `busy`; how many functions it can do; the newest of the jobs it has, that
    /// job's function, and for how many milliseconds it has run. Connections that can do nothing are left out.
    pub(super) fn show_workers(&self, to: &mut Vec<u8>) {
        self.connections(0, usize::MAX, 1, true, self.now, &mut |one| {
            name(to, one.peer.as_bytes());
            to.push(b'\t');
            name(to, one.identifier.as_deref().unwrap_or(b"-"));
            let state: &[u8] = match (one.running.first(), one.activity) {
                (_, Activity::Woken) => b"woken",
                (Some(_), _) => b"busy",
                (None, Activity::Asleep) => b"asleep",
                (None, Activity::Awake) => b"awake",
            };
            push(to, &[b"\t", state]);
            column(to, one.all_abilities);
            match one.running.first().map(|job| (job, job.state)) {
                Some((job, JobState::Running { since, .. })) => {
                    push(to, &[b"\t", job.handle.as_bytes(), b"\t"]);
                    name(to, &job.function);
                    column(to, millis(since));
                }
                _ => to.extend_from_slice(b"\t-\t-\t-"),
            }
            to.push(b'\n');
        });
        to.extend_from_slice(b".\n");
    }

    /// A word for the kind; the function; a sentence. A last line `more` says how many more there are.
    pub(super) fn show_alarms(&self, to: &mut Vec<u8>) {
        let (alarms, more) = self.alarms();
        for alarm in &alarms {
            push(to, &[alarm.kind().as_bytes(), b"\t"]);
            name(to, alarm.function().unwrap_or(b"-"));
            to.push(b'\t');
            name(to, alarm.to_string().as_bytes());
            to.push(b'\n');
        }
        if more > 0 {
            let line = format!("more\t-\tand {more} more\n");
            to.extend_from_slice(line.as_bytes());
        }
        to.extend_from_slice(b".\n");
    }

    /// What somebody should look at, as of the last input; and how much more there is.
    fn alarms(&self) -> (Vec<Alarm>, usize) {
        let mut alarms = Alarms::new(self.config.alarms);
        let (store, failing) = self.storing.report();
        alarms.store(store, failing);
        for (place, function) in self.queue.functions.iter() {
            let ready = function.counts.iter().sum::<u32>() - function.waiting;
            if ready > 0 {
                let oldest = self.queue.ready_longest(place, Tick::of(self.now.mono));
                alarms.function(&function.name, ready.into(), function.workers.into(), oldest);
            }
        }
        let longest = self.config.alarms.wake;
        self.woken(0, usize::MAX, longest, self.now, &mut |peer, id, since| {
            alarms.woken(peer, id, since);
        });
        alarms.list()
    }
}

fn millis(time: Duration) -> u64 {
    time.as_millis().try_into().unwrap_or(u64::MAX)
}

fn column(to: &mut Vec<u8>, number: impl Into<u64>) {
    push(to, &[b"\t", decimal(&mut [0; 20], number.into())]);
}

fn optional(to: &mut Vec<u8>, number: Option<u64>) {
    match number {
        Some(number) => column(to, number),
        None => to.extend_from_slice(b"\t-"),
    }
}
