//! Every packet type of the table (protocol.md 1.5): its bytes, and what they mean.

use lineshaft::error::ErrorKind;
use lineshaft::protocol::{
    Assign, Command, Data, Decoder, Frame, Grab, OutBuf, Request, Response, ResponseStep, Schedule, Sender,
    StatusReport, Step, Submit, When, Work,
};
use lineshaft::types::{Priority, Progress};

pub(crate) fn bytes(magic: &[u8; 4], command: Command, body: &[u8]) -> Vec<u8> {
    [magic, &command.number().to_be_bytes()[..], &(body.len() as u32).to_be_bytes(), body].concat()
}

/// What clients and workers send: type, body, meaning.
pub(crate) fn requests() -> Vec<(Command, &'static [u8], Request<'static>)> {
    use Command as C;
    use Request as R;
    let submit = || Submit::new(b"f", b"u", Data::from(b"p\0q"));
    let plain = |priority, background| R::Submit(Submit { priority, background, ..submit() });
    let reduce = |background| R::Submit(Submit { reducer: Some(b"r"), background, ..submit() });
    let work = |work| R::Work { handle: b"H:x:1", work };
    let fields = Schedule::new(b"1\x002,3\0*/4\x005-6\x000").expect("five fields");
    vec![
        (C::CanDo, b"f", R::CanDo { function: b"f" }),
        (C::CanDo, b"", R::CanDo { function: b"" }),
        (C::CantDo, b"f", R::CantDo { function: b"f" }),
        (C::ResetAbilities, b"", R::ResetAbilities),
        (C::PreSleep, b"", R::PreSleep),
        (C::SubmitJob, b"f\0u\0p\0q", plain(Priority::Normal, false)),
        (C::GrabJob, b"", R::Grab(Grab::Job)),
        (C::WorkStatus, b"H:x:1\x003\x004", work(Work::Status { numerator: b"3", denominator: b"4" })),
        (C::WorkComplete, b"H:x:1\0a\0b", work(Work::Complete(Data::from(b"a\0b")))),
        (C::WorkComplete, b"H:x:1\0", work(Work::Complete(Data::EMPTY))),
        (C::WorkFail, b"H:x:1", work(Work::Fail)),
        (C::GetStatus, b"H:x:1", R::GetStatus { handle: b"H:x:1" }),
        (C::EchoReq, b"\0anything\0", R::Echo { data: Data::from(b"\0anything\0") }),
        (C::EchoReq, b"", R::Echo { data: Data::EMPTY }),
        (C::SubmitJobBg, b"f\0u\0p\0q", plain(Priority::Normal, true)),
        (C::SubmitJobHigh, b"f\0u\0p\0q", plain(Priority::High, false)),
        (C::SetClientId, b"me myself", R::SetClientId { id: b"me myself" }),
        (C::CanDoTimeout, b"f\x001500", R::CanDoTimeout { function: b"f", millis: 1500 }),
        (C::AllYours, b"", R::AllYours),
        (C::WorkException, b"H:x:1\0boom", work(Work::Exception(Data::from(b"boom")))),
        (C::OptionReq, b"Exceptions", R::SetOption { name: b"Exceptions" }),
        (C::WorkData, b"H:x:1\0part", work(Work::Data(Data::from(b"part")))),
        (C::WorkWarning, b"H:x:1\0hm", work(Work::Warning(Data::from(b"hm")))),
        (C::GrabJobUniq, b"", R::Grab(Grab::Uniq)),
        (C::SubmitJobHighBg, b"f\0u\0p\0q", plain(Priority::High, true)),
        (C::SubmitJobLow, b"f\0u\0p\0q", plain(Priority::Low, false)),
        (C::SubmitJobLowBg, b"f\0u\0p\0q", plain(Priority::Low, true)),
        (
            C::SubmitJobSched,
            b"f\0u\x001\x002,3\0*/4\x005-6\x000\0p\0q",
            R::Submit(Submit { background: true, when: When::Schedule(fields), ..submit() }),
        ),
        (
            C::SubmitJobEpoch,
            b"f\0u\x004000000000\0p\0q",
            R::Submit(Submit { background: true, when: When::Epoch(4_000_000_000), ..submit() }),
        ),
        (C::SubmitReduceJob, b"f\0u\0r\0\0p\0q", reduce(false)),
        (C::SubmitReduceJobBackground, b"f\0u\0r\0\0p\0q", reduce(true)),
        (C::GrabJobAll, b"", R::Grab(Grab::All)),
        (C::GetStatusUnique, b"u", R::GetStatusUnique { unique: b"u" }),
    ]
}

