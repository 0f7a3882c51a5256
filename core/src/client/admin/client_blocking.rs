//! The admin client on the caller's thread.

use bytes::Bytes;

use super::answer::{Answer, Shape, ok, word};
use super::calls::admin_calls;
use super::rows::Row;
use super::{
    AdminOptions, ExplanationRow, FunctionStatus, JobRow, PriorityStatus, ScheduleRow, StoreRow,
    WorkerStatus, lost, single, timed_out,
};
use crate::error::Result;
use crate::net::{Address, Clock, Connecting, Connector, IntoServers, Servers, Wire};
use crate::types::{LogLevel, LogTarget};

/// An admin client that works on the caller's thread. It connects with its first command, and again after an error.
///
/// ```
/// # let server = lineshaft::server::Server::builder().listen("127.0.0.1:0".parse()?).start()?;
/// # let address = server.addresses()[0].to_string();
/// let mut admin = lineshaft::blocking::Admin::new(&address)?;
/// admin.create_function("resize")?;
/// for function in admin.status()? {
///     println!("{:?}: {} jobs", function.function, function.total);
/// }
/// # Ok::<(), lineshaft::Error>(())
/// ```
#[derive(Debug)]
pub struct BlockingAdmin {
    options: AdminOptions,
    clock: Clock,
    connector: Connector,
    wire: Option<Wire>,
}

impl BlockingAdmin {
    /// An admin client of `server`, with the default options.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) where it is no address, or more than one.
    pub fn new(server: impl IntoServers) -> Result<Self> {
        Self::with_options(server, AdminOptions::default())
    }

    /// As [`BlockingAdmin::with_options`], for an address that is one.
    pub(crate) fn of(server: Address, options: AdminOptions) -> Self {
        let connector =
            Connector::new(Servers::from_iter([server]), options.connect_timeout, options.tls.clone());
        Self { options, clock: Clock::new(), connector, wire: None }
    }

    /// As [`BlockingAdmin::new`], with options.
    ///
    /// # Errors
    /// As [`BlockingAdmin::new`].
    pub fn with_options(server: impl IntoServers, options: AdminOptions) -> Result<Self> {
        Ok(Self::of(single(server)?, options))
    }

    fn connect(&mut self) -> Result<Wire> {
        self.connector.start_over();
        let mut ready = false;
        loop {
            match self.connector.poll(&self.clock, ready) {
                Connecting::Connected(wire) => return Ok(wire),
                Connecting::RoundFailed(error) => return Err(error),
                Connecting::Waiting => {}
            }
            ready = self.connector.wait(&self.clock, None).map_err(|error| lost(&error))?;
        }
    }

    fn call(&mut self, command: &str) -> Result<Vec<Bytes>> {
        // After an error the rest of an answer may still come: that connection is of no use for the next command.
        let kept = self.wire.take().and_then(|mut wire| wire.discard_input().ok().map(|()| wire));
        let mut wire = match kept {
            Some(wire) => wire,
            None => self.connect()?,
        };
        let timeout = self.options.answer_timeout;
        let until = self.clock.now().saturating_add(timeout);
        let mut answer = Answer::new(Shape::of(command), self.options.max_answer);
        // A CR, because gearmand takes the last letter of `create function` for one.
        wire.send_text(format!("{command}\r\n").as_bytes());
        let mut whole = answer.take(&wire.take_bytes())?;
        while !whole {
            let left = until.saturating_sub(self.clock.now());
            if left.is_zero() {
                return Err(timed_out(timeout));
            }
            let arrived = wire.flush().and_then(|()| Ok(wire.wait(Some(left))? && wire.fill()?));
            if arrived.map_err(|error| lost(&error))? {
                whole = answer.take(&wire.take_bytes())?;
            }
        }
        self.wire = Some(wire);
        answer.lines()
    }

    admin_calls!([] []);
}
