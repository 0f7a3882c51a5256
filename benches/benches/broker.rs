//! The scheduler alone: no sockets, no packets, no threads. Its time per job must not depend on how much it holds.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use lineshaft::broker::{Broker, Config, Input, Now, Outbox};
use lineshaft::protocol::{Frame, Grab, Limits, Request, Response, Submit, When, Work};
use lineshaft::types::{ConnId, Priority};

const CLIENT: ConnId = ConnId::new(0, 0);
const WORKER: ConnId = ConnId::new(1, 0);
const WORKLOAD: [u8; 100] = [b'w'; 100];
const NOW: Now = Now { mono: Duration::from_secs(1), wall: Duration::from_secs(1_800_000_000) };

/// Keeps what a worker must know, and counts the rest.
#[derive(Default)]
struct Desk {
    handle: Vec<u8>,
    responses: u64,
}

impl Outbox for Desk {
    fn send(&mut self, _to: ConnId, response: &Response<'_>) {
        self.responses += 1;
        match response {
            Response::Assign(assign) => {
                self.handle.clear();
                self.handle.extend_from_slice(assign.handle);
            }
            Response::Error { text, .. } => panic!("the broker refuses: {}", text.escape_ascii()),
            _ => {}
        }
    }

    fn close(&mut self, _conn: ConnId) {
        panic!("the broker closes a connection");
    }
}

/// A broker with one client and one worker.
struct House {
    broker: Broker,
    desk: Desk,
    submitted: u64,
}

impl House {
    fn new(functions: usize) -> Self {
        let broker = Broker::new(Config::default(), Limits::default()).expect("the defaults are legal");
        let mut house = Self { broker, desk: Desk::default(), submitted: 0 };
        for conn in [CLIENT, WORKER] {
            house.broker.handle(NOW, Input::Opened { conn, peer: "bench" }, &mut house.desk);
        }
        // The function at work is registered last.
        for number in (0..functions).rev() {
            house.request(WORKER, Request::CanDo { function: format!("function-{number}").as_bytes() });
        }
        house
    }

    fn request(&mut self, conn: ConnId, request: Request<'_>) {
        self.broker.handle(NOW, Input::Received { conn, frame: &Frame::Request(request) }, &mut self.desk);
    }

    fn submit(&mut self, unique: &[u8], background: bool) {
        self.submitted += 1;
        self.request(
            CLIENT,
            Request::Submit(Submit {
                function: b"function-0",
                unique,
                priority: Priority::Normal,
                background,
                when: When::Now,
                reducer: None,
                workload: (&WORKLOAD).into(),
            }),
        );
    }

    /// A job with a unique that no other job has.
    fn submit_unique(&mut self) {
        let mut unique = *b"6ba7b810-9dad-11d1-80b4-000000000000";
        let mut number = self.submitted;
        for digit in unique.iter_mut().rev().take(12) {
            *digit = b'0' + (number % 10) as u8;
            number /= 10;
        }
        self.submit(&unique, true);
    }

    fn grab_and_complete(&mut self) {
        self.request(WORKER, Request::Grab(Grab::Uniq));
        let handle = std::mem::take(&mut self.desk.handle);
        self.request(WORKER, Request::Work { handle: &handle, work: Work::Complete(b"".into()) });
        self.desk.handle = handle;
    }
}

/// One job in, one job out, with so many queued.
fn depth(c: &mut Criterion) {
    let mut group = c.benchmark_group("broker/submit_grab_complete");
    group.throughput(Throughput::Elements(1));
    for (name, queued) in [("0", 0), ("10k", 10_000), ("1m", 1_000_000)] {
        let mut house = House::new(1);
        (0..queued).for_each(|_| house.submit(b"", true));
        group.bench_function(BenchmarkId::new("background", name), |b| {
            b.iter(|| {
                house.submit(b"", true);
                house.grab_and_complete();
            });
        });
        assert_eq!(house.broker.jobs(), queued);

        let mut house = House::new(1);
        (0..queued).for_each(|_| house.submit_unique());
        group.bench_function(BenchmarkId::new("unique", name), |b| {
            b.iter(|| {
                house.submit_unique();
                house.grab_and_complete();
            });
        });
        assert_eq!(house.broker.jobs(), queued);
    }
    let mut house = House::new(1);
    group.bench_function("foreground", |b| {
        b.iter(|| {
            house.submit(b"", false);
            house.grab_and_complete();
        });
    });
    let mut house = House::new(1);
    group.bench_function("asleep", |b| {
        b.iter(|| {
            house.request(WORKER, Request::PreSleep);
            house.submit(b"", false);
            house.grab_and_complete();
        });
    });
    for (name, functions) in [("100", 100), ("20k", 20_000)] {
        let mut house = House::new(functions);
        group.bench_function(BenchmarkId::new("functions", name), |b| {
            b.iter(|| {
                house.submit(b"", true);
                house.grab_and_complete();
            });
        });
    }
    black_box(house.desk.responses);
    group.finish();
}

criterion_group!(benches, depth);
criterion_main!(benches);
