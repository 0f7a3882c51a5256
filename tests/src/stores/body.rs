//! The body: what every store must do, one story each.

use anyhow::{Context, Result, bail, ensure};
use lineshaft::store::{Batch, Change, StoreErrorKind};
use lineshaft::types::{Data, Priority};

use super::content::stop;
use super::{Job, Opened, Subject, open_soon, property};

/// A story: it begins with an empty place.
pub type Case = fn(&dyn Subject) -> Result<()>;

/// All stories, by name.
pub const CASES: &[(&str, Case)] = &[
    ("an_empty_store_has_nothing", an_empty_store_has_nothing),
    ("every_field_comes_back", every_field_comes_back),
    ("bytes_of_all_kinds_come_back", bytes_of_all_kinds_come_back),
    ("times_and_numbers_up_to_the_largest", times_and_numbers_up_to_the_largest),
    ("many_jobs_come_back_in_order", many_jobs_come_back_in_order),
    ("large_workloads", large_workloads),
    ("uniques_do_not_make_jobs_the_same", uniques_do_not_make_jobs_the_same),
    ("ended_jobs_are_gone", ended_jobs_are_gone),
    ("one_batch_may_say_much_of_one_job", one_batch_may_say_much_of_one_job),
    ("a_batch_twice_is_a_batch_once", a_batch_twice_is_a_batch_once),
    ("a_number_that_is_there_stays_as_it_is", a_number_that_is_there_stays_as_it_is),
    ("what_is_not_there_cannot_change", what_is_not_there_cannot_change),
    ("the_last_counter_counts", the_last_counter_counts),
    ("schedules_come_before_their_jobs", schedules_come_before_their_jobs),
    ("an_error_ends_the_replay", an_error_ends_the_replay),
    ("what_was_not_committed_is_not_there", what_was_not_committed_is_not_there),
    ("tidying_loses_nothing", tidying_loses_nothing),
    ("one_at_a_time", one_at_a_time),
    ("stories_of_all_kinds", property::stories_of_all_kinds),
];

fn an_empty_store_has_nothing(subject: &dyn Subject) -> Result<()> {
    let mut opened = Opened::new(subject)?;
    ensure!(!opened.store()?.describe().is_empty(), "it does not say what it is");
    // Neither opening it nor committing nothing leaves anything.
    opened.commit()?;
    opened.reopen()?;
    opened.reopen()?;
    Ok(())
}

fn every_field_comes_back(subject: &dyn Subject) -> Result<()> {
    let mut opened = Opened::new(subject)?;
    let mut number = 0;
    for priority in Priority::ALL {
        for (reducer, cron) in
            [(None, None), (Some("sum"), None), (None, Some("0\x001\0\0\0")), (Some(""), Some(""))]
        {
            number += 1;
            opened.add(&Job {
                priority,
                reducer: reducer.map(Into::into),
                cron: cron.map(Into::into),
                due: 4_000_000_000 + number,
                returns: 65_535 - number as u16,
                schedule: if number == 2 { 1_000_000 } else { 0 },
                ..Job::new(number)
            });
        }
    }
    opened.commit()?;
    opened.reopen()?;
    Ok(())
}

fn bytes_of_all_kinds_come_back(subject: &dyn Subject) -> Result<()> {
    let mut opened = Opened::new(subject)?;
    let all: Vec<u8> = (0..=255).collect();
    let words: &[&[u8]] = &[
        b"",
        b"-",
        b"--",
        b"a-b",
        b"'",
        b"\"; DROP TABLE x; --",
        b"\\",
        b"%s",
        b"a b ",
        b" a",
        b"\r\n",
        b"\xff\xfe",
        b"U1",
        b"u1",
        b"\xc3\xa4",
        b"?",
        b"$1",
        b":x",
        b"{}",
        b"123",
        b"1e3",
        b"NULL",
        &[b'u'; 64],
        &all[1..],
    ];
    let workloads: &[&[u8]] = &[b"", b"\0", b"a\0b", b"\0\0\0", b"x", b"7", &all];
    let mut number = 0_u64;
    for word in words {
        for workload in workloads {
            number += 1;
            // A function has a name.
            let function = if word.is_empty() { b"f".to_vec() } else { word.to_vec() };
            let reducer = number.is_multiple_of(3).then(|| word.to_vec());
            opened.add(&Job {
                function,
                unique: word.to_vec(),
                reducer,
                workload: workload.to_vec(),
                ..Job::new(number)
            });
        }
    }
    opened.commit()?;
    opened.reopen()?;
    Ok(())
}

