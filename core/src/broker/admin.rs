//! The admin text protocol. Lists, `version`, `verbose` and `getpid` end lines with LF; `OK` and `ERR` lines with CR LF.

use std::str::FromStr;

use super::{Broker, Event, Explanation, Outbox};
use crate::protocol::{Response, decimal, leading_number};
use crate::types::{ConnId, UnknownName};

const OK: &[u8] = b"OK\r\n";

impl Broker {
    /// Answers a text line.
    pub(super) fn admin(&mut self, conn: ConnId, line: &[u8], out: &mut dyn Outbox) {
        // gearmand says nothing before it closes, and what its users run knows that.
        let Some(words) = words(line, self.limits.max_words) else { return out.close(conn) };
        let mut answer = Vec::new();
        self.answer(conn, &words, &mut answer, out);
        if ["cancel", "drop"].iter().any(|ends| words[0].eq_ignore_ascii_case(ends.as_bytes())) {
            // What has been said to be gone does not come back after a crash.
            out.confirm(conn, &Response::Text(&answer));
        } else {
            out.send(conn, &Response::Text(&answer));
        }
    }

    fn answer(&mut self, conn: ConnId, words: &[&[u8]], to: &mut Vec<u8>, out: &mut dyn Outbox) {
        let command = words[0].to_ascii_lowercase();
        let second = words.get(1).map(|word| word.to_ascii_lowercase()).unwrap_or_default();
        let concerns = match (&command[..], &second[..], words.len()) {
            (b"version", _, _) => None,
            (b"cancel", b"job", 3) => match self.function_of(words[2]) {
                // It may have ended just now: who administers anything is told so.
                None if self.administers(conn) => None,
                function => Some(function),
            },
            (b"create" | b"drop", b"function", 3) => Some(Some(words[2])),
            (b"maxqueue", _, 2..) => Some(Some(words[1])),
            _ => Some(None),
        };
        if let Some(function) = concerns
            && !self.permit_admin(conn, function, to, out)
        {
            return;
        }
        match (&command[..], &second[..], words.len()) {
            (b"version", _, _) => line(to, &[b"OK ", self.config.version.as_bytes()]),
            (b"verbose", _, 1) => line(to, &[b"OK ", self.config.log_levels.general().name().as_bytes()]),
            (b"verbose", _, _) => self.verbose(&words[1..], to, out),
            (b"getpid", _, _) => line(to, &[b"OK ", self.config.pid.to_string().as_bytes()]),
            (b"status", _, _) => self.status(to),
            (b"prioritystatus", _, _) => self.priority_status(to),
            (b"workers", _, _) => self.workers(to),
            (b"show", b"jobs", 2) => self.show_jobs(to),
            (b"show", b"schedules", 2) => self.show_schedules(to),
            (b"show", b"store", 2) => self.show_store(to),
            (b"show", b"functions", 2) => self.show_functions(to),
            (b"show", b"workers", 2) => self.show_workers(to),
            (b"show", b"alarms", 2) => self.show_alarms(to),
            (b"explain", _, 1) => self.explain_all_to(to),
            (b"explain", _, 2) => self.explain_to(words[1], to),
            (b"explain", _, _) => to.extend_from_slice(
                b"ERR INVALID_ARGUMENTS explain+takes+one+handle,+one+function+or+nothing\r\n",
            ),
            (b"show", b"unique", 3) if words[2].eq_ignore_ascii_case(b"jobs") => self.show_unique_jobs(to),
            (b"show", _, 2..) => to.extend_from_slice(b"ERR UNKNOWN_SHOW_ARGUMENTS\r\n"),
            (b"cancel", b"job", 3) => self.cancel_job(words[2], to, out),
            (b"cancel", _, 3..) => to.extend_from_slice(b"ERR UNKNOWN_ERROR\r\n"),
            (b"create", b"function", 3) => self.create_function(words[2], to),
            (b"drop", b"function", 3) => self.drop_function(conn, words[2], to, out),
            (b"maxqueue", _, 2..) => self.max_queue(&words[1..], to),
            (b"create" | b"drop" | b"maxqueue", _, _) => {
                let text: &[u8] =
                    b"ERR INVALID_ARGUMENTS An+incomplete+set+of+arguments+was+sent+to+this+command+";
                push(to, &[text, words[0], b"\r\n"]);
            }
            _ => push(to, &[b"ERR UNKNOWN_COMMAND Unknown+server+command", words[0], b"\r\n"]),
        }
    }

