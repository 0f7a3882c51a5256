//! What a packet does to the tasks of a client.

use std::collections::VecDeque;

use lineshaft::protocol::{Data, Response, StatusReport, Work};

use super::peer::{Due, Peer};
use super::run::{Delivery, Event, uncount};
use super::task::{Handle, Role, State, Task};
use super::tasks::{TaskId, Tasks};
use crate::abi::gearman_return_t;
use crate::report::Report;
use crate::result::gearman_result_st;
use crate::returns::{SUCCESS, WORK_EXCEPTION, WORK_FAIL, from_name};

/// Takes one packet. What a callback is to be told goes into `deliveries`.
///
/// # Errors
/// The code of an ERROR packet: the call ends with it.
pub(crate) fn take(
    response: Response<'_>,
    peer: &mut Peer,
    tasks: &mut Tasks,
    under_way: &mut usize,
    deliveries: &mut VecDeque<Delivery>,
    report: &mut Report,
) -> Result<(), gearman_return_t> {
    let told = match response {
        Response::JobCreated { handle } => {
            let answered = peer.answered(|due| matches!(due, Due::Created(_)));
            answered.and_then(|id| created(id, handle, peer, tasks, under_way))
        }
        Response::Work { handle, work } => {
            peer.reported(handle, work.ends_job()).and_then(|id| reported(id, work, tasks, under_way))
        }
        Response::Status { report, .. } => {
            let answered = peer.answered(|due| matches!(due, Due::Status(_)));
            answered.and_then(|id| status(id, report, 0, tasks, under_way))
        }
        Response::StatusUnique { report, clients, .. } => {
            let answered = peer.answered(|due| matches!(due, Due::StatusUnique(_)));
            answered.and_then(|id| status(id, report, clients, tasks, under_way))
        }
        Response::Error { code, text } => {
            let number = from_name(code);
            let why = format!("{}: {}", code.escape_ascii(), text.escape_ascii());
            report.record("server", number, &why);
            match peer.answered(|_| true).map(|id| tasks.get_mut(id)) {
                Some(Some(task)) => {
                    (task.state, task.outcome) = (State::Finished, number);
                    uncount(task, under_way);
                }
                // Of a job that nobody waits for.
                Some(None) => return Ok(()),
                None => {}
            }
            return Err(number);
        }
        // Answers to what nobody waits for any more.
        Response::Echo { .. } | Response::OptionSet { .. } | Response::Text(_) => None,
        // Only workers get these; a server that sends them to a client does no harm.
        Response::Noop | Response::NoJob | Response::Assign(_) => None,
    };
    deliveries.extend(told);
    Ok(())
}

fn created(
    id: TaskId,
    handle: &[u8],
    peer: &mut Peer,
    tasks: &mut Tasks,
    under_way: &mut usize,
) -> Option<Delivery> {
    let task = tasks.get_mut(id)?;
    task.handle = Handle::new(handle);
    task.state = State::Created;
    task.is_known = true;
    if task.request.is_background() {
        uncount(task, under_way);
    } else {
        peer.attach(handle, id);
    }
    Some(Delivery { task: id, event: Event::Created })
}

fn reported(id: TaskId, work: Work<'_>, tasks: &mut Tasks, under_way: &mut usize) -> Option<Delivery> {
    let task = tasks.get_mut(id)?;
    let event = match work {
        Work::Data(data) => {
            task.is_running = true;
            keep(task, &data);
            task.state = State::Data;
            Event::Data
        }
        Work::Warning(data) => {
            task.data = Some(data.to_bytes());
            task.state = State::Warning;
            Event::Warning
        }
        Work::Status { numerator, denominator } => {
            let progress = Work::progress(numerator, denominator);
            (task.numerator, task.denominator) = (progress.numerator, progress.denominator);
            task.state = State::Status;
            Event::Status
        }
        Work::Complete(data) => {
            keep(task, &data);
            end(task, State::Complete, SUCCESS, under_way);
            Event::Complete
        }
        Work::Fail => {
            end(task, State::Fail, WORK_FAIL, under_way);
            Event::Fail
        }
        Work::Exception(data) => {
            let data = data.to_bytes();
            task.exception = Some(data.clone());
            task.data = Some(data);
            end(task, State::Exception, WORK_EXCEPTION, under_way);
            Event::Exception
        }
    };
    task.read = 0;
    Some(Delivery { task: id, event })
}

/// Keeps a piece of the result where the task's owner looks for it.
fn keep(task: &mut Task, data: &Data<'_>) {
    match task.role {
        Role::Added => task.data = Some(data.to_bytes()),
        Role::Execute | Role::Call if data.is_empty() => {}
        Role::Execute | Role::Call => task.result.get_or_insert_with(gearman_result_st::default).append(data),
    }
}

fn end(task: &mut Task, state: State, outcome: gearman_return_t, under_way: &mut usize) {
    (task.state, task.outcome) = (state, outcome);
    (task.is_known, task.is_running) = (false, false);
    uncount(task, under_way);
}

fn status(
    id: TaskId,
    report: StatusReport,
    clients: u32,
    tasks: &mut Tasks,
    under_way: &mut usize,
) -> Option<Delivery> {
    let task = tasks.get_mut(id)?;
    (task.is_known, task.is_running) = (report.known, report.running);
    (task.numerator, task.denominator) = (report.progress.numerator, report.progress.denominator);
    task.client_count = clients;
    (task.state, task.outcome) = (State::Status, SUCCESS);
    uncount(task, under_way);
    Some(Delivery { task: id, event: Event::Status })
}