fn times_and_numbers_up_to_the_largest(subject: &dyn Subject) -> Result<()> {
    let mut opened = Opened::new(subject)?;
    let largest = i64::MAX as u64;
    let numbers = [1, 255, 1 << 16, (1 << 31) - 1, 1 << 32, (1 << 53) + 1, largest - 1, largest];
    for (number, due) in numbers.into_iter().zip(numbers.into_iter().rev()) {
        // A schedule that has ended.
        let schedule = due ^ 2;
        opened.add(&Job { due, schedule, ..Job::new(number) });
    }
    opened.push(&Change::Counter { number: largest });
    opened.commit()?;
    opened.push(&Change::Returned { number: largest, returns: 9 });
    opened.end(largest - 1);
    opened.commit()?;
    opened.reopen()?;
    Ok(())
}

fn many_jobs_come_back_in_order(subject: &dyn Subject) -> Result<()> {
    let mut opened = Opened::new(subject)?;
    for number in 1..=3000 {
        opened.add(&Job::new(number));
        if number % 100 == 0 {
            opened.commit()?;
        }
    }
    let order = opened.reopen()?;
    ensure!(order.is_sorted(), "{:?} is not the order of the numbers", &order[..order.len().min(50)]);
    for number in (1..=3000).filter(|number| number % 3 != 0) {
        opened.end(number);
    }
    opened.commit()?;
    opened.reopen()?;
    Ok(())
}

fn large_workloads(subject: &dyn Subject) -> Result<()> {
    let mut opened = Opened::new(subject)?;
    let most = opened.store()?.max_job();
    let shared = Data::SHARE_FROM;
    for (number, size) in (1..).zip([shared - 1, shared, 300_000, 1 << 20, 20 << 20]) {
        let mut job = Job::new(number);
        let size = size.min(most.saturating_sub(job.stored().len() - job.workload.len()));
        job.workload = (0..size).map(|at| (at % 251) as u8).collect();
        opened.add(&job);
    }
    opened.commit()?;
    opened.reopen()?;
    for number in [1, 4, 5] {
        opened.end(number);
    }
    opened.commit()?;
    opened.reopen()?;
    Ok(())
}

/// Not even without a unique, which is where gearmand's own stores lose jobs.
fn uniques_do_not_make_jobs_the_same(subject: &dyn Subject) -> Result<()> {
    let mut opened = Opened::new(subject)?;
    for number in 1..=12 {
        let unique = [&b""[..], b"-", b"same"][number as usize % 3].to_vec();
        opened.add(&Job { unique, workload: b"same".to_vec(), ..Job::new(number) });
        if number % 4 == 0 {
            opened.commit()?;
        }
    }
    opened.end(5);
    opened.commit()?;
    opened.reopen()?;
    Ok(())
}

fn ended_jobs_are_gone(subject: &dyn Subject) -> Result<()> {
    let mut opened = Opened::new(subject)?;
    for number in 1..=10 {
        opened.add(&Job::new(number));
    }
    opened.commit()?;
    for number in [1, 10, 5] {
        opened.end(number);
    }
    opened.commit()?;
    opened.reopen()?;
    for number in 1..=10 {
        opened.end(number);
    }
    opened.commit()?;
    ensure!(opened.reopen()?.is_empty(), "the store is not empty");
    Ok(())
}

fn one_batch_may_say_much_of_one_job(subject: &dyn Subject) -> Result<()> {
    let mut opened = Opened::new(subject)?;
    // Jobs that began in the foreground are added with numbers below those before them.
    for number in [7, 3, 9, 8] {
        opened.add(&Job::new(number));
        opened.push(&Change::Returned { number, returns: 1 });
        opened.push(&Change::Returned { number, returns: number as u16 });
    }
    opened.end(9);
    opened.commit()?;
    opened.reopen()?;
    opened.push(&Change::Returned { number: 3, returns: 4 });
    opened.push(&Change::Returned { number: 7, returns: 300 });
    opened.end(3);
    opened.add(&Job::new(20));
    opened.push(&Change::Counter { number: 50 });
    opened.commit()?;
    opened.reopen()?;
    Ok(())
}

fn a_batch_twice_is_a_batch_once(subject: &dyn Subject) -> Result<()> {
    let mut opened = Opened::new(subject)?;
    for number in 1..=5 {
        opened.add(&Job::new(number));
    }
    opened.commit_times(3)?;
    for number in 6..=9 {
        opened.add(&Job::new(number));
    }
    opened.push(&Change::Returned { number: 2, returns: 7 });
    opened.push(&Change::Counter { number: 30 });
    opened.end(3);
    opened.commit_times(2)?;
    opened.reopen()?;
    // A job that was given up after a commit whose answer was lost: its end takes the place of its beginning.
    let mut batch = Batch::new();
    batch.push(&Change::Add(Job::new(31).stored()));
    batch.push(&Change::Add(Job::new(32).stored()));
    opened.store()?.commit(&batch)?;
    ensure!(batch.give_up(31), "the batch has it");
    opened.store()?.commit(&batch)?;
    opened.add(&Job::new(32));
    opened.commit()?;
    opened.reopen()?;
    Ok(())
}

