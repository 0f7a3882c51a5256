//! What the server says, and to which requests.

use std::hash::BuildHasher;

use super::{Answer, Due, Entry, Exchange, NOBODY, Place, Ticket, server_error};
use crate::client::event::{Event, JobStatus};
use crate::error::{Error, ErrorKind};
use crate::protocol::{Response, Work};

impl Exchange {
    /// Takes one packet of the server. `woke` is told of each request for which there is something new.
    ///
    /// # Errors
    /// An ERROR that belongs to no request, or a packet that only workers get. The connection may go on.
    pub fn receive(&mut self, response: Response<'_>, woke: &mut impl FnMut(Ticket)) -> Result<(), Error> {
        self.silent_since = None;
        match response {
            Response::JobCreated { handle } => {
                let (index, due) = self.answered(|due| matches!(due, Due::Created { .. }), "JOB_CREATED")?;
                self.created(index, due == Due::Created { background: true }, handle, woke);
            }
            Response::Work { handle, work } => self.report(handle, work, woke),
            Response::Error { code, text } => {
                let Some(at) = self.unanswered.iter().position(|request| request.due != Due::Echo) else {
                    return Err(server_error("server", code, text));
                };
                let operation = match self.unanswered[at].due {
                    Due::Created { .. } => "submit",
                    Due::Status | Due::StatusUnique => "status",
                    Due::Echo => "echo",
                    Due::Option => "option",
                };
                let index = self.unanswered.remove(at).map_or(NOBODY, |request| request.index);
                // A server without exceptions reports them as failures: nothing to trouble anybody with.
                if index != NOBODY {
                    self.end(index, Some(server_error(operation, code, text)), woke);
                }
            }
            Response::Status { report, .. } => {
                let (index, _) = self.answered(|due| due == Due::Status, "STATUS_RES")?;
                self.answer(index, Answer::Status(JobStatus::new(report, None)), woke);
            }
            Response::StatusUnique { report, clients, .. } => {
                let (index, _) = self.answered(|due| due == Due::StatusUnique, "STATUS_RES_UNIQUE")?;
                self.answer(index, Answer::Status(JobStatus::new(report, Some(clients))), woke);
            }
            Response::Echo { data } => {
                let (index, _) = self.answered(|due| due == Due::Echo, "ECHO_RES")?;
                self.answer(index, Answer::Echo(data.to_bytes()), woke);
            }
            Response::OptionSet { .. } => {
                let (index, _) = self.answered(|due| due == Due::Option, "OPTION_RES")?;
                if index != NOBODY {
                    self.answer(index, Answer::Option, woke);
                }
            }
            Response::Noop | Response::NoJob | Response::Assign(_) | Response::Text(_) => {
                return Err(unexpected("a packet for workers"));
            }
        }
        Ok(())
    }

    /// The oldest request that waits for this kind of answer. Answers of one kind keep their order even where a server lets
    /// one kind overtake another.
    fn answered(&mut self, is: impl Fn(Due) -> bool, name: &'static str) -> Result<(u32, Due), Error> {
        if let Some(request) = self.unanswered.pop_front_if(|request| is(request.due)) {
            return Ok((request.index, request.due));
        }
        let at = self.unanswered.iter().position(|request| is(request.due));
        let request = at.and_then(|at| self.unanswered.remove(at)).ok_or_else(|| unexpected(name))?;
        Ok((request.index, request.due))
    }

    fn created(&mut self, index: u32, background: bool, handle: &[u8], woke: &mut impl FnMut(Ticket)) {
        let entry = &mut self.entries[index as usize];
        entry.created = true;
        entry.handle.clear();
        entry.handle.extend_from_slice(handle);
        entry.created_unread = true;
        if background {
            return self.end(index, None, woke);
        }
        entry.place = Place::Attached;
        entry.next = index;
        let ticket = Ticket { index, generation: entry.generation };
        if entry.held && !entry.over {
            woke(ticket);
        }
        let hash = self.hasher.hash_one(handle);
        let (entries, hasher) = (&mut self.entries, &self.hasher);
        match self.by_handle.find_mut(hash, |&last| is_handle(&entries[last as usize], handle)) {
            Some(last) => {
                let before = std::mem::replace(last, index);
                entries[index as usize].next = std::mem::replace(&mut entries[before as usize].next, index);
            }
            None => {
                self.by_handle
                    .insert_unique(hash, index, |&last| hasher.hash_one(handle_of(&entries[last as usize])));
            }
        }
    }

    fn report(&mut self, handle: &[u8], work: Work<'_>, woke: &mut impl FnMut(Ticket)) {
        let hash = self.hasher.hash_one(handle);
        let entries = &mut self.entries;
        let found = self.by_handle.find_entry(hash, |&last| is_handle(&entries[last as usize], handle));
        // A job that has ended here already: cancelled, then completed all the same.
        let Ok(mut found) = found else { return };
        // "Each attached submission receives its own copy": the first one takes this copy and goes to the back.
        let last = *found.get();
        let index = entries[last as usize].next;
        let ends = work.ends_job();
        if !ends {
            *found.get_mut() = index;
        } else if index == last {
            found.remove();
        } else {
            entries[last as usize].next = entries[index as usize].next;
        }
        let entry = &mut entries[index as usize];
        if entry.held && !entry.over {
            let event = match work {
                Work::Data(data) => Event::Data(data.to_bytes()),
                Work::Warning(data) => Event::Warning(data.to_bytes()),
                Work::Status { numerator, denominator } => {
                    Event::Status(Work::progress(numerator, denominator))
                }
                Work::Complete(data) => Event::Complete(data.to_bytes()),
                Work::Fail => Event::Fail,
                Work::Exception(data) => Event::Exception(data.to_bytes()),
            };
            entry.unread += event.size();
            if entry.unread > self.settings.max_unread {
                let limit = self.settings.max_unread;
                entry.error = Some(Error::new(
                    ErrorKind::DataTooLarge,
                    "task",
                    format!("more than max_unread ({limit} bytes) of events have not been read"),
                ));
                entry.over = true;
            } else {
                entry.events.push_back(event);
                entry.over = ends;
            }
            woke(Ticket { index, generation: entry.generation });
        }
        if ends {
            self.leave(index);
        }
    }
}

fn handle_of(entry: &Entry) -> &[u8] {
    &entry.handle
}

fn is_handle(entry: &Entry, handle: &[u8]) -> bool {
    handle_of(entry) == handle
}

fn unexpected(what: &str) -> Error {
    Error::new(ErrorKind::UnexpectedPacket, "receive", format!("{what} came without a request for it"))
}
