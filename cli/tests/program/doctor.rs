//! `lineshaft doctor`, with our server and with Debian's.

use lineshaft_tests::server::{Maker, Server};

use super::{Daemon, Place};

const SUBMIT_JOB_BG: u32 = 18;
const CAN_DO: u32 = 1;
const GRAB_JOB: u32 = 9;

fn doctor(place: &Place, port: u16, words: &[&str]) -> String {
    let server = format!("127.0.0.1:{port}");
    let words = [&["doctor", "-S", &server], words].concat();
    place.run("lineshaft", &words, b"").success().unwrap()
}

#[test]
fn it_says_why_a_job_waits() {
    let place = Place::new();
    let daemon = Daemon::start(&place, &["--job-handle-prefix", "H:here"]);
    let ask = |words: &[&str]| doctor(&place, daemon.port, words);
    assert_eq!(ask(&[]), "No function has jobs that wait.\n");
    let mut client = daemon.connect();
    client.submit(SUBMIT_JOB_BG, "f", "u", b"w").unwrap();
    let waits = "waits for a worker: none has registered since the server began. Start one, and look whether it registers \
                 by exactly this name.";
    assert_eq!(ask(&["H:here:1"]), format!("H:here:1 of f {waits}\n"));
    let of_f = format!("f {waits} 1 job waits (0 high, 1 normal, 0 low).\n");
    assert_eq!((ask(&["f"]), ask(&[])), (of_f.clone(), of_f));
    let json: serde_json::Value = serde_json::from_str(&ask(&["--json", "f"])).unwrap();
    assert_eq!((&json[0]["about"], &json[0]["reason"]), (&"f".into(), &"no-worker".into()));

    let mut worker = daemon.connect();
    worker.request(CAN_DO, &[b"f"]).unwrap();
    worker.request(GRAB_JOB, &[]).unwrap();
    worker.packet().unwrap();
    assert!(ask(&["H:here:1"]).starts_with("H:here:1 of f runs: the worker at 127.0.0.1 has had it for "));
    assert_eq!(ask(&["f"]), "No job of f waits: 1 runs and one worker is registered for it.\n");
    assert!(ask(&["F"]).starts_with("There is no function F, but one called f:"));
    assert!(
        ask(&["H:here:99"])
            .starts_with("H:here:99 has never been given by this server, whose last number is 1")
    );
}

#[test]
fn of_gearmand_it_says_what_can_be_known() {
    let place = Place::new();
    let server = Server::start(Maker::Debian, &[]).unwrap();
    let ask = |words: &[&str]| doctor(&place, server.port(), words);
    assert_eq!(ask(&[]), "No function has jobs that wait.\n");
    let mut client = server.connect().unwrap();
    let handle = client.submit(SUBMIT_JOB_BG, "f", "u", b"w").unwrap();
    let waits = "f has 1 job waiting and no worker: start one that registers by exactly this name.\n";
    assert_eq!((ask(&["f"]), ask(&[])), (waits.to_owned(), waits.to_owned()));
    assert!(ask(&[&handle]).starts_with(&format!("{handle} is queued. This server does not tell")));
    let mut worker = server.connect().unwrap();
    worker.request(CAN_DO, &[b"f"]).unwrap();
    worker.request(GRAB_JOB, &[]).unwrap();
    worker.packet().unwrap();
    assert_eq!(ask(&[&handle]), format!("{handle} runs: a worker has it.\n"));
    client.submit(SUBMIT_JOB_BG, "f", "v", b"w").unwrap();
    assert_eq!(ask(&["f"]), "f has 1 job waiting, and its workers (1) are all busy: wait, or start more.\n");
    assert!(ask(&["g"]).starts_with("g is neither a function nor a job of this server"));
}
