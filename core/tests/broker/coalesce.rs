//! Uniques: which submissions become one job, and who keeps a job alive (protocol.md 3.3, 3.11).

use crate::story::Story;

#[test]
fn the_same_unique_is_one_job_and_each_submission_is_answered() {
    let mut story = Story::new();
    story.run(
        "
        c> SUBMIT_JOB f u 1
        c< JOB_CREATED T:1
        d> SUBMIT_JOB_HIGH f u 2   # priority and workload of the newcomer are dropped
        d< JOB_CREATED T:1
        c> SUBMIT_JOB f u 3
        c< JOB_CREATED T:1
        c> SUBMIT_JOB g u 4        # another function is another job
        c< JOB_CREATED T:2
        w> CAN_DO f
        w> GRAB_JOB_UNIQ
        w< JOB_ASSIGN_UNIQ T:1 f u 1
        w> WORK_DATA T:1 part
        c< WORK_DATA T:1 part
        c< WORK_DATA T:1 part
        d< WORK_DATA T:1 part
        e> SUBMIT_JOB f u late     # attached while it runs: nothing of what was sent before
        e< JOB_CREATED T:1
        w> WORK_COMPLETE T:1 done
        c< WORK_COMPLETE T:1 done
        c< WORK_COMPLETE T:1 done
        d< WORK_COMPLETE T:1 done
        e< WORK_COMPLETE T:1 done
        c> SUBMIT_JOB f u again    # the unique is free again
        c< JOB_CREATED T:3
        ",
    );
    assert_eq!(story.stats().coalesced, 3);
}

#[test]
fn an_empty_unique_is_never_the_same() {
    Story::new().run(
        "
        c> SUBMIT_JOB_BG f '' x
        c< JOB_CREATED T:1
        c> SUBMIT_JOB_BG f '' x
        c< JOB_CREATED T:2
        ",
    );
}

#[test]
fn a_dash_compares_workloads() {
    Story::new().run(
        "
        c> SUBMIT_JOB_BG f - x
        c< JOB_CREATED T:1
        c> SUBMIT_JOB_BG f - x
        c< JOB_CREATED T:1
        c> SUBMIT_JOB_BG f - y
        c< JOB_CREATED T:2
        c> SUBMIT_JOB_BG f -       # an empty workload matches nothing
        c< JOB_CREATED T:3
        c> SUBMIT_JOB_BG f -
        c< JOB_CREATED T:4
        c> SUBMIT_JOB_BG f x other # a unique that equals a workload is not the same
        c< JOB_CREATED T:5
        c> SUBMIT_JOB_BG f x x
        c< JOB_CREATED T:5
        c> GET_STATUS_UNIQUE -
        c< STATUS_RES_UNIQUE - 0 0 0 0 0
        ",
    );
}

#[test]
fn a_unique_of_64_bytes_is_whole_and_65_are_refused() {
    let long = "u".repeat(64);
    Story::new().run(&format!(
        "
        c> SUBMIT_JOB_BG f {long} x
        c< JOB_CREATED T:1
        c> SUBMIT_JOB f {long} y
        c< JOB_CREATED T:1
        w> CAN_DO f
        w> GRAB_JOB_UNIQ
        w< JOB_ASSIGN_UNIQ T:1 f {long} x
        c> SUBMIT_JOB f {long}u x
        c< ERROR ARGUMENT_TOO_LARGE Unique value too large
        c> SUBMIT_REDUCE_JOB f {long}u r '' x
        c< ERROR ARGUMENT_TOO_LARGE Unique value too large
        ",
    ));
}

/// Defect 1 of 3.3: the background job was thrown away.
#[test]
fn a_background_job_outlives_a_client_that_attached_and_left() {
    Story::new().run(
        "
        b> SUBMIT_JOB_BG f u x
        b< JOB_CREATED T:1
        c> SUBMIT_JOB f u x
        c< JOB_CREATED T:1
        c close
        w> CAN_DO f
        w> GRAB_JOB
        w< JOB_ASSIGN T:1 f x
        ",
    );
}

/// Defect 2 of 3.3: a background submission left no trace.
#[test]
fn a_background_submission_keeps_a_foreground_job_alive() {
    Story::new().run(
        "
        c> SUBMIT_JOB f u x
        c< JOB_CREATED T:1
        b> SUBMIT_JOB_BG f u x
        b< JOB_CREATED T:1
        c close
        b close
        w> CAN_DO f
        w> GRAB_JOB
        w< JOB_ASSIGN T:1 f x
        w close                 # also when its worker dies afterwards
        v> CAN_DO f
        v> GRAB_JOB
        v< JOB_ASSIGN T:1 f x
        ",
    );
}

