//! What stands in place of TLS in a build without it: a value that nobody can make.

use std::io::{self, Read, Write};

/// TLS for a client or worker; this build has none (feature `tls`), so that there is no such value.
#[derive(Clone, Debug)]
pub enum ClientTls {}

#[derive(Debug)]
pub(crate) enum ServerTls {}

#[derive(Debug)]
pub(crate) enum Session {}

impl ClientTls {
    pub(crate) fn session(&self, _: &str) -> io::Result<Session> {
        match *self {}
    }
}

impl Session {
    pub(crate) const fn wants_write(&self) -> bool {
        match *self {}
    }

    pub(crate) fn handshake(&mut self, _: &mut (impl Read + Write)) -> io::Result<bool> {
        match *self {}
    }

    pub(crate) fn read(&mut self, _: &mut (impl Read + Write), _: &mut Vec<u8>) -> io::Result<usize> {
        match *self {}
    }

    pub(crate) fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        match *self {}
    }

    pub(crate) fn flush(&mut self, _: &mut impl Write) -> io::Result<usize> {
        match *self {}
    }

    pub(crate) fn finish(&mut self) {
        match *self {}
    }
}
