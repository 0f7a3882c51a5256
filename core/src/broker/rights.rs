//! Who may do what.

use super::{Broker, Event, Outbox};
use crate::error::ErrorKind;
use crate::types::{ConnId, Identity};

/// Something that a peer may be allowed to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// Submit jobs of a function.
    Submit,
    /// Register a function and get its jobs.
    Work,
    /// Change a function by text commands. With it for every function (`*`): all other text commands as well.
    Admin,
}

impl Right {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Submit, Self::Work, Self::Admin];

    /// The word for it in settings and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Submit => "submit",
            Self::Work => "work",
            Self::Admin => "admin",
        }
    }

    /// The right of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|right| right.name() == name)
    }
}

/// Rights of those whom a pattern names. In patterns `*` stands for any number of bytes, `?` for one; case counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Whom: a pattern for any of the names in a peer's certificate. `*` alone is everybody, with a certificate or without;
    /// `anonymous` is whoever has come by TCP without one, `unix` whoever has come by a Unix socket.
    pub identity: String,
    /// What.
    pub rights: Vec<Right>,
    /// With which functions: patterns of their names.
    pub functions: Vec<String>,
}

impl Grant {
    fn is_for(&self, identity: &Identity) -> bool {
        match (self.identity.as_str(), identity) {
            ("*", _) | ("anonymous", Identity::Anonymous) | ("unix", Identity::Unix) => true,
            // These words mean no certificate, whatever names there are in one.
            ("anonymous" | "unix", _) => false,
            (pattern, identity) => {
                identity.names().iter().any(|name| matches(pattern.as_bytes(), name.as_bytes()))
            }
        }
    }

    /// `function` is `None` for what concerns all of them.
    fn covers(&self, right: Right, function: Option<&[u8]>) -> bool {
        self.rights.contains(&right)
            && self.functions.iter().any(|pattern| match function {
                Some(function) => matches(pattern.as_bytes(), function),
                None => pattern == "*",
            })
    }
}

/// Whether all of `text` fits `pattern`. Takes at most their lengths multiplied.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut read) = (0, 0);
    // Where the last star stands, and how much of the text it has taken.
    let mut star = None;
    while read < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, read));
                at += 1;
            }
            Some(byte) if *byte == b'?' || *byte == text[read] => {
                at += 1;
                read += 1;
            }
            _ => match star {
                Some((place, taken)) => {
                    star = Some((place, taken + 1));
                    (at, read) = (place + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

impl Broker {
    /// Whether the peer may do that: with a function, or for `None` with all of them. Nobody is refused anything where no rights are
    /// set.
    pub(super) fn permit(
        &self,
        conn: ConnId,
        right: Right,
        function: Option<&[u8]>,
    ) -> Result<(), (ErrorKind, String)> {
        if self.config.rights.is_empty() {
            return Ok(());
        }
        self.look_up(&self.connections.at(conn.slot()).identity, right, function)
    }

    #[cold]
    fn look_up(
        &self,
        identity: &Identity,
        right: Right,
        function: Option<&[u8]>,
    ) -> Result<(), (ErrorKind, String)> {
        let mut grants = self.config.rights.iter();
        if *identity == Identity::Local
            || grants.any(|grant| grant.is_for(identity) && grant.covers(right, function))
        {
            return Ok(());
        }
        let name = right.name();
        let text = match function {
            Some(function) => {
                format!("{identity} lacks the right {name} for function {}", function.escape_ascii())
            }
            None => format!("{identity} lacks the right {name} for all functions"),
        };
        Err((ErrorKind::Server, text))
    }

    /// Whether somebody who has no connection may do that: with a function, or for `None` with all of them. Everybody may do everything
    /// where no rights are set.
    ///
    /// # Errors
    /// A sentence that says which right is missing.
    pub fn permit_to(
        &self,
        identity: &Identity,
        right: Right,
        function: Option<&[u8]>,
    ) -> Result<(), String> {
        if self.config.rights.is_empty() {
            return Ok(());
        }
        self.look_up(identity, right, function).map_err(|(_, text)| text)
    }

    /// Whether the peer may administer any function.
    pub(super) fn administers(&self, conn: ConnId) -> bool {
        let identity = &self.connections.at(conn.slot()).identity;
        let mut grants = self.config.rights.iter();
        self.config.rights.is_empty()
            || *identity == Identity::Local
            || grants.any(|grant| grant.is_for(identity) && grant.rights.contains(&Right::Admin))
    }

    /// As [`Broker::permit`] with the right to administer, for a text command; answers for it where it is refused.
    pub(super) fn permit_admin(
        &self,
        conn: ConnId,
        function: Option<&[u8]>,
        to: &mut Vec<u8>,
        out: &mut dyn Outbox,
    ) -> bool {
        let Err((_, text)) = self.permit(conn, Right::Admin, function) else { return true };
        out.event(Event::Refused { code: "PERMISSION_DENIED", text: &text });
        to.extend_from_slice(format!("ERR PERMISSION_DENIED {}\r\n", text.replace(' ', "+")).as_bytes());
        false
    }

    /// Sets new rights. Registrations that they do not allow end; jobs that are queued or run stay.
    pub(super) fn set_rights(&mut self, rights: &[Grant], out: &mut dyn Outbox) {
        self.config.rights = rights.to_vec();
        let connections: Vec<ConnId> = self.connections.iter().map(|connection| connection.id).collect();
        for conn in connections {
            for function in self.queue.peers.functions_of(conn.slot()) {
                let name = self.queue.functions.get(function).name.clone();
                if let Err((kind, text)) = self.permit(conn, Right::Work, Some(&name)) {
                    self.give_up(conn, function, out);
                    out.event(Event::Refused { code: kind.name(), text: &text });
                }
            }
        }
    }

    /// Learns who a peer is.
    pub(super) fn identified(&mut self, conn: ConnId, identity: &Identity) {
        if self.connections.is_open(conn) {
            self.connections.get_mut(conn).identity = identity.clone();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_have_stars_and_question_marks() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("*", "anything", true),
            ("", "", true),
            ("", "a", false),
            ("abc", "abc", true),
            ("abc", "abcd", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("a*c", "ac", true),
            ("a*c", "abcbc", true),
            ("a*c", "abcb", false),
            ("*.example", "a.example", true),
            ("*b*b*", "abxb", true),
            ("*b*b*", "ab", false),
            ("**", "x", true),
        ] {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn a_certificate_cannot_take_the_place_of_having_none() {
        let certificate = |name: &str| Identity::Certificate([name.into()].into());
        let grant = |identity: &str| Grant {
            identity: identity.into(),
            rights: vec![Right::Work],
            functions: vec!["*".into()],
        };
        assert!(grant("unix").is_for(&Identity::Unix));
        assert!(!grant("unix").is_for(&certificate("unix")));
        assert!(!grant("anonymous").is_for(&certificate("anonymous")));
        assert!(!grant("u*").is_for(&Identity::Unix));
        assert!(grant("u*").is_for(&certificate("user")));
        assert!(grant("*").is_for(&Identity::Anonymous));
        assert!(!grant("*").covers(Right::Submit, Some(b"f")));
    }
}
