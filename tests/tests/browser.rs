//! The dashboard in Chromium: what a person sees and can do. Pictures of it lie in target/screenshots afterwards.

use anyhow::{Context, Result, bail, ensure};
use lineshaft::broker::{AlarmLimits, Config};
use lineshaft::net::Address;
use lineshaft::server::{Http, Server};
use lineshaft_tests::browser::{Browser, Manner};
use lineshaft_tests::clock::{PATIENCE, poll};
use lineshaft_tests::port::free_port;
use lineshaft_tests::wire::{Peer, kind};
use serde_json::json;
use std::net::SocketAddr;
use std::time::Duration;

const LIGHT: Manner = Manner { scripts: true, dark: false };

/// A server in this process.
struct House {
    server: Server,
    gearman: SocketAddr,
    page: String,
}

impl House {
    fn new() -> Result<Self> {
        Self::at(0)
    }

    /// With its page at this port.
    fn at(port: u16) -> Result<Self> {
        let limits = AlarmLimits { wake: Duration::from_secs(1), ..AlarmLimits::default() };
        let config = Config { alarms: limits, ..Config::default() };
        let http = Http::on(format!("127.0.0.1:{port}").parse()?);
        let server = Server::builder().listen("127.0.0.1:0".parse()?).broker(config).http(http).start()?;
        let [gearman, http] =
            [server.addresses(), server.http_addresses()].map(|addresses| match addresses {
                [Address::Tcp { host, port }] => Ok(SocketAddr::new(host.parse()?, *port)),
                other => bail!("it listens on {other:?}"),
            });
        Ok(Self { server, gearman: gearman?, page: format!("http://{}/", http?) })
    }

    fn peer(&self) -> Result<Peer> {
        Peer::connect(self.gearman)
    }

    fn worker(&self, id: &str, function: &str) -> Result<Peer> {
        let mut worker = self.peer()?;
        worker.request(kind::SET_CLIENT_ID, &[id.as_bytes()])?;
        worker.request(kind::CAN_DO, &[function.as_bytes()])?;
        worker.sync()?;
        Ok(worker)
    }
}

/// A browser that shows the page of `house` live.
fn watch(house: &House, manner: Manner) -> Result<Browser> {
    let browser = Browser::start(manner)?;
    browser.open(&house.page)?;
    browser.wait_text("#live", |text| text == "Live")?;
    Ok(browser)
}

/// The browser has nothing to say against the page.
fn content(browser: &Browser) -> Result<()> {
    let complaints = browser.complaints()?;
    ensure!(complaints.is_empty(), "the browser complains: {complaints:#?}");
    Ok(())
}

#[test]
fn numbers_move_a_job_is_cancelled_and_a_worker_is_lost() -> Result<()> {
    let house = House::new()?;
    let browser = watch(&house, LIGHT)?;
    browser.wait_text(".alarms", |text| text == "None.")?;
    let mut client = house.peer()?;
    let handles = (0..4)
        .map(|at| client.submit(kind::SUBMIT_JOB_BG, "resize", &format!("picture {at}"), b"x"))
        .collect::<Result<Vec<_>>>()?;
    let row = "tr[data-key='f resize']";
    browser.wait_text(row, |text| text.starts_with("resize 4"))?;
    browser.wait_text(".alarms", |text| text == "resize: 4 jobs wait and no worker can do them")?;
    browser.wait_text("title", |_| true)?;
    ensure!(browser.run("return document.title")? == "(1) Lineshaft");

    let mut worker = house.worker("brush", "resize")?;
    worker.request(kind::GRAB_JOB, &[])?;
    worker.expect(kind::JOB_ASSIGN)?;
    worker.request(kind::WORK_STATUS, &[handles[0].as_bytes(), b"2", b"5"])?;
    browser.wait_text(".alarms", |text| text == "None.")?;
    browser.wait_text(row, |text| text.starts_with("resize 3"))?;
    let works = |text: &str| text.contains("brush") && text.contains("busy") && text.contains("2 of 5");
    browser.wait_text("section[data-key=workers] tbody", works)?;
    // Several looks make a plot.
    let points = "return document.querySelector('[data-plot=\"f resize queued\"] polyline')\
                  ?.getAttribute('points').split(' ').length ?? 0";
    let drawn = poll(PATIENCE, || browser.run(points).ok()?.as_u64().filter(|points| *points > 3));
    drawn.context("no plot")?;
    browser.picture("live")?;

    // It asks before it cancels.
    browser.click(&format!("form[data-cancel='{}'] button", handles[2]))?;
    ensure!(browser.say_yes()? == format!("Cancel job {}?", handles[2]));
    browser.wait_text("#told", |text| text == format!("Job {} is cancelled.", handles[2]))?;
    browser.wait_text(row, |text| text.starts_with("resize 2"))?;
    browser.wait_text("section[data-key=jobs] tbody", |text| {
        text.contains(&handles[1]) && text.contains(&handles[3]) && !text.contains(&handles[2])
    })?;
    ensure!(house.server.stats().cancelled == 1);

    // With the worker its job comes back to the queue.
    drop(worker);
    browser.wait_text(".alarms", |text| text == "resize: 3 jobs wait and no worker can do them")?;
    browser.wait_text("section[data-key=workers] tbody", |text| text == "None.")?;
    browser.picture("worker-lost")?;

    // One that is woken and never comes.
    let mut deaf = house.worker("deaf", "mail")?;
    deaf.request(kind::PRE_SLEEP, &[])?;
    deaf.sync()?;
    client.submit(kind::SUBMIT_JOB_BG, "mail", "letter", b"x")?;
    deaf.expect(kind::NOOP)?;
    browser
        .wait_text(".alarms", |text| text.contains("(deaf) was woken") && text.contains("has not come"))?;
    content(&browser)
}

