//! A worker against a server that says what a test wants.

use std::ffi::{CStr, c_void};
use std::ptr::null_mut;

use lineshaft::ErrorKind;
use lineshaft::protocol::{Assign, Data, Grab, Response, Work};

use super::functions::{gearman_function_create_partition, gearman_function_create_v2};
use super::grab::gearman_worker_grab_job;
use super::life::{gearman_worker_create, gearman_worker_error, gearman_worker_free};
use super::options::{gearman_worker_add_options, gearman_worker_remove_options, gearman_worker_set_timeout};
use super::register::{
    gearman_worker_define_function, gearman_worker_register, gearman_worker_unregister,
    gearman_worker_unregister_all,
};
use super::servers::{gearman_worker_add_server, gearman_worker_echo, gearman_worker_set_identifier};
use super::work::gearman_worker_work;
use crate::abi::{gearman_job_st, gearman_return_t, gearman_worker_st};
use crate::job::gearman_job_send_data;
use crate::returns::{
    COULD_NOT_CONNECT, INVALID_FUNCTION_NAME, NO_JOBS, SUCCESS, TIMEOUT, UNEXPECTED_PACKET, WORK_FAIL,
};
use crate::scripted::{Peer, nobody, server};

const SHORT: i32 = 20;
const LONG: i32 = 10_000;

fn job(handle: &str) -> Response<'_> {
    map_job(handle, "")
}

fn map_job<'a>(handle: &'a str, reducer: &'a str) -> Response<'a> {
    Response::Assign(Assign {
        kind: Grab::All,
        handle: handle.as_bytes(),
        function: b"f",
        unique: b"u",
        reducer: reducer.as_bytes(),
        workload: Data::Borrowed(b"w"),
    })
}

/// Answers what its context is, as a number.
unsafe extern "C-unwind" fn answer(_: *mut gearman_job_st, context: *mut c_void) -> gearman_return_t {
    context as usize as gearman_return_t
}

unsafe extern "C-unwind" fn two_pieces(job: *mut gearman_job_st, _: *mut c_void) -> gearman_return_t {
    // SAFETY: the job that the function is called for.
    unsafe {
        assert_eq!(gearman_job_send_data(job, c"a".as_ptr().cast(), 1), SUCCESS);
        gearman_job_send_data(job, c"b".as_ptr().cast(), 1)
    }
}

/// A worker of the tests, freed at their end. The server that was added last is asked first.
struct Worker(*mut gearman_worker_st);

impl Worker {
    /// With a function `f` that answers `code`.
    fn of(ports: &[u16], code: gearman_return_t) -> Self {
        // SAFETY: the library allocates it; texts end with a NUL.
        unsafe {
            let worker = gearman_worker_create(null_mut());
            for &port in ports {
                assert_eq!(gearman_worker_add_server(worker, c"127.0.0.1".as_ptr(), port), SUCCESS);
            }
            gearman_worker_set_timeout(worker, LONG);
            let (function, context) =
                (gearman_function_create_v2(Some(answer)), code as usize as *mut c_void);
            gearman_worker_define_function(worker, c"f".as_ptr(), 1, function, 0, context);
            Self(worker)
        }
    }

    fn work(&self) -> gearman_return_t {
        // SAFETY: the worker lives.
        unsafe { gearman_worker_work(self.0) }
    }

    /// As [`Worker::work`], for as long as nothing is to come.
    fn work_shortly(&self) -> gearman_return_t {
        // SAFETY: the worker lives.
        unsafe {
            gearman_worker_set_timeout(self.0, SHORT);
            let code = gearman_worker_work(self.0);
            gearman_worker_set_timeout(self.0, LONG);
            code
        }
    }

    fn register(&self, name: &CStr, timeout: u32) {
        // SAFETY: the worker lives; the name ends with a NUL.
        assert_eq!(unsafe { gearman_worker_register(self.0, name.as_ptr(), timeout) }, SUCCESS);
    }

    fn error(&self) -> String {
        // SAFETY: the worker lives, and its text is read at once.
        unsafe { CStr::from_ptr(gearman_worker_error(self.0)) }.to_string_lossy().into_owned()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // SAFETY: the worker lives until here.
        unsafe { gearman_worker_free(self.0) };
    }
}

