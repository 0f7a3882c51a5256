//! Schedules: SUBMIT_JOB_SCHED, which gearmand describes and refuses. A schedule makes a background job each time its cron line
//! falls due. It has a handle of its own, is listed by `show schedules` and ended by `cancel job`.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use croner::parser::{CronParser, Seconds};
use croner::{Cron, Weekday};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::{Broker, Event, Outbox};
use crate::error::ErrorKind;
use crate::protocol::{Data, Response, Schedule as Fields, Submit};
use crate::queue::{At, Extra, NewJob, Tick};
use crate::store::{Change, StoredJob};
use crate::types::{ConnId, Priority};

/// A job that repeats.
#[derive(Debug)]
pub(super) struct Schedule {
    pub(super) function: u32,
    pub(super) unique: Box<[u8]>,
    pub(super) workload: Bytes,
    /// The five fields as they were sent, separated by NULs.
    pub(super) fields: Box<[u8]>,
    cron: Cron,
    /// The Unix second of the next firing.
    pub(super) next: u64,
    /// The number of the job of the last firing; 0 when that has ended.
    live: u64,
    pub(super) fired: u64,
    pub(super) skipped: u64,
}

/// Steps of the wall clock back by this many seconds or more set it right; smaller ones are passed over, so that what has
/// fired does not fire again.
const CLOCK_SET_BACK: u64 = 3600;

/// What makes two schedules the same: the function, and the unique or (true) the workload.
type Key = (u32, bool, Bytes);

/// All schedules, by the number in their handle.
#[derive(Debug, Default)]
pub(super) struct Schedules {
    by_number: BTreeMap<u64, Schedule>,
    by_key: BTreeMap<Key, u64>,
    times: BTreeSet<(u64, u64)>,
    bytes: u64,
    /// The latest Unix second at which anybody looked.
    latest: u64,
}

impl Schedules {
    /// The Unix second of the next firing.
    pub(super) fn next(&self) -> Option<u64> {
        self.times.first().map(|(at, _)| *at)
    }

    /// Bytes that the workloads hold.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn find(&self, number: u64) -> Option<&Schedule> {
        self.by_number.get(&number)
    }

    pub(super) fn len(&self) -> usize {
        self.by_number.len()
    }

    /// Those with numbers from `from` on.
    pub(super) fn iter_from(&self, from: u64) -> impl Iterator<Item = (u64, &Schedule)> {
        self.by_number.range(from..).map(|(number, schedule)| (*number, schedule))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &Schedule)> {
        self.by_number.iter().map(|(number, schedule)| (*number, schedule))
    }

    pub(super) fn of_function(&self, function: u32) -> Vec<u64> {
        self.iter().filter(|(_, schedule)| schedule.function == function).map(|(number, _)| number).collect()
    }

    fn insert(&mut self, number: u64, schedule: Schedule) {
        self.bytes += schedule.workload.len() as u64;
        self.times.insert((schedule.next, number));
        if let Some(key) = key(schedule.function, &schedule.unique, &schedule.workload) {
            self.by_key.insert(key, number);
        }
        self.by_number.insert(number, schedule);
    }

    /// Forgets a schedule; false where there is none of that number.
    pub(super) fn remove(&mut self, number: u64) -> bool {
        let Some(schedule) = self.by_number.remove(&number) else { return false };
        self.bytes -= schedule.workload.len() as u64;
        self.times.remove(&(schedule.next, number));
        if let Some(key) = key(schedule.function, &schedule.unique, &schedule.workload) {
            self.by_key.remove(&key);
        }
        true
    }

    /// A job that a schedule made has been taken over from a store.
    pub(super) fn began(&mut self, number: u64, job: u64) {
        if let Some(schedule) = self.by_number.get_mut(&number) {
            schedule.live = job;
        }
    }

    /// A job that a schedule made has ended.
    pub(super) fn ended(&mut self, number: u64, job: u64) {
        if let Some(schedule) = self.by_number.get_mut(&number)
            && schedule.live == job
        {
            schedule.live = 0;
        }
    }
}