/// What servers send: type, body, meaning.
pub(crate) fn responses() -> Vec<(Command, &'static [u8], Response<'static>)> {
    use Command as C;
    use Response as R;
    let work = |work| R::Work { handle: b"H:x:1", work };
    let assign = |kind, unique: &'static [u8], reducer: &'static [u8]| {
        let (handle, function): (&[u8], &[u8]) = (b"H:x:1", b"f");
        R::Assign(Assign { kind, handle, function, unique, reducer, workload: Data::from(b"p\0q") })
    };
    let report =
        StatusReport { known: true, running: false, progress: Progress { numerator: 3, denominator: 4 } };
    vec![
        (C::Noop, b"", R::Noop),
        (C::JobCreated, b"H:x:1", R::JobCreated { handle: b"H:x:1" }),
        (C::NoJob, b"", R::NoJob),
        (C::JobAssign, b"H:x:1\0f\0p\0q", assign(Grab::Job, b"", b"")),
        (C::WorkStatus, b"H:x:1\x003\x004", work(Work::Status { numerator: b"3", denominator: b"4" })),
        (C::WorkComplete, b"H:x:1\0a\0b", work(Work::Complete(Data::from(b"a\0b")))),
        (C::WorkFail, b"H:x:1", work(Work::Fail)),
        (C::EchoRes, b"\0anything\0", R::Echo { data: Data::from(b"\0anything\0") }),
        (C::Error, b"QUEUE_ERROR\0Job queue is full", R::error(ErrorKind::QueueError, "Job queue is full")),
        (C::StatusRes, b"H:x:1\x001\x000\x003\x004", R::Status { handle: b"H:x:1", report }),
        (C::WorkException, b"H:x:1\0boom", work(Work::Exception(Data::from(b"boom")))),
        (C::OptionRes, b"Exceptions", R::OptionSet { name: b"Exceptions" }),
        (C::WorkData, b"H:x:1\0part", work(Work::Data(Data::from(b"part")))),
        (C::WorkWarning, b"H:x:1\0hm", work(Work::Warning(Data::from(b"hm")))),
        (C::JobAssignUniq, b"H:x:1\0f\0u\0p\0q", assign(Grab::Uniq, b"u", b"")),
        (C::JobAssignAll, b"H:x:1\0f\0u\0r\0p\0q", assign(Grab::All, b"u", b"r")),
        (
            C::StatusResUnique,
            b"u\x001\x000\x003\x004\x005",
            R::StatusUnique { unique: b"u", report, clients: 5 },
        ),
    ]
}

#[test]
fn every_request_is_written_and_read() {
    for (command, body, request) in requests() {
        let wanted = bytes(b"\0REQ", command, body);
        let mut out = OutBuf::new();
        request.encode(&mut out);
        assert_eq!(out.to_vec(), wanted, "{command}");
        let step = Step::Frame { length: wanted.len(), frame: Frame::Request(request) };
        assert_eq!(Decoder::default().next(&wanted), Ok(step), "{command}");
    }
}

#[test]
fn every_response_is_written_and_read() {
    for (command, body, response) in responses() {
        let wanted = bytes(b"\0RES", command, body);
        let mut out = OutBuf::new();
        response.encode(&mut out);
        assert_eq!(out.to_vec(), wanted, "{command}");
        let step = ResponseStep::Packet { length: wanted.len(), response };
        assert_eq!(Decoder::default().next_response(&wanted), Ok(step), "{command}");
    }
}

#[test]
fn the_lists_here_are_whole() {
    let wrong = |sender: [Sender; 2], listed: Vec<Command>| {
        let needed = Command::ALL.iter().filter(move |command| sender.contains(&command.sender()));
        needed.filter(|command| !listed.contains(command)).collect::<Vec<_>>()
    };
    let listed = requests().iter().map(|(command, ..)| *command).collect();
    assert_eq!(wrong([Sender::Peer, Sender::Both], listed), [&Command::Unused; 0]);
    let listed = responses().iter().map(|(command, ..)| *command).collect();
    assert_eq!(wrong([Sender::Server, Sender::Both], listed), [&Command::Unused; 0]);
    let numbers: Vec<u32> = Command::ALL.iter().map(|command| command.number()).collect();
    assert_eq!(numbers, (1..=42).collect::<Vec<_>>());
}

#[test]
fn a_packet_with_a_buffer_of_its_own_shares_large_data() {
    for len in [Data::SHARE_FROM - 1, Data::SHARE_FROM, 1 << 20] {
        let body = [&b"f\0u\0"[..], &vec![7; len]].concat();
        let packet = bytes::Bytes::from(bytes(b"\0REQ", Command::SubmitJob, &body));
        let Ok(Frame::Request(Request::Submit(submit))) = Decoder::default().whole(&packet) else { panic!() };
        assert_eq!(submit.workload.len(), len);
        assert_eq!(matches!(submit.workload, Data::Shared(_)), len >= Data::SHARE_FROM);

        let body = [&b"H:x:1\0"[..], &vec![7; len]].concat();
        let packet = bytes::Bytes::from(bytes(b"\0RES", Command::WorkComplete, &body));
        let Ok(Response::Work { work: Work::Complete(data), .. }) =
            Decoder::default().whole_response(&packet)
        else {
            panic!()
        };
        assert_eq!((data.len(), matches!(data, Data::Shared(_))), (len, len >= Data::SHARE_FROM));
    }
}

