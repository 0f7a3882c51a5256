//! The headers compile alone and together, in every language that programs use, and say what libgearman's say.

mod common;

use common::{include, output, package};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;

const LANGUAGES: [(&str, &str, &str); 4] =
    [("cc", "c", "c99"), ("cc", "c", "c11"), ("c++", "c++", "c++11"), ("c++", "c++", "c++17")];

/// Compiles `source`, and all warnings are errors.
fn compile(compiler: &str, language: &str, standard: &str, name: &str, source: &str) {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let file = folder.join(format!("{name}-{standard}.{language}"));
    std::fs::write(&file, source).expect("a file for the compiler");
    let mut command = Command::new(compiler);
    command.args(["-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-pedantic", "-x", language]);
    output(command.arg(format!("-std={standard}")).arg("-I").arg(include()).arg(&file));
}

/// Every header, as programs name it.
fn headers() -> Vec<String> {
    let mut found = vec!["libgearman/gearman.h".to_owned(), "libgearman-1.0/gearman.h".to_owned()];
    for folder in ["libgearman-1.0", "libgearman-1.0/interface"] {
        for entry in std::fs::read_dir(include().join(folder)).expect("a folder of headers") {
            let name = entry.expect("a header").file_name();
            let name = name.to_str().expect("a name of plain letters");
            if name.ends_with(".h") {
                found.push(format!("{folder}/{name}"));
            }
        }
    }
    found
}

#[test]
fn every_header_compiles_alone() {
    let headers = headers();
    assert!(headers.len() > 38, "{headers:?}");
    for (compiler, language, standard) in LANGUAGES {
        for header in &headers {
            // functions.h is a part of gearman.h and needs its types. Parts alone are the same in all C, and in all C++.
            let is_whole = header.ends_with("/gearman.h");
            if header.ends_with("/functions.h") || !is_whole && matches!(standard, "c11" | "c++11") {
                continue;
            }
            let name = header.replace('/', "-");
            compile(compiler, language, standard, &name, &format!("#include <{header}>\nextern int here;\n"));
        }
    }
}

/// Programs that want codes printed by their names ask for it: elsewhere they stay numbers.
#[test]
fn the_header_for_streams_compiles() {
    let source = "#include <libgearman-1.0/ostream.hpp>\n\
        void print(std::ostream &to, gearman_return_t rc, gearman_status_t status) { to << rc << status; }\n";
    compile("c++", "c++", "c++17", "streams", source);
}

#[test]
fn constants_have_libgearmans_values() {
    let facts = package().join("tests/facts/constants.txt");
    let facts = std::fs::read_to_string(facts).expect("the list of constants");
    let mut source = "#include <libgearman/gearman.h>\n".to_owned();
    for line in facts.lines() {
        let (name, value) = line.split_once(' ').expect("a name and a value");
        writeln!(source, "_Static_assert({name} == {value}, \"{name}\");").expect("room in a string");
    }
    source += "_Static_assert(GEARMAN_CLIENT_STOP_WAIT_ON_SIGNAL == 1024, \"2.0\");\n";
    source += "_Static_assert(GEARMAN_WORKER_STOP_WAIT_ON_SIGNAL == 8192, \"2.0\");\n";
    compile("cc", "c", "c11", "constants", &source);
}

#[test]
fn structs_have_libgearmans_layout() {
    let mut source = "#include <libgearman/gearman.h>\n".to_owned();
    for (name, size, align) in [
        ("gearman_client_st", 16, 8),
        ("gearman_worker_st", 16, 8),
        ("gearman_job_st", 16, 8),
        ("gearman_task_st", 16, 8),
        ("gearman_string_t", 16, 8),
        ("gearman_argument_t", 32, 8),
        ("gearman_function_t", 24, 8),
        ("gearman_task_attr_t", 16, 8),
        ("gearman_status_t", 24, 4),
        ("gearman_id_t", 8, 4),
        ("gearman_actions_t", 64, 8),
        ("gearman_allocator_t", 40, 8),
        ("gearman_job_handle_t", 64, 1),
        ("gearman_return_t", 4, 4),
    ] {
        writeln!(source, "_Static_assert(sizeof({name}) == {size}, \"size of {name}\");").expect("room");
        writeln!(source, "_Static_assert(_Alignof({name}) == {align}, \"alignment of {name}\");")
            .expect("room");
    }
    for (name, member, offset) in [
        ("gearman_client_st", "options.is_initialized", 1),
        ("gearman_client_st", "_impl", 8),
        ("gearman_worker_st", "_impl", 8),
        ("gearman_job_st", "_impl", 8),
        ("gearman_task_st", "_impl", 8),
        ("gearman_string_t", "size", 8),
        ("gearman_argument_t", "value", 16),
        ("gearman_function_t", "callback.function_v1.func", 8),
        ("gearman_function_t", "callback.partitioner.aggregator", 16),
        ("gearman_task_attr_t", "priority", 4),
        ("gearman_task_attr_t", "options.epoch.value", 8),
        ("gearman_status_t", "status_.mesg_.result_rc", 4),
        ("gearman_status_t", "status_.mesg_.is_known", 8),
        ("gearman_status_t", "status_.mesg_.is_running", 9),
        ("gearman_status_t", "status_.mesg_.numerator", 12),
        ("gearman_status_t", "status_.mesg_.client_count", 20),
        ("gearman_id_t", "write_fd", 4),
        ("gearman_allocator_t", "context", 32),
        ("gearman_actions_t", "fail_fn", 56),
    ] {
        writeln!(source, "_Static_assert(offsetof({name}, {member}) == {offset}, \"{name}.{member}\");")
            .expect("room");
    }
    compile("cc", "c", "c11", "layout", &source);
}
