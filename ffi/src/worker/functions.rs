//! The functions of a worker, and function objects: `gearman_function_t`.

use std::ffi::{CStr, c_void};
use std::ptr::null;

use lineshaft::protocol::Request;

use crate::abi::{AggregatorFn, FunctionFn, WorkerFn};
use crate::abi::{
    gearman_aggregator_callback, gearman_function_callback, gearman_function_t, gearman_worker_callback,
};

const KIND_V1: u32 = 1;
const KIND_V2: u32 = 2;
const KIND_PARTITION: u32 = 3;

/// What is called for a job.
#[derive(Clone, Copy, Debug)]
pub(super) enum Callback {
    /// Nothing: jobs are grabbed.
    None,
    V1(WorkerFn),
    V2(FunctionFn, Option<AggregatorFn>),
}

impl Callback {
    /// What a function object holds; `None` where it holds no function.
    pub(super) fn of(function: &gearman_function_t) -> Option<Self> {
        if function.function.is_null() {
            return None;
        }
        // SAFETY: a function object is made by the functions below, which put pointers to functions of these types in. The
        // aggregator of the other kinds is not looked at.
        unsafe {
            match function.kind {
                KIND_V1 => Some(Self::V1(std::mem::transmute::<*const c_void, WorkerFn>(function.function))),
                KIND_V2 => {
                    Some(Self::V2(std::mem::transmute::<*const c_void, FunctionFn>(function.function), None))
                }
                KIND_PARTITION => Some(Self::V2(
                    std::mem::transmute::<*const c_void, FunctionFn>(function.function),
                    std::mem::transmute::<*const c_void, Option<AggregatorFn>>(function.aggregator),
                )),
                _ => None,
            }
        }
    }
}

/// One function.
#[derive(Clone, Debug)]
pub(super) struct Function {
    /// As servers know it: with the namespace that was set when it was added.
    pub(super) name: Box<CStr>,
    /// What servers are told, in seconds; 0 for no limit.
    pub(super) timeout: u32,
    pub(super) callback: Callback,
    pub(super) context: *mut c_void,
}

impl Function {
    /// How servers are told of it.
    pub(super) fn can_do(&self) -> Request<'_> {
        let function = self.name.to_bytes();
        match self.timeout {
            0 => Request::CanDo { function },
            // The number travels as it is; what unit it has is between program and server.
            timeout => Request::CanDoTimeout { function, millis: timeout.into() },
        }
    }
}

/// The functions, each name once.
#[derive(Clone, Debug, Default)]
pub(super) struct Functions {
    list: Vec<Function>,
}

impl Functions {
    pub(super) const fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Adds a function in place of one with the same name.
    pub(super) fn add(&mut self, function: Function) {
        self.remove(function.name.to_bytes());
        self.list.push(function);
    }

    /// False where there is no such function.
    pub(super) fn remove(&mut self, name: &[u8]) -> bool {
        let at = self.list.iter().position(|function| function.name.to_bytes() == name);
        at.map(|at| self.list.remove(at)).is_some()
    }

    pub(super) fn clear(&mut self) {
        self.list.clear();
    }

    pub(super) fn get(&self, name: &[u8]) -> Option<&Function> {
        self.list.iter().rev().find(|function| function.name.to_bytes() == name)
    }

    /// All of them, the newest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Function> {
        self.list.iter().rev()
    }
}

const fn object(kind: u32, function: *const c_void, aggregator: *const c_void) -> gearman_function_t {
    gearman_function_t { kind, function, aggregator }
}

/// A function of the second version as an object; as gearman_function_create_v2().
#[unsafe(no_mangle)]
pub extern "C" fn gearman_function_create(func: gearman_function_callback) -> gearman_function_t {
    gearman_function_create_v2(func)
}

/// A function of the first version, which gives its result back as memory, as an object for
/// gearman_worker_define_function().
#[unsafe(no_mangle)]
pub extern "C" fn gearman_function_create_v1(func: gearman_worker_callback) -> gearman_function_t {
    object(KIND_V1, func.map_or(null(), |func| func as *const c_void), null())
}

/// A function of the second version, which sends its results itself, as an object for gearman_worker_define_function().
#[unsafe(no_mangle)]
pub extern "C" fn gearman_function_create_v2(func: gearman_function_callback) -> gearman_function_t {
    object(KIND_V2, func.map_or(null(), |func| func as *const c_void), null())
}

/// The first step of map/reduce as an object for gearman_worker_define_function(). What `func` sends with
/// gearman_job_send_data() goes to the reducer that the job names, each piece as a job of its own; `aggregator` puts
/// their results together. Without an aggregator the result is empty.
#[unsafe(no_mangle)]
pub extern "C" fn gearman_function_create_partition(
    func: gearman_function_callback,
    aggregator: gearman_aggregator_callback,
) -> gearman_function_t {
    object(
        KIND_PARTITION,
        func.map_or(null(), |func| func as *const c_void),
        aggregator.map_or(null(), |aggregator| aggregator as *const c_void),
    )
}