#[test]
fn without_javascript_the_page_reads_and_its_forms_work() -> Result<()> {
    let house = House::new()?;
    let mut client = house.peer()?;
    let handle = client.submit(kind::SUBMIT_JOB_HIGH_BG, "resize", "picture", b"x")?;
    client.submit(kind::SUBMIT_JOB_BG, "mail", "letter", b"x")?;
    let browser = Browser::start(Manner { scripts: false, dark: false })?;
    browser.open(&house.page)?;
    ensure!(browser.text("#live")?.is_empty(), "a script has run");
    ensure!(browser.text("header noscript")?.contains("Reloads every 5 seconds"));
    ensure!(browser.text(".alarms")?.contains("mail: 1 job waits and no worker can do it"));
    let functions = "section[data-key=functions] tbody";
    ensure!(browser.text(functions)?.starts_with("mail"), "equal queues are sorted by name");
    browser.picture("without-javascript")?;

    browser.click("header noscript a")?;
    browser.wait_text("header noscript", |text| text == "Reload")?;
    ensure!(browser.address()?.ends_with("/?still=true"));
    // A page of one function's jobs, and a search.
    browser.click("tr[data-key='f resize'] a")?;
    browser.wait_text("section[data-key=jobs] tbody", |text| {
        text.contains("picture") && !text.contains("letter")
    })?;
    browser.click("#search")?;
    browser.press("AIL\u{e007}")?;
    browser.wait_text(functions, |text| text.starts_with("mail") && !text.contains("resize"))?;

    browser.open(&house.page)?;
    browser.click(&format!("form[data-cancel='{handle}'] button"))?;
    browser.wait_text(".notice[data-key]", |text| text == "The job is cancelled.")?;
    ensure!(house.server.stats().cancelled == 1);
    content(&browser)
}

#[test]
fn names_are_text_whatever_they_are() -> Result<()> {
    const NAMES: [&str; 6] = [
        "<script>document.title='owned'</script>",
        "<img/src=x/onerror=document.title='owned'>",
        "\"><svg/onload=document.title='owned'>",
        "'--></bdi></table></main>{{7*7}}",
        "javascript:document.title='owned'",
        "\u{202e}gnp.exe\u{0007}\r\n\r\ndata: x",
    ];
    let house = House::new()?;
    let mut client = house.peer()?;
    let mut workers = Vec::new();
    for name in NAMES {
        workers.push(house.worker(name, name)?);
        client.submit(kind::SUBMIT_JOB_BG, name, name, name.as_bytes())?;
        client.submit(kind::SUBMIT_JOB_BG, &format!("alarm {name}"), name, name.as_bytes())?;
    }
    let browser = watch(&house, LIGHT)?;
    for round in ["first", "live"] {
        let everywhere = browser.run("return document.body.textContent")?;
        let everywhere = everywhere.as_str().context("a text")?;
        let last = r"\u{202e}gnp.exe\u{7}\u{d}\u{a}\u{d}\u{a}data: x";
        for name in NAMES[..5].iter().chain([&last]) {
            ensure!(everywhere.matches(name).count() >= 7, "{name} is missing ({round}): {everywhere}");
        }
        ensure!(browser.run("return document.querySelectorAll('script').length")? == 1);
        ensure!(
            browser.run("return document.querySelectorAll('main img, main svg:not(.plot svg)').length")? == 0
        );
        ensure!(browser.run("return document.querySelectorAll('main').length")? == 1);
        ensure!(browser.run("return document.title")? == "(6) Lineshaft");
        browser.wait_text("#live", |text| text == "Live")?;
    }
    // Through the address as well.
    browser.click("tr[data-key^='f <script'] a")?;
    browser.wait_text("section[data-key=jobs] .filters", |text| text.contains(NAMES[0]))?;
    browser.open(&browser.address()?)?;
    browser.wait_text("section[data-key=jobs] .filters", |text| text.contains(NAMES[0]))?;
    browser.picture("hostile-names")?;
    // On a telephone nothing sticks out.
    browser.resize(390)?;
    browser.picture("narrow")?;
    let width = browser.run("return document.documentElement.scrollWidth")?;
    ensure!(width.as_u64() <= Some(390), "{width}");
    content(&browser)
}

