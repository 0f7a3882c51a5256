use bytes::Bytes;

use super::*;
use crate::client::event::JobStatus;
use crate::protocol::{Decoder, Limits, OutBuf, Response, ResponseStep, StatusReport, Work};
use crate::types::Progress;

const SECOND: Duration = Duration::from_secs(1);

/// An exchange with what it sent and whom it woke.
struct Client {
    exchange: Exchange,
    sent: OutBuf,
    woken: Vec<Ticket>,
}

impl Client {
    fn new() -> Self {
        let settings = Settings { answer_timeout: 30 * SECOND, max_unread: 1000 };
        Self { exchange: Exchange::new(settings), sent: OutBuf::new(), woken: Vec::new() }
    }

    fn submit(&mut self, background: bool, deadline: Option<Duration>) -> Ticket {
        let submit = Submit { background, ..Submit::new(b"f", b"", b"w".into()) };
        self.exchange
            .submit(submit, deadline, &mut |requests: &[Request<'_>]| self.sent.put_requests(requests))
    }

    fn ask(&mut self, question: Question<'_>) -> Ticket {
        self.exchange.ask(question, None, &mut |requests: &[Request<'_>]| self.sent.put_requests(requests))
    }

    fn gets(&mut self, response: Response<'_>) -> Result<(), Error> {
        self.exchange.receive(response, &mut |ticket| self.woken.push(ticket))
    }

    fn created(&mut self, handle: &str) {
        self.gets(Response::JobCreated { handle: handle.as_bytes() }).unwrap();
    }

    fn work(&mut self, handle: &str, work: Work<'_>) {
        self.gets(Response::Work { handle: handle.as_bytes(), work }).unwrap();
    }

    fn events(&mut self, ticket: Ticket) -> Vec<Event> {
        std::iter::from_fn(|| self.exchange.next_event(ticket)).collect()
    }

    fn error(&self, ticket: Ticket) -> Option<ErrorKind> {
        self.exchange.error(ticket).map(Error::kind)
    }
}

fn handle(text: &str) -> Event {
    Event::Created(text.into())
}

fn data(text: &'static str) -> Event {
    Event::Data(Bytes::from_static(text.as_bytes()))
}

fn complete(text: &'static str) -> Event {
    Event::Complete(Bytes::from_static(text.as_bytes()))
}

#[test]
fn answers_go_to_submissions_in_order_and_reports_by_handle() {
    let mut c = Client::new();
    let (a, b, d) = (c.submit(false, None), c.submit(false, None), c.submit(true, None));
    c.created("H:1");
    c.gets(Response::error(ErrorKind::QueueError, "Job queue is full")).unwrap();
    // Right behind JOB_CREATED, as for a job that ran already.
    c.work("H:1", Work::Data(b"x".into()));
    c.created("H:3");
    c.work("H:1", Work::Complete(b"y".into()));

    assert_eq!(c.events(a), [handle("H:1"), data("x"), complete("y")]);
    assert!(c.exchange.is_over(a));
    assert_eq!(c.events(b), []);
    assert_eq!(c.error(b), Some(ErrorKind::QueueError));
    assert_eq!(c.events(d), [handle("H:3")]);
    assert!(c.exchange.is_over(d), "nothing more comes of a background job");
    assert!(!c.exchange.is_waiting());
}

#[test]
fn every_kind_of_report_is_an_event() {
    let mut c = Client::new();
    let task = c.submit(false, None);
    c.created("H:1");
    c.work("H:1", Work::Warning(b"w".into()));
    c.work("H:1", Work::Status { numerator: b"1", denominator: b"2" });
    c.work("H:1", Work::Exception(b"e".into()));
    // Some workers add a failure.
    c.work("H:1", Work::Fail);
    assert_eq!(
        c.events(task),
        [
            handle("H:1"),
            Event::Warning("w".into()),
            Event::Status(Progress { numerator: 1, denominator: 2 }),
            Event::Exception("e".into()),
        ]
    );
    let task = c.submit(false, None);
    c.created("H:2");
    c.work("H:2", Work::Fail);
    assert_eq!(c.events(task), [handle("H:2"), Event::Fail]);
}

#[test]
fn submissions_that_share_a_job_get_a_copy_each() {
    let mut c = Client::new();
    let first = c.submit(false, None);
    c.created("H:1");
    c.work("H:1", Work::Data(b"alone".into()));
    let (second, third) = (c.submit(false, None), c.submit(false, None));
    c.created("H:1");
    c.created("H:1");
    // The owner of the second loses interest: its copies still come.
    c.exchange.release(second);
    for _ in 0..3 {
        c.work("H:1", Work::Data(b"all".into()));
    }
    for _ in 0..3 {
        c.work("H:1", Work::Complete(b"end".into()));
    }
    assert_eq!(c.events(first), [handle("H:1"), data("alone"), data("all"), complete("end")]);
    assert_eq!(c.events(third), [handle("H:1"), data("all"), complete("end")]);
    assert!(!c.exchange.is_waiting());
    // The same handle again is a new job, as after a restart of the server.
    let again = c.submit(false, None);
    c.created("H:1");
    c.work("H:1", Work::Complete(b"new".into()));
    assert_eq!(c.events(again), [handle("H:1"), complete("new")]);
}

#[test]
fn questions_find_their_answers_though_kinds_overtake_each_other() {
    let mut c = Client::new();
    let job = c.submit(true, None);
    let status = c.ask(Question::Status(b"H:9"));
    let echo = c.ask(Question::Echo(b"hi"));
    let unique = c.ask(Question::StatusUnique(b"u"));
    let option = c.ask(Question::Option(b"nonsense"));
    let report =
        StatusReport { known: true, running: true, progress: Progress { numerator: 3, denominator: 4 } };
    // JOB_CREATED of a background job may wait for a disk.
    c.gets(Response::Status { handle: b"H:9", report }).unwrap();
    c.gets(Response::Echo { data: b"hi".into() }).unwrap();
    c.created("H:1");
    c.gets(Response::StatusUnique { unique: b"u", report, clients: 2 }).unwrap();
    c.gets(Response::error(ErrorKind::UnknownOption, "Server does not recognize given option")).unwrap();

    assert_eq!(c.events(job), [handle("H:1")]);
    let answer = |clients| Some(Answer::Status(JobStatus::new(report, clients)));
    assert_eq!(c.exchange.take_answer(status), answer(None));
    assert_eq!(c.exchange.take_answer(echo), Some(Answer::Echo("hi".into())));
    assert_eq!(c.exchange.take_answer(unique), answer(Some(2)));
    assert_eq!(c.exchange.take_answer(option), None);
    assert_eq!(c.error(option), Some(ErrorKind::UnknownOption));
}

#[test]
fn exceptions_are_asked_for_and_a_server_without_them_is_fine() {
    let mut c = Client::new();
    c.exchange.connected(true, &mut |requests: &[Request<'_>]| c.sent.put_requests(requests));
    let task = c.submit(false, None);
    c.gets(Response::error(ErrorKind::UnknownOption, "no")).unwrap();
    c.created("H:1");
    assert_eq!(c.events(task), [handle("H:1")]);
    assert_eq!(c.error(task), None);
}

#[test]
fn packets_without_a_request_are_errors_and_change_nothing() {
    let mut c = Client::new();
    for response in [
        Response::JobCreated { handle: b"H:1" },
        Response::Echo { data: b"".into() },
        Response::OptionSet { name: b"exceptions" },
        Response::Status { handle: b"H:1", report: StatusReport::default() },
        Response::Noop,
        Response::NoJob,
    ] {
        assert_eq!(c.gets(response).unwrap_err().kind(), ErrorKind::UnexpectedPacket);
    }
    let fatal = c.gets(Response::error(ErrorKind::DataTooLarge, "max_packet")).unwrap_err();
    assert_eq!(fatal.kind(), ErrorKind::DataTooLarge);
    // A report about a job that nobody waits for, as after a cancel, is no error.
    c.work("H:7", Work::Complete(b"".into()));
    let task = c.submit(false, None);
    c.created("H:1");
    assert_eq!(c.events(task), [handle("H:1")]);
}

#[test]
fn a_lost_connection_ends_what_was_under_way_and_nothing_else() {
    let mut c = Client::new();
    let done = c.submit(false, None);
    let running = c.submit(false, None);
    c.created("H:1");
    c.created("H:2");
    c.work("H:1", Work::Complete(b"ok".into()));
    let unanswered = c.submit(true, None);
    c.woken.clear();
    c.exchange.lost(&Error::new(ErrorKind::LostConnection, "test", ""), &mut |ticket| c.woken.push(ticket));
    assert_eq!(c.woken, [running, unanswered]);
    assert_eq!((c.error(done), c.events(done)), (None, vec![handle("H:1"), complete("ok")]));
    for ticket in [running, unanswered] {
        assert_eq!(c.error(ticket), Some(ErrorKind::LostConnection));
    }
    // The next connection begins with nothing.
    assert_eq!((c.exchange.unanswered(), c.exchange.deadline(SECOND)), (0, None));
    let next = c.submit(false, None);
    c.created("H:1");
    c.work("H:1", Work::Complete(b"again".into()));
    assert_eq!(c.events(next), [handle("H:1"), complete("again")]);
}

#[test]
fn a_task_that_takes_too_long_is_over_but_its_place_is_kept() {
    let mut c = Client::new();
    let slow = c.submit(false, Some(2 * SECOND));
    let other = c.submit(false, None);
    assert_eq!(c.exchange.deadline(SECOND), Some(2 * SECOND));
    c.exchange.expire(2 * SECOND, &mut |ticket| c.woken.push(ticket)).unwrap();
    assert_eq!((c.error(slow), c.woken.clone()), (Some(ErrorKind::Timeout), vec![slow]));
    c.created("H:1");
    c.created("H:2");
    c.work("H:1", Work::Complete(b"late".into()));
    c.work("H:2", Work::Complete(b"fine".into()));
    assert!(!c.events(slow).contains(&complete("late")));
    assert_eq!(c.events(other), [handle("H:2"), complete("fine")]);
}

#[test]
fn a_silent_server_is_given_up_from_the_moment_somebody_waits() {
    let mut c = Client::new();
    assert_eq!(c.exchange.deadline(SECOND), None);
    c.submit(false, None);
    c.submit(false, None);
    assert_eq!(c.exchange.deadline(5 * SECOND), Some(35 * SECOND));
    assert_eq!(c.exchange.deadline(9 * SECOND), Some(35 * SECOND));
    // Any packet shows that it lives.
    c.created("H:1");
    assert_eq!(c.exchange.deadline(20 * SECOND), Some(50 * SECOND));
    assert!(c.exchange.expire(49 * SECOND, &mut |_| {}).is_ok());
    assert_eq!(c.exchange.expire(50 * SECOND, &mut |_| {}).unwrap_err().kind(), ErrorKind::Timeout);
    // A running job may take for ever.
    c.created("H:2");
    assert_eq!(c.exchange.deadline(60 * SECOND), None);
}

#[test]
fn unread_events_are_bounded() {
    let mut c = Client::new();
    let task = c.submit(false, None);
    c.created("H:1");
    c.work("H:1", Work::Data((&[0; 600][..]).into()));
    c.work("H:1", Work::Data((&[0; 600][..]).into()));
    c.work("H:1", Work::Complete(b"".into()));
    assert_eq!(c.error(task), Some(ErrorKind::DataTooLarge));
    assert_eq!(c.events(task).len(), 2, "what was there before stays");
    // Whoever reads in time has no limit.
    let task = c.submit(false, None);
    c.created("H:2");
    for _ in 0..10 {
        c.work("H:2", Work::Data((&[0; 600][..]).into()));
        assert!(!c.events(task).is_empty());
    }
    assert_eq!(c.error(task), None);
}

#[test]
fn released_tickets_are_used_again_and_old_ones_see_nothing() {
    let mut c = Client::new();
    let old = c.submit(true, None);
    c.created("H:1");
    c.exchange.release(old);
    let new = c.submit(true, None);
    assert_eq!((old.index(), old == new), (new.index(), false));
    c.created("H:2");
    assert!(c.exchange.is_over(old) && c.exchange.handle(old).is_none() && c.events(old).is_empty());
    c.exchange.release(old);
    assert_eq!(c.events(new), [handle("H:2")]);
}

#[test]
fn timers_of_finished_tasks_do_not_pile_up() {
    let mut c = Client::new();
    for i in 0..10_000u32 {
        let ticket = c.submit(true, Some(SECOND * 1000));
        c.created(&format!("H:{i}"));
        c.exchange.release(ticket);
    }
    assert!(c.exchange.timers.len() <= 128, "{}", c.exchange.timers.len());
}

#[test]
fn the_story_is_the_same_wherever_the_stream_is_cut() {
    let mut stream = OutBuf::new();
    for response in [
        Response::OptionSet { name: b"exceptions" },
        Response::JobCreated { handle: b"H:1" },
        Response::Work { handle: b"H:1", work: Work::Data(b"a\0b".into()) },
        Response::error(ErrorKind::QueueError, "full"),
        Response::Work { handle: b"H:1", work: Work::Status { numerator: b"7", denominator: b"9" } },
        Response::Work { handle: b"H:1", work: Work::Complete(b"".into()) },
    ] {
        response.encode(&mut stream);
    }
    let stream = stream.to_vec();
    let decoder = Decoder::new(Limits::default());
    for cut in 0..=stream.len() {
        let mut c = Client::new();
        c.exchange.connected(true, &mut |requests: &[Request<'_>]| c.sent.put_requests(requests));
        let (a, b) = (c.submit(false, None), c.submit(true, None));
        let mut buffer = Vec::new();
        for part in [&stream[..cut], &stream[cut..]] {
            buffer.extend_from_slice(part);
            let mut at = 0;
            while let ResponseStep::Packet { length, response } =
                decoder.next_response(&buffer[at..]).unwrap()
            {
                c.gets(response).unwrap();
                at += length;
            }
            buffer.drain(..at);
        }
        assert!(buffer.is_empty());
        let progress = Event::Status(Progress { numerator: 7, denominator: 9 });
        assert_eq!(c.events(a), [handle("H:1"), data("a\0b"), progress, complete("")]);
        assert_eq!(c.error(b), Some(ErrorKind::QueueError));
    }
}
