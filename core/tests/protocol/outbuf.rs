//! The out-buffer: bytes come out as they went in, whatever they were made of.

use std::io::IoSlice;

use bytes::Bytes;
use lineshaft::protocol::{Data, OutBuf};
use proptest::prelude::*;

const LARGE: usize = Data::SHARE_FROM;

/// `len` bytes that tell their place.
fn some(len: usize, seed: u8) -> Vec<u8> {
    (0..len).map(|i| (i as u8).wrapping_mul(31).wrapping_add(seed)).collect()
}

fn slices(out: &OutBuf, count: usize) -> Vec<Vec<u8>> {
    let mut slices = vec![IoSlice::new(&[]); count];
    let filled = out.slices(&mut slices);
    slices[..filled].iter().map(|slice| slice.to_vec()).collect()
}

#[test]
fn small_pieces_are_gathered_and_large_ones_are_not_copied() {
    let large = Bytes::from(some(LARGE, 1));
    let mut out = OutBuf::new();
    assert!(out.is_empty() && out.is_bare());
    out.put(b"a");
    out.put_data(&Data::Borrowed(b"b"));
    out.put_data(&Data::Shared(Bytes::from_static(b"c")));
    assert_eq!(out.contiguous(), Some(&b"abc"[..]));
    out.put_data(&Data::from(&large));
    out.put(b"d");
    assert_eq!(out.contiguous(), None);
    assert_eq!(out.len(), 4 + LARGE);

    let mut pieces = [IoSlice::new(&[]), IoSlice::new(&[]), IoSlice::new(&[]), IoSlice::new(&[])];
    assert_eq!(out.slices(&mut pieces), 3);
    assert_eq!(pieces[1].as_ptr(), large.as_ptr(), "the very bytes");
    assert_eq!(slices(&out, 2), [b"abc".to_vec(), large.to_vec()], "as many as there is room for");
    assert_eq!(slices(&out, 0), [[0u8; 0]; 0]);
}

#[test]
fn a_partial_write_goes_on_where_it_stopped() {
    let mut out = OutBuf::new();
    let large = Bytes::from(some(LARGE, 2));
    out.put(b"head");
    out.put_data(&Data::from(&large));
    out.put(b"tail");
    let whole = out.to_vec();
    for at in 0..whole.len() {
        assert_eq!(out.len(), whole.len() - at);
        if at % 1000 < 6 || at < 10 || whole.len() - at < 10 {
            assert_eq!(out.to_vec(), &whole[at..]);
        }
        out.advance(1);
    }
    assert!(out.is_empty());
    assert_eq!(out.contiguous(), Some(&b""[..]));
    out.put(b"again");
    assert_eq!(out.to_vec(), b"again");
}

#[test]
fn memory_goes_round() {
    let mut out = OutBuf::with_memory(Vec::with_capacity(4096));
    assert!(out.is_empty() && !out.is_bare());
    out.put(b"never sent");
    let memory = out.into_memory();
    assert!(memory.is_empty() && memory.capacity() >= 4096);
    assert_eq!(OutBuf::with_memory(b"left over".to_vec()).to_vec(), b"");
}

#[test]
fn a_reader_that_is_always_behind_does_not_make_it_grow() {
    let mut out = OutBuf::new();
    out.put(&some(1000, 0));
    for i in 0..10_000 {
        out.put(&some(1000, i as u8));
        out.advance(1000);
    }
    assert_eq!(out.len(), 1000);
    assert!(out.into_memory().capacity() < 1 << 20);
}

#[derive(Clone, Debug)]
enum Op {
    Put(usize),
    Share(usize),
    /// So many thousandths of what there is.
    Advance(usize),
    /// A buffer with these pieces, of which the first so many bytes have been sent.
    Append(Vec<usize>, usize),
    Swap,
}

fn op() -> impl Strategy<Value = Op> {
    let length = || prop_oneof![4 => 0..40usize, 1 => LARGE - 2..LARGE + 2, 1 => Just(3 * LARGE)];
    prop_oneof![
        4 => length().prop_map(Op::Put),
        2 => length().prop_map(Op::Share),
        4 => prop_oneof![Just(1000usize), Just(0), 0..1000usize].prop_map(Op::Advance),
        2 => (prop::collection::vec(length(), 0..4), 0..1000usize).prop_map(|(pieces, sent)| Op::Append(pieces, sent)),
        1 => Just(Op::Swap),
    ]
}

fn put(out: &mut OutBuf, model: &mut Vec<u8>, bytes: Vec<u8>, share: bool) {
    model.extend_from_slice(&bytes);
    match share {
        true => out.put_data(&Data::Shared(bytes.into())),
        false => out.put(&bytes),
    }
}

fn advance(out: &mut OutBuf, model: &mut Vec<u8>, thousandths: usize) {
    let count = model.len() * thousandths / 1000;
    out.advance(count);
    model.drain(..count);
}

proptest! {
    #[test]
    fn it_is_a_queue_of_bytes(ops in prop::collection::vec(op(), 1..40)) {
        let (mut out, mut model) = (OutBuf::new(), Vec::new());
        // Another one, to be appended to.
        let (mut other, mut other_model) = (OutBuf::new(), Vec::new());
        for (seed, op) in ops.into_iter().enumerate() {
            let seed = seed as u8;
            match op {
                Op::Put(len) => put(&mut out, &mut model, some(len, seed), false),
                Op::Share(len) => put(&mut out, &mut model, some(len, seed), true),
                Op::Advance(part) => advance(&mut out, &mut model, part),
                Op::Append(pieces, sent) => {
                    let (mut more, mut more_model) = (OutBuf::new(), Vec::new());
                    for (i, len) in pieces.into_iter().enumerate() {
                        put(&mut more, &mut more_model, some(len, seed), i % 2 == 1);
                    }
                    advance(&mut more, &mut more_model, sent);
                    out.append(&mut more);
                    model.append(&mut more_model);
                    prop_assert!(more.is_empty());
                    more.put(b"still good");
                    prop_assert_eq!(more.to_vec(), b"still good");
                }
                Op::Swap => {
                    std::mem::swap(&mut out, &mut other);
                    std::mem::swap(&mut model, &mut other_model);
                }
            }
            prop_assert_eq!(out.len(), model.len());
            prop_assert_eq!(out.is_empty(), model.is_empty());
            prop_assert!(out.to_vec() == model, "the bytes differ");
            if let Some(bytes) = out.contiguous() {
                prop_assert!(bytes == model);
            }
            let pieces = slices(&out, 64);
            prop_assert!(pieces.iter().all(|piece| !piece.is_empty()), "an empty slice ends a vectored write");
        }
        out.append(&mut other);
        model.append(&mut other_model);
        prop_assert!(out.to_vec() == model);
    }
}
