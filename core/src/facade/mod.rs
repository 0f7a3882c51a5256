//! Clients and workers of a server in the same process: no socket, no encoding of requests, the same API.

use crate::client::admin::{Admin, AdminOptions, BlockingAdmin};
use crate::client::blocking::Client as BlockingClient;
use crate::client::{self, Client};
use crate::net::{Address, Servers};
use crate::server::Server;
use crate::worker::blocking::Worker as BlockingWorker;
use crate::worker::{self, Worker};

/// Clients and workers without a socket. When the server ends, their requests end as if the connection had been lost.
///
/// ```
/// use lineshaft::server::Server;
///
/// let server = Server::builder().start()?;
/// let mut worker = server.blocking_worker();
/// worker.add_function("reverse", |job| {
///     Ok(job.workload().iter().rev().copied().collect::<Vec<u8>>())
/// })?;
///
/// let task = server.blocking_client().submit("reverse", "abc")?;
/// worker.work(None)?;
/// assert_eq!(task.result()?, "cba");
/// # Ok::<(), lineshaft::Error>(())
/// ```
impl Server {
    /// An asynchronous client of this server.
    pub fn client(&self) -> Client {
        Client::of(self.servers(), client::Options::default())
    }

    /// A client of this server that works on the caller's thread.
    pub fn blocking_client(&self) -> BlockingClient {
        BlockingClient::of(self.servers(), client::Options::default())
    }

    /// An asynchronous worker of this server, to be given functions and built.
    pub fn worker(&self) -> worker::Builder {
        Worker::builder(self.servers())
    }

    /// A worker of this server that works on the caller's thread.
    pub fn blocking_worker(&self) -> BlockingWorker {
        BlockingWorker::of(&self.servers(), worker::Options::default())
    }

    /// An asynchronous admin client of this server.
    pub fn admin(&self) -> Admin {
        Admin::of(Address::Local(self.local()), AdminOptions::default())
    }

    /// An admin client of this server that works on the caller's thread.
    pub fn blocking_admin(&self) -> BlockingAdmin {
        BlockingAdmin::of(Address::Local(self.local()), AdminOptions::default())
    }

    fn servers(&self) -> Servers {
        Servers::from_iter([Address::Local(self.local())])
    }
}