impl Broker {
    pub(super) fn submit_schedule(
        &mut self,
        conn: ConnId,
        function: u32,
        submit: &Submit<'_>,
        fields: Fields<'_>,
        out: &mut dyn Outbox,
    ) -> Result<(), (ErrorKind, String)> {
        let (unique, workload): (Box<[u8]>, _) = (submit.unique.into(), submit.workload.to_bytes());
        let key = key(function, &unique, &workload);
        if let Some(number) = key.and_then(|key| self.schedules.by_key.get(&key)) {
            // As with jobs: what is there stays as it is. `cancel job` makes room for another.
            self.stats.coalesced += 1;
            let handle = self.handle_of_number(*number);
            out.acknowledge(conn, *number, &Response::JobCreated { handle: handle.as_bytes() });
            return Ok(());
        }
        let bad = |why: String| (ErrorKind::InvalidArgument, why);
        let cron = parse(fields).map_err(bad)?;
        if !has_day(&cron, self.wall()) {
            return Err(bad(format!("The schedule does not fall due in the next {YEARS} years")));
        }
        let next = next_after(&cron, self.wall(), &self.config.time_zone).map_err(bad)?;
        let limit = self.config.max_schedules;
        if self.schedules.by_number.len() >= limit {
            let text = format!("The limit of {limit} schedules (max_schedules) has been reached: cancel one");
            return Err((ErrorKind::QueueError, text));
        }
        self.check_room(function, Priority::Normal, unique.len() + workload.len())?;
        self.schedules.latest = self.schedules.latest.max(self.wall());
        let number = self.queue.next_number();
        let fields = fields.as_bytes().into();
        let (live, fired, skipped) = (0, 0, 0);
        let schedule = Schedule { function, unique, workload, fields, cron, next, live, fired, skipped };
        self.reserve(out);
        out.store(Change::Add(self.stored_schedule(number, &schedule)));
        self.schedules.insert(number, schedule);
        let handle = self.handle_of_number(number);
        out.acknowledge(conn, number, &Response::JobCreated { handle: handle.as_bytes() });
        Ok(())
    }

    /// Takes over a schedule that a store has kept. What fell due meanwhile is passed over, as cron does.
    pub(super) fn restore_schedule(
        &mut self,
        number: u64,
        function: u32,
        stored: &StoredJob<'_>,
        fields: &[u8],
    ) -> Result<(), String> {
        self.queue.skip_numbers(number);
        let line = || String::from_utf8_lossy(fields).replace('\0', " ");
        let wrong = |why: String| format!("the schedule '{}' (number {number}) is not used: {why}", line());
        let parsed = Fields::new(fields).ok_or_else(|| wrong("it does not have five fields".into()))?;
        let cron = parse(parsed).map_err(wrong)?;
        let next = next_after(&cron, self.wall(), &self.config.time_zone).map_err(wrong)?;
        let (unique, workload) = (stored.unique.into(), stored.workload.to_bytes());
        let (fields, live, fired, skipped) = (fields.into(), 0, 0, 0);
        let schedule = Schedule { function, unique, workload, fields, cron, next, live, fired, skipped };
        self.schedules.latest = self.schedules.latest.max(self.wall());
        self.schedules.insert(number, schedule);
        Ok(())
    }

    /// Ends a schedule, where there is one of that number; the job of its last firing goes on.
    pub(super) fn end_schedule(&mut self, number: u64, out: &mut dyn Outbox) -> bool {
        let was_there = self.schedules.remove(number);
        if was_there {
            out.store(Change::End { number });
        }
        was_there
    }

    /// Computes all times anew where the wall clock has been set back far: it was wrong when they were computed.
    fn reset_schedules(&mut self) {
        let wall = self.wall();
        if wall + CLOCK_SET_BACK > self.schedules.latest {
            self.schedules.latest = self.schedules.latest.max(wall);
            return;
        }
        let Schedules { by_number, times, latest, .. } = &mut self.schedules;
        *latest = wall;
        for (number, schedule) in by_number {
            // Where a line can no longer fall due it stays as it was, and is removed then.
            if let Ok(next) = next_after(&schedule.cron, wall, &self.config.time_zone) {
                times.remove(&(schedule.next, *number));
                times.insert((next, *number));
                schedule.next = next;
            }
        }
    }

    /// Makes the jobs whose time has come. Of times that were missed while nobody looked only the last one counts.
    pub(super) fn fire_schedules(&mut self, out: &mut dyn Outbox) {
        self.reset_schedules();
        while let Some((at, number)) = self.schedules.times.first().copied()
            && at <= self.wall()
        {
            self.schedules.times.pop_first();
            self.fire(number, out);
            let now = self.wall();
            let Some(schedule) = self.schedules.by_number.get_mut(&number) else { continue };
            match next_after(&schedule.cron, now, &self.config.time_zone) {
                Ok(next) => {
                    schedule.next = next;
                    self.schedules.times.insert((next, number));
                }
                Err(_) => drop(self.end_schedule(number, out)),
            }
        }
    }

