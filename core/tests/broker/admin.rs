//! The admin text protocol, byte for byte (protocol.md 4). Strings are escaped as Rust does.

use lineshaft::types::{LogLevel, LogLevels, LogTarget};

use crate::story::Story;

#[test]
fn single_values() {
    let mut story = Story::with(|config| {
        config.version = "1.2.3".into();
        config.pid = 4711;
        config.log_levels = LogLevels::new(LogLevel::Warning);
    });
    assert_eq!(story.admin("version"), r"OK 1.2.3\n");
    assert_eq!(story.admin("getpid"), r"OK 4711\n");
    assert_eq!(story.admin("verbose"), r"OK WARNING\n");
    assert_eq!(
        story.admin("VERSION x y"),
        r"OK 1.2.3\n",
        "command words ignore case, further words are ignored"
    );
    assert_eq!(story.admin("version\r"), r"OK 1.2.3\n", "a CR before the LF");
}

#[test]
fn verbose_changes_levels_where_somebody_heeds_it() {
    let mut story = Story::new();
    let own = r"ERR INVALID_ARGUMENTS the+log+belongs+to+the+program+around+this+server:+change+the+level+there\r\n";
    assert_eq!(story.admin("verbose DEBUG"), own);
    assert_eq!(story.admin("verbose"), r"OK ERROR\n");
    let mut story = Story::with(|config| config.log_levels_change = true);
    assert_eq!(story.admin("verbose notice"), r"OK NOTICE\n");
    assert_eq!(story.admin("verbose debug Store"), r"OK DEBUG\n");
    assert_eq!(story.admin("verbose"), r"OK NOTICE\n");
    assert_eq!(story.broker.log_levels().of(Some(LogTarget::Store)), LogLevel::Debug);
    for (line, why) in [
        ("verbose loud", r"loud+is+not+one+of+FATAL,+ALERT,+CRITICAL,+ERROR,+WARNING,+NOTICE,+INFO,+DEBUG"),
        ("verbose INFO x", r"x+is+not+one+of+broker,+net,+store,+http,+tls,+daemon"),
        ("verbose INFO net x", r"verbose+is+followed+by+a+level+and+a+target"),
    ] {
        assert_eq!(story.admin(line), format!(r"ERR INVALID_ARGUMENTS {why}\r\n"));
    }
    assert_eq!(story.broker.log_levels().general(), LogLevel::Notice);
}

#[test]
fn empty_lists() {
    let mut story = Story::new();
    for command in ["status", "prioritystatus", "show jobs", "show unique jobs", "show schedules"] {
        assert_eq!(story.admin(command), r".\n", "{command}");
    }
    assert_eq!(story.admin("workers"), r"0 127.0.0.1 - :\n.\n");
}

#[test]
fn what_top_asks_for() {
    let mut story = Story::new();
    for list in ["show functions", "show workers", "show alarms"] {
        assert_eq!(story.admin(list), r".\n", "{list}");
    }
    story.run(
        "
        busy> SET_CLIENT_ID b
        busy> CAN_DO f
        busy> CAN_DO g
        deaf> CAN_DO d
        deaf> PRE_SLEEP
        c> SUBMIT_JOB_BG f '' 1
        c< JOB_CREATED T:1
        c> SUBMIT_JOB_HIGH_BG f '' 2
        c< JOB_CREATED T:2
        c> SUBMIT_JOB_EPOCH f '' 4000000000 3
        c< JOB_CREATED T:3
        c> SUBMIT_JOB_BG nobody '' 4
        c< JOB_CREATED T:4
        c> SUBMIT_JOB_BG d '' 5
        c< JOB_CREATED T:5
        deaf< NOOP
        +100s
        busy> GRAB_JOB
        busy< JOB_ASSIGN T:2 f 2
        busy> WORK_FAIL T:2
        busy> GRAB_JOB
        busy< JOB_ASSIGN T:1 f 1
        +300s
        ",
    );
    let functions = story.admin("show functions");
    let rows = [
        r"f\t0\t0\t0\t1\t1\t1\t-\t3\t0\t1\n",
        r"g\t0\t0\t0\t0\t0\t1\t-\t0\t0\t0\n",
        r"d\t0\t1\t0\t0\t0\t1\t400000\t1\t0\t0\n",
        r"nobody\t0\t1\t0\t0\t0\t0\t400000\t1\t0\t0\n",
    ];
    assert_eq!(functions, format!(r"{}.\n", rows.concat()));
    let workers = story.admin("show workers");
    let rows = [r"127.0.0.1\tb\tbusy\t2\tT:1\tf\t300000\n", r"127.0.0.1\t-\twoken\t1\t-\t-\t-\n"];
    assert_eq!(workers, format!(r"{}.\n", rows.concat()));
    let alarms = story.admin("show alarms");
    let rows = [
        r"no_worker\tnobody\tnobody: 1 job waits and no worker can do it\n",
        r"oldest\td\td: the oldest job has waited for 6 min 40 s; the limit is 5 min\n",
        r"oldest\tnobody\tnobody: the oldest job has waited for 6 min 40 s; the limit is 5 min\n",
        r"wake\t-\tworker 127.0.0.1 was woken 6 min 40 s ago and has not come\n",
    ];
    assert_eq!(alarms, format!(r"{}.\n", rows.concat()));
}

