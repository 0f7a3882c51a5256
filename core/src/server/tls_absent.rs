//! What stands in place of TLS in a build without it: a value that nobody can make.

use std::sync::Arc;

use tokio::net::TcpStream;

use super::state::Shared;
use super::stream::Stream;
use crate::error::Result;
use crate::net::tls::ServerTls;
use crate::types::Identity;

#[derive(Debug)]
pub(super) enum Tls {}

impl Tls {
    pub(super) fn new(settings: &ServerTls) -> Result<Arc<Self>> {
        match *settings {}
    }

    pub(super) async fn secure(&self, _: &Shared, _: TcpStream, _: &str) -> Option<(Stream, Identity)> {
        match *self {}
    }
}