    fn fire(&mut self, number: u64, out: &mut dyn Outbox) {
        let Some(schedule) = self.schedules.by_number.get(&number) else { return };
        let (function, unique) = (schedule.function, schedule.unique.clone());
        let (workload, live) = (schedule.workload.clone(), schedule.live);
        let data = Data::from(&workload);
        // A worker that is slower than its schedule, or away, must not find a heap of the same job.
        let same = live != 0 || self.queue.find_same(function, &unique, &data).is_some();
        let room = self.check_room(function, Priority::Normal, unique.len() + workload.len());
        if let Err((kind, text)) = &room {
            out.event(Event::Refused { code: kind.name(), text });
        }
        let Some(schedule) = self.schedules.by_number.get_mut(&number) else { return };
        if self.draining || same || room.is_err() {
            schedule.skipped += 1;
            self.stats.schedules_skipped += 1;
            return;
        }
        schedule.fired += 1;
        let extra = Some(Box::new(Extra { schedule: number, ..Extra::default() }));
        let (priority, background) = (Priority::Normal, true);
        let new = NewJob { function, unique: &unique, priority, background, workload: &data, extra };
        let job = self.queue.add(new, At { wall: self.now.wall.as_secs(), tick: Tick::of(self.now.mono) });
        schedule.live = self.queue.job(job).number;
        self.reserve(out);
        self.stats.submitted += 1;
        self.store_job(job, out);
        self.wake(function, out);
    }
}

/// `None` where no other schedule is the same.
fn key(function: u32, unique: &[u8], workload: &Bytes) -> Option<Key> {
    match unique {
        b"" => None,
        b"-" => (!workload.is_empty()).then(|| (function, true, workload.clone())),
        unique => Some((function, false, Bytes::copy_from_slice(unique))),
    }
}

/// Reads the five fields; the error says which part is wrong.
fn parse(fields: Fields<'_>) -> Result<Cron, String> {
    let texts: Vec<&str> = fields
        .fields()
        .map(|field| match std::str::from_utf8(field).map(str::trim) {
            Ok("") => Ok("*"),
            Ok(text) if text.contains(char::is_whitespace) => {
                Err(format!("The field '{}' holds blanks", text.escape_debug()))
            }
            Ok(text) => Ok(text),
            Err(_) => Err("The schedule is not text".to_owned()),
        })
        .collect::<Result<_, _>>()?;
    let [minute, hour, day, month, weekday] = texts[..] else {
        return Err("A schedule has five fields: minute, hour, day of month, month, day of week".into());
    };
    let line = format!("{minute} {hour} {day} {month} {}", weekdays(weekday)?);
    let parser = CronParser::builder().seconds(Seconds::Disallowed).build();
    parser.parse(&line).map_err(|error| {
        let line = format!("{minute} {hour} {day} {month} {weekday}");
        let (line, error) = (line.escape_debug(), error.to_string());
        format!("The schedule '{line}' cannot be read: {}", error.escape_debug())
    })
}

/// Turns the protocol's days of the week, where 0 is Monday, into cron's, where 0 is Sunday. Names (MON to SUN) mean the same in
/// both and stay as they are.
fn weekdays(field: &str) -> Result<String, String> {
    if field == "*" || field.bytes().any(|byte| byte.is_ascii_alphabetic()) {
        return Ok(field.into());
    }
    let wrong =
        || format!("The day of week '{}' is not made of 0 (Monday) to 6 (Sunday)", field.escape_debug());
    let number = |text: &str| text.parse::<u8>().ok().filter(|day| *day < 7).ok_or_else(wrong);
    let mut days = [false; 7];
    for item in field.split(',') {
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => {
                (range, step.parse::<usize>().ok().filter(|step| *step > 0).ok_or_else(wrong)?)
            }
            None => (item, 1),
        };
        let (first, last) = match range.split_once('-') {
            _ if range == "*" => (0, 6),
            Some((first, last)) => (number(first)?, number(last)?),
            None if item.contains('/') => (number(range)?, 6),
            None => (number(range)?, number(range)?),
        };
        if first > last {
            return Err(wrong());
        }
        for day in (first..=last).step_by(step) {
            days[usize::from(day + 1) % 7] = true;
        }
    }
    let named = days.iter().enumerate().filter(|(_, on)| **on).map(|(day, _)| day.to_string());
    Ok(named.collect::<Vec<_>>().join(","))
}

/// Years that are searched for a day of a schedule: the 29th of February falls on each day of the week within them.
const YEARS: usize = 40;

