//! Every export survives a panic inside: it answers, and what it was called with can be used and freed afterwards.

use std::ffi::c_void;
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicUsize, Ordering};

use lineshaft::protocol::{Assign, Data, Grab};

use crate::abi::{gearman_client_st, gearman_job_st, gearman_task_st, gearman_worker_st};
use crate::job::Job;
use crate::panic::PANIC;
use crate::result::gearman_result_st;

/// Any export: what it does not take it does not look at. Sixteen words cover registers and what is passed on the stack.
type Any = unsafe extern "C-unwind" fn(
    *mut c_void,
    usize,
    usize,
    usize,
    usize,
    usize,
    usize,
    usize,
    usize,
    usize,
    usize,
    usize,
    usize,
    usize,
    usize,
    usize,
) -> usize;

macro_rules! exports {
    ($($name:ident)*) => {
        #[allow(clashing_extern_declarations, reason = "called as they are, by their addresses")]
        unsafe extern "C-unwind" { $(fn $name();)* }
        const EXPORTS: &[(&str, unsafe extern "C-unwind" fn())] = &[$((stringify!($name), $name)),*];
    };
}

exports! {
    _Z21gearman_actions_pausev gearman_aggegator_context gearman_argument_make gearman_bugreport
    gearman_client_add_options gearman_client_add_server gearman_client_add_servers gearman_client_add_task
    gearman_client_add_task_background gearman_client_add_task_high gearman_client_add_task_high_background
    gearman_client_add_task_low gearman_client_add_task_low_background gearman_client_add_task_status
    gearman_client_add_task_status_by_unique gearman_client_cancel_job gearman_client_clear_fn gearman_client_clone
    gearman_client_compare gearman_client_context gearman_client_create gearman_client_do gearman_client_do_background
    gearman_client_do_high gearman_client_do_high_background gearman_client_do_job_handle gearman_client_do_low
    gearman_client_do_low_background gearman_client_do_status gearman_client_echo gearman_client_errno
    gearman_client_error gearman_client_error_code gearman_client_free gearman_client_has_active_tasks
    gearman_client_has_option gearman_client_has_tasks gearman_client_job_status gearman_client_options
    gearman_client_remove_options gearman_client_remove_servers gearman_client_run_tasks
    gearman_client_set_complete_fn gearman_client_set_context gearman_client_set_created_fn gearman_client_set_data_fn
    gearman_client_set_exception_fn gearman_client_set_fail_fn gearman_client_set_identifier gearman_client_set_log_fn
    gearman_client_set_memory_allocators gearman_client_set_namespace gearman_client_set_options
    gearman_client_set_server_option gearman_client_set_ssl gearman_client_set_status_fn
    gearman_client_set_task_context_free_fn gearman_client_set_timeout gearman_client_set_warning_fn
    gearman_client_set_workload_fn gearman_client_set_workload_free_fn gearman_client_set_workload_malloc_fn
    gearman_client_task_free_all gearman_client_timeout gearman_client_unique_status gearman_client_wait
    gearman_execute gearman_execute_by_partition gearman_function_create gearman_function_create_partition
    gearman_function_create_v1 gearman_function_create_v2 gearman_id_initialize gearman_id_valid
    gearman_job_clone_worker gearman_job_error gearman_job_free gearman_job_free_all gearman_job_function_name
    gearman_job_handle gearman_job_send_complete gearman_job_send_data gearman_job_send_exception
    gearman_job_send_fail gearman_job_send_status gearman_job_send_warning gearman_job_take_workload
    gearman_job_unique gearman_job_use_client gearman_job_workload gearman_job_workload_size gearman_kill gearman_next
    gearman_parse_servers gearman_result_boolean gearman_result_integer gearman_result_is_null gearman_result_size
    gearman_result_store_integer gearman_result_store_string gearman_result_store_value gearman_result_string
    gearman_result_value gearman_status_denominator gearman_status_is_known gearman_status_is_running
    gearman_status_numerator gearman_status_return gearman_strerror gearman_task_attr_init
    gearman_task_attr_init_background gearman_task_attr_init_epoch gearman_task_context gearman_task_data
    gearman_task_data_size gearman_task_denominator gearman_task_error gearman_task_exception gearman_task_free
    gearman_task_function_name gearman_task_give_workload gearman_task_has_exception gearman_task_is_finished
    gearman_task_is_known gearman_task_is_running gearman_task_job_handle gearman_task_numerator
    gearman_task_recv_data gearman_task_result gearman_task_return gearman_task_send_workload gearman_task_set_context
    gearman_task_strstate gearman_task_take_data gearman_task_unique gearman_verbose_name gearman_version
    gearman_worker_add_function gearman_worker_add_options gearman_worker_add_server gearman_worker_add_servers
    gearman_worker_clone gearman_worker_context gearman_worker_create gearman_worker_define_function
    gearman_worker_echo gearman_worker_errno gearman_worker_error gearman_worker_free gearman_worker_function_exist
    gearman_worker_grab_job gearman_worker_id gearman_worker_namespace gearman_worker_options gearman_worker_register
    gearman_worker_remove_options gearman_worker_remove_servers gearman_worker_set_context
    gearman_worker_set_identifier gearman_worker_set_log_fn gearman_worker_set_memory_allocators
    gearman_worker_set_namespace gearman_worker_set_options gearman_worker_set_server_option gearman_worker_set_ssl
    gearman_worker_set_timeout gearman_worker_set_workload_free_fn gearman_worker_set_workload_malloc_fn
    gearman_worker_timeout gearman_worker_unregister gearman_worker_unregister_all gearman_worker_wait
    gearman_worker_work
}