fn a_number_that_is_there_stays_as_it_is(subject: &dyn Subject) -> Result<()> {
    let mut opened = Opened::new(subject)?;
    opened.add(&Job::new(1));
    opened.commit()?;
    let other = Job { workload: b"another".to_vec(), priority: Priority::High, ..Job::new(1) };
    for _ in 0..2 {
        opened.add(&other);
        opened.add(&Job::new(opened.model.counter + 2));
        opened.commit()?;
        opened.reopen()?;
    }
    Ok(())
}

fn what_is_not_there_cannot_change(subject: &dyn Subject) -> Result<()> {
    let mut opened = Opened::new(subject)?;
    for number in [1, 77] {
        opened.end(number);
        opened.push(&Change::Returned { number: number + 1, returns: 3 });
    }
    opened.commit()?;
    opened.reopen()?;
    opened.add(&Job::new(1));
    opened.end(2);
    opened.push(&Change::Returned { number: 2, returns: 3 });
    opened.commit()?;
    opened.end(1);
    opened.commit()?;
    opened.push(&Change::Returned { number: 1, returns: 3 });
    opened.end(1);
    opened.commit()?;
    opened.reopen()?;
    Ok(())
}

fn the_last_counter_counts(subject: &dyn Subject) -> Result<()> {
    let mut opened = Opened::new(subject)?;
    for number in [10_000, 20_000, 12_345] {
        opened.push(&Change::Counter { number: 1 });
        opened.push(&Change::Counter { number });
        opened.commit()?;
        opened.reopen()?;
    }
    opened.add(&Job::new(3));
    opened.commit()?;
    opened.reopen()?;
    Ok(())
}

fn schedules_come_before_their_jobs(subject: &dyn Subject) -> Result<()> {
    let mut opened = Opened::new(subject)?;
    let cron = Some(b"0\x001\0*\0*\0*".to_vec());
    opened.add(&Job { cron: cron.clone(), due: 5_000_000_000, ..Job::new(5) });
    opened.add(&Job { schedule: 5, ..Job::new(6) });
    opened.commit()?;
    for round in 0..50 {
        let number = 10 + round * 3;
        opened.add(&Job { cron: cron.clone(), unique: vec![b'u'; round as usize], ..Job::new(number) });
        opened.add(&Job { schedule: number, ..Job::new(number + 1) });
        opened.add(&Job { schedule: 5, ..Job::new(number + 2) });
        opened.commit()?;
    }
    // Its jobs stay where a schedule has ended.
    opened.end(10);
    opened.commit()?;
    opened.reopen()?;
    Ok(())
}

fn an_error_ends_the_replay(subject: &dyn Subject) -> Result<()> {
    let mut opened = Opened::new(subject)?;
    for number in 1..=3 {
        opened.add(&Job::new(number));
    }
    opened.commit()?;
    drop(opened.store.take());
    let mut store = open_soon(subject)?;
    let mut seen = 0;
    let answer = store.replay(&mut |_| {
        seen += 1;
        if seen == 2 { Err(stop("enough")) } else { Ok(()) }
    });
    ensure!(answer == Err(stop("enough")), "the answer is {answer:?}");
    ensure!(seen == 2, "{seen} were handed out");
    drop(store);
    opened.reopen()?;
    Ok(())
}

fn what_was_not_committed_is_not_there(subject: &dyn Subject) -> Result<()> {
    let mut opened = Opened::new(subject)?;
    opened.add(&Job::new(1));
    opened.commit()?;
    opened.add(&Job::new(2));
    opened.reopen()?;
    Ok(())
}

fn tidying_loses_nothing(subject: &dyn Subject) -> Result<()> {
    let mut opened = Opened::new(subject)?;
    let workload = vec![b'x'; 2000];
    for round in 0..20 {
        for number in round * 100 + 1..=round * 100 + 100 {
            opened.add(&Job { workload: workload.clone(), ..Job::new(number) });
            if round > 0 && number % 7 != 0 {
                opened.end(number - 100);
            }
        }
        opened.commit()?;
        // With a bound: one that never ends is a fault.
        let mut pieces = 0;
        while opened.store()?.tidy().context("tidy")? {
            pieces += 1;
            ensure!(pieces < 100_000, "there is always more to tidy");
        }
    }
    opened.reopen()?;
    Ok(())
}

fn one_at_a_time(subject: &dyn Subject) -> Result<()> {
    let mut opened = Opened::new(subject)?;
    opened.add(&Job::new(1));
    opened.commit()?;
    if !subject.may_be_shared() {
        match subject.open() {
            Ok(_) => bail!("it could be opened twice"),
            Err(error) => {
                ensure!(error.kind() == StoreErrorKind::Locked, "the wrong kind: {error:?}");
            }
        }
    }
    // The first one is none the worse for it.
    opened.add(&Job::new(2));
    opened.commit()?;
    opened.reopen()?;
    Ok(())
}
