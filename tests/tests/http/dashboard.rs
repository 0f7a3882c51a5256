//! The dashboard without a browser: what is sent, to whom, and how much of it.

use anyhow::{Context, Result, ensure};
use lineshaft::server::{Http, Server};
use lineshaft::store::{Batch, Each, Store, StoreError, StoreErrorKind};
use lineshaft_tests::clock::{PATIENCE, now, poll};
use lineshaft_tests::http::{Answer, connect, get, request};
use lineshaft_tests::wire::kind;
use serde_json::json;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::{House, tcp};

const FORM: &str = "Content-Type: application/x-www-form-urlencoded";

/// `GET /events`, read event by event.
struct Events(BufReader<TcpStream>);

impl Events {
    fn open(address: SocketAddr, path: &str) -> Result<Self> {
        let mut stream = connect(address)?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n")?;
        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            ensure!(reader.read_line(&mut head)? > 0, "no answer: {head}");
        }
        ensure!(head.starts_with("HTTP/1.1 200") && head.contains("text/event-stream"), "{head}");
        Ok(Self(reader))
    }

    /// The data of the next event; chunks' sizes stand between the lines of the body and are left out.
    fn next(&mut self) -> Result<String> {
        let mut data = String::new();
        loop {
            let mut line = String::new();
            ensure!(self.0.read_line(&mut line)? > 0, "the events end: {data}");
            match line.trim_end() {
                "" if !data.is_empty() => return Ok(data),
                line => data.extend(line.strip_prefix("data: ").map(|line| format!("{line}\n"))),
            }
        }
    }
}

fn cancel(house: &House, headers: &[&str], body: &str) -> Result<Answer> {
    request(house.http, "POST /cancel", headers, body.as_bytes())
}

#[test]
fn the_page_is_whole_without_scripts() -> Result<()> {
    let house = House::new()?;
    let mut client = house.peer()?;
    client.submit(kind::SUBMIT_JOB_BG, "a<b>&\"'", "<u>", b"x")?;
    let page = get(house.http, "/")?;
    ensure!(
        page.status == 200 && page.header("content-type") == Some("text/html; charset=utf-8"),
        "{page:?}"
    );
    let policy = page.header("content-security-policy").context("no policy")?;
    ensure!(policy.starts_with("default-src 'self';") && !policy.contains("unsafe"), "{policy}");
    let text = page.text();
    ensure!(text.contains("a&#60;b&#62;&#38;&#34;&#39;") && !text.contains("a<b>"), "{text}");
    ensure!(text.contains("&#60;u&#62;") && !text.contains("<u>"), "{text}");
    ensure!(text.contains("http-equiv=\"refresh\""));
    // What has just been done is said once.
    let told = get(house.http, "/?notice=cancelled&function=x")?.text();
    ensure!(
        told.contains("The job is cancelled.") && told.contains("content=\"5; url=/?function=x\""),
        "{told}"
    );
    ensure!(!get(house.http, "/?still=true")?.text().contains("http-equiv=\"refresh\""));
    for (file, content) in
        [("style.css", "text/css"), ("live.js", "text/javascript"), ("icon.svg", "image/svg+xml")]
    {
        let asset = get(house.http, &format!("/dashboard/{file}"))?;
        ensure!(
            asset.status == 200 && asset.header("content-type").is_some_and(|it| it.starts_with(content))
        );
        // What the page needs it brings itself.
        ensure!(!asset.text().contains("//cdn") && !asset.text().contains("@import"), "{file}");
    }
    ensure!(get(house.http, "/dashboard/secret")?.status == 404);
    ensure!(get(house.http, "/?sort=nonsense")?.status == 400);
    Ok(())
}

#[test]
fn long_lists_are_pages() -> Result<()> {
    let house = House::new()?;
    let mut client = house.peer()?;
    let mut worker = house.peer()?;
    for at in 0..120 {
        let name = format!("f{at:03}");
        worker.request(kind::CAN_DO, &[name.as_bytes()])?;
        client.submit(kind::SUBMIT_JOB_BG, &name, "", b"x")?;
    }
    worker.sync()?;
    let rows = |path: &str| -> Result<[usize; 3]> {
        let text = get(house.http, path)?.text();
        Ok(["data-key=\"f f", "data-cancel=", "<bdi class=\"name\""].map(|part| text.matches(part).count()))
    };
    ensure!(rows("/")? == [50, 50, 8], "{:?}", rows("/")?);
    ensure!(rows("/?page=2&sort=name")?[0] == 20, "{:?}", rows("/?page=2")?);
    ensure!(rows("/?page=4000000000")?[0] == 0);
    ensure!(rows("/?search=F11")?[0] == 10, "{:?}", rows("/?search=F11")?);
    ensure!(rows("/?function=f007")?[1] == 1);
    ensure!(rows("/?state=running")?[1] == 0);
    ensure!(rows("/?jobs=100")?[1] == 20);
    Ok(())
}