#[test]
fn a_worker_announces_grabs_sleeps_and_is_woken() {
    let (port, thread) = server(1, |_, mut peer| {
        peer.expect_all(&["id me", "can h", "can g in 7", "can f", "grab all"]);
        peer.say(&[Response::NoJob]);
        peer.expect("sleep");
        peer.say(&[Response::Noop]);
        peer.expect("grab all");
        peer.say(&[job("H:1")]);
        // The next grab needs no sleep before it, and what wakes nobody is passed over.
        peer.expect_all(&["complete H:1 ", "grab all"]);
        peer.say(&[Response::Noop, job("H:2")]);
        peer.expect("complete H:2 ");
        peer.expect_end();
    });
    let worker = Worker::of(&[port], SUCCESS);
    worker.register(c"g", 7);
    worker.register(c"h", 0);
    // SAFETY: the worker lives; the name has two bytes.
    unsafe { gearman_worker_set_identifier(worker.0, c"me".as_ptr(), 2) };
    assert_eq!((worker.work(), worker.work()), (SUCCESS, SUCCESS));
    drop(worker);
    thread.join().expect("no surprise for the server");
}

#[test]
fn a_timeout_asks_anew_and_an_owed_answer_does_not() {
    let (port, thread) = server(1, |_, mut peer| {
        peer.expect_all(&["can f", "grab all"]);
        peer.say(&[Response::NoJob]);
        // It sleeps until the timeout, and then wants to know whether the server is still there.
        peer.expect_all(&["sleep", "grab all"]);
        // This answer comes late: nothing more is asked meanwhile.
        peer.expect("Echo { data: Borrowed([120]) }");
        peer.say(&[Response::Echo { data: Data::Borrowed(b"x") }, job("H:1")]);
        peer.expect("complete H:1 ");
        peer.expect_end();
    });
    let worker = Worker::of(&[port], SUCCESS);
    assert_eq!((worker.work_shortly(), worker.work_shortly()), (TIMEOUT, TIMEOUT));
    // SAFETY: the worker lives; the workload has a byte.
    assert_eq!(unsafe { gearman_worker_echo(worker.0, c"x".as_ptr().cast(), 1) }, SUCCESS);
    assert_eq!(worker.work(), SUCCESS);
    drop(worker);
    thread.join().expect("no surprise for the server");
}

#[test]
fn a_lost_connection_is_made_again_within_the_call() {
    let (port, thread) = server(2, |time, mut peer| {
        peer.expect_all(&["can f", "grab all"]);
        if time == 0 {
            peer.say(&[Response::NoJob]);
            peer.expect("sleep");
            return;
        }
        peer.say(&[job("H:1")]);
        peer.expect("complete H:1 ");
    });
    let worker = Worker::of(&[port], SUCCESS);
    assert_eq!(worker.work(), SUCCESS);
    thread.join().expect("no surprise for the server");
    // Nobody listens any more.
    assert_eq!(worker.work(), COULD_NOT_CONNECT);
}

#[test]
fn a_dead_server_is_passed_over() {
    let (port, thread) = server(1, |_, mut peer| {
        peer.expect_all(&["can f", "grab all"]);
        peer.say(&[job("H:1")]);
        peer.expect("complete H:1 ");
    });
    let worker = Worker::of(&[port, nobody()], SUCCESS);
    assert_eq!(worker.work(), SUCCESS);
    thread.join().expect("no surprise for the server");
    assert_eq!(Worker::of(&[nobody()], SUCCESS).work(), COULD_NOT_CONNECT);
}

#[test]
fn one_server_is_asked_at_a_time_and_the_last_one_first() {
    // The second server answers only after the first has been told to.
    let (first, first_thread) = server(1, |_, mut peer| {
        peer.expect_all(&["can f", "grab all"]);
        peer.say(&[Response::NoJob]);
        peer.expect_end();
    });
    let (second, second_thread) = server(1, |_, mut peer| {
        peer.expect_all(&["can f", "grab all"]);
        peer.say(&[job("H:1")]);
        peer.expect_all(&["complete H:1 ", "grab all"]);
        peer.say(&[job("H:2")]);
        peer.expect("complete H:2 ");
        peer.expect_end();
    });
    let worker = Worker::of(&[second, first], SUCCESS);
    assert_eq!((worker.work(), worker.work()), (SUCCESS, SUCCESS));
    drop(worker);
    first_thread.join().expect("no surprise for the server");
    second_thread.join().expect("no surprise for the server");
}

