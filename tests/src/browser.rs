//! Chromium without a screen, by WebDriver: what a person would do with a page, and what the page complains of.

use anyhow::{Context, Result, bail, ensure};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Value, json};
use std::fs::{File, create_dir_all};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

use crate::clock::{PATIENCE, poll};
use crate::http;
use crate::place;
use crate::port::free_port;

const DRIVER: &str = "/usr/bin/chromedriver";
/// The name under which WebDriver hands out elements.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// How a browser is to be.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// Pages may run JavaScript.
    pub scripts: bool,
    /// Its person wants dark pages.
    pub dark: bool,
}

/// A browser with one page open. Dropping it ends it.
#[derive(Debug)]
pub struct Browser {
    driver: Child,
    address: SocketAddr,
    session: String,
    /// Its profile and the driver's log.
    folder: TempDir,
}

impl Browser {
    /// Starts a browser.
    ///
    /// # Errors
    /// When it is not there or does not start.
    pub fn start(manner: Manner) -> Result<Self> {
        ensure!(Path::new(DRIVER).exists(), "{DRIVER} is missing: install chromium and chromium-driver");
        let folder = tempfile::tempdir().context("a temporary folder")?;
        let port = free_port()?;
        let log = File::create(folder.path().join("log")).context("the driver's log")?;
        let mut command = Command::new(DRIVER);
        command.arg(format!("--port={port}")).stdin(Stdio::null());
        // Its own folders, so that nothing is left of it.
        command.env("HOME", folder.path()).env("TMPDIR", folder.path());
        command.stdout(log.try_clone()?).stderr(log);
        let driver = command.spawn().context(DRIVER)?;
        let address = (Ipv4Addr::LOCALHOST, port).into();
        let mut browser = Self { driver, address, session: String::new(), folder };
        browser.begin(manner).with_context(|| browser.log())?;
        Ok(browser)
    }

    fn begin(&mut self, manner: Manner) -> Result<()> {
        let ready = poll(PATIENCE, || {
            let status = self.order("GET /status", "").ok()?;
            (status["ready"] == true).then_some(())
        });
        ready.context("the driver does not answer")?;
        let profile = format!("--user-data-dir={}", self.folder.path().join("profile").display());
        // Without a sandbox, because there is none for root; it sees pages of the test's own servers only.
        let mut args = vec!["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"];
        args.extend([
            "--no-first-run",
            "--disable-background-networking",
            "--window-size=1280,1700",
            &profile,
        ]);
        let scripts = if manner.scripts { 1 } else { 2 };
        let options = json!({
            "args": args,
            "prefs": { "profile.managed_default_content_settings.javascript": scripts },
        });
        let wanted = json!({ "goog:chromeOptions": options, "goog:loggingPrefs": { "browser": "ALL" } });
        let body = json!({ "capabilities": { "alwaysMatch": wanted } });
        let session = self.order("POST /session", &body.to_string())?;
        self.session = session["sessionId"].as_str().context("no session")?.to_owned();
        let scheme = if manner.dark { "dark" } else { "light" };
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.develop("Emulation.setEmulatedMedia", &json!({ "features": features })).map(drop)
    }

    /// What the driver has said.
    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// An order to the driver, and what it answers.
    fn order(&self, line: &str, body: &str) -> Result<Value> {
        let head = format!("{line} HTTP/1.1\r\nHost: {}\r\nContent-Length: {}", self.address, body.len());
        let answer = http::ask(self.address, format!("{head}\r\n\r\n{body}").as_bytes())?;
        let value = answer.json()?["value"].take();
        if answer.status != 200 {
            bail!("{}: {}", value["error"], value["message"]);
        }
        Ok(value)
    }

    fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let line = format!("POST /session/{}/{path}", self.session);
        self.order(&line, &body.to_string()).with_context(|| format!("{path} {body}"))
    }

    fn get(&self, path: &str) -> Result<Value> {
        self.order(&format!("GET /session/{}/{path}", self.session), "")
    }

    /// An order of the browser's developer tools.
    fn develop(&self, order: &str, params: &Value) -> Result<Value> {
        self.post("goog/cdp/execute", &json!({ "cmd": order, "params": params }))
    }

    /// Opens a page and waits until it is there.
    ///
    /// # Errors
    /// When it is not.
    pub fn open(&self, address: &str) -> Result<()> {
        self.post("url", &json!({ "url": address })).map(drop)
    }

    /// Where it is.
    ///
    /// # Errors
    /// When it does not say.
    pub fn address(&self) -> Result<String> {
        Ok(self.get("url")?.as_str().context("an address")?.to_owned())
    }

    /// What `script` returns; it is run beside the page's own, even where those may not run.
    ///
    /// # Errors
    /// When it throws.
    pub fn run(&self, script: &str) -> Result<Value> {
        self.post("execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// What one reads of the first element that `selector` names, in one line; empty where there is none.
    ///
    /// # Errors
    /// When the browser does not say.
    pub fn text(&self, selector: &str) -> Result<String> {
        let text = self.run(&format!("return document.querySelector({selector:?})?.innerText ?? ''"))?;
        let words = text.as_str().unwrap_or_default().split_whitespace();
        Ok(words.collect::<Vec<_>>().join(" "))
    }

    /// Waits until what one reads of `selector` is as `wanted` has it.
    ///
    /// # Errors
    /// When that does not happen; the error has what is read instead.
    pub fn wait_text(&self, selector: &str, wanted: impl Fn(&str) -> bool) -> Result<String> {
        let mut last = String::new();
        // A page that is being loaded cannot be asked.
        let found = poll(PATIENCE, || {
            last = self.text(selector).unwrap_or_default();
            wanted(&last).then(|| last.clone())
        });
        found.with_context(|| format!("{selector} reads {last:?}"))
    }

    /// Clicks on the first element that `selector` names, as a person would.
    ///
    /// # Errors
    /// When there is none, or it cannot be seen.
    pub fn click(&self, selector: &str) -> Result<()> {
        // The page may put another one in its place between the two orders.
        let clicked = poll(PATIENCE, || {
            let found = self.post("element", &json!({ "using": "css selector", "value": selector })).ok()?;
            let element = found[ELEMENT].as_str()?;
            self.post(&format!("element/{element}/click"), &json!({})).ok()
        });
        clicked.map(drop).with_context(|| format!("nothing to click on at {selector}"))
    }

    /// Types into the element that has the focus.
    ///
    /// # Errors
    /// When the browser refuses.
    pub fn press(&self, keys: &str) -> Result<()> {
        let presses = keys.chars().flat_map(|key| {
            ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key.to_string() }))
        });
        let source = json!({ "type": "key", "id": "keys", "actions": presses.collect::<Vec<_>>() });
        self.post("actions", &json!({ "actions": [source] })).map(drop)
    }

    /// Says yes to the question that the page asks: its text.
    ///
    /// # Errors
    /// When it asks none.
    pub fn say_yes(&self) -> Result<String> {
        let text = poll(PATIENCE, || self.get("alert/text").ok()).context("no question")?;
        self.post("alert/accept", &json!({}))?;
        Ok(text.as_str().unwrap_or_default().to_owned())
    }

    /// Makes the page so many points wide.
    ///
    /// # Errors
    /// When the browser refuses.
    pub fn resize(&self, width: u32) -> Result<()> {
        let size = json!({ "width": width, "height": 800, "deviceScaleFactor": 1, "mobile": false });
        self.develop("Emulation.setDeviceMetricsOverride", &size).map(drop)
    }

    /// A picture of the whole page in the folder `screenshots` of cargo's target folder.
    ///
    /// # Errors
    /// When it cannot be made or written.
    pub fn picture(&self, name: &str) -> Result<()> {
        let shot = self.develop("Page.captureScreenshot", &json!({ "captureBeyondViewport": true }))?;
        let folder = place::target()?.join("screenshots");
        create_dir_all(&folder)?;
        let data = BASE64_STANDARD.decode(shot["data"].as_str().context("a picture")?)?;
        let path = folder.join(format!("{name}.png"));
        std::fs::write(&path, data).with_context(|| path.display().to_string())
    }

    /// All that the browser has to say against the page since it was asked last: errors of scripts, what the page's policy forbids, what
    /// could not be loaded.
    ///
    /// # Errors
    /// When it does not say.
    pub fn complaints(&self) -> Result<Vec<String>> {
        let lines = self.post("se/log", &json!({ "type": "browser" }))?;
        let lines = lines.as_array().context("a log")?;
        Ok(lines.iter().map(Value::to_string).collect())
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver ends the browser; without the driver the browser would stay.
        let _ = self.order(&format!("DELETE /session/{}", self.session), "");
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