#[test]
fn events_follow_what_happens_and_end_with_the_server() -> Result<()> {
    let house = House::new()?;
    let mut client = house.peer()?;
    let mut events = Events::open(house.http, "/events?search=paint")?;
    ensure!(!events.next()?.contains("f paint"));
    client.submit(kind::SUBMIT_JOB_BG, "paint", "", b"x")?;
    client.submit(kind::SUBMIT_JOB_BG, "other", "", b"x")?;
    let mut seen = poll(PATIENCE, || events.next().ok().filter(|event| event.contains("f paint")));
    let seen = seen.take().context("an event with the function")?;
    ensure!(!seen.contains("f other"), "it was searched for: {seen}");
    house.server.stop();
    // What is left is read, and then the end.
    while events.next().is_ok() {}
    Ok(())
}

#[test]
fn those_who_watch_are_bounded() -> Result<()> {
    let house = House::with(|http| http.max_listeners = 2)?;
    let mut first = Events::open(house.http, "/events")?;
    let second = Events::open(house.http, "/events?sort=name")?;
    let refused = get(house.http, "/events")?;
    ensure!((refused.status, refused.code().as_deref()) == (503, Some("too_many_listeners")), "{refused:?}");
    ensure!(refused.text().contains("http-listeners"), "{refused:?}");
    // A place that has become free is noticed.
    drop(second);
    poll(PATIENCE, || Events::open(house.http, "/events").ok()).context("a free place")?;
    first.next().map(drop)
}

#[test]
fn who_does_not_read_hinders_nobody() -> Result<()> {
    let house = House::with(|http| http.patience = Duration::from_secs(1))?;
    let mut client = house.peer()?;
    for at in 0..200 {
        client.submit(kind::SUBMIT_JOB_BG, &format!("{at}{}", "x".repeat(400)), "", b"x")?;
    }
    // They are never read; a small window fills up soon.
    let deaf: Vec<Events> = (0..3).map(|_| Events::open(house.http, "/events")).collect::<Result<_>>()?;
    let mut events = Events::open(house.http, "/events")?;
    // Longer than the patience, so that it runs out meanwhile.
    let until = now() + Duration::from_secs(3);
    while now() < until {
        events.next()?;
    }
    drop(deaf);
    Ok(())
}

#[test]
fn forms_of_strangers_cancel_nothing() -> Result<()> {
    let house = House::new()?;
    let mut client = house.peer()?;
    let handle = client.submit(kind::SUBMIT_JOB_BG, "paint", "", b"x")?;
    let body = format!("handle={handle}&back=%3Fsort%3Dname");
    let own = format!("Origin: http://{}", house.http);
    for headers in [
        &[FORM][..],
        &[FORM, "Origin: http://evil.example"],
        &[FORM, "Origin: null"],
        &[FORM, &own, "Sec-Fetch-Site: cross-site"],
        &["Content-Type: text/plain", &own],
        &[FORM, &own, "Host: evil.example"],
    ] {
        let answer = cancel(&house, headers, &body)?;
        ensure!([403, 415, 421].contains(&answer.status), "{headers:?}: {answer:?}");
    }
    ensure!(get(house.http, "/cancel")?.status == 405, "a link does nothing");
    ensure!(house.server.stats().cancelled == 0);
    let answer = cancel(&house, &[FORM, &own], &body)?;
    ensure!(
        answer.status == 303 && answer.header("location") == Some("/?sort=name&notice=cancelled"),
        "{answer:?}"
    );
    ensure!(house.server.stats().cancelled == 1);
    let again = cancel(&house, &[FORM, "Sec-Fetch-Site: same-origin"], &body)?;
    ensure!(again.header("location") == Some("/?sort=name&notice=gone"), "{again:?}");
    // Nobody is led anywhere else, and no further words get into the line.
    for back in ["//evil.example", "https://evil.example", "%3Fnosuch%3D1", "%0D%0AX: y"] {
        let answer = cancel(&house, &[FORM, &own], &format!("handle={handle}&back={back}"))?;
        ensure!(answer.header("location") == Some("/?notice=gone"), "{back}: {answer:?}");
    }
    for handle in ["", "a%20b", "a%0Adrop%20function%20paint", "%FF"] {
        ensure!(cancel(&house, &[FORM, &own], &format!("handle={handle}"))?.status == 400, "{handle}");
    }
    Ok(())
}

