//! A client against a server that says what a test wants.

use std::ffi::{CStr, c_void};
use std::ptr::{null, null_mut};

use lineshaft::protocol::{Response, StatusReport, Work};

use super::callbacks::{gearman_client_set_complete_fn, gearman_client_set_created_fn};
use super::calls::{gearman_client_do, gearman_client_do_background};
use super::life::{gearman_client_create, gearman_client_free};
use super::options::{gearman_client_add_options, gearman_client_set_timeout};
use super::questions::gearman_client_unique_status;
use super::queue::{
    gearman_client_add_task, gearman_client_has_active_tasks, gearman_client_run_tasks, gearman_task_free,
};
use super::servers::{gearman_client_add_server, gearman_client_wait};
use super::task_access::{gearman_task_data, gearman_task_data_size, gearman_task_return};
use crate::abi::{gearman_client_st, gearman_return_t, gearman_task_st};
use crate::returns::{
    COULD_NOT_CONNECT, IO_WAIT, LOST_CONNECTION, NO_ACTIVE_FDS, PAUSE, SUCCESS, TIMEOUT, UNKNOWN_STATE,
};
use crate::scripted::{nobody, server};

fn created(handle: &str) -> Response<'_> {
    Response::JobCreated { handle: handle.as_bytes() }
}

fn complete<'a>(handle: &'a str, data: &'a str) -> Response<'a> {
    Response::Work { handle: handle.as_bytes(), work: Work::Complete(data.into()) }
}

/// A client of the tests, freed at their end. Servers are tried in reversed order.
struct Client(*mut gearman_client_st);

impl Client {
    fn of(ports: &[u16]) -> Self {
        // SAFETY: the library allocates it; the address ends with a NUL.
        unsafe {
            let client = gearman_client_create(null_mut());
            for &port in ports {
                assert_eq!(gearman_client_add_server(client, c"127.0.0.1".as_ptr(), port), SUCCESS);
            }
            gearman_client_set_timeout(client, 10_000);
            Self(client)
        }
    }

    fn add(&self, function: &CStr) -> *mut gearman_task_st {
        let (name, work) = (function.as_ptr(), c"w".as_ptr().cast());
        let mut rc = UNKNOWN_STATE;
        // SAFETY: the client lives; texts end with a NUL.
        let task = unsafe {
            gearman_client_add_task(self.0, null_mut(), null_mut(), name, null(), work, 1, &raw mut rc)
        };
        assert_eq!(rc, SUCCESS);
        task
    }

    fn run(&self) -> gearman_return_t {
        // SAFETY: the client lives.
        unsafe { gearman_client_run_tasks(self.0) }
    }