    fn status(&self, to: &mut Vec<u8>) {
        to.reserve(self.queue.functions.len() * 32);
        for (_, function) in self.queue.functions.iter() {
            name(to, &function.name);
            numbers(to, &[function.total(), function.running, function.registrations]);
        }
        to.extend_from_slice(b".\n");
    }

    fn priority_status(&self, to: &mut Vec<u8>) {
        to.reserve(self.queue.functions.len() * 32);
        for (_, function) in self.queue.functions.iter() {
            let [high, normal, low] = function.counts;
            name(to, &function.name);
            numbers(to, &[high, normal, low, function.registrations]);
        }
        to.extend_from_slice(b".\n");
    }

    fn workers(&self, to: &mut Vec<u8>) {
        for connection in self.connections.iter() {
            let slot = connection.id.slot;
            push(to, &[decimal(&mut [0; 20], slot.into()), b" ", connection.peer.as_bytes(), b" "]);
            name(to, connection.identifier.as_deref().unwrap_or(b"-"));
            to.extend_from_slice(b" :");
            for registration in self.queue.peers.registrations(slot) {
                for _ in 0..registration.count {
                    to.push(b' ');
                    name(to, &self.queue.functions.get(registration.function).name);
                }
            }
            to.push(b'\n');
        }
        to.extend_from_slice(b".\n");
    }

    /// Whether a list of all jobs may be printed; says so where not.
    fn may_list(&self, to: &mut Vec<u8>) -> bool {
        let (jobs, limit) = (self.queue.len(), self.config.max_listing);
        if jobs > limit {
            let text = format!(
                "ERR QUEUE_TOO_LONG {jobs}+jobs+are+more+than+are+listed+(max_listing+is+{limit})\r\n"
            );
            to.extend_from_slice(text.as_bytes());
        }
        jobs <= limit
    }

    fn show_jobs(&self, to: &mut Vec<u8>) {
        if !self.may_list(to) {
            return;
        }
        for job in self.queue.jobs() {
            to.extend_from_slice(self.handle_of_number(job.number).as_bytes());
            // Cancelled and abandoned jobs are removed at once, so that the third column is always 0.
            numbers(to, &[u32::from(job.returns), 0, u32::from(job.background)]);
        }
        to.extend_from_slice(b".\n");
    }

    fn show_unique_jobs(&self, to: &mut Vec<u8>) {
        if !self.may_list(to) {
            return;
        }
        for job in self.queue.jobs() {
            name(to, job.unique());
            to.push(b'\n');
        }
        to.extend_from_slice(b".\n");
    }

    fn show_schedules(&self, to: &mut Vec<u8>) {
        for (number, schedule) in self.schedules.iter() {
            let handle = self.handle_of_number(number);
            push(to, &[handle.as_bytes(), b"\t"]);
            name(to, &self.queue.functions.get(schedule.function).name);
            to.push(b'\t');
            name(to, &schedule.unique);
            to.push(b'\t');
            for (i, field) in schedule.fields.split(|byte| *byte == 0).enumerate() {
                if i > 0 {
                    to.push(b' ');
                }
                name(to, if field.is_empty() { b"*" } else { field });
            }
            let tail = format!("\t{}\t{}\t{}\n", schedule.next, schedule.fired, schedule.skipped);
            to.extend_from_slice(tail.as_bytes());
        }
        to.extend_from_slice(b".\n");
    }

    /// The store, and `ok` or why it fails.
    fn show_store(&self, to: &mut Vec<u8>) {
        let (store, failing) = self.storing.report();
        name(to, store.as_bytes());
        to.push(b'\t');
        name(to, failing.unwrap_or("ok").as_bytes());
        to.extend_from_slice(b"\n.\n");
    }

