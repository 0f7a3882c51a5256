//! Bytes to packets and back, by packet type and size of the data.

use std::hint::black_box;

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use lineshaft::protocol::{
    Assign, Data, Decoder, Frame, Grab, OutBuf, Request, Response, ResponseStep, StatusReport, Step, Submit,
    When, Work,
};
use lineshaft::types::Priority;

const HANDLE: &[u8] = b"H:lineshaft:1234567";
const UNIQUE: &[u8] = b"6ba7b810-9dad-11d1-80b4-00c04fd430c8";
const SIZES: [(&str, usize); 4] = [("100", 100), ("1k", 1 << 10), ("64k", 64 << 10), ("1m", 1 << 20)];

fn submit(workload: Data<'_>) -> Request<'_> {
    let when = When::Now;
    let (function, unique, priority) = (&b"function"[..], UNIQUE, Priority::Normal);
    Request::Submit(Submit { function, unique, priority, background: true, when, reducer: None, workload })
}

fn complete(data: Data<'_>) -> Request<'_> {
    Request::Work { handle: HANDLE, work: Work::Complete(data) }
}

fn assign(workload: Data<'_>) -> Response<'_> {
    let (kind, handle, function, unique, reducer) = (Grab::Uniq, HANDLE, &b"function"[..], UNIQUE, &b""[..]);
    Response::Assign(Assign { kind, handle, function, unique, reducer, workload })
}

fn completed(data: Data<'_>) -> Response<'_> {
    Response::Work { handle: HANDLE, work: Work::Complete(data) }
}

/// Packets without data worth the name.
fn small_requests() -> [(&'static str, Request<'static>); 6] {
    [
        ("can_do", Request::CanDo { function: b"function" }),
        ("grab_job_uniq", Request::Grab(Grab::Uniq)),
        ("pre_sleep", Request::PreSleep),
        ("get_status", Request::GetStatus { handle: HANDLE }),
        (
            "work_status",
            Request::Work { handle: HANDLE, work: Work::Status { numerator: b"12", denominator: b"100" } },
        ),
        ("option_req", Request::SetOption { name: b"exceptions" }),
    ]
}

fn small_responses() -> [(&'static str, Response<'static>); 4] {
    [
        ("noop", Response::Noop),
        ("no_job", Response::NoJob),
        ("job_created", Response::JobCreated { handle: HANDLE }),
        ("status_res", Response::Status { handle: HANDLE, report: StatusReport::default() }),
    ]
}

fn encoded(encode: impl FnOnce(&mut OutBuf)) -> Bytes {
    let mut out = OutBuf::new();
    encode(&mut out);
    out.to_vec().into()
}

/// As a server reads: small packets from its read buffer, large ones from a buffer of their own.
fn decode(c: &mut Criterion) {
    let decoder = Decoder::default();
    let mut group = c.benchmark_group("protocol/decode");
    for (name, request) in small_requests() {
        let packet = encoded(|out| request.encode(out));
        group.throughput(Throughput::Elements(1));
        group.bench_function(name, |b| b.iter(|| decoder.next(black_box(&packet)).is_ok()));
    }
    for (size_name, size) in SIZES {
        let data = Bytes::from(vec![b'w'; size]);
        for (name, request) in
            [("submit_job_bg", submit((&data).into())), ("work_complete", complete((&data).into()))]
        {
            let packet = encoded(|out| request.encode(out));
            let id = BenchmarkId::new(name, size_name);
            if size < Data::SHARE_FROM {
                group.bench_function(id, |b| b.iter(|| decoder.next(black_box(&packet)).is_ok()));
            } else {
                group.bench_function(id, |b| b.iter(|| decoder.whole(black_box(&packet)).is_ok()));
            }
        }
    }
    group.bench_function("text", |b| b.iter(|| decoder.next(black_box(b"status\r\n")).is_ok()));
    group.finish();
}

/// As a client or worker reads.
fn decode_responses(c: &mut Criterion) {
    let decoder = Decoder::default();
    let mut group = c.benchmark_group("protocol/decode_response");
    for (name, response) in small_responses() {
        let packet = encoded(|out| response.encode(out));
        group.bench_function(name, |b| b.iter(|| decoder.next_response(black_box(&packet)).is_ok()));
    }
    for (size_name, size) in SIZES {
        let data = Bytes::from(vec![b'w'; size]);
        for (name, response) in
            [("job_assign_uniq", assign((&data).into())), ("work_complete", completed((&data).into()))]
        {
            let packet = encoded(|out| response.encode(out));
            let id = BenchmarkId::new(name, size_name);
            if size < Data::SHARE_FROM {
                group.bench_function(id, |b| b.iter(|| decoder.next_response(black_box(&packet)).is_ok()));
            } else {
                group.bench_function(id, |b| b.iter(|| decoder.whole_response(black_box(&packet)).is_ok()));
            }
        }
    }
    group.finish();
}

/// A read buffer full of pipelined submissions, taken apart.
fn decode_pipelined(c: &mut Criterion) {
    const PACKETS: usize = 256;
    let data = [b'w'; 100];
    let buffer = encoded(|out| (0..PACKETS).for_each(|_| submit(data[..].into()).encode(out)));
    let decoder = Decoder::default();
    let mut group = c.benchmark_group("protocol/decode");
    group.throughput(Throughput::Elements(PACKETS as u64));
    group.bench_function("submit_job_bg/100/pipelined", |b| {
        b.iter(|| {
            let (mut at, mut bytes) = (0, 0);
            while let Ok(Step::Frame { length, frame }) = decoder.next(black_box(&buffer[at..])) {
                at += length;
                if let Frame::Request(Request::Submit(submit)) = frame {
                    bytes += submit.workload.len();
                }
            }
            assert_eq!(bytes, PACKETS * data.len());
        });
    });
    let buffer =
        encoded(|out| (0..PACKETS).for_each(|_| Response::JobCreated { handle: HANDLE }.encode(out)));
    group.bench_function("job_created/pipelined", |b| {
        b.iter(|| {
            let (mut at, mut packets) = (0, 0);
            while let Ok(ResponseStep::Packet { length, .. }) =
                decoder.next_response(black_box(&buffer[at..]))
            {
                (at, packets) = (at + length, packets + 1);
            }
            assert_eq!(packets, PACKETS);
        });
    });
    group.finish();
}

/// Into an out-buffer whose memory is used again, as connections do.
fn encode(c: &mut Criterion) {
    let mut group = c.benchmark_group("protocol/encode");
    let mut out = OutBuf::new();
    let empty = |out: &mut OutBuf| {
        let len = out.len();
        out.advance(len);
        len
    };
    for (name, request) in small_requests() {
        group.bench_function(name, |b| {
            b.iter(|| {
                black_box(&request).encode(&mut out);
                empty(&mut out)
            });
        });
    }
    for (name, response) in small_responses() {
        group.bench_function(name, |b| {
            b.iter(|| {
                black_box(&response).encode(&mut out);
                empty(&mut out)
            });
        });
    }
    for (size_name, size) in SIZES {
        let data = Bytes::from(vec![b'w'; size]);
        let (submit, assign) = (submit((&data).into()), assign((&data).into()));
        group.bench_function(BenchmarkId::new("submit_job_bg", size_name), |b| {
            b.iter(|| {
                black_box(&submit).encode(&mut out);
                empty(&mut out)
            });
        });
        group.bench_function(BenchmarkId::new("job_assign_uniq", size_name), |b| {
            b.iter(|| {
                black_box(&assign).encode(&mut out);
                empty(&mut out)
            });
        });
    }
    group.finish();
}

criterion_group!(benches, decode, decode_responses, decode_pipelined, encode);
criterion_main!(benches);