#[test]
fn a_long_list_of_alarms_is_cut() {
    let mut story = Story::new();
    story.checked = false;
    for at in 0..1001 {
        story.run(&format!("c> SUBMIT_JOB_BG f{at} '' x\nc< JOB_CREATED T:{}", at + 1));
    }
    let alarms = story.admin("show alarms");
    assert_eq!(alarms.matches("no_worker").count(), 1000);
    assert!(alarms.ends_with(r"\nmore\t-\tand 1 more\n.\n"), "{alarms}");
}

#[test]
fn lists_show_what_there_is() {
    let mut story = Story::new();
    story.run(
        "
        w> CAN_DO f
        w> SET_CLIENT_ID me
        w> CAN_DO g
        w> CAN_DO f
        c> SUBMIT_JOB f u 1
        c< JOB_CREATED T:1
        c> SUBMIT_JOB_LOW_BG f '' 2
        c< JOB_CREATED T:2
        c> SUBMIT_JOB_HIGH_BG f - 3
        c< JOB_CREATED T:3
        c> SUBMIT_JOB_EPOCH h '' 4000000000 4
        c< JOB_CREATED T:4
        w> GRAB_JOB
        w< JOB_ASSIGN T:3 f 3
        ",
    );
    assert_eq!(story.admin("status"), r"f\t3\t1\t2\ng\t0\t0\t1\nh\t1\t0\t0\n.\n");
    assert_eq!(story.admin("prioritystatus"), r"f\t0\t1\t1\t2\ng\t0\t0\t0\t1\nh\t0\t1\t0\t0\n.\n");
    assert_eq!(story.admin("show jobs"), r"T:1\t0\t0\t0\nT:2\t0\t0\t1\nT:3\t0\t0\t1\nT:4\t0\t0\t1\n.\n");
    assert_eq!(story.admin("show unique jobs"), r"u\n\n-\n\n.\n");
    let workers = story.admin("workers");
    let mut lines: Vec<&str> = workers.split(r"\n").collect();
    lines.sort_unstable();
    // The order inside one connection is the order of service; a function stands there once for each CAN_DO.
    assert_eq!(lines, ["", ".", "0 127.0.0.1 me : g f f", "1 127.0.0.1 - :", "2 127.0.0.1 - :"]);
}

#[test]
fn identifiers_are_cut_and_names_do_not_break_lines() {
    let mut story = Story::new();
    story.run(&format!("w> SET_CLIENT_ID {}", "i".repeat(200)));
    assert!(story.admin("workers").contains(&format!("0 127.0.0.1 {} :", "i".repeat(127))));
    story.run("w> CAN_DO a\tb");
    story.send("w", b"\0REQ\0\0\0\x01\0\0\0\x05new\nl\0REQ\0\0\0\x16\0\0\0\x05a b\0c");
    assert_eq!(story.admin("status"), r"a\\x09b\t0\t0\t1\nnew\\x0al\t0\t0\t1\n.\n");
    assert!(story.admin("workers").contains(r"0 127.0.0.1 a b : new\\x0al a\\x09b\n"));
    story.run("w> SET_CLIENT_ID");
    assert!(story.admin("workers").contains("0 127.0.0.1  : "));
}

#[test]
fn functions_are_created_and_dropped() {
    let mut story = Story::new();
    assert_eq!(story.admin("create function abc"), r"OK\r\n");
    assert_eq!(story.admin("create function abc"), r"OK\r\n");
    assert_eq!(story.admin("CREATE Function x\r"), r"OK\r\n");
    assert_eq!(story.admin("status"), r"abc\t0\t0\t0\nx\t0\t0\t0\n.\n", "a bare LF costs no letter");
    assert_eq!(story.admin("drop function nobody"), r"ERR function not found\r\n");
    assert_eq!(story.admin("create function Abc"), r"OK\r\n");
    assert_eq!(story.admin("drop function ABC"), r"OK\r\nOK\r\n", "both, whatever their case");
    assert_eq!(story.admin("status"), r"x\t0\t0\t0\n.\n");
    // Defect of gearmand: this line ended the server.
    assert_eq!(story.admin("create function "), r"OK\r\n");
    assert_eq!(story.admin("drop function "), r"OK\r\n");

    let busy = r"ERR there are still connected workers or executing clients\r\n";
    story.run("w> CAN_DO x\nc> SUBMIT_JOB x '' 1\nc< JOB_CREATED T:1");
    assert_eq!(story.admin("drop function x"), busy);
    story.run("w> GRAB_JOB\nw< JOB_ASSIGN T:1 x 1");
    assert_eq!(story.admin("drop function x"), busy);
    story.run("w close");
    assert_eq!(story.admin("drop function x"), r"OK\r\n", "what is queued fails");
    story.run("c< WORK_FAIL T:1");
    assert_eq!(story.admin("show jobs"), r".\n");
    assert_eq!(story.broker.jobs(), 0);
}