/// Whether any day of the next years is one of `cron`'s. The library's search would go on to the year 5000, for a tenth of a
/// second and more, and nobody else is served meanwhile.
fn has_day(cron: &Cron, wall: u64) -> bool {
    let second = i64::try_from(wall).ok().and_then(|second| Timestamp::from_second(second).ok());
    let Some(today) = second.map(|second| second.to_zoned(TimeZone::UTC).date()) else { return false };
    let in_month = |first: Date| {
        let weekday = first.weekday().to_sunday_zero_offset().unsigned_abs();
        let (year, month) = (first.year().into(), first.month().unsigned_abs().into());
        (1..=u32::from(first.days_in_month().unsigned_abs())).any(|day| {
            let weekday = Weekday::from_days_from_sunday((u32::from(weekday) + day - 1) % 7);
            cron.pattern.day_match(year, month, day, weekday).unwrap_or(false)
        })
    };
    let months = today.first_of_month().series(1.month()).take(12 * YEARS + 1);
    let mut months =
        months.filter(|first| cron.pattern.month_match(first.month().unsigned_abs().into()).unwrap_or(false));
    months.any(in_month)
}

/// The first Unix second after `wall` at which `cron` falls due.
fn next_after(cron: &Cron, wall: u64, zone: &TimeZone) -> Result<u64, String> {
    let second = i64::try_from(wall).ok().and_then(|second| Timestamp::from_second(second).ok());
    let now = second.ok_or("The clock is outside the calendar")?.to_zoned(zone.clone());
    let never = |error| format!("The schedule never falls due: {error}");
    let next = cron.find_next_occurrence(&now, false).map_err(never)?;
    Ok(next.timestamp().as_second().max(0).unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(line: &str, wall: u64) -> Result<u64, String> {
        let fields = line.replace(' ', "\0");
        let cron = parse(Fields::new(fields.as_bytes()).expect("five fields"))?;
        if !has_day(&cron, wall) {
            return Err("never".into());
        }
        next_after(&cron, wall, &TimeZone::UTC)
    }

    /// 2026-11-21 was a Saturday.
    const SATURDAY_NOON: u64 = 1_795_262_400;

    #[test]
    fn monday_is_day_zero() {
        let day = 86_400;
        let midnight = SATURDAY_NOON - SATURDAY_NOON % day;
        assert_eq!(next("0 0 * * 0", SATURDAY_NOON), Ok(midnight + 2 * day), "0 is Monday");
        assert_eq!(next("0 0 * * 6", SATURDAY_NOON), Ok(midnight + day), "6 is Sunday");
        assert_eq!(next("0 0 * * 4-6", SATURDAY_NOON), Ok(midnight + day));
        assert_eq!(next("0 0 * * 0-4/2", SATURDAY_NOON), Ok(midnight + 2 * day));
        assert_eq!(next("0 0 * * MON", SATURDAY_NOON), Ok(midnight + 2 * day));
    }

    #[test]
    fn fields_mean_what_cron_says() {
        assert_eq!(next("* * * * *", SATURDAY_NOON), Ok(SATURDAY_NOON + 60));
        assert_eq!(next("*/5    ", SATURDAY_NOON + 1), Ok(SATURDAY_NOON + 300), "empty fields are stars");
        assert_eq!(next("30 13 * * *", SATURDAY_NOON), Ok(SATURDAY_NOON + 5400));
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        for line in ["61 * * * *", "x * * * *", "* * * * 7", "* * * * 5-2", "* * * * 1/0"] {
            assert!(next(line, SATURDAY_NOON).is_err(), "{line}");
        }
    }

    #[test]
    fn days_that_never_come_are_told_from_days_that_are_rare() {
        for line in ["0 0 30 2 *", "0 0 31 2,4,6,9,11 *", "0 0 31W 2 *"] {
            assert_eq!(next(line, SATURDAY_NOON), Err("never".into()), "{line}");
        }
        let leap_day = |year: i16| {
            let date = jiff::civil::date(year, 2, 29).to_zoned(TimeZone::UTC).expect("a leap year");
            date.timestamp().as_second().unsigned_abs()
        };
        assert_eq!(next("0 0 29 2 *", SATURDAY_NOON), Ok(leap_day(2028)));
        assert_eq!(next("0 0 29 2 *", leap_day(2096)), Ok(leap_day(2104)), "2100 is none");
        assert!(next("0 0 30 2 0", SATURDAY_NOON).is_ok(), "or a Monday");
    }
}