    /// The code and the result of a job.
    fn call(&self, function: &CStr) -> (gearman_return_t, String) {
        let (mut size, mut rc) = (0, UNKNOWN_STATE);
        // SAFETY: the client lives; texts end with a NUL; the result has the size that is said, and comes from malloc().
        unsafe {
            let (name, work) = (function.as_ptr(), c"w".as_ptr().cast());
            let result = gearman_client_do(self.0, name, null(), work, 1, &raw mut size, &raw mut rc);
            let text = crate::pointer::bytes(result, size).escape_ascii().to_string();
            libc::free(result);
            (rc, text)
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // SAFETY: the client lives until here.
        unsafe { gearman_client_free(self.0) };
    }
}

fn outcome(task: *mut gearman_task_st) -> gearman_return_t {
    // SAFETY: the task belongs to a client that lives.
    unsafe { gearman_task_return(task) }
}

#[test]
fn a_dead_server_leaves_its_place_to_the_next() {
    let (port, thread) = server(1, |_, mut peer| {
        for handle in ["H:1", "H:2"] {
            peer.expect("f");
            peer.say(&[created(handle), complete(handle, "done")]);
        }
    });
    let client = Client::of(&[port, nobody()]);
    assert_eq!(client.call(c"f"), (SUCCESS, "done".to_owned()));
    assert_eq!(client.call(c"f"), (SUCCESS, "done".to_owned()));
    drop(client);
    thread.join().expect("the server's checks");
}

#[test]
fn without_any_server_a_task_stays_and_is_sent_later() {
    let client = Client::of(&[nobody(), nobody()]);
    let task = client.add(c"f");
    assert_eq!(client.run(), COULD_NOT_CONNECT);
    assert_eq!(outcome(task), UNKNOWN_STATE);
    let (port, thread) = server(1, |_, mut peer| {
        peer.expect("f");
        peer.say(&[created("H:1"), complete("H:1", "")]);
    });
    // SAFETY: the client lives; the address ends with a NUL.
    assert_eq!(unsafe { gearman_client_add_server(client.0, c"127.0.0.1".as_ptr(), port) }, SUCCESS);
    assert_eq!((client.run(), outcome(task)), (SUCCESS, SUCCESS));
    drop(client);
    thread.join().expect("the server's checks");
}

#[test]
fn a_lost_connection_ends_its_tasks_and_the_next_call_connects_again() {
    let (port, thread) = server(2, |time, mut peer| {
        peer.expect("f");
        match time {
            0 => peer.say(&[created("H:1")]),
            _ => peer.say(&[created("H:2"), complete("H:2", "again")]),
        }
    });
    let client = Client::of(&[port]);
    let task = client.add(c"f");
    assert_eq!((client.run(), outcome(task)), (LOST_CONNECTION, LOST_CONNECTION));
    assert_eq!(client.run(), NO_ACTIVE_FDS);
    assert_eq!(client.call(c"f"), (SUCCESS, "again".to_owned()));
    // The second server is gone by now, while nothing is under way: nobody is troubled by it, and nobody listens any more.
    thread.join().expect("the server's checks");
    assert_eq!(client.call(c"f"), (COULD_NOT_CONNECT, String::new()));
}

#[test]
fn late_results_and_prefixes_of_handles_are_nobodys() {
    let (port, thread) = server(1, |_, mut peer| {
        peer.expect("slow");
        peer.say(&[created("H:1")]);
        peer.expect("quick");
        peer.say(&[complete("H:1", "late"), created("H:12"), complete("H:12", "right")]);
        peer.expect("status");
        peer.say(&[Response::StatusUnique { unique: b"u", report: StatusReport::default(), clients: 0 }]);
        peer.expect("quick");
        peer.say(&[created("H:3"), complete("H:1", "late"), complete("H:3", "after")]);
    });
    let client = Client::of(&[port]);
    // SAFETY: the client lives.
    unsafe { gearman_client_set_timeout(client.0, 100) };
    assert_eq!(client.call(c"slow"), (TIMEOUT, String::new()));
    // SAFETY: the client lives.
    unsafe { gearman_client_set_timeout(client.0, 10_000) };
    assert_eq!(client.call(c"quick"), (SUCCESS, "right".to_owned()));
    // SAFETY: the client lives; the unique ends with a NUL.
    let status = unsafe { gearman_client_unique_status(client.0, c"u".as_ptr(), 1) };
    assert_eq!((status.result_rc, status.is_known), (SUCCESS, false));
    assert_eq!(client.call(c"quick"), (SUCCESS, "after".to_owned()));
    drop(client);
    thread.join().expect("the server's checks");
}

#[test]
fn an_error_of_the_server_ends_the_run_and_leaves_the_rest() {
    let (port, thread) = server(1, |_, mut peer| {
        peer.expect("a");
        peer.expect("b");
        peer.say(&[Response::Error { code: b"JOB_QUEUE_FULL", text: b"full" }]);
        peer.say(&[created("H:2"), complete("H:2", "")]);
        assert_eq!(peer.next(), None);
    });
    let client = Client::of(&[port]);
    let (a, b) = (client.add(c"a"), client.add(c"b"));
    assert_eq!(client.run(), 17);
    assert_eq!((outcome(a), outcome(b)), (17, UNKNOWN_STATE));
    assert_eq!((client.run(), outcome(b)), (SUCCESS, SUCCESS));
    drop(client);
    thread.join().expect("the server's checks");
}

#[test]
fn a_client_that_may_not_wait_says_so() {
    let (port, thread) = server(1, |_, mut peer| {
        peer.expect("f");
        peer.say(&[created("H:1")]);
        peer.expect("g");
        peer.say(&[complete("H:1", "")]);
        peer.say(&[created("H:2")]);
        assert_eq!(peer.next(), None);
    });
    let client = Client::of(&[port]);
    // SAFETY: the client lives.
    unsafe { gearman_client_add_options(client.0, super::options::NON_BLOCKING) };
    let task = client.add(c"f");
    let mut sent = false;
    while client.run() == IO_WAIT {
        // SAFETY: the client lives; texts end with a NUL.
        unsafe {
            if gearman_task_return(task) == UNKNOWN_STATE
                && !sent
                && super::inner(client.0)
                    .as_ref()
                    .is_some_and(|it| it.tasks.first().is_some_and(|task| task.is_known))
            {
                let rc = gearman_client_do_background(client.0, c"g".as_ptr(), null(), null(), 0, null_mut());
                assert_eq!(rc, IO_WAIT);
                sent = true;
            }
            assert_eq!(gearman_client_wait(client.0), SUCCESS);
        }
    }
    assert!(sent);
    assert_eq!(outcome(task), SUCCESS);
    drop(client);
    thread.join().expect("the server's checks");
}

#[test]
fn a_callback_that_pauses_is_called_again_and_may_free_its_task() {
    use std::cell::Cell;
    thread_local! {
        static CALLS: Cell<(u32, u32)> = const { Cell::new((0, 0)) };
    }
    unsafe extern "C-unwind" fn on_created(_: *mut gearman_task_st) -> gearman_return_t {
        let (created, completed) = CALLS.get();
        CALLS.set((created + 1, completed));
        if created == 0 { PAUSE } else { SUCCESS }
    }
    unsafe extern "C-unwind" fn on_complete(task: *mut gearman_task_st) -> gearman_return_t {
        let (created, completed) = CALLS.get();
        CALLS.set((created, completed + 1));
        // SAFETY: called with a task of a client that lives.
        unsafe {
            let data: *const c_void = gearman_task_data(task);
            assert_eq!(crate::pointer::bytes(data, gearman_task_data_size(task)), b"end");
            gearman_task_free(task);
        }
        PAUSE
    }
    let (port, thread) = server(1, |_, mut peer| {
        peer.expect("f");
        peer.say(&[created("H:1"), complete("H:1", "end")]);
        assert_eq!(peer.next(), None);
    });
    let client = Client::of(&[port]);
    // SAFETY: the client lives.
    unsafe {
        gearman_client_set_created_fn(client.0, Some(on_created));
        gearman_client_set_complete_fn(client.0, Some(on_complete));
    }
    client.add(c"f");
    assert_eq!((client.run(), CALLS.get()), (PAUSE, (1, 0)));
    assert_eq!((client.run(), CALLS.get()), (PAUSE, (2, 1)));
    // The task is gone, and with it what its callback has refused.
    assert_eq!((client.run(), CALLS.get()), (SUCCESS, (2, 1)));
    // SAFETY: the client lives.
    assert!(!unsafe { gearman_client_has_active_tasks(client.0) });
    drop(client);
    thread.join().expect("the server's checks");
}

#[test]
fn a_loss_that_an_echo_finds_ends_the_tasks_as_well() {
    let (port, thread) = server(2, |time, mut peer| match time {
        0 => {
            peer.expect("f");
            peer.say(&[created("H:1")]);
            // The echo, which gets no answer.
            peer.next();
        }
        _ => {
            peer.next();
            peer.say(&[Response::Echo { data: (&b"hi"[..]).into() }]);
            peer.expect("g");
            peer.say(&[created("H:1"), complete("H:1", "new")]);
        }
    });
    let client = Client::of(&[port]);
    // SAFETY: the client lives.
    unsafe { gearman_client_add_options(client.0, super::options::NON_BLOCKING) };
    let task = client.add(c"f");
    loop {
        assert_eq!(client.run(), IO_WAIT);
        // SAFETY: the task and the client live.
        unsafe {
            if super::task_access::gearman_task_is_known(task) {
                break;
            }
            assert_eq!(gearman_client_wait(client.0), SUCCESS);
        }
    }
    // SAFETY: the client lives; the workload has two bytes.
    unsafe {
        let echo = || super::servers::gearman_client_echo(client.0, c"hi".as_ptr().cast(), 2);
        assert_eq!((echo(), echo()), (LOST_CONNECTION, SUCCESS));
        super::options::gearman_client_remove_options(client.0, super::options::NON_BLOCKING);
    }
    let other = client.add(c"g");
    assert_eq!((client.run(), outcome(task)), (LOST_CONNECTION, LOST_CONNECTION));
    assert_eq!((client.run(), outcome(other)), (SUCCESS, SUCCESS));
    drop(client);
    thread.join().expect("the server's checks");
}
