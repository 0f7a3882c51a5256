//! Packets and lines that arrive in pieces, and many at once.

use lineshaft::protocol::{Command, Decoder, Frame, Limits, ResponseStep, Step};
use proptest::prelude::*;

use crate::packets::{bytes, requests, responses};

/// Everything a peer may send, as bytes.
fn messages() -> Vec<Vec<u8>> {
    let packets = requests().into_iter().map(|(command, body, _)| bytes(b"\0REQ", command, body));
    let refused = [bytes(b"\0RES", Command::Noop, b""), bytes(b"\0REQ", Command::JobCreated, b"h")];
    let lines = [&b"status\n"[..], b"\n", b"\r\n", b"cancel job H:x:1\r\n"].map(<[u8]>::to_vec);
    packets.chain(refused).chain(lines).collect()
}

#[test]
fn a_message_cut_anywhere_asks_for_more_and_then_is_the_same() {
    let decoder = Decoder::default();
    for message in messages() {
        let whole = decoder.next(&message).expect("a good message");
        assert!(matches!(whole, Step::Frame { length, .. } if length == message.len()), "{whole:?}");
        for cut in 0..message.len() {
            match decoder.next(&message[..cut]) {
                Ok(Step::Need { total }) => {
                    assert!(cut < total && total <= message.len(), "{total} at {cut} of {message:?}");
                }
                other => panic!("{other:?} at {cut} of {message:?}"),
            }
        }
        // What follows makes no difference.
        for next in [&b"\0"[..], b"x", b"\0REQ\xff\xff\xff\xff", &[0xff; 40]] {
            assert_eq!(decoder.next(&[&message[..], next].concat()), Ok(whole.clone()));
        }
        // A reader that waits for exactly what it is told to gets there.
        let (mut have, mut rounds) = (0, 0);
        while let Ok(Step::Need { total }) = decoder.next(&message[..have]) {
            (have, rounds) = (total, rounds + 1);
        }
        assert_eq!(have, message.len());
        assert!(rounds <= 3 || message[0] != 0, "a packet needs two looks, a line one for each byte");
    }
}

#[test]
fn a_response_cut_anywhere_asks_for_more_and_then_is_the_same() {
    let decoder = Decoder::default();
    for (command, body, response) in responses() {
        let message = bytes(b"\0RES", command, body);
        for cut in 0..message.len() {
            match decoder.next_response(&message[..cut]) {
                Ok(ResponseStep::Need { total }) => assert!(cut < total && total <= message.len()),
                other => panic!("{other:?} at {cut} of {message:?}"),
            }
        }
        let step = ResponseStep::Packet { length: message.len(), response };
        assert_eq!(decoder.next_response(&[&message[..], b"\0RE"].concat()), Ok(step));
    }
}

/// All messages of a buffer, in words.
fn all(mut buffer: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    while let Ok(Step::Frame { length, frame }) = Decoder::default().next(buffer) {
        found.push(format!("{frame:?}"));
        buffer = &buffer[length..];
    }
    assert!(buffer.is_empty());
    found
}

#[test]
fn pipelined_messages_are_the_same_as_single_ones() {
    let messages = messages();
    let single: Vec<String> = messages.iter().flat_map(|message| all(message)).collect();
    assert_eq!(single.len(), messages.len());
    assert_eq!(all(&messages.concat()), single);
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic_and_with_progress(
        start in 0..4usize,
        kind in 0..50u32,
        size in prop_oneof![0..40u32, any::<u32>()],
        rest in prop::collection::vec(prop_oneof![Just(0u8), Just(b'\n'), any::<u8>()], 0..80),
    ) {
        let head = match start {
            0 => [b"\0REQ", &kind.to_be_bytes()[..], &size.to_be_bytes()].concat(),
            1 => [b"\0RES", &kind.to_be_bytes()[..], &size.to_be_bytes()].concat(),
            2 => b"\0RE".to_vec(),
            _ => Vec::new(),
        };
        let buffer = [head, rest].concat();
        let small = Limits { max_packet: 60, max_argument: 8, max_line: 9, max_words: 2, max_function: 20, max_unique: 4 };
        let endless = Limits {
            max_packet: usize::MAX,
            max_argument: usize::MAX,
            max_line: usize::MAX,
            max_words: usize::MAX,
            max_function: usize::MAX,
            max_unique: usize::MAX,
        };
        for limits in [Limits::default(), small, endless] {
            let decoder = Decoder::new(limits);
            match decoder.next(&buffer) {
                Ok(Step::Need { total }) => {
                    prop_assert!(total > buffer.len());
                    let waits_for_less = total.saturating_sub(12) <= limits.max_packet;
                    prop_assert!(waits_for_less || buffer[0] != 0, "nobody waits for what will be refused");
                }
                Ok(Step::Frame { length, frame }) => {
                    prop_assert!(0 < length && length <= buffer.len());
                    if let Frame::Text(line) = frame {
                        prop_assert!(line.len() <= limits.max_line);
                    }
                }
                Err(error) => prop_assert!(!error.to_string().is_empty()),
            }
            match decoder.next_response(&buffer) {
                Ok(ResponseStep::Need { total }) => prop_assert!(total > buffer.len()),
                Ok(ResponseStep::Packet { length, .. }) => prop_assert!(0 < length && length <= buffer.len()),
                Err(_) => {}
            }
        }
    }
}
