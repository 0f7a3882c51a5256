//! gearmand's own HTTP protocol: ours beside Debian's, request by request.

use anyhow::{Context, Result, ensure};
use lineshaft_tests::clock::{PATIENCE, poll};
use lineshaft_tests::http::connect;
use lineshaft_tests::port::free_port;
use lineshaft_tests::server::{Maker, Server};
use lineshaft_tests::wire::{Peer, kind};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr};
use std::thread;

/// A server with the protocol, and its port.
struct House {
    server: Server,
    http: SocketAddr,
}

impl House {
    fn start(maker: Maker, more: &[&str]) -> Result<Self> {
        let port = free_port()?.to_string();
        let words = ["--protocol", "http", "--http-port", &port];
        let server = Server::start(maker, &[&words[..], more].concat())?;
        let http = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port.parse()?);
        poll(PATIENCE, || connect(http).ok()).context("nobody listens for HTTP")?;
        Ok(Self { server, http })
    }

    /// A worker that answers each job of `function` by `reports`, with the handle, until it has done `jobs`.
    fn worker(&self, function: &str, jobs: usize, reports: Vec<(u32, Vec<u8>)>) -> Result<()> {
        let mut worker = self.server.connect()?;
        worker.request(kind::CAN_DO, &[function.as_bytes()])?;
        worker.sync()?;
        thread::spawn(move || {
            for _ in 0..jobs {
                let Ok(handle) = next(&mut worker) else { return };
                for (kind, data) in &reports {
                    let sent = match *kind {
                        kind::WORK_FAIL => worker.request(*kind, &[&handle]),
                        kind::WORK_STATUS => worker.request(*kind, &[&handle, b"1", b"2"]),
                        _ => worker.request(*kind, &[&handle, data]),
                    };
                    if sent.is_err() {
                        return;
                    }
                }
            }
            // Until the server has read it all.
            let _ = worker.sync();
        });
        Ok(())
    }
}

fn next(worker: &mut Peer) -> Result<Vec<u8>> {
    loop {
        worker.request(kind::GRAB_JOB, &[])?;
        let packet = worker.packet()?;
        if packet.kind == kind::JOB_ASSIGN {
            return Ok(packet.body.split(|byte| *byte == 0).next().unwrap_or_default().to_vec());
        }
        worker.request(kind::PRE_SLEEP, &[])?;
        worker.expect(kind::NOOP)?;
    }
}

/// What the server says until it closes, the host in handles and the version being the same for all.
fn ask(house: &House, request: &[u8]) -> Result<String> {
    let mut stream = connect(house.http)?;
    stream.write_all(request)?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).with_context(|| request.escape_ascii().to_string())?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let handle = fancy_regex::Regex::new(r"H:[^:\r]+:\d+")?;
    let version = fancy_regex::Regex::new(r"Gearman/[^\r]+")?;
    Ok(version.replace(&handle.replace_all(&text, "<handle>"), "Gearman/<v>").into_owned())
}

/// Requests to which both give the same answer.
const SAME: [&[u8]; 21] = [
    b"GET /same HTTP/1.0\r\n\r\n",
    b"GET /same HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST /same HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc",
    b"POST //same HTTP/1.1\nContent-Length: 3\n\nabc",
    b"PUT /same HTTP/1.0\r\ncontent-length: 3\r\n\r\nabcdef",
    b"POST /same HTTP/1.0\r\nContent-Length:  3\r\n\r\nabc",
    b"GET  same HTTP/1.0\r\n\r\n",
    b"GET /same HTTP/1.0\r\nnocolon\r\n\r\n",
    b"GET /same HTTP/1.0\r\nX-Gearman-Priority: high\r\nConnection: Keep-Alive\r\n\r\n",
    b"HEAD /same HTTP/1.0\r\n\r\n",
    b"GET / HTTP/1.0\r\n\r\n",
    b"POST / HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc",
    b"GET /later HTTP/1.0\r\nX-Gearman-Background: true\r\n\r\n",
    b"POST /later?a=%20/b HTTP/1.0\r\nX-Gearman-Background: TRUE\r\nX-Gearman-Priority: LOW\r\nX-Gearman-Unique: u\r\n\r\n",
    b"DELETE /same HTTP/1.0\r\n\r\n",
    b"get /same HTTP/1.0\r\n\r\n",
    b"GET /same HTTP/2.0\r\n\r\n",
    b"GET /same\r\n\r\n",
    b"GET /same x HTTP/1.0\r\n\r\n",
    b"GET /same HTTP/1.0 \r\n\r\n",
    b"POST /same HTTP/1.0\r\nContent-Length: -3\r\n\r\nabc",
];

