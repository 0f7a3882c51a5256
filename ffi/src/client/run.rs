//! How a client gets on: tasks go out, packets come in, callbacks are due. Nothing of the program's is called from here:
//! [`Client::step`] says what is to be called, see [`super::drive`].

use lineshaft::protocol::{Data, Request as Packet, Response, Submit, When};
use lineshaft::{Error, ErrorKind};

use super::Client;
use super::peer::{Due, Peer};
use super::receive::take;
use super::task::{Request, Role, State, Task};
use super::tasks::TaskId;
use crate::abi::{TaskFn, gearman_return_t, gearman_task_st};
use crate::returns::{
    COULD_NOT_CONNECT, INVALID_ARGUMENT, IO_WAIT, LOST_CONNECTION, NO_ACTIVE_FDS, NO_SERVERS, SUCCESS,
    TIMEOUT,
};
use crate::universal::Waited;

/// Bytes that may wait for one server to take them before no more tasks are sent to it.
const MAX_UNSENT: usize = 256 << 10;

/// Answers that may pile up, unread, of jobs that nobody waits for.
const MAX_STRAY: usize = 64;

/// What happened to a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Created,
    Data,
    Warning,
    Status,
    Complete,
    Exception,
    Fail,
}

/// Something that a task's callback has not been told yet, or has refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Delivery {
    pub(crate) task: TaskId,
    pub(crate) event: Event,
}

/// How far a call goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goal {
    /// Until no task is under way.
    All,
    /// Until this one has ended.
    Task(TaskId),
}

/// What the driver does next. Nothing in it has to be dropped.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Call {
        function: TaskFn,
        task: *mut gearman_task_st,
        delivery: Delivery,
    },
    /// The task is of no more use to anybody.
    Free(TaskId),
    Done(gearman_return_t),
}

/// Why nothing more can be done now.
enum Stop {
    Wait,
    Over(gearman_return_t),
}

impl Client {
    /// Goes on until something is to be called, or the call is over.
    pub(crate) fn step(&mut self, goal: Goal) -> Step {
        match self.advance(goal) {
            Ok(step) => step,
            Err(code) => Step::Done(code),
        }
    }

    fn advance(&mut self, goal: Goal) -> Result<Step, gearman_return_t> {
        loop {
            self.sweep()?;
            if let Some(delivery) = self.deliveries.pop_front() {
                match self.deliver(delivery) {
                    Some(step) => return Ok(step),
                    None => continue,
                }
            }
            if goal == Goal::All {
                self.send_queued()?;
            }
            if self.read_packets()? {
                continue;
            }
            match goal {
                Goal::All if self.under_way == 0 => return Ok(Step::Done(SUCCESS)),
                Goal::Task(id) if self.tasks.get(id).is_none_or(|task| !task.is_counted) => {
                    return Ok(Step::Done(SUCCESS));
                }
                _ => {}
            }
            self.flush()?;
            if self.universal.non_blocking && goal == Goal::All {
                if self.fill()? {
                    continue;
                }
                return Err(self.universal.report.note(IO_WAIT));
            }
            // With several jobs under way more has come meanwhile, as a rule: a look costs less than a wait.
            if self.under_way > 1 && self.fill()? {
                continue;
            }
            self.wait_once()?;
            self.fill()?;
        }
    }

    /// Begins `run_tasks`: tasks of lost connections cannot come to an end any more.
    pub(crate) fn begin_run(&mut self) -> Option<gearman_return_t> {
        if self.under_way == 0 && self.deliveries.is_empty() {
            let lost = self.tasks.iter().any(|task| !task.state.is_final());
            return Some(match lost {
                true => {
                    let why = "the connections of all unfinished tasks have been lost";
                    self.universal.report.record("run_tasks", NO_ACTIVE_FDS, why)
                }
                false => SUCCESS,
            });
        }
        self.universal.report.reset();
        None
    }

    /// Sends the tasks that have been added, oldest first.
    fn send_queued(&mut self) -> Result<(), gearman_return_t> {
        while let Some(&id) = self.queue.front() {
            if self.tasks.get(id).is_none_or(|task| task.state != State::New) {
                self.queue.pop_front();
                continue;
            }
            match self.choose() {
                Ok(at) if self.universal.connections[at].line.unsent() >= MAX_UNSENT => {
                    self.flush()?;
                    if self.universal.connections.get(at).is_some_and(|it| it.line.unsent() >= MAX_UNSENT) {
                        return Ok(());
                    }
                }
                Ok(at) => {
                    self.queue.pop_front();
                    self.send(at, id, None);
                }
                Err(Stop::Wait) => return Ok(()),
                Err(Stop::Over(code)) => return Err(code),
            }
        }
        Ok(())
    }

    /// Sends one task now, in blocking as in non-blocking mode, and gives the kernel what it takes. `workload` is used in
    /// place of the task's own.
    pub(crate) fn send_now(&mut self, id: TaskId, workload: &[u8]) -> Result<(), gearman_return_t> {
        self.sweep()?;
        let at = loop {
            match self.choose() {
                Ok(at) => break at,
                Err(Stop::Wait) => self.wait_once()?,
                Err(Stop::Over(code)) => return Err(code),
            }
        };
        self.send(at, id, Some(workload));
        self.flush()
    }

