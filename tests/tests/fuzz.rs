//! The fuzz targets, fed with bytes of a generator: the same ones in every run. `cargo fuzz` feeds them with better ones.

use lineshaft_tests::fuzz;

/// Bytes that depend on `seed` alone (xorshift).
fn bytes(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..len).map(|_| next()).collect()
}

#[test]
fn sequences_of_broker_inputs() {
    for seed in 0..400 {
        println!("seed {seed}");
        fuzz::broker_ops(&bytes(seed, 1500));
    }
}

#[test]
fn packets_of_random_types_and_bodies() {
    for seed in 0..20_000 {
        println!("seed {seed}");
        let random = bytes(seed, 64);
        let len = random[0] % 40;
        let magic = if random[1].is_multiple_of(4) { b"\0RES" } else { b"\0REQ" };
        // NULs are what bodies are made of.
        let body =
            random[20..20 + usize::from(len % 40)].iter().map(|byte| if byte % 3 == 0 { 0 } else { *byte });
        let header = [&magic[..], &[0, 0, 0, random[2] % 45, 0, 0, 0, len % 40]].concat();
        fuzz::packet_decode(&header.into_iter().chain(body).chain(*b"status\n").collect::<Vec<_>>());
        fuzz::packet_decode(&random);
    }
}

#[test]
fn text_of_words_and_noise() {
    const WORDS: [&str; 16] = [
        "status",
        "show",
        "jobs",
        "unique",
        "schedules",
        "cancel",
        "job",
        "T:1",
        "drop",
        "function",
        "f",
        "maxqueue",
        "\0",
        "1",
        "\r\n",
        "\n",
    ];
    for seed in 0..2000 {
        println!("seed {seed}");
        let words = bytes(seed, 40).into_iter().map(|byte| WORDS[usize::from(byte) % WORDS.len()]);
        let text = words.collect::<Vec<_>>().join(if seed % 5 == 0 { "  " } else { " " });
        fuzz::text_decode(text.replace("\n ", "\n").as_bytes());
    }
}
