//! The worker: its jobs go to JavaScript, what JavaScript makes of them comes back.

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use lineshaft::net::{Address, Servers};
use lineshaft::worker::{Control, Job, JobError, Options, Outcome};
use lineshaft::{Client, Error, ErrorKind, Result, Worker};
use napi::bindgen_prelude::{BufferSlice, ClassInstance};
use napi_derive::napi;
use tokio::sync::oneshot;

use crate::client::{duration, size, status_item};
use crate::executor::{Executor, Loop, Operation};
use crate::inbox::{Inbox, Message};
use crate::output::{Item, Kind, Output, described};
use crate::runtime::runtime;
use crate::servers::{Place, servers, thrown};

/// Options of a worker; times in milliseconds, sizes in bytes.
#[napi(object)]
#[derive(Debug, Default)]
pub struct NativeWorkerOptions {
    pub concurrency: Option<u32>,
    pub client_id: Option<String>,
    pub connect_timeout: Option<f64>,
    pub answer_timeout: Option<f64>,
    pub max_unsent: Option<f64>,
}

/// A function of a worker.
#[napi(object)]
#[derive(Debug)]
pub struct NativeFunction {
    pub name: String,
    /// Milliseconds.
    pub timeout: Option<f64>,
}

impl NativeWorkerOptions {
    fn read(self) -> Result<Options> {
        let mut options = Options { client_id: self.client_id, ..Options::default() };
        options.concurrency = self.concurrency.map_or(options.concurrency, |jobs| jobs as usize);
        options.max_unsent = self.max_unsent.map_or(options.max_unsent, size);
        if let Some(milliseconds) = self.connect_timeout {
            options.connect_timeout = duration(milliseconds)?;
        }
        if let Some(milliseconds) = self.answer_timeout {
            options.answer_timeout = duration(milliseconds)?;
        }
        Ok(options)
    }
}

/// A job that JavaScript has.
struct Held {
    job: Arc<Job>,
    done: oneshot::Sender<Outcome>,
}

type Jobs = Rc<RefCell<HashMap<u32, Held>>>;

/// A worker, from its start.
#[napi]
pub struct NativeWorker {
    executor: Rc<Executor>,
    id: u32,
    jobs: Jobs,
    control: Control,
    /// For asking how jobs stand, one for each server that has been asked.
    clients: RefCell<Vec<(Address, Client)>>,
}

#[napi]
impl NativeWorker {
    /// A worker that works from now on. Its functions are numbered as they stand.
    #[napi(constructor)]
    pub fn new(
        executor: ClassInstance<'_, Loop>,
        #[napi(ts_arg_type = "Array<string | NativeServer>")] places: Vec<Place<'_>>,
        functions: Vec<NativeFunction>,
        options: NativeWorkerOptions,
    ) -> napi::Result<Self> {
        let executor = executor.executor.clone();
        let make = || {
            let (servers, options) = (servers(&places)?, options.read()?);
            let inbox = Arc::new(Inbox::default());
            let worker = build(&inbox, servers, functions, options)?;
            Ok((inbox, worker, runtime()?))
        };
        let (inbox, worker, runtime) = make().map_err(|error| thrown(&error))?;
        let _entered = runtime.enter();
        let (control, jobs) = (worker.control(), Jobs::default());
        let id = executor.add(Box::new(Working { inbox: inbox.clone(), jobs: jobs.clone() }));
        runtime.spawn(async move { inbox.put(Message::Ended(worker.run().await.err())) });
        Ok(Self { executor, id, jobs, control, clients: RefCell::default() })
    }

    /// The id of its events.
    #[napi(getter)]
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The job has been done. False where it has been broken off meanwhile.
    #[napi]
    pub fn complete(&self, job: u32, result: BufferSlice<'_>) -> bool {
        self.end(job, || Ok(Bytes::copy_from_slice(&result)))
    }

    /// The job has failed; without bytes nothing is said about it.
    #[napi]
    pub fn fail(&self, job: u32, exception: Option<BufferSlice<'_>>) -> bool {
        self.end(job, || {
            Err(exception.map_or(JobError::Fail, |bytes| JobError::Exception(Bytes::copy_from_slice(&bytes))))
        })
    }

    fn end(&self, job: u32, outcome: impl FnOnce() -> Outcome) -> bool {
        let held = self.jobs.borrow_mut().remove(&job);
        held.is_some_and(|held| held.done.send(outcome()).is_ok())
    }

    /// Sends a piece of the result. Answers nothing where that is done, and else the id of its event.
    #[napi]
    pub fn send_data(&self, job: u32, data: BufferSlice<'_>) -> napi::Result<Option<u32>> {
        let Some(job) = self.job(job) else { return self.over().map(Some) };
        if let Some(result) = at_once(job.send_data(&data[..])) {
            return self.told(result);
        }
        let data = Bytes::copy_from_slice(&data);
        self.later(async move { job.send_data(data).await })
    }

    /// Sends a warning; as [`NativeWorker::send_data`].
    #[napi]
    pub fn send_warning(&self, job: u32, data: BufferSlice<'_>) -> napi::Result<Option<u32>> {
        let Some(job) = self.job(job) else { return self.over().map(Some) };
        if let Some(result) = at_once(job.send_warning(&data[..])) {
            return self.told(result);
        }
        let data = Bytes::copy_from_slice(&data);
        self.later(async move { job.send_warning(data).await })
    }

