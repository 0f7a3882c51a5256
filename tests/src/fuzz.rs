//! What the fuzz targets do with their bytes. They live here so that plain tests run them too; `fuzz/` hands them what libFuzzer
//! finds. Each panics where something is wrong.

use std::collections::BTreeSet;
use std::time::Duration;

use lineshaft::broker::{Broker, Compat, Config, Input, Now, Outbox};
use lineshaft::protocol::{Command, Decoder, Frame, Limits, OutBuf, Request, Response, ResponseStep, Step};
use lineshaft::store::{Change, Log, LogSettings, Store};
use lineshaft::types::ConnId;

/// Limits that a short input can reach.
const SMALL: Limits =
    Limits { max_packet: 200, max_argument: 20, max_line: 30, max_words: 3, max_function: 20, max_unique: 8 };

/// Reads `bytes` as a server and as a client would. What was read is written again and must be read as the same.
pub fn packet_decode(bytes: &[u8]) {
    for limits in [Limits::default(), SMALL] {
        let decoder = Decoder::new(limits);
        let mut rest = bytes;
        while let Ok(step) = decoder.next(rest) {
            let Step::Frame { length, frame } = step else {
                let Step::Need { total } = step else { return };
                assert!(total > rest.len(), "asking for what is there already is asking for ever");
                break;
            };
            assert!(0 < length && length <= rest.len());
            if let Frame::Request(request) = &frame {
                again(&decoder, request);
            }
            rest = &rest[length..];
        }
        let mut rest = bytes;
        while let Ok(ResponseStep::Packet { length, .. }) = decoder.next_response(rest) {
            assert!(0 < length && length <= rest.len());
            rest = &rest[length..];
        }
    }
}

/// What has been read can be written and read again, and is the same.
fn again(decoder: &Decoder, request: &Request<'_>) {
    let mut out = OutBuf::new();
    request.encode(&mut out);
    let bytes = out.to_vec();
    match decoder.next(&bytes) {
        Ok(Step::Frame { length, frame: Frame::Request(same) }) => {
            assert_eq!(length, bytes.len());
            // A time before 1970 is written as 0, which means the same.
            if !format!("{request:?}").contains("Epoch(-") {
                assert_eq!(same, *request);
            }
        }
        // The NUL that a worker left out is written, and may be one too many.
        other => assert!(bytes.len() > decoder.limits().max_packet, "{request:?} is read as {other:?}"),
    }
}

/// Answers every line of `bytes` by a broker that has a few jobs and workers.
pub fn text_decode(bytes: &[u8]) {
    let mut house = House::new(0);
    for packet in [
        "CAN_DO\0f",
        "SUBMIT_JOB_BG\0f\0u\0x",
        "SUBMIT_JOB\0g\0\0y",
        "SUBMIT_JOB_SCHED\0f\0u\0*\0*\0*\0*\0*\0x",
    ] {
        house.packet(0, packet.as_bytes());
    }
    let decoder = Decoder::default();
    let mut rest = bytes;
    while let Ok(Step::Frame { length, frame }) = decoder.next(rest) {
        rest = &rest[length..];
        let Frame::Text(line) = frame else { continue };
        house.answers.clear();
        house.received(1, &Frame::Text(line));
        let answer = std::mem::take(&mut house.answers);
        assert_eq!(
            answer.is_empty(),
            line.iter().filter(|byte| **byte == b' ').count() > 4 && house.closed.contains(&1)
        );
        assert!(answer.is_empty() || answer.ends_with(b"\n"), "an answer is made of whole lines");
        house.reopen(1);
    }
}