    /// Waits until everything has been written.
    pub(crate) fn flush_now(&mut self) -> Result<(), gearman_return_t> {
        self.flush()?;
        while self.universal.connections.iter().any(|it| it.line.unsent() > 0) {
            self.wait_once()?;
            self.flush()?;
            // A server that does not read before it is read from.
            self.fill()?;
        }
        Ok(())
    }

    /// Reads what has come where a program sends jobs and never looks at the answers.
    pub(crate) fn take_stray_answers(&mut self) -> Result<(), gearman_return_t> {
        if self.universal.connections.iter().any(|it| it.peer.owed() >= MAX_STRAY) && self.fill()? {
            self.read_packets()?;
        }
        Ok(())
    }

    /// The connection for the next task: one that is open, or else the first that can be opened, in order.
    fn choose(&mut self) -> Result<usize, Stop> {
        if self.universal.connections.is_empty() {
            return Err(Stop::Over(self.universal.report.record("submit", NO_SERVERS, "add a server first")));
        }
        let open = |client: &Self| client.universal.connections.iter().position(|it| it.line.is_open());
        while let Some(at) = open(self) {
            let connection = &mut self.universal.connections[at];
            // A server that went away while nothing was under way is noticed before a job is trusted to it.
            if !connection.peer.is_idle() || connection.line.unsent() > 0 || connection.line.fill().is_ok() {
                self.round = 0;
                return Ok(at);
            }
            connection.line.close();
        }
        let mut last = None;
        while let Some(connection) = self.universal.connections.get_mut(self.round) {
            match connection.line.open(&self.universal.greeting) {
                Ok(true) => {
                    let at = std::mem::take(&mut self.round);
                    return Ok(at);
                }
                Ok(false) => return Err(Stop::Wait),
                Err(error) => {
                    self.round += 1;
                    last = Some(error);
                }
            }
        }
        self.round = 0;
        let error = last.unwrap_or_else(|| Error::new(ErrorKind::CouldNotConnect, "connect", ""));
        let code = match error.kind() {
            // It is TLS that cannot be had: nothing that a server could change.
            ErrorKind::InvalidArgument => INVALID_ARGUMENT,
            _ => COULD_NOT_CONNECT,
        };
        Err(Stop::Over(self.universal.report.error_as(code, &error)))
    }

    /// Puts a task's request on its way.
    fn send(&mut self, at: usize, id: TaskId, workload: Option<&[u8]>) {
        let Some(task) = self.tasks.get_mut(id) else { return };
        let connection = &mut self.universal.connections[at];
        let own = std::mem::take(&mut task.workload);
        let due = match &task.request {
            Request::Submit { priority, background, epoch, reducer } => {
                connection.line.send(&Packet::Submit(Submit {
                    function: task.function.to_bytes(),
                    unique: task.unique.to_bytes(),
                    priority: *priority,
                    background: *background || epoch.is_some(),
                    when: epoch.map_or(When::Now, When::Epoch),
                    reducer: reducer.as_ref().map(|reducer| reducer.to_bytes()),
                    workload: workload.map_or_else(|| Data::from(&own), Data::Borrowed),
                }));
                Due::Created(id)
            }
            Request::Status => {
                connection.line.send(&Packet::GetStatus { handle: task.handle.as_bytes() });
                Due::Status(id)
            }
            Request::StatusByUnique => {
                connection.line.send(&Packet::GetStatusUnique { unique: task.unique.to_bytes() });
                Due::StatusUnique(id)
            }
        };
        task.state = State::Submit;
        connection.peer.owe(due, connection.line.session());
    }

    /// Ends what was under way on connections that another call, such as an echo, has found lost.
    fn sweep(&mut self) -> Result<(), gearman_return_t> {
        for at in 0..self.universal.connections.len() {
            let connection = &self.universal.connections[at];
            if connection.peer.is_stale(&connection.line) {
                let error =
                    Error::new(ErrorKind::LostConnection, "receive", "another call has found it lost");
                if let Some(code) = self.give_up(at, &error) {
                    return Err(code);
                }
            }
        }
        Ok(())
    }

