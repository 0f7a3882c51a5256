//! The log in a temporary directory: commits that are durable, and replays. `TMPDIR` says on which disk.

use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use lineshaft::store::{Batch, Change, Log, LogSettings, Store, StoredJob};
use lineshaft::types::{Data, Priority};

const WORKLOAD: [u8; 100] = [b'w'; 100];
/// Jobs that a replay reads.
const STORED: u64 = 1_000_000;

fn add(number: u64) -> Change<'static> {
    Change::Add(StoredJob {
        number,
        function: b"function",
        unique: b"",
        reducer: None,
        priority: Priority::Normal,
        due: 0,
        returns: 0,
        schedule: 0,
        cron: None,
        workload: Data::Borrowed(&WORKLOAD),
    })
}

/// Each commit adds so many jobs and ends as many that came 100,000 before, as a queue in balance does.
fn commit(c: &mut Criterion) {
    let mut group = c.benchmark_group("log/commit");
    for jobs in [1_u64, 64, 256] {
        let place = tempfile::tempdir().expect("a directory");
        let mut log = Log::open(LogSettings::at(place.path())).expect("a log");
        log.replay(&mut |_| Ok(())).expect("a replay");
        let mut number = 0;
        group.throughput(Throughput::Elements(jobs));
        group.bench_function(BenchmarkId::from_parameter(jobs), |b| {
            let next = || {
                let mut batch = Batch::new();
                for _ in 0..jobs {
                    number += 1;
                    batch.push(&add(number));
                    if number > 100_000 {
                        batch.push(&Change::End { number: number - 100_000 });
                    }
                }
                batch
            };
            b.iter_batched(next, |batch| log.commit(&batch).expect("a commit"), BatchSize::SmallInput);
        });
    }
    group.finish();
}

fn replay(c: &mut Criterion) {
    let place = tempfile::tempdir().expect("a directory");
    let mut log = Log::open(LogSettings::at(place.path())).expect("a log");
    let mut batch = Batch::new();
    for number in 1..=STORED {
        batch.push(&add(number));
        if number % 1000 == 0 {
            log.commit(&batch).expect("a commit");
            batch.clear();
        }
    }
    drop(log);
    let mut group = c.benchmark_group("log/replay");
    group.throughput(Throughput::Elements(STORED)).sample_size(10);
    group.bench_function("1m", |b| {
        b.iter(|| {
            let mut log = Log::open(LogSettings::at(place.path())).expect("a log");
            let mut bytes = 0;
            log.replay(&mut |change| {
                if let Change::Add(job) = change {
                    bytes += black_box(job).len();
                }
                Ok(())
            })
            .expect("a replay");
            assert_eq!(bytes as u64, STORED * (8 + 100));
        });
    });
    group.finish();
}

criterion_group!(benches, commit, replay);
criterion_main!(benches);