    fn explain_to(&self, word: &[u8], to: &mut Vec<u8>) {
        explanation(to, &self.explain(word));
        to.extend_from_slice(b".\n");
    }

    /// Every function that has jobs waiting.
    fn explain_all_to(&self, to: &mut Vec<u8>) {
        for one in self.explain_all() {
            explanation(to, &one);
        }
        to.extend_from_slice(b".\n");
    }

    /// The function of a job or schedule, where there is such.
    fn function_of(&self, handle: &[u8]) -> Option<&[u8]> {
        let number = self.number_of(handle)?;
        let function = match self.queue.find(number) {
            Some(job) => self.queue.job(job).function,
            None => self.schedules.find(number)?.function,
        };
        Some(&self.queue.functions.get(function).name)
    }

    fn cancel_job(&mut self, handle: &[u8], to: &mut Vec<u8>, out: &mut dyn Outbox) {
        let number = self.number_of(handle);
        if let Some(job) = number.and_then(|number| self.queue.find(number)) {
            self.cancel(job, out);
            to.extend_from_slice(OK);
        } else if number.is_some_and(|number| self.end_schedule(number, out)) {
            to.extend_from_slice(OK);
        } else {
            to.extend_from_slice(b"ERR UNKNOWN_JOB\r\n");
        }
    }

    /// `verbose LEVEL` or `verbose LEVEL TARGET`, which gearmand answers as if nothing stood behind the first word.
    fn verbose(&mut self, words: &[&[u8]], to: &mut Vec<u8>, out: &mut dyn Outbox) {
        fn named<T: FromStr<Err = UnknownName>>(word: &[u8]) -> Result<T, String> {
            let word = str::from_utf8(word).unwrap_or_default();
            word.parse().map_err(|names| format!("{} is not {names}", word.escape_debug()))
        }
        let (level, target) = match words {
            [level] => (named(level), Ok(None)),
            [level, target] => (named(level), named(target).map(Some)),
            _ => (Err("verbose is followed by a level and a target".into()), Ok(None)),
        };
        let wrong = match (level, target) {
            (Err(why), _) | (_, Err(why)) => why,
            (Ok(level), Ok(target)) if self.config.log_levels_change => {
                self.config.log_levels.set(level, target);
                out.event(Event::LogLevels(self.config.log_levels));
                return line(to, &[b"OK ", level.name().as_bytes()]);
            }
            (Ok(_), Ok(_)) => {
                "the log belongs to the program around this server: change the level there".into()
            }
        };
        push(to, &[b"ERR INVALID_ARGUMENTS ", wrong.replace(' ', "+").as_bytes(), b"\r\n"]);
    }

    fn create_function(&mut self, function: &[u8], to: &mut Vec<u8>) {
        match self.function(function) {
            Ok(_) => to.extend_from_slice(OK),
            Err((kind, text)) => {
                let text = format!("ERR {kind} {}\r\n", text.replace(' ', "+"));
                to.extend_from_slice(text.as_bytes());
            }
        }
    }

    /// Drops all functions of that name, whatever its case, that the peer has the right to. Jobs that are queued fail; running ones, or
    /// workers that are registered, keep the function.
    fn drop_function(&mut self, conn: ConnId, wanted: &[u8], to: &mut Vec<u8>, out: &mut dyn Outbox) {
        let matches = self.queue.functions.iter().filter(|(_, f)| f.name.eq_ignore_ascii_case(wanted));
        let matches: Vec<u32> = matches.map(|(id, _)| id).collect();
        for id in &matches {
            let function = self.queue.functions.get(*id);
            if !self.permit_admin(conn, Some(&function.name), to, out) {
                continue;
            }
            if function.registrations > 0 || function.running > 0 {
                to.extend_from_slice(b"ERR there are still connected workers or executing clients\r\n");
            } else {
                if function.total() > 0 {
                    for job in self.queue.jobs_of(*id) {
                        self.cancel(job, out);
                    }
                }
                for schedule in self.schedules.of_function(*id) {
                    self.end_schedule(schedule, out);
                }
                self.queue.functions.remove(*id);
                to.extend_from_slice(OK);
            }
        }
        if matches.is_empty() {
            to.extend_from_slice(b"ERR function not found\r\n");
        }
    }