#[test]
fn ten_thousand_functions_are_pages() -> Result<()> {
    let house = House::new()?;
    let mut client = house.peer()?;
    for at in 0..10_000u32 {
        let name = format!("f{at:04}");
        client.request(kind::SUBMIT_JOB_BG, &[name.as_bytes(), b"", b"x"])?;
        if at % 100 == 99 {
            for _ in 0..100 {
                client.expect(kind::JOB_CREATED)?;
            }
        }
    }
    client.submit(kind::SUBMIT_JOB_BG, "f7777", "more", b"x")?;
    let browser = watch(&house, Manner { scripts: true, dark: true })?;
    let functions = "section[data-key=functions]";
    browser.wait_text(functions, |text| text.contains("f7777 2") && text.contains("1 to 50 of 10,000"))?;
    ensure!(
        browser.run("return document.querySelectorAll('section[data-key=functions] tbody tr').length")? == 50
    );
    let elements = browser.run("return document.querySelectorAll('*').length")?;
    ensure!(elements.as_u64() < Some(5000), "{elements} elements");
    browser.wait_text(".alarms", |text| {
        text.starts_with("f7777: 2 jobs wait") && text.contains("and 9,990 more")
    })?;
    browser.click("section[data-key=functions] [rel=next]")?;
    browser.wait_text(functions, |text| text.contains("51 to 100 of 10,000"))?;
    browser.click("section[data-key=functions] thead th:first-child a")?;
    browser.wait_text(functions, |text| text.contains("f0000") && text.contains("1 to 50 of 10,000"))?;
    browser.picture("ten-thousand-dark")?;
    content(&browser)
}

#[test]
fn a_keyboard_is_enough_and_keeps_its_place() -> Result<()> {
    let house = House::new()?;
    let mut client = house.peer()?;
    client.submit(kind::SUBMIT_JOB_BG, "resize", "picture", b"x")?;
    let browser = watch(&house, LIGHT)?;
    browser.press("\u{e004}")?;
    browser.wait_text(":focus", |text| text == "Skip to the functions")?;
    browser.press("\u{e007}")?;
    // Behind the heading that this leads to: the search, its button, the table, its first column.
    browser.press("\u{e004}\u{e004}\u{e004}\u{e004}")?;
    browser.wait_text(":focus", |text| text.starts_with("Function"))?;
    for name in ["a", "b", "c"] {
        client.submit(kind::SUBMIT_JOB_BG, name, "", b"x")?;
        browser.wait_text("section[data-key=functions] tbody", |text| text.contains(&format!("{name} 1")))?;
        browser.wait_text(":focus", |text| text.starts_with("Function"))?;
    }
    browser.press("\u{e007}")?;
    browser.wait_text("section[data-key=functions] [aria-sort=ascending]", |text| {
        text.starts_with("Function")
    })?;
    // What is not decoration has a name.
    let nameless = "return [...document.querySelectorAll('a, button, input:not([type=hidden])')].filter(e => \
                    !(e.textContent.trim() || e.labels?.length)).map(e => e.outerHTML)";
    ensure!(browser.run(nameless)? == json!([]));
    content(&browser)
}

#[test]
fn a_server_that_ends_is_missed_until_it_is_back() -> Result<()> {
    let port = free_port()?;
    let house = House::at(port)?;
    let browser = watch(&house, LIGHT)?;
    house.server.stop();
    browser.wait_text("#live", |text| text.starts_with("Not live"))?;
    let house = House::at(port)?;
    house.peer()?.submit(kind::SUBMIT_JOB_BG, "resize", "picture", b"x")?;
    browser.wait_text("#live", |text| text == "Live")?;
    browser.wait_text("tr[data-key='f resize']", |text| text.starts_with("resize 1"))?;
    Ok(())
}