#[test]
fn changes_of_functions_wake_a_sleeping_worker() {
    let sleep = |peer: &mut Peer| {
        peer.expect("grab all");
        peer.say(&[Response::NoJob]);
        peer.expect("sleep");
    };
    let (port, thread) = server(1, move |_, mut peer| {
        peer.expect("can f");
        sleep(&mut peer);
        peer.expect("can g");
        sleep(&mut peer);
        peer.expect("can't f");
        sleep(&mut peer);
        peer.expect_all(&["reset", "can h"]);
        sleep(&mut peer);
        peer.expect_end();
    });
    let worker = Worker::of(&[port], SUCCESS);
    assert_eq!(worker.work_shortly(), TIMEOUT);
    worker.register(c"g", 0);
    assert_eq!(worker.work_shortly(), TIMEOUT);
    // SAFETY: the worker lives; the name ends with a NUL.
    assert_eq!(unsafe { gearman_worker_unregister(worker.0, c"f".as_ptr()) }, SUCCESS);
    assert_eq!(worker.work_shortly(), TIMEOUT);
    // SAFETY: the worker lives.
    assert_eq!(unsafe { gearman_worker_unregister_all(worker.0) }, SUCCESS);
    worker.register(c"h", 0);
    assert_eq!(worker.work_shortly(), TIMEOUT);
    drop(worker);
    thread.join().expect("no surprise for the server");
}

#[test]
fn grabs_are_of_the_kind_that_the_options_name() {
    const UNIQ: u32 = 128;
    const ALL: u32 = 512;
    for (removed, added, expected) in [
        (UNIQ, 0, "grab"),
        (ALL, 0, "grab"),
        (UNIQ | ALL, UNIQ, "grab uniq"),
        (0, UNIQ, "grab uniq"),
        (UNIQ, ALL, "grab all"),
    ] {
        let (port, thread) = server(1, move |_, mut peer| {
            peer.expect_all(&["can f", expected]);
            peer.say(&[Response::NoJob]);
        });
        let worker = Worker::of(&[port], SUCCESS);
        let mut code = SUCCESS;
        // SAFETY: the worker lives.
        unsafe {
            gearman_worker_remove_options(worker.0, removed);
            gearman_worker_add_options(worker.0, added);
            assert!(gearman_worker_grab_job(worker.0, null_mut(), &raw mut code).is_null());
        }
        assert_eq!(code, NO_JOBS);
        thread.join().expect("no surprise for the server");
    }
}

#[test]
fn what_a_server_should_not_send_ends_the_call() {
    let (port, thread) = server(1, |_, mut peer| {
        peer.expect_all(&["can f", "grab all"]);
        peer.say(&[Response::error(ErrorKind::QueueError, "no disk")]);
        peer.expect("grab all");
        peer.say(&[Response::JobCreated { handle: b"H:1" }]);
        peer.expect("grab all");
        let Response::Assign(assign) = job("H:1") else { unreachable!("a job") };
        peer.say(&[Response::Assign(Assign { function: b"other", ..assign })]);
        // Nothing is said of a job that the worker does not know.
        peer.expect_end();
    });
    let worker = Worker::of(&[port], SUCCESS);
    assert_eq!(worker.work(), ErrorKind::QueueError.code());
    assert!(worker.error().contains("no disk"), "{}", worker.error());
    assert_eq!(worker.work(), UNEXPECTED_PACKET);
    assert_eq!(worker.work(), INVALID_FUNCTION_NAME);
    drop(worker);
    thread.join().expect("no surprise for the server");
}

#[test]
fn pieces_of_a_map_job_go_to_its_reducer() {
    for fails in [false, true] {
        let mut worker_side = None;
        let (port, thread) = server(2, move |time, mut peer| {
            if time == 0 {
                peer.expect_all(&["can f", "grab all"]);
                peer.say(&[map_job("H:1", "reducer")]);
                // It stays open while the pieces travel over another connection.
                worker_side = Some(peer);
                return;
            }
            peer.expect_all(&["reducer", "reducer"]);
            for handle in ["H:2", "H:3"] {
                let handle = handle.as_bytes();
                let work = if fails { Work::Fail } else { Work::Complete(Data::Borrowed(b"x")) };
                peer.say(&[Response::JobCreated { handle }, Response::Work { handle, work }]);
            }
            let mut worker_side = worker_side.take().expect("the worker");
            worker_side.expect(if fails { "fail H:1" } else { "complete H:1 " });
            worker_side.expect_end();
        });
        let worker = Worker::of(&[port], SUCCESS);
        // SAFETY: the worker lives; the name has a byte.
        unsafe {
            let function = gearman_function_create_partition(Some(two_pieces), None);
            gearman_worker_define_function(worker.0, c"f".as_ptr(), 1, function, 0, null_mut());
        }
        assert_eq!(worker.work(), if fails { WORK_FAIL } else { SUCCESS });
        drop(worker);
        thread.join().expect("no surprise for the server");
    }
}