/// Takes `bytes` for a sequence of what may happen to a broker, and checks its invariants after each.
pub fn broker_ops(bytes: &[u8]) {
    let mut bytes = bytes.iter().copied();
    let Some(settings) = bytes.next() else { return };
    let mut house = House::new(settings);
    // What a target does in one input must end soon, also under a sanitizer.
    for _ in 0..400 {
        let Some(op) = bytes.next() else { break };
        let mut next = || bytes.next().unwrap_or_default();
        let peer = next() as usize % PEERS;
        match op % 16 {
            0 => house.close(peer),
            1 => house.pass(Duration::from_millis(u64::from(next()) * 40)),
            2 => house.jump(next()),
            3 if next() == 7 => house.apply(Input::Drain),
            3 => house.packet(peer, b"ALL_YOURS"),
            4 => {
                let line: Vec<u8> = (0..next() % 5)
                    .flat_map(|_| [WORDS[next() as usize % WORDS.len()], b" "].concat())
                    .collect();
                house.received(peer, &Frame::Text(line.trim_ascii_end()));
            }
            5 => {
                // Whatever comes, as raw bytes.
                let raw: Vec<u8> = (0..next() % 40).map(|_| next()).collect();
                if let Ok(Step::Frame { frame, .. }) = Decoder::default().next(&raw) {
                    house.received(peer, &frame);
                }
            }
            6 | 7 => {
                // A report on a job that was handed out, mostly by whom it was handed to.
                let recent = house.assigned.iter().rev().nth(usize::from(next() % 3));
                let Some((holder, handle)) = recent else { continue };
                let report = REPORTS[usize::from(next()) % REPORTS.len()];
                let (holder, packet) = (*holder, [report, b"\0", handle, b"\x005"].concat());
                house.packet(if next() == 0 { peer } else { holder }, &packet);
            }
            8..11 => {
                let command = Command::ALL[next() as usize % Command::ALL.len()];
                house.packet(peer, &packet(command, &mut next));
            }
            _ => {
                let command = USUAL[next() as usize % USUAL.len()];
                house.packet(peer, &packet(command, &mut next));
            }
        }
    }
    house.pass(Duration::from_secs(5));
}

const PEERS: usize = 4;

/// What keeps jobs moving.
const USUAL: [Command; 8] = [
    Command::CanDo,
    Command::CanDoTimeout,
    Command::GrabJob,
    Command::GrabJobAll,
    Command::PreSleep,
    Command::SubmitJob,
    Command::SubmitJobHighBg,
    Command::SubmitJobEpoch,
];

const REPORTS: [&[u8]; 5] = [b"WORK_COMPLETE", b"WORK_FAIL", b"WORK_EXCEPTION", b"WORK_DATA", b"WORK_STATUS"];

/// A packet's name and parts that fit it.
fn packet(command: Command, next: &mut impl FnMut() -> u8) -> Vec<u8> {
    let mut packet = command.name().as_bytes().to_vec();
    for place in 0..command.arguments() + usize::from(command.has_data()) {
        packet.push(0);
        packet.extend_from_slice(argument(command, place, next()));
    }
    packet
}

const WORDS: [&[u8]; 16] = [
    b"status",
    b"workers",
    b"prioritystatus",
    b"show",
    b"jobs",
    b"unique",
    b"schedules",
    b"cancel",
    b"job",
    b"create",
    b"drop",
    b"function",
    b"maxqueue",
    b"f",
    b"T:1",
    b"2",
];

/// Something that can stand at that place, mostly such that it means something.
fn argument(command: Command, place: usize, pick: u8) -> &'static [u8] {
    const FUNCTIONS: [&[u8]; 4] = [b"f", b"g", b"h", b""];
    const UNIQUES: [&[u8]; 4] = [b"", b"-", b"u", b"v"];
    const HANDLES: [&[u8]; 9] = [b"T:1", b"T:2", b"T:3", b"T:4", b"T:5", b"T:6", b"T:7", b"T:8", b"T:9"];
    const FIELDS: [&[u8]; 6] = [b"*", b"*/2", b"1-5", b"0", b"31", b"x,"];
    // NOON and the seconds around it, and what is not near.
    const NUMBERS: [&[u8]; 8] = [
        b"0",
        b"1795262400",
        b"1795262401",
        b"1795262403",
        b"4000000000",
        b"-1",
        b"9223372036854775807",
        b"z",
    ];
    let pick = usize::from(pick);
    let name = command.name();
    let list: &[&[u8]] = match place {
        0 if name.starts_with("WORK") || name == "GET_STATUS" => &HANDLES,
        0 if name == "OPTION_REQ" => &[b"exceptions", b"other"],
        0 if name == "GET_STATUS_UNIQUE" => &UNIQUES,
        0 => &FUNCTIONS,
        1 if name.starts_with("SUBMIT") => &UNIQUES,
        2..7 if name == "SUBMIT_JOB_SCHED" => &FIELDS,
        1 | 2 if !command.has_data() || name == "SUBMIT_JOB_EPOCH" => &NUMBERS,
        _ => &UNIQUES,
    };
    list[pick % list.len()]
}

