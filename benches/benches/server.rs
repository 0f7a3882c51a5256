//! The whole server: from inside its process, without a socket, and over loopback TCP.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use lineshaft::net::{LocalBroker, LocalLink};
use lineshaft::protocol::{Decoder, Grab, OutBuf, Request, Response, ResponseStep, Submit, When, Work};
use lineshaft::server::Server;
use lineshaft::types::Priority;

const FUNCTION: &[u8] = b"function";
const WORKLOAD: [u8; 100] = [b'w'; 100];

fn submit(background: bool) -> Request<'static> {
    Request::Submit(Submit {
        function: FUNCTION,
        unique: b"",
        priority: Priority::Normal,
        background,
        when: When::Now,
        reducer: None,
        workload: (&WORKLOAD).into(),
    })
}

fn complete(handle: &[u8]) -> Request<'_> {
    Request::Work { handle, work: Work::Complete((&WORKLOAD).into()) }
}

/// Hands every packet in `out` to `each`, and empties it.
fn take_responses(out: &mut OutBuf, mut each: impl FnMut(Response<'_>)) {
    let bytes = out.contiguous().expect("small packets stand in one piece");
    let (mut at, length) = (0, bytes.len());
    while let Ok(ResponseStep::Packet { length, response }) = Decoder::default().next_response(&bytes[at..]) {
        at += length;
        each(response);
    }
    assert_eq!(at, length, "whole packets");
    out.advance(length);
}

/// A peer of the same process.
struct Local {
    link: Arc<dyn LocalLink>,
    responses: OutBuf,
}

impl Local {
    fn connect(broker: &dyn LocalBroker) -> Self {
        Self { link: broker.connect().expect("the server runs"), responses: OutBuf::new() }
    }

    fn exchange(&mut self, requests: &[Request<'_>], each: impl FnMut(Response<'_>)) {
        self.link.exchange(requests, &mut self.responses).expect("the server runs");
        take_responses(&mut self.responses, each);
    }

    /// Grabs a job; `handle` is that of the job to be completed before, and then of the new one.
    fn next_job(&mut self, handle: &mut Vec<u8>) {
        let requests = [complete(handle), Request::Grab(Grab::Uniq)];
        let mut new = Vec::new();
        self.exchange(&requests[usize::from(handle.is_empty())..], |response| {
            if let Response::Assign(assign) = response {
                new = assign.handle.to_vec();
            }
        });
        assert!(!new.is_empty(), "there is a job");
        *handle = new;
    }
}

/// Submit, grab, complete, by callers that hold the server.
fn in_process(c: &mut Criterion) {
    let server = Server::builder().start().expect("a server without sockets starts");
    let broker = server.local();
    let (mut client, mut worker) = (Local::connect(&*broker), Local::connect(&*broker));
    worker.exchange(&[Request::CanDo { function: FUNCTION }], |_| {});
    let mut handle = Vec::new();

    let mut group = c.benchmark_group("in_process/submit_grab_complete");
    group.throughput(Throughput::Elements(1));
    group.bench_function("background", |b| {
        b.iter(|| {
            client.exchange(&[submit(true)], |_| {});
            worker.next_job(&mut handle);
        });
    });
    group.bench_function("foreground", |b| {
        b.iter(|| {
            client.exchange(&[submit(false)], |_| {});
            worker.next_job(&mut handle);
            client.exchange(&[], |_| {});
        });
    });
    const BATCH: usize = 32;
    let submits = vec![submit(true); BATCH];
    group.throughput(Throughput::Elements(BATCH as u64));
    group.bench_function(BenchmarkId::new("background", "in batches of 32"), |b| {
        b.iter(|| {
            client.exchange(&submits, |_| {});
            for _ in 0..BATCH {
                worker.next_job(&mut handle);
            }
        });
    });
    group.finish();
    server.stop();
}

/// A peer behind a socket, which waits for each answer.
struct Remote {
    stream: TcpStream,
    requests: OutBuf,
    input: Vec<u8>,
}

impl Remote {
    fn connect(server: &Server) -> Self {
        let stream = TcpStream::connect(server.addresses()[0].to_string()).expect("the server listens");
        stream.set_nodelay(true).expect("a TCP socket");
        Self { stream, requests: OutBuf::new(), input: Vec::new() }
    }

    fn send(&mut self, requests: &[Request<'_>]) {
        for request in requests {
            request.encode(&mut self.requests);
        }
        let bytes = self.requests.contiguous().expect("small packets stand in one piece");
        self.stream.write_all(bytes).expect("the server reads");
        self.requests.advance(self.requests.len());
    }

    /// Waits for `count` packets; answers the handle of the last one that assigns a job.
    fn receive(&mut self, count: usize) -> Vec<u8> {
        let (mut left, mut handle) = (count, Vec::new());
        while left > 0 {
            let mut chunk = [0; 64 << 10];
            let length = self.stream.read(&mut chunk).expect("the server answers");
            assert!(length > 0, "the server keeps the connection");
            self.input.extend_from_slice(&chunk[..length]);
            let mut at = 0;
            while let Ok(ResponseStep::Packet { length, response }) =
                Decoder::default().next_response(&self.input[at..])
            {
                at += length;
                left -= 1;
                if let Response::Assign(assign) = response {
                    handle = assign.handle.to_vec();
                }
            }
            self.input.drain(..at);
        }
        handle
    }
}

/// Over TCP, each step waiting for the one before: what a single peer sees.
fn loopback(c: &mut Criterion) {
    let address = "127.0.0.1:0".parse().expect("an address");
    let server = Server::builder().listen(address).start().expect("the server listens");
    let (mut client, mut worker) = (Remote::connect(&server), Remote::connect(&server));
    let mut group = c.benchmark_group("loopback");
    group.throughput(Throughput::Elements(1));
    group.bench_function("echo", |b| {
        b.iter(|| {
            client.send(&[Request::Echo { data: (&WORKLOAD).into() }]);
            client.receive(1);
        });
    });
    worker.send(&[Request::CanDo { function: FUNCTION }]);
    group.bench_function("background/submit_grab_complete", |b| {
        b.iter(|| {
            client.send(&[submit(true)]);
            client.receive(1);
            worker.send(&[Request::Grab(Grab::Uniq)]);
            let handle = worker.receive(1);
            worker.send(&[complete(&handle)]);
        });
    });
    group.bench_function("foreground", |b| {
        b.iter(|| {
            worker.send(&[Request::PreSleep]);
            client.send(&[submit(false)]);
            worker.receive(1);
            worker.send(&[Request::Grab(Grab::Uniq)]);
            let handle = worker.receive(1);
            worker.send(&[complete(&handle)]);
            client.receive(2);
        });
    });
    const BATCH: usize = 256;
    let submits = vec![submit(true); BATCH];
    group.throughput(Throughput::Elements(BATCH as u64));
    // With a background job of its own for each, the queue grows; the bound on memory is far away.
    group.bench_function("background/submit/pipelined 256", |b| {
        b.iter(|| {
            client.send(&submits);
            client.receive(BATCH);
        });
    });
    group.finish();
    server.stop();
}

criterion_group!(benches, in_process, loopback);
criterion_main!(benches);
