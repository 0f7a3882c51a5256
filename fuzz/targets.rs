//! The fuzz targets. As plain tests they take random bytes for a second; `BOLERO_RANDOM_TEST_TIME_MS` says for how long instead.
//! What a run finds is printed with its seed, and becomes a test beside the code that was wrong.

use bolero::check;
use lineshaft_tests::fuzz;

/// Bytes as a server and as a client reads them.
#[test]
fn packet_decode() {
    check!().with_max_len(4096).for_each(fuzz::packet_decode);
}

/// Admin lines to a broker with jobs and workers.
#[test]
fn text_decode() {
    check!().with_max_len(1024).for_each(fuzz::text_decode);
}

/// Sequences of what may happen to a broker.
#[test]
fn broker_ops() {
    check!().with_max_len(4096).for_each(fuzz::broker_ops);
}

/// A log's segment, some of whose bytes are others.
#[test]
fn log_read() {
    check!().with_max_len(256).for_each(fuzz::log_read);
}