#[test]
fn a_read_only_page_has_no_buttons() -> Result<()> {
    let house = House::with(|http| http.listen = vec!["0.0.0.0:0".parse().expect("an address")])?;
    let mut client = house.peer()?;
    let handle = client.submit(kind::SUBMIT_JOB_BG, "paint", "", b"x")?;
    let address = SocketAddr::from(([127, 0, 0, 1], house.http.port()));
    let text = get(address, "/")?.text();
    ensure!(!text.contains("data-cancel") && text.contains("read-only"), "{text}");
    let own = format!("Origin: http://{address}");
    let answer = request(address, "POST /cancel", &[FORM, &own], format!("handle={handle}").as_bytes())?;
    ensure!((answer.status, answer.code().as_deref()) == (403, Some("read_only")), "{answer:?}");

    let house = House::with(|http| http.token = Some("open sesame".into()))?;
    let handle = house.peer()?.submit(kind::SUBMIT_JOB_BG, "paint", "", b"x")?;
    ensure!(get(house.http, "/")?.text().contains("data-cancel"));
    let (own, body) = (format!("Origin: http://{}", house.http), format!("handle={handle}"));
    let answer = cancel(&house, &[FORM, &own], &body)?;
    // The browser asks its person for the password.
    ensure!(answer.status == 401 && answer.header("www-authenticate").is_some(), "{answer:?}");
    let known = "Authorization: Basic YW55Ym9keTpvcGVuIHNlc2FtZQ==";
    ensure!(cancel(&house, &[FORM, &own, known], &body)?.status == 303);
    Ok(())
}

#[test]
fn programs_get_the_alarms_as_json() -> Result<()> {
    let house = House::new()?;
    ensure!(get(house.http, "/api/alarms")?.json()?["alarms"] == json!([]));
    house.peer()?.submit(kind::SUBMIT_JOB_BG, "paint", "", b"x")?;
    let text = "paint: 1 job waits and no worker can do it";
    let expected = json!([{ "kind": "no_worker", "function": "paint", "text": text }]);
    // A look is shared by all who want one within the second.
    let alarms = || get(house.http, "/api/alarms").ok()?.json().ok().filter(|it| it["alarms"] == expected);
    let alarms = poll(PATIENCE, alarms).context("the alarm")?;
    ensure!(
        alarms["more"] == 0 && alarms["limits"] == json!({ "oldest_seconds": 300.0, "wake_seconds": 10.0 })
    );
    Ok(())
}

/// A store that works until it is told not to.
struct Desk(Arc<AtomicBool>);

impl Store for Desk {
    fn describe(&self) -> String {
        "desk <b>".into()
    }

    fn replay(&mut self, _: Each<'_>) -> Result<(), StoreError> {
        Ok(())
    }

    fn commit(&mut self, _: &Batch) -> Result<(), StoreError> {
        if self.0.load(Ordering::SeqCst) {
            return Err(StoreError::new(StoreErrorKind::Io, "it is on fire"));
        }
        Ok(())
    }
}

#[test]
fn a_store_that_fails_is_the_first_alarm_until_it_is_well() -> Result<()> {
    let fire = Arc::new(AtomicBool::new(false));
    let http = Http::on("127.0.0.1:0".parse()?);
    let server =
        Server::builder().listen("127.0.0.1:0".parse()?).store(Desk(fire.clone())).http(http).start()?;
    let house = House { gearman: tcp(server.addresses())?, http: tcp(server.http_addresses())?, server };
    let mut client = house.peer()?;
    client.submit(kind::SUBMIT_JOB_BG, "paint", "", b"x")?;
    fire.store(true, Ordering::SeqCst);
    client.request(kind::SUBMIT_JOB_BG, &[b"paint", b"", b"x"])?;
    client.expect(kind::ERROR)?;
    let first = |wanted: &str| {
        let alarms = || get(house.http, "/api/alarms").ok()?.json().ok();
        poll(PATIENCE, || alarms().filter(|it| it["alarms"][0]["kind"] == wanted)).context(wanted.to_owned())
    };
    let failing = first("store")?;
    let text = failing["alarms"][0]["text"].as_str().unwrap_or_default();
    ensure!(text.contains("desk <b>") && text.contains("it is on fire"), "{text}");
    ensure!(
        failing["alarms"][0]["function"].is_null() && failing["alarms"][1]["kind"] == "no_worker",
        "{failing}"
    );
    let page = get(house.http, "/")?.text();
    ensure!(page.contains("desk &#60;b&#62; (fails)") && !page.contains("<b>desk <b>"), "{page}");
    fire.store(false, Ordering::SeqCst);
    first("no_worker").map(drop)
}
