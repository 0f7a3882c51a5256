//! The async admin client.

use bytes::Bytes;
use tokio::time::timeout;

use super::answer::{Answer, Shape, ok, word};
use super::calls::admin_calls;
use super::rows::Row;
use super::{
    AdminOptions, ExplanationRow, FunctionStatus, JobRow, PriorityStatus, ScheduleRow, StoreRow,
    WorkerStatus, closed, lost, single, timed_out,
};
use crate::error::Result;
use crate::net::stream::{Connected, connect};
use crate::net::{Address, InBuf, IntoServers};
use crate::protocol::OutBuf;
use crate::types::{LogLevel, LogTarget};

/// An asynchronous admin client. It connects with its first command, and again after an error, or after a call whose future was
/// dropped.
///
/// ```
/// # let server = lineshaft::server::Server::builder().listen("127.0.0.1:0".parse()?).start()?;
/// # let address = server.addresses()[0].to_string();
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let mut admin = lineshaft::Admin::new(&address)?;
/// admin.create_function("resize").await?;
/// for function in admin.status().await? {
///     println!("{:?}: {} jobs", function.function, function.total);
/// }
/// # Ok::<(), lineshaft::Error>(())
/// # })?;
/// # Ok::<(), lineshaft::Error>(())
/// ```
#[derive(Debug)]
pub struct Admin {
    options: AdminOptions,
    address: Address,
    connected: Option<Connected>,
}

impl Admin {
    /// An admin client of `server`, with the default options.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) where it is no address, or more than one.
    pub fn new(server: impl IntoServers) -> Result<Self> {
        Self::with_options(server, AdminOptions::default())
    }

    /// As [`Admin::with_options`], for an address that is one.
    pub(crate) const fn of(address: Address, options: AdminOptions) -> Self {
        Self { options, address, connected: None }
    }

    /// As [`Admin::new`], with options.
    ///
    /// # Errors
    /// As [`Admin::new`].
    pub fn with_options(server: impl IntoServers, options: AdminOptions) -> Result<Self> {
        Ok(Self::of(single(server)?, options))
    }

    async fn call(&mut self, command: &str) -> Result<Vec<Bytes>> {
        let kept = match self.connected.take() {
            // One that has ended meanwhile is made anew.
            Some(Connected::Socket(mut stream)) => {
                stream.fill(&mut InBuf::default()).is_ok().then_some(Connected::Socket(stream))
            }
            local => local,
        };
        let mut connected = match kept {
            Some(connected) => connected,
            None => {
                let AdminOptions { connect_timeout, tls, .. } = &self.options;
                connect(&self.address, *connect_timeout, tls.as_ref()).await?
            }
        };
        let limit = self.options.answer_timeout;
        let mut answer = Answer::new(Shape::of(command), self.options.max_answer);
        let exchange = async {
            let mut out = OutBuf::new();
            // A CR, because gearmand takes the last letter of `create function` for one.
            out.put(format!("{command}\r\n").as_bytes());
            match &mut connected {
                Connected::Socket(stream) => {
                    let mut input = InBuf::default();
                    loop {
                        stream.flush(&mut out).map_err(|error| lost(&error))?;
                        stream.ready(!out.is_empty()).await.map_err(|error| lost(&error))?;
                        let arrived = stream.fill(&mut input).map_err(|error| lost(&error))?;
                        if arrived && answer.take(&input.take_bytes())? {
                            return Ok(());
                        }
                    }
                }
                Connected::Local(link) => {
                    let mut text = OutBuf::new();
                    link.text(command.as_bytes(), &mut text).map_err(|_| closed())?;
                    if answer.take(&text.to_vec())? { Ok(()) } else { Err(closed()) }
                }
            }
        };
        match timeout(limit, exchange).await {
            Ok(result) => result?,
            Err(_) => return Err(timed_out(limit)),
        }
        self.connected = Some(connected);
        answer.lines()
    }

    admin_calls!([async] [.await]);
}
