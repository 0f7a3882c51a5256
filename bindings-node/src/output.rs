//! What JavaScript is told: a flat list of events, each an operation's id, a [`Kind`], and as many items as the kind has.

use bytes::Bytes;
use lineshaft::Error;
use lineshaft::types::JobHandle;
use napi::Env;
use napi::bindgen_prelude::{Array, BufferSlice};
use napi_derive::napi;

/// From this many bytes on, JavaScript is given the memory itself; below, a copy is cheaper.
const HAND_OVER_FROM: usize = 8 << 10;

/// What an event is about, and in the comments which items follow.
#[napi]
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// The operation has succeeded: its value.
    Done,
    /// The operation has failed: code, message, data, handle.
    Failed,
    /// The server has the job: handle.
    Created,
    /// A piece of the result: bytes.
    Data,
    /// A warning: bytes.
    Warning,
    /// Progress: numerator, denominator.
    Status,
    /// The job has ended well: bytes, handle.
    Complete,
    /// A worker has a job: number, function, workload, handle, unique, reducer.
    Job,
    /// A worker has broken a job off: number.
    BrokenOff,
    /// A worker has trouble with a server: address, code, message.
    Trouble,
    /// A worker has ended.
    Ended,
}

/// One value for JavaScript.
#[derive(Debug)]
pub(crate) enum Item {
    Nothing,
    Flag(bool),
    Number(f64),
    Text(String),
    Bytes(Bytes),
    List(Vec<Self>),
}

impl From<u32> for Item {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

impl From<u64> for Item {
    /// Above 2^53 it loses its last digits, as numbers of JavaScript do.
    fn from(number: u64) -> Self {
        Self::Number(number as f64)
    }
}

impl From<&JobHandle> for Item {
    fn from(handle: &JobHandle) -> Self {
        Self::text(handle.as_bytes())
    }
}

impl Item {
    /// Bytes that are text by custom: handles, functions, uniques.
    pub(crate) fn text(bytes: &[u8]) -> Self {
        Self::Text(String::from_utf8_lossy(bytes).into_owned())
    }

    /// As [`Item::text`]; nothing where there is none.
    pub(crate) fn text_or_nothing(bytes: &[u8]) -> Self {
        if bytes.is_empty() { Self::Nothing } else { Self::text(bytes) }
    }

    fn put(self, env: &Env, into: &mut Array<'_>, index: u32) -> napi::Result<()> {
        match self {
            Self::Nothing => into.set(index, ()),
            Self::Flag(flag) => into.set(index, flag),
            Self::Number(number) => into.set(index, number),
            Self::Text(text) => into.set(index, text),
            Self::Bytes(bytes) if bytes.len() < HAND_OVER_FROM => {
                into.set(index, &BufferSlice::copy_from(env, &bytes)?)
            }
            // The vector is the one that the socket was read into, unless somebody else still uses it.
            Self::Bytes(bytes) => into.set(index, &BufferSlice::from_data(env, Vec::from(bytes))?),
            Self::List(items) => into.set(index, array(env, items)?),
        }
    }
}

fn array<'env>(env: &'env Env, items: Vec<Item>) -> napi::Result<Array<'env>> {
    let mut array = env.create_array(0)?;
    for (index, item) in (0..).zip(items) {
        item.put(env, &mut array, index)?;
    }
    Ok(array)
}

/// Events on their way to JavaScript.
#[derive(Debug, Default)]
pub(crate) struct Output(Vec<Item>);

impl Output {
    pub(crate) fn event<const N: usize>(&mut self, id: u32, kind: Kind, items: [Item; N]) {
        self.0.push(id.into());
        self.0.push(Item::Number(f64::from(kind as i32)));
        self.0.extend(items);
    }

    /// The end of an operation, bad.
    pub(crate) fn failed(&mut self, id: u32, error: &Error, handle: Option<&JobHandle>) {
        let data = match error.data() {
            data if data.is_empty() => Item::Nothing,
            data => Item::Bytes(data.clone()),
        };
        let [code, message] = described(error);
        self.event(id, Kind::Failed, [code, message, data, handle.map_or(Item::Nothing, Item::from)]);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn into_array(self, env: &Env) -> napi::Result<Array<'_>> {
        array(env, self.0)
    }
}

/// Code and message.
pub(crate) fn described(error: &Error) -> [Item; 2] {
    [Item::Text(error.kind().name().into()), Item::Text(error.to_string())]
}