/// Defect 3 of 3.3: a newcomer was attached to an abandoned job and never heard of it again.
#[test]
fn a_job_nobody_waits_for_is_gone_at_once() {
    let mut story = Story::new();
    story.run(
        "
        c> SUBMIT_JOB f u x
        c< JOB_CREATED T:1
        c close
        t> \"status\"
        t< \"f\\t0\\t0\\t0\\n.\\n\"
        d> GET_STATUS T:1
        d< STATUS_RES T:1 0 0 0 0
        d> SUBMIT_JOB f u y
        d< JOB_CREATED T:2
        w> CAN_DO f
        w> GRAB_JOB
        w< JOB_ASSIGN T:2 f y
        w> WORK_COMPLETE T:2 r
        d< WORK_COMPLETE T:2 r
        w> GRAB_JOB
        w< NO_JOB
        ",
    );
    assert_eq!(story.stats().abandoned, 1);
}

/// Defect 4 of 3.3: the same with cancelled jobs and with jobs of a dropped function.
#[test]
fn a_cancelled_or_dropped_job_swallows_no_newcomers() {
    Story::new().run(
        "
        c> SUBMIT_JOB f u x
        c< JOB_CREATED T:1
        t> \"cancel job T:1\"
        t< \"OK\\r\\n\"
        c< WORK_FAIL T:1
        c> SUBMIT_JOB f u y
        c< JOB_CREATED T:2
        t> \"drop function f\"
        t< \"OK\\r\\n\"
        c< WORK_FAIL T:2
        c> GET_STATUS T:2
        c< STATUS_RES T:2 0 0 0 0
        c> SUBMIT_JOB f u z
        c< JOB_CREATED T:3
        w> CAN_DO f
        w> GRAB_JOB
        w< JOB_ASSIGN T:3 f z
        w> WORK_COMPLETE T:3 r
        c< WORK_COMPLETE T:3 r
        ",
    );
}

#[test]
fn an_abandoned_job_that_runs_is_revived_by_a_newcomer() {
    Story::new().run(
        "
        c> SUBMIT_JOB f u x
        c< JOB_CREATED T:1
        w> CAN_DO f
        w> GRAB_JOB
        w< JOB_ASSIGN T:1 f x
        c close
        w> WORK_DATA T:1 unheard
        d> GET_STATUS T:1
        d< STATUS_RES T:1 1 1 0 0
        d> SUBMIT_JOB f u x
        d< JOB_CREATED T:1
        w> WORK_COMPLETE T:1 heard
        d< WORK_COMPLETE T:1 heard
        ",
    );
}

#[test]
fn an_abandoned_job_whose_worker_dies_is_gone() {
    let mut story = Story::new();
    story.run(
        "
        c> SUBMIT_JOB f u x
        c< JOB_CREATED T:1
        w> CAN_DO f
        w> GRAB_JOB
        w< JOB_ASSIGN T:1 f x
        c close
        w close
        v> CAN_DO f
        v> GRAB_JOB
        v< NO_JOB
        ",
    );
    assert_eq!(story.broker.jobs(), 0);
}

#[test]
fn a_connection_that_goes_takes_all_its_waits_along_and_leaves_others() {
    let mut story = Story::new();
    story.run(
        "
        c> SUBMIT_JOB f u x
        c< JOB_CREATED T:1
        c> SUBMIT_JOB f u x
        c< JOB_CREATED T:1
        c> SUBMIT_JOB f '' y
        c< JOB_CREATED T:2
        d> SUBMIT_JOB f u x
        d< JOB_CREATED T:1
        c close
        w> CAN_DO f
        w> GRAB_JOB
        w< JOB_ASSIGN T:1 f x
        w> WORK_COMPLETE T:1 r
        d< WORK_COMPLETE T:1 r
        w> GRAB_JOB
        w< NO_JOB
        ",
    );
    assert_eq!(story.broker.jobs(), 0);
}

#[test]
fn a_duplicate_upgrades_nothing() {
    Story::new().run(
        "
        c> SUBMIT_JOB_LOW_BG f u low
        c< JOB_CREATED T:1
        c> SUBMIT_JOB_BG f '' normal
        c< JOB_CREATED T:2
        c> SUBMIT_JOB_HIGH_BG f u high
        c< JOB_CREATED T:1
        c> SUBMIT_JOB_EPOCH f e 4000000000 later
        c< JOB_CREATED T:3
        c> SUBMIT_JOB_BG f e now
        c< JOB_CREATED T:3
        w> CAN_DO f
        w> GRAB_JOB
        w< JOB_ASSIGN T:2 f normal
        w> GRAB_JOB
        w< JOB_ASSIGN T:1 f low
        w> GRAB_JOB
        w< NO_JOB
        ",
    );
}
