//! A store as simple as can be: what the broker has it keep must always be what the broker has.

use std::collections::BTreeMap;

use lineshaft::broker::Broker;
use lineshaft::store::Change;

use crate::story::Sent;

/// Records by number.
#[derive(Clone, Default)]
pub(crate) struct Shelf {
    kept: BTreeMap<u64, Vec<u8>>,
    counter: u64,
    /// Everything in the order in which it was said, as a log has it.
    history: Vec<Vec<u8>>,
}

fn bytes(change: &Change<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(workload) = change.encode(&mut bytes) {
        bytes.extend_from_slice(&workload);
    }
    bytes
}

impl Shelf {
    /// Does what a broker has said.
    pub(crate) fn keep(&mut self, record: &[u8]) {
        self.history.push(record.to_vec());
        match Change::decode(record).expect("a record") {
            Change::Add(job) => {
                assert!(job.number <= self.counter, "number {} has not been set aside", job.number);
                let was = self.kept.insert(job.number, record.to_vec());
                assert_eq!(was, None, "number {} is added twice", job.number);
            }
            Change::End { number } => {
                assert!(self.kept.remove(&number).is_some(), "number {number} is not there");
            }
            Change::Returned { number, returns } => {
                let record = self.kept.get_mut(&number).expect("a job that is there");
                let Ok(Change::Add(mut job)) = Change::decode(record) else { panic!("a job") };
                job.returns = returns;
                *record = bytes(&Change::Add(job));
            }
            Change::Counter { number } => self.counter = number,
        }
    }

    /// It holds what `broker` has.
    pub(crate) fn compare(&self, broker: &Broker) {
        let mut kept = BTreeMap::new();
        broker.each_stored(&mut |job| drop(kept.insert(job.number, bytes(&Change::Add(job)))));
        assert_eq!(self.kept, kept);
    }

    /// Makes a new broker what the old one was, from what is kept or from all that was said.
    pub(crate) fn restore(&mut self, broker: &mut Broker, from_history: bool) {
        let counter = bytes(&Change::Counter { number: self.counter });
        let records: Vec<_> = match from_history {
            true => self.history.clone(),
            false => self.kept.values().chain([&counter]).cloned().collect(),
        };
        for record in &records {
            broker.restore(&Change::decode(record).expect("a record")).expect("nothing wrong with it");
        }
        self.compare(broker);
        let mut first = Sent::default();
        broker.restored(&mut first);
        for record in first.1 {
            self.keep(&record);
        }
    }
}

/// A change as bytes, for later.
pub(crate) fn record(change: &Change<'_>) -> Vec<u8> {
    bytes(change)
}