#[test]
fn a_dropped_function_leaves_nothing_behind_for_the_next_one() {
    let mut story = Story::new();
    story.run(
        "
        t> \"create function f\"
        t< \"OK\\r\\n\"
        t> \"maxqueue f 1\"
        t< \"OK\\r\\n\"
        w> CAN_DO f
        w> PRE_SLEEP
        c> SUBMIT_JOB_BG f u 1
        c< JOB_CREATED T:1
        w< NOOP
        w> CANT_DO f
        t> \"drop function f\"
        t< \"OK\\r\\n\"
        v> CAN_DO g                     # in its place
        v> PRE_SLEEP
        c> SUBMIT_JOB_BG g u 1
        c< JOB_CREATED T:2
        v< NOOP
        c> SUBMIT_JOB_BG g '' 2
        c< JOB_CREATED T:3
        w> GRAB_JOB
        w< NO_JOB
        v> GRAB_JOB
        v< JOB_ASSIGN T:2 g 1
        +1h
        t> \"status\"
        t< \"g\\t2\\t1\\t1\\n.\\n\"
        ",
    );
}

#[test]
fn jobs_are_cancelled() {
    let mut story = Story::new();
    story.run(
        "
        c> SUBMIT_JOB f '' 1
        c< JOB_CREATED T:1
        w> CAN_DO f
        w> GRAB_JOB
        w< JOB_ASSIGN T:1 f 1
        c> SUBMIT_JOB f '' 2
        c< JOB_CREATED T:2
        t> \"cancel job T:2\"
        t< \"OK\\r\\n\"
        c< WORK_FAIL T:2
        t> \"CANCEL JOB T:1\"
        t< \"OK\\r\\n\"
        c< WORK_FAIL T:1
        w> WORK_COMPLETE T:1 r
        w< ERROR JOB_NOT_FOUND Job given in work result not found
        w> GRAB_JOB
        w< NO_JOB
        ",
    );
    for handle in ["T:1", "T:2", "T:3", "t:1", "H:x:1", "T:", "T:0", "T:-1"] {
        assert_eq!(story.admin(&format!("cancel job {handle}")), r"ERR UNKNOWN_JOB\r\n");
    }
    assert_eq!(story.stats().cancelled, 2);
}

/// The table of 4.3.
#[test]
fn errors() {
    let mut story = Story::new();
    let unknown = |word: &str| format!(r"ERR UNKNOWN_COMMAND Unknown+server+command{word}\r\n");
    let words = ["frobnicate", "shutdown", "help", "quit", "who", "gladiator", "sTaTuSx", "Show", "cancel"];
    for word in words {
        assert_eq!(story.admin(word), unknown(word));
    }
    assert_eq!(story.admin("shutdown graceful"), unknown("shutdown"));
    assert_eq!(story.admin("cancel job"), unknown("cancel"));
    assert_eq!(story.admin("\r"), unknown(""));
    assert_eq!(story.admin(" status"), unknown(""));
    assert_eq!(story.admin("status\0x"), r".\n", "a NUL ends its word");
    story.send("admin", b"\n");
    assert_eq!(story.next("admin"), Some(format!("\"{}\"", unknown(""))), "an empty line");

    for line in ["show x", "show jobs x", "show unique", "show unique x", "show unique jobs x", "show "] {
        assert_eq!(story.admin(line), r"ERR UNKNOWN_SHOW_ARGUMENTS\r\n", "{line}");
    }
    let incomplete = |word: &str| {
        format!(r"ERR INVALID_ARGUMENTS An+incomplete+set+of+arguments+was+sent+to+this+command+{word}\r\n")
    };
    for line in [
        "create",
        "create function",
        "create x y",
        "create function a b",
        "drop",
        "drop function",
        "maxqueue",
    ] {
        assert_eq!(story.admin(line), incomplete(line.split(' ').next().unwrap_or_default()), "{line}");
    }
    for line in ["cancel x y", "cancel job a b", "cancel job a "] {
        assert_eq!(story.admin(line), r"ERR UNKNOWN_ERROR\r\n", "{line}");
    }
    assert_eq!(story.admin("status 2 3 4 5"), r".\n");
    assert_eq!(story.admin("status 2 3 4 5 6"), "CLOSE");
    story.nothing_left();
}