    fn max_queue(&mut self, words: &[&[u8]], to: &mut Vec<u8>) {
        // "Numbers are read as leading digits; negative or no number = 0 = unlimited."
        let number = |word: &&[u8]| leading_number(word).unwrap_or(i64::MAX).clamp(0, u32::MAX.into()) as u32;
        let sizes: Vec<u32> = words[1..].iter().map(number).collect();
        if let Some(id) = self.queue.functions.find(words[0]) {
            self.queue.functions.get_mut(id).max_queue = match sizes[..] {
                [] => [0; 3],
                [all] => [all; 3],
                [high, normal] => [high, normal, 0],
                [high, normal, low, ..] => [high, normal, low],
            };
        }
        to.extend_from_slice(OK);
    }
}

/// The words of a line; `None` where there are more than `max`. "A leading space makes the first word empty; a trailing space makes
/// one more, empty word; a NUL inside a word ends that word."
fn words(line: &[u8], max: usize) -> Option<Vec<&[u8]>> {
    let mut words: Vec<&[u8]> = Vec::new();
    let mut rest = line;
    loop {
        let end = rest.iter().position(|byte| *byte == b' ');
        let word = &rest[..end.unwrap_or(rest.len())];
        if words.len() == max {
            return None;
        }
        words.push(word.split(|byte| *byte == 0).next().unwrap_or_default());
        let Some(end) = end else { return Some(words) };
        rest = &rest[end..];
        let blanks = rest.iter().take_while(|byte| **byte == b' ').count();
        rest = &rest[blanks..];
    }
}

pub(super) fn push(to: &mut Vec<u8>, parts: &[&[u8]]) {
    for part in parts {
        to.extend_from_slice(part);
    }
}

fn line(to: &mut Vec<u8>, parts: &[&[u8]]) {
    push(to, parts);
    to.push(b'\n');
}

/// A name that a peer chose, with what would break the line or the columns written as `\x09`.
pub(super) fn name(to: &mut Vec<u8>, name: &[u8]) {
    if name.iter().all(|byte| *byte >= b' ' && *byte != 0x7f) {
        return to.extend_from_slice(name);
    }
    for byte in name {
        match byte {
            0..b' ' | 0x7f => to.extend_from_slice(format!("\\x{byte:02x}").as_bytes()),
            _ => to.push(*byte),
        }
    }
}

/// Whom it is about, the reason in a word, and the sentences.
fn explanation(to: &mut Vec<u8>, one: &Explanation) {
    name(to, &one.about);
    push(to, &[b"\t", one.reason.code().as_bytes(), b"\t"]);
    name(to, one.to_string().as_bytes());
    to.push(b'\n');
}

/// Columns behind a name, and the end of the line.
fn numbers(to: &mut Vec<u8>, numbers: &[u32]) {
    for number in numbers {
        to.push(b'\t');
        to.extend_from_slice(decimal(&mut [0; 20], (*number).into()));
    }
    to.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn words_are_cut_as_gearmand_cuts_them() {
        let cut = |line: &'static [u8]| {
            words(line, 5).map(|words| words.iter().map(|w| w.to_vec()).collect::<Vec<_>>())
        };
        assert_eq!(cut(b"status"), Some(vec![b"status".to_vec()]));
        assert_eq!(cut(b" status"), Some(vec![b"".to_vec(), b"status".to_vec()]));
        assert_eq!(cut(b"show  jobs "), Some(vec![b"show".to_vec(), b"jobs".to_vec(), b"".to_vec()]));
        assert_eq!(cut(b"a b\0c"), Some(vec![b"a".to_vec(), b"b".to_vec()]));
        assert_eq!(cut(b""), Some(vec![b"".to_vec()]));
        assert_eq!(cut(b"1 2 3 4 5 6"), None);
    }
}