    /// Takes packets until one is to be told to a callback, or none is left; true where it is worth looking again.
    fn read_packets(&mut self) -> Result<bool, gearman_return_t> {
        for at in 0..self.universal.connections.len() {
            loop {
                let Self { universal, tasks, deliveries, under_way, .. } = self;
                let connection = &mut universal.connections[at];
                let (line, peer) = (&mut connection.line, &mut connection.peer);
                let report = &mut universal.report;
                let taken = line.next(|response: Response<'_>| {
                    take(response, peer, tasks, under_way, deliveries, report)
                });
                match taken {
                    Ok(None) => break,
                    Ok(Some(result)) => result?,
                    Err(error) => match self.lose(at, &error) {
                        Some(code) => return Err(code),
                        None => break,
                    },
                }
                if !self.deliveries.is_empty() {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Writes what the sockets take.
    fn flush(&mut self) -> Result<(), gearman_return_t> {
        self.on_every_connection(|connection| connection.line.flush()).map(|_| ())
    }

    /// Reads once from every open connection; true where something has arrived.
    fn fill(&mut self) -> Result<bool, gearman_return_t> {
        let mut arrived = false;
        self.on_every_connection(|connection| {
            arrived |= connection.line.fill()?;
            Ok(())
        })?;
        Ok(arrived)
    }

    fn on_every_connection(
        &mut self,
        mut action: impl FnMut(&mut crate::connection::Connection<Peer>) -> lineshaft::Result<()>,
    ) -> Result<(), gearman_return_t> {
        for at in 0..self.universal.connections.len() {
            let connection = &mut self.universal.connections[at];
            if connection.line.is_open()
                && let Err(error) = action(connection)
                && let Some(code) = self.lose(at, &error)
            {
                return Err(code);
            }
        }
        Ok(())
    }

    /// Waits once. A server that cannot be connected to in time leaves its place to the next one.
    fn wait_once(&mut self) -> Result<(), gearman_return_t> {
        match self.universal.wait(None) {
            Waited::Ready | Waited::Other => Ok(()),
            Waited::Over(TIMEOUT) if self.round + 1 < self.universal.connections.len() => {
                let dialling = &mut self.universal.connections[self.round].line;
                if dialling.is_open() || dialling.link().is_closed() {
                    return Err(TIMEOUT);
                }
                dialling.close();
                self.round += 1;
                self.universal.report.reset();
                Ok(())
            }
            Waited::Over(code) => Err(code),
        }
    }

    /// A connection has ended. The tasks that were under way on it have lost their jobs; `None` where there was none.
    fn lose(&mut self, at: usize, error: &Error) -> Option<gearman_return_t> {
        self.universal.connections[at].line.close();
        self.give_up(at, error)
    }

    /// What was under way on a connection is lost; `None` where nothing was.
    fn give_up(&mut self, at: usize, error: &Error) -> Option<gearman_return_t> {
        let mut hit = false;
        for id in self.universal.connections[at].peer.lost() {
            if let Some(task) = self.tasks.get_mut(id) {
                hit = true;
                task.outcome = LOST_CONNECTION;
                (task.is_known, task.is_running) = (false, false);
                uncount(task, &mut self.under_way);
            }
        }
        hit.then(|| self.universal.report.error_as(LOST_CONNECTION, error))
    }

    /// Closes every connection; what was under way on them is lost.
    pub(crate) fn remove_servers(&mut self) {
        let error = Error::new(ErrorKind::LostConnection, "remove_servers", "");
        for at in 0..self.universal.connections.len() {
            self.lose(at, &error);
        }
        self.universal.connections.clear();
        self.universal.report.reset();
        self.round = 0;
    }

    /// The callback for an event, or what follows where the task has none.
    fn deliver(&mut self, delivery: Delivery) -> Option<Step> {
        let task = self.tasks.get_mut(delivery.task)?;
        let actions = &task.actions;
        let function = match delivery.event {
            Event::Created => actions.created_fn,
            Event::Data => actions.data_fn,
            Event::Warning => actions.warning_fn,
            Event::Status => actions.status_fn,
            Event::Complete => actions.complete_fn,
            Event::Exception => actions.exception_fn,
            Event::Fail => actions.fail_fn,
        };
        match function {
            Some(function) if task.role == Role::Added => {
                Some(Step::Call { function, task: task.shell, delivery })
            }
            _ => self.delivered(delivery),
        }
    }

    /// A callback has answered `code`. Answers with what the call ends with, or with a task to free.
    pub(crate) fn called(&mut self, delivery: Delivery, code: gearman_return_t) -> Option<Step> {
        if code == SUCCESS {
            return self.delivered(delivery);
        }
        // The same callback is called again by the next run, unless it has freed its task.
        if self.tasks.get(delivery.task).is_some() {
            self.deliveries.push_front(delivery);
        }
        Some(Step::Done(self.universal.report.note(code)))
    }

    /// An event has been told.
    fn delivered(&mut self, delivery: Delivery) -> Option<Step> {
        let free_tasks = self.flags.free_tasks;
        let task = self.tasks.get_mut(delivery.task)?;
        task.data = None;
        task.read = 0;
        if task.is_counted {
            task.state = State::Work;
            return None;
        }
        if delivery.event == Event::Created {
            // A background job: that the server has it is all that is ever told.
            task.outcome = SUCCESS;
        }
        task.state = State::Finished;
        (free_tasks && task.role == Role::Added).then_some(Step::Free(delivery.task))
    }
}

/// Nobody waits for the task any more.
pub(crate) fn uncount(task: &mut Task, under_way: &mut usize) {
    if std::mem::replace(&mut task.is_counted, false) && task.role != Role::Call {
        *under_way -= 1;
    }
}