#[test]
fn maxqueue_takes_one_number_or_three() {
    let mut story = Story::new();
    let full = "ERROR QUEUE_ERROR Job queue is full";
    assert_eq!(story.admin("maxqueue f 1"), r"OK\r\n", "of a function that is not known: nothing is set");
    story.run("c> SUBMIT_JOB_BG f u 1\nc< JOB_CREATED T:1");
    story.run("c> SUBMIT_JOB_BG f '' 2\nc< JOB_CREATED T:2");
    assert_eq!(story.admin("maxqueue f 2"), r"OK\r\n");
    let kinds = ["JOB", "JOB_BG", "JOB_HIGH", "JOB_LOW_BG"];
    for kind in kinds {
        story.run(&format!("c> SUBMIT_{kind} f '' x\nc< {full}"));
    }
    story.run(&format!(
        "
        c> SUBMIT_JOB_EPOCH f '' 4000000000 x
        c< {full}
        c> SUBMIT_REDUCE_JOB f '' r '' x
        c< {full}
        c> SUBMIT_JOB f u x              # duplicates are not counted
        c< JOB_CREATED T:1
        c> SUBMIT_JOB g '' x
        c< JOB_CREATED T:3
        w> CAN_DO f
        w> GRAB_JOB
        w< JOB_ASSIGN T:1 f 1
        c> SUBMIT_JOB f '' x             # running jobs count
        c< {full}
        w> WORK_COMPLETE T:1
        c< WORK_COMPLETE T:1
        c> SUBMIT_JOB_BG f '' x
        c< JOB_CREATED T:4
        "
    ));
    // High, normal, low; each is compared with all jobs of the function, which are 2.
    assert_eq!(story.admin("maxqueue f 3 2 1"), r"OK\r\n");
    story.run(&format!("c> SUBMIT_JOB_LOW_BG f '' x\nc< {full}\nc> SUBMIT_JOB_BG f '' x\nc< {full}"));
    story.run(&format!(
        "c> SUBMIT_JOB_HIGH_BG f '' x\nc< JOB_CREATED T:5\nc> SUBMIT_JOB_HIGH_BG f '' x\nc< {full}"
    ));
    // A missing low is without limit, as are 0, what is negative and what is no number.
    assert_eq!(story.admin("maxqueue f 1 1"), r"OK\r\n");
    story
        .run(&format!("c> SUBMIT_JOB_LOW_BG f '' x\nc< JOB_CREATED T:6\nc> SUBMIT_JOB_BG f '' x\nc< {full}"));
    for (numbers, handle) in [("", 7), (" 0", 8), (" -3", 9), (" many", 10), (" 99999999999999999999", 11)] {
        assert_eq!(story.admin("maxqueue f 1"), r"OK\r\n");
        assert_eq!(story.admin(&format!("maxqueue f{numbers}")), r"OK\r\n");
        story.run(&format!("c> SUBMIT_JOB_BG f '' x\nc< JOB_CREATED T:{handle}"));
    }
    assert_eq!(story.admin("maxqueue f 12x 0 0"), r"OK\r\n", "leading digits");
    for handle in 12..=14 {
        story.run(&format!("c> SUBMIT_JOB_HIGH_BG f '' x\nc< JOB_CREATED T:{handle}"));
    }
    story.run(&format!("c> SUBMIT_JOB_HIGH_BG f '' x\nc< {full}"));
}

#[test]
fn text_and_packets_share_one_order() {
    let mut story = Story::new();
    let bytes = [&b"version\r\n"[..], b"\0REQ\0\0\0\x10\0\0\0\x01y", b"frob\n"].concat();
    story.send("a", &bytes);
    let version = env!("CARGO_PKG_VERSION");
    story.run(&format!(
        "
        a< \"OK {version}\\n\"
        a< ECHO_RES y
        a< \"ERR UNKNOWN_COMMAND Unknown+server+commandfrob\\r\\n\"
        "
    ));
}

#[test]
fn a_long_queue_is_not_listed() {
    let mut story = Story::with(|config| config.max_listing = 2);
    story.run("c> SUBMIT_JOB_BG f '' x\nc< JOB_CREATED T:1\nc> SUBMIT_JOB_BG f '' x\nc< JOB_CREATED T:2");
    assert_eq!(story.admin("show jobs"), r"T:1\t0\t0\t1\nT:2\t0\t0\t1\n.\n");
    story.run("c> SUBMIT_JOB_BG f '' x\nc< JOB_CREATED T:3");
    for command in ["show jobs", "show unique jobs"] {
        let answer = story.admin(command);
        assert!(
            answer.starts_with("ERR QUEUE_TOO_LONG 3+jobs") && answer.contains("max_listing"),
            "{answer}"
        );
    }
}
