//! Jobs flow from every client through the server to every worker and back.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use lineshaft::ErrorKind;
use lineshaft::client::{Event, Submission, Unique};
use lineshaft::net::Address;
use lineshaft::server::Server;
use lineshaft::types::Progress;
use lineshaft::worker;

use crate::kinds::{Client, KINDS, Kind, PATIENCE, Task, Worker, function};

/// A path for a Unix socket that no other test uses.
fn socket_path() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("lineshaft-peers-{}-{number}.sock", std::process::id()))
}

/// Runs `story` with both clients and both workers over every way to a server.
fn everywhere(story: impl Fn(&Client, &Address)) {
    let server = Server::builder()
        .listen("127.0.0.1:0".parse().unwrap())
        .listen(Address::Unix(socket_path()))
        .start()
        .unwrap();
    let mut ways = server.addresses().to_vec();
    ways.push(Address::Local(server.local()));
    for way in &ways {
        for worker in KINDS {
            let _worker = Worker::new(worker, way);
            for client in KINDS {
                println!("{client:?} client, {worker:?} worker, over {way}");
                story(&Client::new(client, way), way);
            }
        }
    }
}

#[test]
fn results_come_back_whatever_is_in_them() {
    everywhere(|client, _| {
        assert_eq!(client.run("reverse", b"abc").unwrap(), "cba");
        assert_eq!(client.run("echo", b"").unwrap(), "");
        assert_eq!(client.run("echo", b"0").unwrap(), "0");
        let bytes: Vec<u8> = (0..=255).cycle().take(3 << 20).collect();
        assert!(client.run("echo", &bytes).unwrap() == bytes);
    });
}

#[test]
fn a_task_tells_all_that_happens_to_it() {
    everywhere(|client, _| {
        let task = client.send(Submission::new("stream", "")).unwrap();
        let handle = task.handle();
        let (events, error) = task.events();
        assert_eq!(error, None);
        let expected = [
            Event::Created(handle),
            Event::Data("one ".into()),
            Event::Warning("careful".into()),
            Event::Status(Progress { numerator: 1, denominator: 2 }),
            Event::Data("two ".into()),
            Event::Complete("three".into()),
        ];
        assert_eq!(events, expected);
        assert_eq!(client.run("stream", b"").unwrap(), "one two three");
    });
}

#[test]
fn jobs_that_end_badly_say_how() {
    everywhere(|client, _| {
        assert_eq!(client.run("fail", b"").unwrap_err().kind(), ErrorKind::WorkFail);
        for (function, text) in
            [("exception", "what was wrong"), ("panic", "panic: no way \\xff"), ("error", "invalid utf-8")]
        {
            let error = client.run(function, b"way \xff").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::WorkException);
            assert!(error.data().starts_with(text.as_bytes()), "{error}");
            assert!(error.to_string().contains(text), "{error}");
        }
        let (events, _) = client.send(Submission::new("exception", "")).unwrap().events();
        assert_eq!(events[1..], [Event::Exception("what was wrong".into())]);
        // And the worker is still there.
        assert_eq!(client.run("reverse", b"ab").unwrap(), "ba");
    });
}

#[test]
fn many_jobs_at_once_keep_their_order() {
    everywhere(|client, _| {
        let texts: Vec<String> = (0..500).map(|i| format!("job {i}")).collect();
        let jobs = || texts.iter().map(|text| Submission::new("echo", text)).collect::<Vec<_>>();
        for (result, text) in client.map(jobs(), 16).into_iter().zip(&texts) {
            assert_eq!(result.unwrap(), text);
        }
        let tasks = client.send_many(jobs());
        for (task, text) in tasks.into_iter().zip(&texts) {
            assert_eq!(task.unwrap().result().unwrap(), text);
        }
    });
}

#[test]
fn a_worker_is_told_everything_about_a_job() {
    everywhere(|client, _| {
        let run = |job| client.send(job).unwrap().result().unwrap();
        let job = || Submission::new("describe", "w");
        assert_eq!(run(job()), "describe  None");
        assert_eq!(run(job().unique("key")), "describe key None");
        assert_eq!(run(job().reduce("sum").unique("u")), "describe u Some(\"sum\")");
    });
}

#[test]
fn background_jobs_are_over_when_the_server_has_them() {
    everywhere(|client, _| {
        let job = || Submission::new("nobody does this", "x").background();
        let task = client.send(job().unique("once")).unwrap();
        let status = client.status(&task).unwrap();
        assert_eq!((status.known, status.running, status.clients), (true, false, None));
        assert_eq!(client.status_by_unique("once").unwrap().clients, Some(0));
        assert_eq!(client.send(job().unique("once")).unwrap().handle(), task.handle());
        assert_ne!(client.send(job()).unwrap().handle(), task.handle());
        assert_eq!(task.result().unwrap(), "");
        let unknown = client.status_by_unique("never").unwrap();
        assert_eq!((unknown.known, unknown.running), (false, false));
    });
}

#[test]
fn submissions_of_the_same_work_share_a_job() {
    everywhere(|client, way| {
        let job = || Submission::new("shared", "the same").unique(Unique::Workload).timeout(PATIENCE);
        let tasks: Vec<Task> = client.send_many(vec![job(), job()]).into_iter().map(Result::unwrap).collect();
        assert_eq!(tasks[0].handle(), tasks[1].handle());
        let shared = function(|job| {
            job.send_data("for ")?;
            Ok("both".into())
        });
        let _worker =
            Worker::start(Kind::Blocking, way, worker::Options::default(), vec![("shared", shared)]);
        for task in tasks {
            assert_eq!(task.result().unwrap(), "for both");
        }
    });
}

#[test]
fn jobs_for_later_are_taken() {
    everywhere(|client, _| {
        for job in [
            Submission::new("later", "").delay(Duration::from_secs(1000)),
            Submission::new("later", "").epoch(i64::MAX),
            Submission::new("later", "").schedule("0 0 1 1 *"),
        ] {
            let task = client.send(job).unwrap();
            assert!(client.status(&task).unwrap().known);
            assert_eq!(task.result().unwrap(), "");
        }
        let soon = Submission::new("reverse", "").epoch(1);
        assert_eq!(client.send(soon).unwrap().result().unwrap(), "");
    });
}

#[test]
fn questions_are_answered() {
    everywhere(|client, _| {
        client.echo(b"").unwrap();
        client.echo(b"\0any\xff").unwrap();
        client.set_option("exceptions").unwrap();
        assert_eq!(client.set_option("nonsense").unwrap_err().kind(), ErrorKind::UnknownOption);
    });
}

#[test]
fn a_task_ends_at_its_own_timeout() {
    everywhere(|client, _| {
        let job = Submission::new("nobody", "").timeout(Duration::from_millis(20));
        // On a busy machine the time may be up before the server has answered.
        let error = client.send(job).and_then(Task::result).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert_eq!(client.run("reverse", b"ab").unwrap(), "ba");
    });
}

#[test]
fn what_cannot_be_sent_is_refused_before_anything_is_sent() {
    everywhere(|client, _| {
        let kind = |job| client.send(job).err().map(|error| error.kind());
        assert_eq!(kind(Submission::new("", "")), Some(ErrorKind::InvalidFunctionName));
        assert_eq!(kind(Submission::new("f", "").unique("a\0")), Some(ErrorKind::InvalidArgument));
        assert_eq!(client.run("reverse", b"ab").unwrap(), "ba");
    });
}