struct House {
    broker: Broker,
    now: Now,
    open: [ConnId; PEERS],
    generation: u32,
    /// Peers that the broker wants to be rid of.
    closed: BTreeSet<usize>,
    /// Text sent.
    answers: Vec<u8>,
    /// Jobs handed out: to whom, and their handles.
    assigned: Vec<(usize, Vec<u8>)>,
}

/// What is sent must go to who is there, and be whole.
struct Post<'a> {
    open: &'a [ConnId; PEERS],
    closed: &'a mut BTreeSet<usize>,
    answers: &'a mut Vec<u8>,
    assigned: &'a mut Vec<(usize, Vec<u8>)>,
}

impl Post<'_> {
    fn peer(&self, conn: ConnId) -> usize {
        self.open.iter().position(|open| *open == conn).expect("who is there")
    }
}

impl Outbox for Post<'_> {
    fn send(&mut self, to: ConnId, response: &Response<'_>) {
        let peer = self.peer(to);
        if let Response::Assign(assign) = response {
            self.assigned.push((peer, assign.handle.to_vec()));
        }
        if let Response::Text(text) = response {
            self.answers.extend_from_slice(text);
            return;
        }
        let mut out = OutBuf::new();
        response.encode(&mut out);
        let bytes = out.to_vec();
        let step = Decoder::default().next_response(&bytes);
        assert!(
            matches!(step, Ok(ResponseStep::Packet { length, .. }) if length == bytes.len()),
            "{response:?}: {step:?}"
        );
    }

    fn close(&mut self, conn: ConnId) {
        let peer = self.peer(conn);
        self.closed.insert(peer);
    }
}

impl House {
    fn new(settings: u8) -> Self {
        let bit = |place: u8| settings >> place & 1 == 1;
        let config = Config {
            compat: if bit(0) { Compat::V1_1 } else { Compat::V2_0 },
            round_robin: bit(1),
            exceptions: bit(2),
            job_retries: bit(3).then_some(2),
            worker_wakeup: bit(4).then_some(u32::from(bit(5))),
            handle_prefix: "T".into(),
            max_queue_bytes: if bit(6) { 1000 } else { 1 << 20 },
            max_functions: if bit(7) { 2 } else { 100 },
            max_schedules: 2,
            ..Config::default()
        };
        let noon = Duration::from_secs(1_795_262_400);
        let mut house = Self {
            broker: Broker::new(config, Limits::default()).expect("usable settings"),
            now: Now { mono: Duration::from_secs(1), wall: noon },
            open: [ConnId::new(0, 0); PEERS],
            generation: 0,
            closed: BTreeSet::new(),
            answers: Vec::new(),
            assigned: Vec::new(),
        };
        for peer in 0..PEERS {
            house.reopen(peer);
        }
        house
    }

    fn apply(&mut self, input: Input<'_>) {
        let Self { broker, open, closed, answers, assigned, .. } = self;
        broker.handle(self.now, input, &mut Post { open, closed, answers, assigned });
        #[cfg(debug_assertions)]
        self.broker.check();
        assert!(self.broker.running() <= self.broker.jobs());
    }

    fn reopen(&mut self, peer: usize) {
        self.apply(Input::Closed { conn: self.open[peer] });
        self.closed.remove(&peer);
        self.generation += 1;
        self.open[peer] = ConnId::new(peer as u32, self.generation);
        self.apply(Input::Opened { conn: self.open[peer], peer: "fuzz" });
    }

    fn close(&mut self, peer: usize) {
        self.reopen(peer);
    }

    fn received(&mut self, peer: usize, frame: &Frame<'_>) {
        self.apply(Input::Received { conn: self.open[peer], frame });
    }