#[test]
fn a_whole_packet_is_exactly_one() {
    let packet = bytes(b"\0REQ", Command::EchoReq, b"x");
    for wrong in [&packet[..packet.len() - 1], &[&packet[..], b"y"].concat(), b"", b"status\n"] {
        let wrong = bytes::Bytes::copy_from_slice(wrong);
        assert!(Decoder::default().whole(&wrong).is_err());
        assert!(Decoder::default().whole_response(&wrong).is_err());
    }
}

/// Leniencies of clients.md and protocol.md: what was sent, and what it is taken for.
#[test]
fn what_is_not_quite_right_is_understood() {
    use Command as C;
    use Request as R;
    let work = |work| R::Work { handle: b"H:x:1", work };
    let cases: Vec<(Command, &[u8], Request<'_>)> = vec![
        // The NUL behind the handle is missing where there is no data (Perl), or always (gearman-worker).
        (C::WorkComplete, b"H:x:1", work(Work::Complete(Data::EMPTY))),
        (C::WorkException, b"H:x:1", work(Work::Exception(Data::EMPTY))),
        (C::WorkData, b"H:x:1", work(Work::Data(Data::EMPTY))),
        (C::WorkWarning, b"H:x:1", work(Work::Warning(Data::EMPTY))),
        // Something behind the handle of a WORK_FAIL.
        (C::WorkFail, b"H:x:1\0", work(Work::Fail)),
        (C::WorkFail, b"H:x:1\0why", work(Work::Fail)),
        (C::GetStatus, b"H:x:1\0", R::GetStatus { handle: b"H:x:1" }),
        (C::GetStatusUnique, b"u\0x", R::GetStatusUnique { unique: b"u" }),
        (C::SetClientId, b"me\0you", R::SetClientId { id: b"me" }),
        // A body where there should be none.
        (C::PreSleep, b"zzz", R::PreSleep),
        (C::GrabJob, b"\0", R::Grab(Grab::Job)),
        // Numbers as C reads them.
        (C::CanDoTimeout, b"f\x001.5", R::CanDoTimeout { function: b"f", millis: 1 }),
        (C::CanDoTimeout, b"f\0-1", R::CanDoTimeout { function: b"f", millis: 0 }),
        (C::CanDoTimeout, b"f\0soon", R::CanDoTimeout { function: b"f", millis: 0 }),
        (C::CanDoTimeout, b"f\0 +7\0", R::CanDoTimeout { function: b"f", millis: 7 }),
        // The fourth argument of a reduce packet is ignored, and a workload may end in a NUL of the client's own.
        (
            C::SubmitReduceJob,
            b"f\0u\0r\0xyz\0p\0",
            R::Submit(Submit { reducer: Some(b"r"), ..Submit::new(b"f", b"u", Data::from(b"p\0")) }),
        ),
        (
            C::SubmitJobEpoch,
            b"f\0u\0soon\0p",
            R::Submit(Submit {
                background: true,
                when: When::Epoch(0),
                ..Submit::new(b"f", b"u", Data::from(b"p"))
            }),
        ),
    ];
    for (command, body, request) in cases {
        let bytes = bytes(b"\0REQ", command, body);
        let step = Step::Frame { length: bytes.len(), frame: Frame::Request(request) };
        assert_eq!(Decoder::default().next(&bytes), Ok(step), "{command}");
    }
    // gearmand leaves a NUL behind the handle where it turns an exception into a failure.
    let fail = bytes(b"\0RES", C::WorkFail, b"H:x:1\0");
    let response = Response::Work { handle: b"H:x:1", work: Work::Fail };
    assert_eq!(
        Decoder::default().next_response(&fail),
        Ok(ResponseStep::Packet { length: fail.len(), response })
    );
}

#[test]
fn numbers_in_status_are_read_as_gearmand_does() {
    for (numerator, denominator, wanted) in [
        (&b"abc"[..], &b"def"[..], (0, 0)),
        (b"007", b"1.5", (7, 1)),
        (b"-1", b"12345678901", (u32::MAX, 1_234_567_890)),
        (b"", b"", (0, 0)),
        (b"99999999999999999999", b"4294967295", (u32::MAX, u32::MAX)),
    ] {
        let progress = Work::progress(numerator, denominator);
        assert_eq!((progress.numerator, progress.denominator), wanted);
    }
}