/// Their results are larger than two words: the first argument says where they go.
const LARGE_RESULTS: [&str; 6] = [
    "gearman_argument_make",
    "gearman_client_unique_status",
    "gearman_function_create",
    "gearman_function_create_v1",
    "gearman_function_create_v2",
    "gearman_function_create_partition",
];

/// What exports are called with first.
struct Objects {
    client: *mut gearman_client_st,
    worker: *mut gearman_worker_st,
    task: *mut gearman_task_st,
    job: *mut gearman_job_st,
    result: gearman_result_st,
    /// Where large results go.
    room: [usize; 8],
}

impl Objects {
    fn new() -> Self {
        let (function, workload) = (c"f".as_ptr(), c"x".as_ptr());
        // SAFETY: the library allocates everything.
        unsafe {
            let client = crate::client::gearman_client_create(null_mut());
            let worker = crate::worker::gearman_worker_create(null_mut());
            let task = crate::client::gearman_client_add_task(
                client,
                null_mut(),
                null_mut(),
                function,
                null(),
                workload.cast(),
                1,
                null_mut(),
            );
            let assign = Assign {
                kind: Grab::All,
                handle: b"H:1",
                function: b"f",
                unique: b"u",
                reducer: b"",
                workload: Data::Borrowed(b"x"),
            };
            let job = Box::into_raw(Box::new(Job::assigned(&assign, 1)));
            Job::bind(job, (*worker)._impl);
            (*(*worker)._impl).jobs.push(job);
            assert!(!client.is_null() && !worker.is_null() && !task.is_null());
            let result = gearman_result_st::default();
            Self { client, worker, task, job: Job::shell(job), result, room: [0; 8] }
        }
    }

    fn first_argument(&mut self, name: &str) -> *mut c_void {
        let kind = name.strip_prefix("gearman_").and_then(|rest| rest.split('_').next());
        match kind {
            _ if LARGE_RESULTS.contains(&name) => self.room.as_mut_ptr().cast(),
            Some("client" | "execute") => self.client.cast(),
            Some("worker") => self.worker.cast(),
            Some("job") => self.job.cast(),
            Some("result") => (&raw mut self.result).cast(),
            Some("task") if !name.contains("attr") => self.task.cast(),
            Some("next") => self.task.cast(),
            _ => null_mut(),
        }
    }

    /// Frees what there is, which shows that it is whole.
    fn free(self) {
        // SAFETY: made in `new`, and freed nowhere else.
        unsafe {
            crate::client::gearman_client_free(self.client);
            crate::worker::gearman_worker_free(self.worker);
        }
    }
}

#[test]
fn the_list_is_that_of_the_library() {
    let wanted: Vec<&str> = include_str!("../tests/facts/exports.txt").lines().collect();
    assert_eq!(EXPORTS.iter().map(|(name, _)| *name).collect::<Vec<_>>(), wanted);
}

#[test]
fn a_panic_ends_in_every_export() {
    static SEEN: AtomicUsize = AtomicUsize::new(0);
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        // Hundreds of messages would hide what fails elsewhere.
        if PANIC.get() {
            SEEN.fetch_add(1, Ordering::Relaxed);
        } else {
            hook(info);
        }
    }));
    for &(name, export) in EXPORTS {
        let mut objects = Objects::new();
        let first = objects.first_argument(name);
        let second = if LARGE_RESULTS.contains(&name) { objects.client as usize } else { 0 };
        PANIC.set(true);
        // SAFETY: the first argument is what the export takes, and all others are NULL or 0, as many as the longest list has. It is
        // called as C would call it without a prototype.
        unsafe {
            let export = std::mem::transmute::<unsafe extern "C-unwind" fn(), Any>(export);
            export(first, second, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
        }
        PANIC.set(false);
        objects.free();
    }
    // The others only read or write one field, or make a value.
    assert!(SEEN.load(Ordering::Relaxed) > 140, "{SEEN:?} panics");
}