    /// `packet` is a name and the parts of a body, all separated by NULs.
    fn packet(&mut self, peer: usize, packet: &[u8]) {
        let end = packet.iter().position(|byte| *byte == 0).unwrap_or(packet.len());
        let body = packet.get(end + 1..).unwrap_or_default();
        let named = |command: &&Command| command.name().as_bytes() == &packet[..end];
        let command = Command::ALL.iter().find(named).expect("a name of the table");
        let bytes = [b"\0REQ", &command.number().to_be_bytes()[..], &(body.len() as u32).to_be_bytes(), body]
            .concat();
        if let Ok(Step::Frame { frame, .. }) = Decoder::default().next(&bytes) {
            self.received(peer, &frame);
        }
    }

    /// The wall clock jumps, back or forth.
    fn jump(&mut self, pick: u8) {
        let step = Duration::from_secs(1 << (pick % 24));
        self.now.wall = if pick >= 128 { self.now.wall.saturating_sub(step) } else { self.now.wall + step };
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now.mono + time;
        while let Some(at) = self.broker.next_wakeup().filter(|at| *at <= end) {
            let step = at.saturating_sub(self.now.mono);
            self.now.mono += step;
            self.now.wall += step;
            self.apply(Input::Tick);
            assert!(
                self.broker.next_wakeup().is_none_or(|next| next > self.now.mono),
                "a tick does what was due"
            );
        }
        self.now.wall += end.saturating_sub(self.now.mono);
        self.now.mono = end.max(self.now.mono);
    }
}

/// Bytes as a segment of a log: nothing panics, and what was read once is read again.
///
/// # Panics
/// Where that is not so.
pub fn log_read(bytes: &[u8]) {
    let place = tempfile::tempdir().expect("a directory for a log");
    let path = place.path().join("0000000000000001.log");
    // Whole batches of a log with this mark are easier to meet than CRCs that hold: a byte says where the bytes go.
    let segment = match bytes.split_first() {
        Some((at, rest)) => {
            let mut segment = log_segment();
            let at = usize::from(*at) * segment.len() / 256;
            let end = (at + rest.len()).min(segment.len());
            segment[at..end].copy_from_slice(&rest[..end - at]);
            segment
        }
        None => Vec::new(),
    };
    std::fs::write(&path, &segment).expect("a segment");
    let settings = || LogSettings { segment_bytes: 64 << 10, ..LogSettings::at(place.path()) };
    let read = || {
        let mut log = Log::open(settings()).ok()?;
        let mut live = BTreeSet::new();
        let replayed = log.replay(&mut |change| {
            match change {
                Change::Add(job) => drop(live.insert(job.number)),
                Change::End { number } => drop(live.remove(number)),
                _ => {}
            }
            Ok(())
        });
        replayed.is_ok().then_some(live)
    };
    let mut looked = BTreeSet::new();
    let report = Log::read(place.path(), &mut |change| {
        match change {
            Change::Add(job) => drop(looked.insert(job.number)),
            Change::End { number } => drop(looked.remove(number)),
            _ => {}
        }
        Ok(())
    });
    assert_eq!(std::fs::read(&path).expect("a segment"), segment, "reading has changed it");
    let first = read();
    assert_eq!(first, report.is_ok().then_some(looked));
    assert_eq!(first, read(), "what was read once is not read again");
}

/// Two batches of jobs, as a log has written them.
fn log_segment() -> Vec<u8> {
    static SEGMENT: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
    let make = || {
        let place = tempfile::tempdir().expect("a directory for a log");
        let mut log = Log::open(LogSettings::at(place.path())).expect("a log");
        for number in [1, 3] {
            let mut batch = lineshaft::store::Batch::new();
            for number in [number, number + 1] {
                batch.push(&Change::Add(lineshaft::store::StoredJob {
                    unique: b"u",
                    priority: lineshaft::types::Priority::Normal,
                    ..lineshaft::store::StoredJob::new(
                        number,
                        b"f",
                        lineshaft::types::Data::Borrowed(b"workload"),
                    )
                }));
            }
            log.commit(&batch).expect("a commit");
        }
        drop(log);
        std::fs::read(place.path().join("0000000000000001.log")).expect("a segment")
    };
    SEGMENT.get_or_init(make).clone()
}
