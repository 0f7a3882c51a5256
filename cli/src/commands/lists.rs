//! What a server tells of itself, as tables.

use jiff::Timestamp;
use lineshaft::Result;
use lineshaft::blocking::Admin;

use crate::render::Align::{Left, Right};
use crate::render::Table;

pub(super) fn status(admin: &mut Admin) -> Result<Table> {
    let mut table =
        Table::new(&[("function", Left), ("jobs", Right), ("running", Right), ("workers", Right)]);
    for row in admin.status()? {
        table.row([text(&row.function), count(row.total), count(row.running), count(row.workers)]);
    }
    Ok(table)
}

pub(super) fn priority_status(admin: &mut Admin) -> Result<Table> {
    let mut table = Table::new(&[
        ("function", Left),
        ("high", Right),
        ("normal", Right),
        ("low", Right),
        ("workers", Right),
    ]);
    for row in admin.priority_status()? {
        let [high, normal, low] = [row.high, row.normal, row.low].map(count);
        table.row([text(&row.function), high, normal, low, count(row.workers)]);
    }
    Ok(table)
}

pub(super) fn workers(admin: &mut Admin) -> Result<Table> {
    let mut table =
        Table::new(&[("connection", Right), ("address", Left), ("id", Left), ("functions", Left)]);
    for row in admin.workers()? {
        let functions: Vec<String> = row.functions.iter().map(|name| text(name)).collect();
        table.row([row.descriptor.to_string(), row.address, row.client_id, functions.join(" ")]);
    }
    Ok(table)
}

pub(super) fn jobs(admin: &mut Admin) -> Result<Table> {
    let mut table =
        Table::new(&[("handle", Left), ("retries", Right), ("cancelled", Left), ("background", Left)]);
    for row in admin.jobs()? {
        table.row([text(&row.handle), count(row.retries), yes(row.ignored), yes(row.persisted)]);
    }
    Ok(table)
}

pub(super) fn unique_jobs(admin: &mut Admin) -> Result<Table> {
    let mut table = Table::new(&[("unique", Left)]);
    for unique in admin.unique_jobs()? {
        table.row([text(&unique)]);
    }
    Ok(table)
}

pub(super) fn schedules(admin: &mut Admin) -> Result<Table> {
    let mut table = Table::new(&[
        ("handle", Left),
        ("function", Left),
        ("unique", Left),
        ("schedule", Left),
        ("next", Left),
        ("submitted", Right),
        ("skipped", Right),
    ]);
    for row in admin.schedules()? {
        let [handle, function, unique] = [&row.handle, &row.function, &row.unique].map(|bytes| text(bytes));
        let next = row.next.map_or_else(|| "never".into(), moment);
        table.row([handle, function, unique, row.fields, next, count(row.fired), count(row.skipped)]);
    }
    Ok(table)
}

pub(super) fn store(admin: &mut Admin) -> Result<Table> {
    let mut table = Table::new(&[("store", Left), ("health", Left)]);
    let row = admin.store()?;
    table.row([row.store, row.failing.unwrap_or_else(|| "ok".into())]);
    Ok(table)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn count(number: u64) -> String {
    number.to_string()
}

fn yes(flag: bool) -> String {
    if flag { "yes" } else { "no" }.into()
}

/// A Unix second as a date; as it is where no calendar has it.
fn moment(second: i64) -> String {
    Timestamp::from_second(second).map_or_else(|_| second.to_string(), |time| time.to_string())
}
