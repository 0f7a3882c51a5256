//! The description against the server: requests made from it by somebody else's tool, and answers compared with it.

use anyhow::{Result, ensure};
use lineshaft::broker::Config;
use lineshaft::server::{Http, Server};
use lineshaft_tests::place;
use lineshaft_tests::program::run;
use lineshaft_tests::wire::{Peer, kind};
use std::process::Command;

use crate::tcp;

#[test]
fn the_server_answers_as_it_is_described() -> Result<()> {
    // Nobody does its jobs: foreground submissions are refused, rather than waited for.
    let config = Config { max_waiting: 0, ..Config::default() };
    let http = Http::on("127.0.0.1:0".parse()?);
    let server = Server::builder().listen("127.0.0.1:0".parse()?).broker(config).http(http).start()?;
    let (gearman, http) = (tcp(server.addresses())?, tcp(server.http_addresses())?);
    let (mut client, mut worker) = (Peer::connect(gearman)?, Peer::connect(gearman)?);
    client.submit(kind::SUBMIT_JOB_BG, "f", "u", b"x")?;
    client.submit(kind::SUBMIT_JOB_BG, "g", "", b"\xff")?;
    worker.request(kind::CAN_DO, &[b"f"])?;
    worker.request(kind::GRAB_JOB, &[])?;
    worker.expect(kind::JOB_ASSIGN)?;
    let mut tool = Command::new(place::python()?.with_file_name("schemathesis"));
    tool.arg("run").arg(format!("http://{}/api/openapi.json", http));
    // The same requests in every run.
    tool.args(["--seed", "7", "--max-examples", "10", "--no-color", "--suppress-health-check", "all"]);
    // The description does not say which fields exclude each other; and 503 is an answer, where it is described.
    tool.args(["--exclude-checks", "positive_data_acceptance,not_a_server_error"]);
    // A job that nobody does is waited for.
    tool.args(["--exclude-path", "/api/jobs/{handle}/result", "--request-timeout", "30"]);
    let folder = tempfile::tempdir()?;
    tool.current_dir(folder.path());
    let said = run(&mut tool, b"")?;
    ensure!(said.status.success(), "{}\n{}", said.text(), said.err);
    ensure!(server.stats().connections > 10, "it has hardly asked anything: {}", said.text());
    Ok(())
}