    /// Says how far the job has come; as [`NativeWorker::send_data`].
    #[napi]
    pub fn send_status(&self, job: u32, numerator: u32, denominator: u32) -> napi::Result<Option<u32>> {
        let Some(job) = self.job(job) else { return self.over().map(Some) };
        if let Some(result) = at_once(job.send_status(numerator, denominator)) {
            return self.told(result);
        }
        self.later(async move { job.send_status(numerator, denominator).await })
    }

    /// Its event comes when the connection of the job has been lost, or never.
    #[napi]
    pub fn lost(&self, job: u32) -> napi::Result<u32> {
        let Some(job) = self.job(job) else { return self.over() };
        self.operation(async move {
            job.lost().await;
            Ok(Item::Nothing)
        })
    }

    /// How the job stands with the server that it came from; see `NativeClient.status`.
    #[napi]
    pub fn job_status(&self, job: u32) -> napi::Result<u32> {
        let Some(job) = self.job(job) else { return self.over() };
        let client = self.client_for(job.server());
        self.operation(async move { client?.status(job.handle()).await.map(|status| status_item(&status)) })
    }

    /// Takes no new jobs; what still runs after `grace` (milliseconds) is broken off.
    #[napi]
    pub fn stop(&self, grace: f64) -> napi::Result<()> {
        self.control.stop(duration(grace).map_err(|error| thrown(&error))?);
        Ok(())
    }

    fn job(&self, number: u32) -> Option<Arc<Job>> {
        self.jobs.borrow().get(&number).map(|held| held.job.clone())
    }

    fn client_for(&self, server: &Address) -> Result<Client> {
        let mut clients = self.clients.borrow_mut();
        if let Some((_, client)) = clients.iter().find(|(address, _)| address == server) {
            return Ok(client.clone());
        }
        let client = Client::new(Servers::from_iter([server.clone()]))?;
        clients.push((server.clone(), client.clone()));
        Ok(client)
    }

    fn operation(&self, future: impl Future<Output = Result<Item>> + 'static) -> napi::Result<u32> {
        let _entered = runtime().map_err(|error| thrown(&error))?.enter();
        Ok(self.executor.future(future))
    }

    fn later(&self, future: impl Future<Output = Result<()>> + 'static) -> napi::Result<Option<u32>> {
        self.operation(async move { future.await.map(|()| Item::Nothing) }).map(Some)
    }

    fn told(&self, result: Result<()>) -> napi::Result<Option<u32>> {
        match result {
            Ok(()) => Ok(None),
            Err(error) => self.operation(async move { Err(error) }).map(Some),
        }
    }

    fn over(&self) -> napi::Result<u32> {
        self.operation(async {
            Err(Error::new(ErrorKind::JobNotFound, "job", "it has ended, or has been broken off"))
        })
    }
}

impl Drop for NativeWorker {
    /// A JavaScript thread that ends without having stopped its worker.
    fn drop(&mut self) {
        self.control.stop(std::time::Duration::ZERO);
    }
}

/// The result of a future that has one at once.
fn at_once<R>(future: impl Future<Output = R>) -> Option<R> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => Some(result),
        Poll::Pending => None,
    }
}

fn build(
    inbox: &Arc<Inbox>,
    servers: Servers,
    functions: Vec<NativeFunction>,
    options: Options,
) -> Result<Worker> {
    let mut builder = Worker::builder(servers).options(options);
    for (index, function) in (0..).zip(functions) {
        let inbox = inbox.clone();
        let run = move |job| inbox.clone().run(index, job);
        builder = match function.timeout.map(duration).transpose()? {
            Some(timeout) => builder.function_with_timeout(function.name, timeout, run),
            None => builder.function(function.name, run),
        };
    }
    let inbox = inbox.clone();
    builder
        .on_error(move |address, error| inbox.put(Message::Trouble(address.to_string(), error.clone())))
        .build()
}

/// A worker's events.
struct Working {
    inbox: Arc<Inbox>,
    jobs: Jobs,
}

impl Operation for Working {
    fn poll(&mut self, id: u32, cx: &mut Context<'_>, output: &mut Output) -> Poll<()> {
        let mut over = false;
        for message in self.inbox.take(cx.waker()) {
            match message {
                Message::Job { number, function, job, done } => {
                    let items = [
                        number.into(),
                        function.into(),
                        Item::Bytes(job.workload().clone()),
                        job.handle().into(),
                        Item::text_or_nothing(job.unique()),
                        job.reducer().map_or(Item::Nothing, Item::text),
                    ];
                    output.event(id, Kind::Job, items);
                    self.jobs.borrow_mut().insert(number, Held { job: Arc::new(job), done });
                }
                Message::BrokenOff(number) => {
                    if self.jobs.borrow_mut().remove(&number).is_some() {
                        output.event(id, Kind::BrokenOff, [number.into()]);
                    }
                }
                Message::Trouble(address, error) => {
                    let [code, message] = described(&error);
                    output.event(id, Kind::Trouble, [Item::Text(address), code, message]);
                }
                Message::Ended(None) => {
                    output.event(id, Kind::Ended, []);
                    over = true;
                }
                Message::Ended(Some(error)) => {
                    output.failed(id, &error, None);
                    over = true;
                }
            }
        }
        if over { Poll::Ready(()) } else { Poll::Pending }
    }
}
