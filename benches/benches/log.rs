//! The log in a temporary directory, beside SQLite: commits that are durable, what they take of the processor, and replays. `TMPDIR` says on which disk.

use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use lineshaft::store::{Batch, Change, Log, LogSettings, Sqlite, SqliteSettings, Store, StoredJob};

const WORKLOAD: [u8; 100] = [b'w'; 100];
/// Jobs that a replay reads.
const STORED: u64 = 1_000_000;

fn add(number: u64) -> Change<'static> {
    Change::Add(StoredJob::new(number, b"function", &WORKLOAD))
}

/// The CPU time of this process, user and system.
struct Cpu;

impl Measurement for Cpu {
    type Intermediate = Duration;
    type Value = Duration;

    fn start(&self) -> Duration {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
    }

    fn end(&self, start: Duration) -> Duration {
        self.start() - start
    }

    fn add(&self, one: &Duration, other: &Duration) -> Duration {
        *one + *other
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        value.as_nanos() as f64
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        WallTime.formatter()
    }
}

/// Each commit adds so many jobs and ends as many that came 100,000 before, as a queue in balance does.
fn commits<M: Measurement>(c: &mut Criterion<M>, name: &str, open: impl Fn(&Path) -> Box<dyn Store>) {
    let mut group = c.benchmark_group(name);
    for jobs in [1_u64, 64, 256] {
        let place = tempfile::tempdir().expect("a directory");
        let mut store = open(place.path());
        store.replay(&mut |_| Ok(())).expect("a replay");
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
            b.iter_batched(next, |batch| store.commit(&batch).expect("a commit"), BatchSize::SmallInput);
        });
    }
    group.finish();
}

fn log(path: &Path) -> Box<dyn Store> {
    Box::new(Log::open(LogSettings::at(path)).expect("a log"))
}

fn sqlite(path: &Path) -> Box<dyn Store> {
    let settings = SqliteSettings { file: path.join("queue.db"), ..SqliteSettings::default() };
    Box::new(Sqlite::open(&settings).expect("an SQLite file"))
}

fn commit(c: &mut Criterion) {
    commits(c, "log/commit", log);
    commits(c, "sqlite/commit", sqlite);
}

fn commit_cpu(c: &mut Criterion<Cpu>) {
    commits(c, "log/commit-cpu", log);
    commits(c, "sqlite/commit-cpu", sqlite);
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
criterion_group! {
    name = cpu;
    config = Criterion::default().with_measurement(Cpu);
    targets = commit_cpu
}
criterion_main!(benches, cpu);
