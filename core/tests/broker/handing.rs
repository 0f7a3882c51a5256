//! Which job a GRAB returns (protocol.md 3.4).

use lineshaft::broker::Compat;

use crate::story::Story;

/// The jobs of 3.4's table: a has one of each priority, b a high and a low, c a normal and a high one.
fn table(compat: Compat, round_robin: bool) -> Vec<String> {
    let mut story = Story::with(|config| {
        config.compat = compat;
        config.round_robin = round_robin;
    });
    for line in ["_LOW_BG a '' L", "_BG a '' N", "_HIGH_BG a '' H"] {
        story.send("c", &crate::story::packet(&format!("SUBMIT_JOB{line}")));
    }
    for line in ["_HIGH_BG b '' H", "_LOW_BG b '' L", "_BG c '' N", "_HIGH_BG c '' H"] {
        story.send("c", &crate::story::packet(&format!("SUBMIT_JOB{line}")));
    }
    while story.next("c").is_some() {}
    story.run("w> CAN_DO a\nw> CAN_DO b\nw> CAN_DO c");
    let mut order = Vec::new();
    for _ in 0..7 {
        story.send("w", &crate::story::packet("GRAB_JOB"));
        let assigned = story.next("w").expect("an answer");
        let words: Vec<&str> = assigned.split(' ').collect();
        order.push(format!("{}/{}", words[2], words[3]));
        story.send("w", &crate::story::packet(&format!("WORK_COMPLETE {}", words[1])));
    }
    story.run("w> GRAB_JOB\nw< NO_JOB");
    order
}

#[test]
fn priority_is_global_and_functions_take_turns_inside_one() {
    assert_eq!(table(Compat::V2_0, false).join(" "), "c/H b/H a/H c/N a/N b/L a/L");
    assert_eq!(table(Compat::V2_0, true).join(" "), "c/H b/H a/H c/N a/N b/L a/L");
}

#[test]
fn gearmand_1_1_serves_the_function_registered_last_first() {
    assert_eq!(table(Compat::V1_1, false).join(" "), "c/H c/N b/H b/L a/H a/N a/L");
}

#[test]
fn gearmand_1_1_with_round_robin_moves_the_served_function_back() {
    assert_eq!(table(Compat::V1_1, true).join(" "), "c/H b/H a/H c/N b/L a/N a/L");
}

#[test]
fn inside_a_priority_first_in_is_first_out() {
    let mut story = Story::new();
    story.run("w> CAN_DO f");
    for i in 1..=40 {
        story.run(&format!("c> SUBMIT_JOB_BG f '' {i}\nc< JOB_CREATED T:{i}"));
    }
    for i in 1..=40 {
        story.run(&format!("w> GRAB_JOB\nw< JOB_ASSIGN T:{i} f {i}"));
    }
}

#[test]
fn a_worker_with_many_functions_is_served_from_the_few_that_have_jobs() {
    let mut story = Story::new();
    for i in 0..200 {
        story.run(&format!("w> CAN_DO f{i}"));
    }
    story.run(
        "
        c> SUBMIT_JOB_BG other '' x
        c< JOB_CREATED T:1
        c> SUBMIT_JOB_LOW_BG f7 '' x
        c< JOB_CREATED T:2
        c> SUBMIT_JOB_BG f150 '' x
        c< JOB_CREATED T:3
        c> SUBMIT_JOB_BG f3 '' x
        c< JOB_CREATED T:4
        c> SUBMIT_JOB_BG f150 '' y
        c< JOB_CREATED T:5
        w> GRAB_JOB
        w< JOB_ASSIGN T:3 f150 x
        w> GRAB_JOB                  # the functions take turns here as well
        w< JOB_ASSIGN T:4 f3 x
        w> GRAB_JOB
        w< JOB_ASSIGN T:5 f150 y
        w> GRAB_JOB
        w< JOB_ASSIGN T:2 f7 x
        w> GRAB_JOB
        w< NO_JOB
        ",
    );
}

#[test]
fn a_connection_without_functions_gets_no_job() {
    Story::new().run(
        "
        c> SUBMIT_JOB_BG f '' x
        c< JOB_CREATED T:1
        w> GRAB_JOB
        w< NO_JOB
        w> PRE_SLEEP
        w> CAN_DO g
        w> GRAB_JOB_ALL
        w< NO_JOB
        ",
    );
}

#[test]
fn an_empty_function_name_is_a_function() {
    Story::new().run(
        "
        w> CAN_DO ''
        c> SUBMIT_JOB '' '' x
        c< JOB_CREATED T:1
        w> GRAB_JOB
        w< JOB_ASSIGN T:1 '' x
        w> WORK_COMPLETE T:1
        c< WORK_COMPLETE T:1
        ",
    );
}
