//! Whom it lets in.

use anyhow::{Result, ensure};
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
