//! Those who misbehave: too many, too large, too slow.

use anyhow::{Context, Result, ensure};
use lineshaft_tests::clock::{PATIENCE, poll};
use lineshaft_tests::http::{connect, get, parse, raw, request};
use std::io::{Read, Write};
use std::time::Duration;

use crate::House;

const SHORT: Duration = Duration::from_millis(300);

/// Reads until the server closes.
fn rest(stream: &mut std::net::TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    // A reset ends it as well.
    let _ = stream.read_to_end(&mut bytes);
    bytes
}

#[test]
fn who_dawdles_is_cut_off() -> Result<()> {
    let house = House::with(|http| http.patience = SHORT)?;
    // A connection that says nothing, one in the middle of its head, and one that has been answered and says nothing more.
    let mut silent = connect(house.http)?;
    let mut dawdling = connect(house.http)?;
    write!(dawdling, "GET /api/status HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")?;
    let mut idle = connect(house.http)?;
    write!(idle, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    rest(&mut silent);
    rest(&mut dawdling);
    ensure!(rest(&mut idle).starts_with(b"HTTP/1.1 200 OK\r\n"));
    // In the middle of its body.
    let mut slow = connect(house.http)?;
    let head = "POST /api/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{";
    slow.write_all(head.as_bytes())?;
    let answer = parse(&rest(&mut slow))?;
    ensure!((answer.status, answer.code().as_deref()) == (408, Some("too_slow")), "{answer:?}");
    Ok(())
}

#[test]
fn who_does_not_take_the_answer_is_cut_off() -> Result<()> {
    let house = House::with(|http| {
        http.patience = SHORT;
        http.max_metric_functions = 100_000;
    })?;
    let mut worker = house.peer()?;
    for number in 0..5000 {
        let name = format!("{number:0>300}");
        worker.request(lineshaft_tests::wire::kind::CAN_DO, &[name.as_bytes()])?;
    }
    worker.sync()?;
    let mut deaf = connect(house.http)?;
    write!(deaf, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    // More than any socket's buffers hold: the server gives up while most of it is still to be sent.
    let whole = get(house.http, "/metrics")?.body.len();
    // Nothing tells a peer that it has been given up on but the end of what was on its way.
    lineshaft_tests::clock::pause(SHORT * 4);
    let got = rest(&mut deaf).len();
    ensure!(got < whole, "{got} of {whole} bytes came");
    Ok(())
}

#[test]
fn one_too_many_is_told_so() -> Result<()> {
    let house = House::with(|http| http.max_connections = 2)?;
    let mut first = connect(house.http)?;
    let mut second = connect(house.http)?;
    for stream in [&mut first, &mut second] {
        // Both are being served, not only accepted by the system.
        write!(stream, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
        ensure!(stream.read(&mut [0; 1024])? > 0);
    }
    let answer = raw(house.http, b"")?;
    ensure!(answer.status == 503 && answer.text().contains("http-connections"), "{answer:?}");
    drop(first);
    let served = poll(PATIENCE, || (get(house.http, "/healthz").ok()?.status == 200).then_some(()));
    served.context("the place that is free is not given")
}

#[test]
fn what_is_too_large_is_refused_by_name() -> Result<()> {
    let house = House::with(|http| http.max_body = 100)?;
    let json = ["Content-Type: application/json"];
    let announced = request(house.http, "POST /api/jobs", &json, &[b' '; 101])?;
    ensure!((announced.status, announced.code().as_deref()) == (413, Some("too_large")), "{announced:?}");
    let chunks = format!("65\r\n{}\r\n0\r\n\r\n", " ".repeat(0x65));
    let head = "POST /api/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunked = raw(house.http, format!("{head}{chunks}").as_bytes())?;
    ensure!((chunked.status, chunked.code().as_deref()) == (413, Some("too_large")), "{chunked:?}");
    ensure!(chunked.text().contains("http-max-body"), "{chunked:?}");
    let long = format!("X-Long: {}", "x".repeat(20_000));
    let head = request(house.http, "GET /api/status", &[&long], b"")?;
    ensure!(head.status == 431, "{head:?}");
    let path = format!("GET /{}", "x".repeat(20_000));
    let path = request(house.http, &path, &[], b"")?;
    ensure!([414, 431].contains(&path.status), "{path:?}");
    Ok(())
}

#[test]
fn nonsense_harms_nobody() -> Result<()> {
    let house = House::new()?;
    let requests: [&[u8]; 6] = [
        b"\0REQ\0\0\0\x10\0\0\0\0\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /api/status HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
        b"POST /api/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"\xff\xfe",
    ];
    for bytes in requests {
        let mut stream = connect(house.http)?;
        stream.write_all(bytes)?;
        stream.shutdown(std::net::Shutdown::Write)?;
        let text = rest(&mut stream);
        ensure!(text.is_empty() || text.starts_with(b"HTTP/1.1 4"), "{}", text.escape_ascii());
    }
    ensure!(get(house.http, "/healthz")?.status == 200);
    Ok(())
}