#[test]
fn requests_are_answered_as_gearmand_answers_them() -> Result<()> {
    let mut answers = Vec::new();
    for (maker, more) in [(Maker::Debian, &[][..]), (Maker::Ours, &["--compat", "1.1"])] {
        let house = House::start(maker, more)?;
        house.worker("same", 10, vec![(kind::WORK_COMPLETE, b"result".to_vec())])?;
        answers.push(SAME.iter().map(|request| ask(&house, request)).collect::<Result<Vec<_>>>()?);
        let (long, longer) = ("x".repeat(8100), "x".repeat(8200));
        for header in [long, longer] {
            let request = format!("GET / HTTP/1.0\r\nX: {header}\r\n\r\n");
            let answer = ask(&house, request.as_bytes())?;
            answers.last_mut().context("a list")?.push(answer);
        }
    }
    let [debian, ours] = &answers[..] else { anyhow::bail!("two servers") };
    for (at, (debian, ours)) in debian.iter().zip(ours).enumerate() {
        let request = SAME.get(at).map(|request| request.escape_ascii().to_string()).unwrap_or_default();
        ensure!(debian == ours, "{request}\ngearmand: {debian:?}\nours:     {ours:?}");
    }
    let expected = "HTTP/1.0 200 OK\r\nX-Gearman-Job-Handle: <handle>\r\nX-Gearman-Command: WORK_COMPLETE\r\nContent-Length: 6\r\nServer: Gearman/<v>\r\n\r\nresult";
    ensure!(ours[0] == expected, "{}", ours[0]);
    Ok(())
}

#[test]
fn newer_requests_get_newer_answers() -> Result<()> {
    let house = House::start(Maker::Ours, &[])?;
    house.worker("f", 1, vec![(kind::WORK_COMPLETE, b"r".to_vec())])?;
    let answer = ask(&house, b"GET /f HTTP/1.1\r\n\r\n")?;
    let expected = "HTTP/1.1 200 OK\r\nX-Gearman-Job-Handle: <handle>\r\nX-Gearman-Command: WORK_COMPLETE\r\nContent-Length: 1\r\nServer: Gearman/<v>\r\nConnection: close\r\n\r\nr";
    ensure!(answer == expected, "{answer}");
    Ok(())
}

/// The first line and the command of an answer, and its body.
fn short(answer: &str) -> (String, String) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    let command = head.lines().find_map(|line| line.strip_prefix("X-Gearman-Command: "));
    (format!("{} {}", head.lines().next().unwrap_or_default(), command.unwrap_or_default()), body.to_owned())
}

