//! What a peer may send at the most.

/// Limits on what is read from a peer. Whoever exceeds one of them gets an ERROR packet, or an `ERR` line, that names the
/// limit, and is then disconnected: the bytes that follow could not be told from a new packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Body of a packet, in bytes. Default 64 MiB; the format's own limit is 4 GiB - 1. What a server sends may be longer by a
    /// job handle (64 bytes), so that a job of just this size still reaches a worker with the same limit.
    pub max_packet: usize,
    /// One argument in front of a packet's data, or the body of a packet without data, in bytes. Default 8191, gearmand's.
    pub max_argument: usize,
    /// A text line without its line end, in bytes. Default 8191, gearmand's.
    pub max_line: usize,
    /// Words in a text line. Default 5, gearmand's; as there, one more closes the connection without an answer.
    pub max_words: usize,
    /// A function's name, in bytes. Default 512, which is libgearman's limit; gearmand has none of its own. The server keeps every
    /// name it has seen and prints it in lists.
    pub max_function: usize,
    /// A unique, in bytes. Default 64, gearmand's.
    pub max_unique: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_packet: 64 << 20,
            max_argument: 8191,
            max_line: 8191,
            max_words: 5,
            max_function: 512,
            max_unique: 64,
        }
    }
}
