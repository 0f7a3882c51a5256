//! Malformed input (protocol.md 1.6) and limits at their edges (1.4).

use lineshaft::error::ErrorKind;
use lineshaft::protocol::{
    Command, DecodeError, Decoder, Frame, Limits, RawCommand, Refusal, Request, ResponseStep, Sender, Step,
};

use crate::packets::bytes;

fn next(bytes: &[u8]) -> Result<Step<'_>, DecodeError> {
    Decoder::default().next(bytes)
}

fn refusal(bytes: &[u8]) -> Option<Refusal> {
    match next(bytes) {
        Ok(Step::Frame { length, frame: Frame::Refused(refusal) }) if length == bytes.len() => Some(refusal),
        _ => None,
    }
}

#[test]
fn what_is_no_magic_ends_the_connection_at_the_first_wrong_byte() {
    for start in [&b"\0REX"[..], b"\0\0", b"\0RE\0", b"\0X", b"\0RER....", b"\0req\0\0\0\x10\0\0\0\0"] {
        assert_eq!(next(start), Err(DecodeError::BadMagic));
        assert_eq!(Decoder::default().next_response(start), Err(DecodeError::BadMagic));
    }
    assert_eq!(Decoder::default().next_response(b"OK"), Err(DecodeError::BadMagic), "text from a server");
    let request = bytes(b"\0REQ", Command::EchoReq, b"");
    assert_eq!(
        Decoder::default().next_response(&request),
        Err(DecodeError::BadMagic),
        "a request from a server"
    );
}

#[test]
fn a_response_from_a_peer_is_refused_and_read_over() {
    for command in Command::ALL {
        let refusal = refusal(&bytes(b"\0RES", *command, b"anything")).expect("refused");
        assert_eq!((refusal.kind, refusal.text), (ErrorKind::InvalidMagic, "Request magic expected"));
    }
}

#[test]
fn types_outside_the_table_end_the_connection() {
    for number in [0u32, 43, 44, 255, 256, 0x7fff_ffff, 0x8000_0000, 0x8000_0001, 0xffff_ffff] {
        for magic in [b"\0REQ", b"\0RES"] {
            let packet = [&magic[..], &number.to_be_bytes(), &[0; 4]].concat();
            assert_eq!(next(&packet), Err(DecodeError::UnknownCommand(RawCommand(number))));
        }
    }
}

#[test]
fn packets_of_servers_and_reserved_ones_are_refused_and_read_over() {
    let mut seen = 0;
    for command in Command::ALL {
        if matches!(command.sender(), Sender::Server | Sender::Nobody) {
            let refusal = refusal(&bytes(b"\0REQ", *command, b"no NULs")).expect("refused");
            assert_eq!((refusal.kind, refusal.text), (ErrorKind::InvalidCommand, "Command not expected"));
            seen += 1;
        }
    }
    assert_eq!(seen, 12, "5, 6, 8, 10, 11, 17, 19, 20, 27, 31, 40, 42 and no other");
}

#[test]
fn too_few_arguments_end_the_connection_and_swallow_nothing() {
    // Whatever follows, even the NULs of a next packet, is not looked at.
    let follower = bytes(b"\0REQ", Command::SubmitJob, b"f\0u\0x");
    for command in Command::ALL {
        let lenient =
            ["WORK_COMPLETE", "WORK_EXCEPTION", "WORK_DATA", "WORK_WARNING"].contains(&command.name());
        if !matches!(command.sender(), Sender::Peer | Sender::Both) || lenient {
            continue;
        }
        let needed =
            if command.has_data() { command.arguments() } else { command.arguments().saturating_sub(1) };
        for nuls in 0..needed {
            let packet = bytes(b"\0REQ", *command, &b"x\0".repeat(nuls));
            let error = Err(DecodeError::TooFewArguments(*command));
            assert_eq!(next(&packet), error);
            assert_eq!(next(&[&packet[..], &follower].concat()), error);
        }
    }
}

#[test]
fn a_header_that_announces_too_much_is_refused_before_its_body_comes() {
    let header = |magic: &[u8; 4], command: Command, size: u32| {
        [magic, &command.number().to_be_bytes()[..], &size.to_be_bytes()].concat()
    };
    let default = Limits::default().max_packet as u32;
    for size in [default + 1, 0x8000_0000, u32::MAX] {
        let header = header(b"\0REQ", Command::SubmitJob, size);
        let error = DecodeError::PacketTooLarge {
            command: Command::SubmitJob,
            size: size as usize,
            limit: default as usize,
        };
        assert_eq!(next(&header), Err(error));
    }
    let fits = header(b"\0REQ", Command::SubmitJob, default);
    assert_eq!(next(&fits), Ok(Step::Need { total: default as usize + 12 }));

    // A job of just that size still reaches a worker that has the same limit: a handle longer.
    for (size, fits) in [(default + 64, true), (default + 65, false)] {
        let header = header(b"\0RES", Command::JobAssignAll, size);
        assert_eq!(Decoder::default().next_response(&header).is_ok(), fits);
    }
}