#[test]
fn a_failure_is_no_success() -> Result<()> {
    let house = House::start(Maker::Ours, &["--exceptions"])?;
    house.worker("fail", 1, vec![(kind::WORK_FAIL, Vec::new())])?;
    house.worker("raise", 1, vec![(kind::WORK_EXCEPTION, b"boom".to_vec())])?;
    let failed = ask(&house, b"GET /fail HTTP/1.0\r\n\r\n")?;
    ensure!(short(&failed) == ("HTTP/1.0 500 Internal Server Error WORK_FAIL".into(), String::new()));
    ensure!(failed.contains("X-Gearman-Job-Handle: <handle>\r\n"), "{failed}");
    let raised = short(&ask(&house, b"GET /raise HTTP/1.0\r\n\r\n")?);
    ensure!(raised == ("HTTP/1.0 500 Internal Server Error WORK_EXCEPTION".into(), "boom".into()));

    house.server.connect()?.submit(kind::SUBMIT_JOB_BG, "full", "", b"x")?;
    house.server.connect()?.text("maxqueue full 1\n")?;
    let full = short(&ask(&house, b"GET /full HTTP/1.0\r\n\r\n")?);
    let text = "QUEUE_ERROR Job queue is full\n".to_owned();
    ensure!(full == ("HTTP/1.0 503 Service Unavailable ERROR".into(), text), "{full:?}");
    let unique = format!("GET /f HTTP/1.0\r\nX-Gearman-Unique: {}\r\n\r\n", "u".repeat(65));
    let unique = short(&ask(&house, unique.as_bytes())?);
    ensure!(unique.0 == "HTTP/1.0 413 Content Too Large ERROR", "{unique:?}");
    let large = short(&ask(&house, b"POST /f HTTP/1.0\r\nContent-Length: 99999999999\r\n\r\n")?);
    ensure!(large.0 == "HTTP/1.0 413 Content Too Large ERROR" && large.1.contains("max-packet"), "{large:?}");
    let chunked = b"POST /f HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n";
    ensure!(short(&ask(&house, chunked)?).0 == "HTTP/1.1 411 Length Required ERROR");
    for header in ["Origin: http://evil.example", "Origin: null", "Sec-Fetch-Site: cross-site"] {
        let request = format!("POST /f HTTP/1.1\r\n{header}\r\nContent-Length: 0\r\n\r\n");
        ensure!(short(&ask(&house, request.as_bytes())?).0 == "HTTP/1.1 403 Forbidden ERROR", "{header}");
    }
    let status = house.server.connect()?.text("status\n")?;
    ensure!(!status.contains("f\t") && status.contains("full\t1\t0\t0\n"), "{status}");
    Ok(())
}

#[test]
fn pieces_make_one_result_and_reports_do_not_end_it() -> Result<()> {
    let house = House::start(Maker::Ours, &[])?;
    let reports = vec![
        (kind::WORK_STATUS, Vec::new()),
        (kind::WORK_DATA, b"one ".to_vec()),
        (kind::WORK_WARNING, b"careful".to_vec()),
        (kind::WORK_DATA, vec![b'2'; 100_000]),
        (kind::WORK_COMPLETE, b" three".to_vec()),
    ];
    house.worker("f", 1, reports)?;
    let (line, body) = short(&ask(&house, b"GET /f HTTP/1.0\r\n\r\n")?);
    ensure!(line == "HTTP/1.0 200 OK WORK_COMPLETE", "{line}");
    ensure!(body == format!("one {} three", "2".repeat(100_000)), "{} bytes", body.len());
    Ok(())
}

#[test]
fn one_request_for_each_connection() -> Result<()> {
    let house = House::start(Maker::Ours, &[])?;
    let two = b"GET /a HTTP/1.0\r\nX-Gearman-Background: true\r\n\r\nGET /b HTTP/1.0\r\nX-Gearman-Background: true\r\n\r\n";
    let answer = ask(&house, two)?;
    ensure!(answer.matches("HTTP/1.0 200 OK").count() == 1, "{answer}");
    ensure!(house.server.connect()?.text("status\n")? == "a\t1\t0\t0\n.\n", "the second one has been taken");
    Ok(())
}

#[test]
fn who_hangs_up_abandons_the_job() -> Result<()> {
    let house = House::start(Maker::Ours, &[])?;
    let mut stream = connect(house.http)?;
    stream.write_all(b"GET /f HTTP/1.0\r\n\r\n")?;
    let status = |line: &str| {
        poll(PATIENCE, || (house.server.connect().ok()?.text("status\n").ok()? == line).then_some(()))
    };
    status("f\t1\t0\t0\n.\n").context("the job is not there")?;
    stream.shutdown(Shutdown::Both)?;
    status("f\t0\t0\t0\n.\n").context("the job is still there")
}

#[test]
fn who_waits_for_leave_to_send_the_body_gets_it() -> Result<()> {
    let house = House::start(Maker::Ours, &[])?;
    let mut stream = connect(house.http)?;
    stream.write_all(b"POST /f HTTP/1.1\r\nExpect: 100-continue\r\nX-Gearman-Background: true\r\nContent-Length: 3\r\n\r\n")?;
    let leave = b"HTTP/1.1 100 Continue\r\n\r\n";
    let mut bytes = vec![0; leave.len()];
    stream.read_exact(&mut bytes)?;
    ensure!(bytes == leave, "{}", bytes.escape_ascii());
    stream.write_all(b"abc")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    ensure!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
    Ok(())
}
