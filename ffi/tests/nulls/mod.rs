//! A program that calls every function of the header twice: with nothing but NULL and 0, and with objects but nothing else.

use crate::common::include;
use std::fmt::Write as _;
use std::path::PathBuf;

/// What frees the objects that the second round of calls needs, or starts anew what is there.
const NOT_WITH_OBJECTS: [&str; 8] = [
    "gearman_client_create",
    "gearman_client_clone",
    "gearman_client_free",
    "gearman_worker_create",
    "gearman_worker_clone",
    "gearman_worker_free",
    "gearman_job_free",
    "gearman_job_free_all",
];

/// A function of the header.
struct Function {
    name: String,
    arguments: Vec<String>,
}

/// Writes the program where it is not what it was; answers where it is.
pub(crate) fn program() -> PathBuf {
    let header = std::fs::read_to_string(include().join("libgearman-1.0/functions.h")).expect("the header");
    let functions = functions(&header);
    assert!(functions.len() >= 172, "{} functions in the header", functions.len());
    let mut text = String::from(
        "#include \"check.h\"\n\nstatic const gearman_status_t no_status;\nstatic const gearman_id_t no_id;\n\
         static const gearman_function_t no_function;\nstatic const gearman_string_t no_string;\n\n\
         static void nothing(void) {\n",
    );
    for function in &functions {
        let call = call(function, false);
        let line = match function.name.as_str() {
            "gearman_client_create" | "gearman_client_clone" => format!("gearman_client_free({call})"),
            "gearman_worker_create" | "gearman_worker_clone" => format!("gearman_worker_free({call})"),
            _ => format!("(void){call}"),
        };
        writeln!(text, "  {line};").expect("room in a string");
    }
    text += "}\n\nstatic void objects(gearman_client_st *client, gearman_worker_st *worker, gearman_task_st *task, \
             gearman_job_st *job, gearman_result_st *result) {\n  (void)result;\n";
    for function in functions.iter().filter(|function| !NOT_WITH_OBJECTS.contains(&function.name.as_str())) {
        // What a call gives away is freed; a task that it has made goes with its client.
        let call = call(function, true);
        let line = match function.name.as_str() {
            "gearman_job_clone_worker" => format!("gearman_worker_free({call})"),
            "gearman_job_take_workload" | "gearman_task_take_data" => format!("free({call})"),
            "gearman_task_free" | "gearman_client_task_free_all" => continue,
            _ => format!("(void){call}"),
        };
        writeln!(text, "  {line};").expect("room in a string");
    }
    text += MAIN;
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("nulls.c");
    if std::fs::read_to_string(&path).ok().as_ref() != Some(&text) {
        std::fs::write(&path, text).expect("a place for the program");
    }
    path
}

const MAIN: &str = "}

int main(int argc, char **argv) {
  gearman_client_st *client = gearman_client_create(NULL), *submitter;
  gearman_worker_st *worker = gearman_worker_create(NULL), *grabber;
  gearman_task_st *task = gearman_client_add_task(client, NULL, NULL, \"f\", NULL, \"x\", 1, NULL);
  gearman_job_st *job;
  gearman_return_t rc;
  brokers(argc, argv);
  nothing();
  submitter = new_client();
  grabber = new_worker();
  CHECK_RC(GEARMAN_SUCCESS, gearman_client_do_background(submitter, \"f\", NULL, \"x\", 1, NULL));
  CHECK_RC(GEARMAN_SUCCESS, gearman_worker_register(grabber, \"f\", 0));
  job = gearman_worker_grab_job(grabber, NULL, &rc);
  CHECK_RC(GEARMAN_SUCCESS, rc);
  objects(client, worker, task, job, gearman_task_result(task));
  gearman_job_free(job);
  gearman_worker_free(grabber);
  gearman_worker_free(worker);
  gearman_client_free(submitter);
  gearman_client_free(client);
  return 0;
}
";

/// Every prototype of the header.
fn functions(header: &str) -> Vec<Function> {
    let mut code = String::new();
    let mut rest = header;
    while let Some((before, after)) = rest.split_once("/*") {
        code += before;
        rest = after.split_once("*/").map_or("", |(_, after)| after);
    }
    code += rest;
    let prototypes = code.split("GEARMAN_API").skip(1).filter_map(|part| part.split_once(';'));
    prototypes
        .map(|(prototype, _)| {
            let (before, after) = prototype.split_once('(').expect("a list of arguments");
            let name = before.rsplit([' ', '*', '\n']).next().expect("a name").to_owned();
            let list = after.rsplit_once(')').expect("the end of the list").0.trim();
            let arguments = match list {
                "void" | "" => Vec::new(),
                list => list.split(',').map(|argument| argument.trim().to_owned()).collect(),
            };
            Function { name, arguments }
        })
        .collect()
}

fn call(function: &Function, with_objects: bool) -> String {
    let values: Vec<&str> = function.arguments.iter().map(|argument| value(argument, with_objects)).collect();
    format!("{}({})", function.name, values.join(", "))
}

/// What an argument gets.
fn value(argument: &str, with_objects: bool) -> &'static str {
    let words: Vec<&str> = argument.split([' ', '*']).filter(|word| !word.is_empty()).collect();
    let kind =
        words.iter().find(|word| !matches!(**word, "const" | "struct" | "enum")).copied().unwrap_or("");
    let pointer = argument.contains('*') || argument.contains('[') || kind == "gearman_job_handle_t";
    match kind {
        "gearman_client_st" if with_objects => "client",
        "gearman_worker_st" if with_objects => "worker",
        "gearman_task_st" if with_objects => "task",
        "gearman_job_st" if with_objects => "job",
        "gearman_result_st" if with_objects => "result",
        _ if pointer => "NULL",
        "gearman_status_t" => "no_status",
        "gearman_id_t" => "no_id",
        "gearman_function_t" => "no_function",
        "gearman_string_t" => "no_string",
        _ => "0",
    }
}