#[test]
fn bodies_without_data_are_limited() {
    for (len, fits) in [(8191, true), (8192, true), (8193, false)] {
        let packet = bytes(b"\0REQ", Command::CanDo, &vec![b'f'; len]);
        let error = DecodeError::ArgumentTooLarge { command: Command::CanDo, limit: 8191 };
        match fits {
            true => assert!(matches!(next(&packet), Ok(Step::Frame { .. }))),
            false => assert_eq!(next(&packet[..12]), Err(error), "the header is enough"),
        }
    }
    // Packets without arguments too: their body is read over, but not without end.
    assert!(next(&bytes(b"\0REQ", Command::PreSleep, &[0; 8192])).is_ok());
    assert!(next(&bytes(b"\0REQ", Command::PreSleep, &[0; 8193])).is_err());
}

#[test]
fn arguments_are_limited() {
    for (len, fits) in [(8191, true), (8192, false)] {
        let name = "f".repeat(len);
        let packet = bytes(b"\0REQ", Command::SubmitJob, format!("{name}\0u\0x").as_bytes());
        match next(&packet) {
            Ok(Step::Frame { frame: Frame::Request(Request::Submit(submit)), .. }) => {
                assert!(fits && submit.function.len() == len);
            }
            other => {
                let error = DecodeError::ArgumentTooLarge { command: Command::SubmitJob, limit: 8191 };
                assert!(!fits && other == Err(error));
            }
        }
    }
}

#[test]
fn uniques_and_reducers_are_limited() {
    for (len, fits) in [(63, true), (64, true), (65, false)] {
        let long = "u".repeat(len);
        let bodies = [
            (Command::SubmitJob, format!("f\0{long}\0x")),
            (Command::SubmitJobEpoch, format!("f\0{long}\x001\0x")),
            (Command::SubmitJobSched, format!("f\0{long}\0*\0*\0*\0*\0*\0x")),
            (Command::SubmitReduceJob, format!("f\0{long}\0r\0\0x")),
            (Command::SubmitReduceJobBackground, format!("f\0u\0{long}\0\0x")),
            (Command::GetStatusUnique, long),
        ];
        for (command, body) in bodies {
            let packet = bytes(b"\0REQ", command, body.as_bytes());
            let refused = refusal(&packet).map(|refusal| refusal.kind);
            assert_eq!(refused, (!fits).then_some(ErrorKind::ArgumentTooLarge), "{command} with {len}");
        }
    }
}

#[test]
fn numbers_are_limited() {
    for (command, body) in [
        (Command::CanDoTimeout, &b"f\x00000000000000000000001"[..]),
        (Command::CanDoTimeout, b"f\x009223372036854775808"),
        (Command::SubmitJobEpoch, b"f\0u\x009223372036854775808\0x"),
        (Command::SubmitJobEpoch, b"f\0u\0-9223372036854775809\0x"),
    ] {
        let refusal = refusal(&bytes(b"\0REQ", command, body)).expect("refused");
        assert_eq!(refusal.kind, ErrorKind::ArgumentTooLarge);
    }
    for (command, body) in [
        (Command::CanDoTimeout, &b"f\x009223372036854775807"[..]),
        (Command::SubmitJobEpoch, b"f\0u\0-9223372036854775808\0x"),
    ] {
        assert!(matches!(
            next(&bytes(b"\0REQ", command, body)),
            Ok(Step::Frame { frame: Frame::Request(_), .. })
        ));
    }
}

#[test]
fn lines_are_limited() {
    let limit = Limits::default().max_line;
    let line = |len: usize, end: &str| ["x".repeat(len), end.into()].concat().into_bytes();
    for end in ["\n", "\r\n"] {
        let fits = line(limit, end);
        assert!(matches!(next(&fits), Ok(Step::Frame { length, .. }) if length == fits.len()));
        assert_eq!(next(&line(limit + 1, end)), Err(DecodeError::LineTooLong { limit }));
    }
    // Without an end it is waited for as long as it could still be good.
    assert_eq!(next(&line(limit + 1, "")), Ok(Step::Need { total: limit + 2 }));
    assert_eq!(next(&line(limit + 2, "")), Err(DecodeError::LineTooLong { limit }));
    assert_eq!(next(&line(1 << 20, "\n")), Err(DecodeError::LineTooLong { limit }));
}

#[test]
fn only_a_cr_before_the_lf_is_taken_away() {
    for (bytes, line) in
        [(&b"a\rb\r\r\n"[..], &b"a\rb\r"[..]), (b"\r\n", b""), (b"\n", b""), (b" x \n", b" x ")]
    {
        assert_eq!(next(bytes), Ok(Step::Frame { length: bytes.len(), frame: Frame::Text(line) }));
    }
}

#[test]
fn servers_send_no_requests_and_no_unknown_types() {
    for command in Command::ALL {
        if matches!(command.sender(), Sender::Peer | Sender::Nobody) {
            let packet = bytes(b"\0RES", *command, b"");
            assert_eq!(Decoder::default().next_response(&packet), Err(DecodeError::NotAResponse(*command)));
        }
    }
    let short = bytes(b"\0RES", Command::JobAssign, b"H:x:1\0f");
    assert_eq!(
        Decoder::default().next_response(&short),
        Err(DecodeError::TooFewArguments(Command::JobAssign))
    );
}

#[test]
fn status_of_an_odd_server_is_read_as_far_as_it_goes() {
    let odd = bytes(b"\0RES", Command::StatusRes, b"h\x002\0yes\0-1\0x");
    let step = Decoder::default().next_response(&odd);
    assert!(matches!(step, Ok(ResponseStep::Packet { .. })), "{step:?}");
}
