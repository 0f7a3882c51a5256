//! The admin client.

use std::rc::Rc;

use lineshaft::client::admin::AdminOptions;
use lineshaft::{Admin, Result};
use napi::bindgen_prelude::ClassInstance;
use napi_derive::napi;
use tokio::sync::Mutex;

use crate::client::duration;
use crate::executor::{Executor, Loop};
use crate::output::Item;
use crate::runtime::runtime;
use crate::servers::{Place, servers, thrown};

/// Options of an admin client; times in milliseconds, sizes in bytes.
#[napi(object)]
#[derive(Debug, Default)]
pub struct NativeAdminOptions {
    pub connect_timeout: Option<f64>,
    pub answer_timeout: Option<f64>,
    pub max_answer: Option<f64>,
}

/// An admin client. Its commands are sent one after the other.
#[napi]
pub struct NativeAdmin {
    executor: Rc<Executor>,
    admin: Rc<Mutex<Admin>>,
}

macro_rules! rows {
    ($rows:expr, $row:ident => [$($item:expr),* $(,)?]) => {
        Ok(Item::List($rows.iter().map(|$row| Item::List(vec![$($item),*])).collect()))
    };
}

#[napi]
impl NativeAdmin {
    /// An admin client of the one server in `places`.
    #[napi(constructor)]
    pub fn new(
        executor: ClassInstance<'_, Loop>,
        #[napi(ts_arg_type = "Array<string | NativeServer>")] places: Vec<Place<'_>>,
        options: NativeAdminOptions,
    ) -> napi::Result<Self> {
        let make = || {
            let mut set = AdminOptions::default();
            if let Some(milliseconds) = options.connect_timeout {
                set.connect_timeout = duration(milliseconds)?;
            }
            if let Some(milliseconds) = options.answer_timeout {
                set.answer_timeout = duration(milliseconds)?;
            }
            if let Some(bytes) = options.max_answer {
                set.max_answer = bytes as usize;
            }
            Admin::with_options(servers(&places)?, set)
        };
        let admin = make().map_err(|error| thrown(&error))?;
        Ok(Self { executor: executor.executor.clone(), admin: Rc::new(Mutex::new(admin)) })
    }

    /// All functions: name, total, running, workers.
    #[napi]
    pub fn status(&self) -> napi::Result<u32> {
        self.call(async |admin| {
            let all = admin.status().await?;
            rows!(all, row => [Item::text(&row.function), row.total.into(), row.running.into(), row.workers.into()])
        })
    }

    /// All functions: name, high, normal, low, workers.
    #[napi]
    pub fn priority_status(&self) -> napi::Result<u32> {
        self.call(async |admin| {
            let all = admin.priority_status().await?;
            rows!(all, row => [
                Item::text(&row.function),
                row.high.into(),
                row.normal.into(),
                row.low.into(),
                row.workers.into(),
            ])
        })
    }

    /// All connections: descriptor, address, client id, functions.
    #[napi]
    pub fn workers(&self) -> napi::Result<u32> {
        self.call(async |admin| {
            let all = admin.workers().await?;
            rows!(all, row => [
                Item::Number(row.descriptor as f64),
                Item::Text(row.address.clone()),
                Item::Text(row.client_id.clone()),
                Item::List(row.functions.iter().map(|name| Item::text(name)).collect()),
            ])
        })
    }

    /// All jobs: handle, retries, ignored, persisted.
    #[napi]
    pub fn jobs(&self) -> napi::Result<u32> {
        self.call(async |admin| {
            let all = admin.jobs().await?;
            rows!(all, row => [
                Item::text(&row.handle),
                row.retries.into(),
                Item::Flag(row.ignored),
                Item::Flag(row.persisted),
            ])
        })
    }

    /// All schedules: handle, function, unique, fields, next (a Unix second), fired, skipped.
    #[napi]
    pub fn schedules(&self) -> napi::Result<u32> {
        self.call(async |admin| {
            let all = admin.schedules().await?;
            rows!(all, row => [
                Item::text(&row.handle),
                Item::text(&row.function),
                Item::text_or_nothing(&row.unique),
                Item::Text(row.fields.clone()),
                row.next.map_or(Item::Nothing, |second| Item::Number(second as f64)),
                row.fired.into(),
                row.skipped.into(),
            ])
        })
    }

    /// The uniques of all jobs.
    #[napi]
    pub fn unique_jobs(&self) -> napi::Result<u32> {
        self.call(async |admin| {
            Ok(Item::List(admin.unique_jobs().await?.iter().map(|unique| Item::text(unique)).collect()))
        })
    }

    /// The server's version.
    #[napi]
    pub fn version(&self) -> napi::Result<u32> {
        self.call(async |admin| admin.version().await.map(Item::Text))
    }

    /// The server's process id.
    #[napi]
    pub fn getpid(&self) -> napi::Result<u32> {
        self.call(async |admin| admin.getpid().await.map(Item::from))
    }

    /// How much the server logs.
    #[napi]
    pub fn verbose(&self) -> napi::Result<u32> {
        self.call(async |admin| admin.verbose().await.map(Item::Text))
    }

    /// Cancels a job, or ends a schedule.
    #[napi]
    pub fn cancel(&self, handle: String) -> napi::Result<u32> {
        self.call(async move |admin| admin.cancel(handle).await.map(|()| Item::Nothing))
    }

    /// Makes a function known.
    #[napi]
    pub fn create_function(&self, name: String) -> napi::Result<u32> {
        self.call(async move |admin| admin.create_function(name).await.map(|()| Item::Nothing))
    }

    /// Lets the server forget a function.
    #[napi]
    pub fn drop_function(&self, name: String) -> napi::Result<u32> {
        self.call(async move |admin| admin.drop_function(name).await.map(|()| Item::Nothing))
    }

    /// Limits the jobs of a function; nothing lifts the limit.
    #[napi]
    pub fn max_queue(&self, name: String, jobs: Option<u32>) -> napi::Result<u32> {
        self.call(async move |admin| admin.max_queue(name, jobs).await.map(|()| Item::Nothing))
    }

    /// Any command: its lines.
    #[napi]
    pub fn command(&self, line: String) -> napi::Result<u32> {
        self.call(async move |admin| {
            Ok(Item::List(admin.command(&line).await?.iter().map(|line| Item::text(line)).collect()))
        })
    }

    fn call(&self, command: impl AsyncFnOnce(&mut Admin) -> Result<Item> + 'static) -> napi::Result<u32> {
        let runtime = runtime().map_err(|error| thrown(&error))?;
        let _entered = runtime.enter();
        let admin = self.admin.clone();
        Ok(self.executor.future(async move { command(&mut *admin.lock().await).await }))
    }
}
