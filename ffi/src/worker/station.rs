//! What a worker knows about the conversation with one server.

use crate::connection::Connection;

/// Where the grabbing of jobs stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mood {
    /// The server may be asked for a job.
    #[default]
    Ready,
    /// It has been asked, and has not answered.
    Asked,
    /// It has no job.
    Refused,
    /// It has no job and has been told that the worker sleeps: it sends NOOP when that changes.
    Asleep,
}

/// The conversation with one server.
#[derive(Debug, Default)]
pub(crate) struct Station {
    /// The session of the line in which the functions have been announced; 0 for none.
    pub(super) session: u64,
    /// The number of this conversation, which its worker uses for no other: jobs remember it.
    pub(super) conversation: u64,
    pub(super) mood: Mood,
}

impl Connection<Station> {
    /// True where the server knows the worker's functions. The line may have been opened again by another call since.
    pub(super) fn is_announced(&self) -> bool {
        self.line.is_open() && self.line.session() == self.peer.session
    }

    /// True where this is the conversation of that number, and goes on.
    pub(crate) fn is_conversation(&self, number: u64) -> bool {
        self.is_announced() && self.peer.conversation == number
    }
}
