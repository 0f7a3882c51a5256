//! Whom it lets in.

use anyhow::{Result, ensure};
use lineshaft::broker::{Config, Grant, Right};
use lineshaft::server::{Http, Server};
use lineshaft_tests::http::request;

use crate::House;

#[test]
fn a_page_that_calls_itself_this_server_is_refused() -> Result<()> {
    let house = House::with(|http| http.hosts.push("queue.example".into()))?;
    for (host, status) in [
        ("Host: queue.example:99", 200),
        ("Host: localhost", 200),
        ("Host: 127.0.0.1", 200),
        ("Host: evil.example", 421),
    ] {
        let answer = request(house.http, "GET /api/status", &[host], b"")?;
        ensure!(answer.status == status, "{host}: {answer:?}");
    }
    let open = House::with(|http| http.hosts.push("*".into()))?;
    ensure!(request(open.http, "GET /api/status", &["Host: any.example"], b"")?.status == 200);
    Ok(())
}

#[test]
fn a_page_of_a_stranger_changes_nothing() -> Result<()> {
    let house = House::new()?;
    let job = br#"{"function": "f", "background": true}"#;
    let json = "Content-Type: application/json";
    for (headers, status, code) in [
        (&[json, "Origin: http://evil.example"][..], 403, "cross_origin"),
        (&[json, "Sec-Fetch-Site: cross-site"], 403, "cross_origin"),
        (&["Content-Type: text/plain"], 415, "not_json"),
        (&["Content-Type: application/x-www-form-urlencoded"], 415, "not_json"),
        (&[], 415, "not_json"),
    ] {
        let answer = request(house.http, "POST /api/jobs", headers, job)?;
        ensure!((answer.status, answer.code().as_deref()) == (status, Some(code)), "{headers:?}: {answer:?}");
    }
    ensure!(house.server.jobs() == 0);
    let preflight = request(house.http, "OPTIONS /api/jobs", &["Origin: http://evil.example"], b"")?;
    ensure!(preflight.status == 405 && preflight.header("access-control-allow-origin").is_none());
    let same = format!("Origin: http://{}", house.http);
    ensure!(request(house.http, "POST /api/jobs", &[json, &same], job)?.status == 201);
    let other = request(house.http, "DELETE /api/jobs/H:lineshaft:1", &["Origin: http://evil.example"], b"")?;
    ensure!(other.status == 403 && house.server.jobs() == 1, "{other:?}");
    Ok(())
}

#[test]
fn changes_take_the_token() -> Result<()> {
    let house = House::with(|http| http.token = Some("sesame".into()))?;
    let job = br#"{"function": "f", "background": true}"#;
    let json = "Content-Type: application/json";
    let post = |headers: &[&str]| request(house.http, "POST /api/jobs", headers, job);
    let without = post(&[json])?;
    ensure!((without.status, without.code().as_deref()) == (401, Some("unauthorized")), "{without:?}");
    ensure!(without.header("www-authenticate").is_some_and(|value| value.starts_with("Basic ")));
    ensure!(post(&[json, "Authorization: Bearer wrong"])?.status == 401);
    ensure!(post(&[json, "Authorization: Bearer sesame"])?.status == 201);
    for path in ["/api/status", "/api/jobs", "/metrics"] {
        ensure!(
            request(house.http, &format!("GET {path}"), &[], b"")?.status == 200,
            "{path} is there to be read"
        );
    }
    let workload = "GET /api/jobs/H:lineshaft:1/workload";
    ensure!(request(house.http, workload, &[], b"")?.status == 401, "what jobs hold is not");
    ensure!(request(house.http, workload, &["Authorization: Bearer sesame"], b"")?.status == 200);
    Ok(())
}

#[test]
fn the_log_belongs_to_the_program_around() -> Result<()> {
    let house = House::new()?;
    let json = ["Content-Type: application/json"];
    let set = |body: &str| request(house.http, "PUT /api/log", &json, body.as_bytes());
    let refused = set(r#"{"level": "DEBUG"}"#)?;
    ensure!(refused.status == 400 && refused.text().contains("belongs to the program"), "{refused:?}");
    for body in
        ["", "[]", "{}", r#"{"level": 1}"#, r#"{"level": "DEBUG", "colour": 1}"#, r#"{"level": "a b"}"#]
    {
        ensure!(set(body)?.status == 400, "{body}");
    }
    Ok(())
}

#[test]
fn rights_hold_for_who_has_shown_no_token() -> Result<()> {
    let grants = vec![Grant {
        identity: "anonymous".into(),
        rights: vec![Right::Submit],
        functions: vec!["mine.*".into()],
    }];
    let start = |token: Option<&str>| {
        let http = Http { token: token.map(Into::into), ..Http::on("127.0.0.1:0".parse()?) };
        let config = Config { rights: grants.clone(), ..Config::default() };
        anyhow::Ok(Server::builder().broker(config).http(http).start()?)
    };
    let json = "Content-Type: application/json";
    let submit = |http, headers: &[&str], function: &str| {
        let body = format!(r#"{{"function": "{function}", "background": true}}"#);
        request(http, "POST /api/jobs", headers, body.as_bytes())
    };
    let server = start(None)?;
    let http = crate::tcp(server.http_addresses())?;
    ensure!(submit(http, &[json], "mine.a")?.status == 201);
    let refused = submit(http, &[json], "other")?;
    ensure!((refused.status, refused.code().as_deref()) == (403, Some("refused")), "{refused:?}");
    for line in ["DELETE /api/jobs/H:lineshaft:1", "GET /api/jobs/H:lineshaft:1/workload"] {
        let refused = request(http, line, &[], b"")?;
        ensure!(refused.status == 403 && refused.text().contains("lacks the right"), "{line}: {refused:?}");
    }
    ensure!(server.jobs() == 1);
    let server = start(Some("sesame"))?;
    let http = crate::tcp(server.http_addresses())?;
    ensure!(submit(http, &[json, "Authorization: Bearer sesame"], "other")?.status == 201);
    Ok(())
}
