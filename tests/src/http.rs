//! HTTP, byte for byte: requests as a test writes them, answers taken apart.

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::clock::PATIENCE;

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The number behind the version.
    pub status: u16,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// What follows the head.
    pub body: Vec<u8>,
}

impl Answer {
    /// The value of the header `name`, in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// Where it is none.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_slice(&self.body).with_context(|| format!("{}: {}", self.status, self.text()))
    }

    /// The code of the error that the body tells.
    pub fn code(&self) -> Option<String> {
        Some(self.json().ok()?["error"]["code"].as_str()?.to_owned())
    }
}

/// Sends `request` and reads all that comes until the server closes.
///
/// # Errors
/// When the server does not close, or what it sends is no answer.
pub fn raw(address: SocketAddr, request: &[u8]) -> Result<Answer> {
    let mut stream = connect(address)?;
    // A server that refuses a request may close before it has read all of it.
    let _ = stream.write_all(request);
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).context("read the answer")?;
    parse(&bytes)
}

/// Sends `request` and reads one answer, as long as it says it is: for servers that do not close.
///
/// # Errors
/// When the answer does not come, or is none.
pub fn ask(address: SocketAddr, request: &[u8]) -> Result<Answer> {
    let mut stream = connect(address)?;
    stream.write_all(request)?;
    let (mut bytes, mut chunk) = (Vec::new(), [0; 64 << 10]);
    loop {
        let length = stream.read(&mut chunk).context("read the answer")?;
        ensure!(length > 0, "the answer breaks off: {}", String::from_utf8_lossy(&bytes));
        bytes.extend_from_slice(&chunk[..length]);
        let end = bytes.windows(4).position(|part| part == b"\r\n\r\n");
        let Some(end) = end else { continue };
        let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
        let said = head.lines().find_map(|line| line.strip_prefix("content-length:"));
        let body: usize =
            said.and_then(|said| said.trim().parse().ok()).context("no length of the answer")?;
        if bytes.len() >= end + 4 + body {
            return parse(&bytes);
        }
    }
}

/// A connection that nobody waits on for ever.
///
/// # Errors
/// When there is none.
pub fn connect(address: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(address).with_context(|| format!("connect to {address}"))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// A whole answer taken apart.
///
/// # Errors
/// Where it is none.
pub fn parse(bytes: &[u8]) -> Result<Answer> {
    let shown = || String::from_utf8_lossy(&bytes[..bytes.len().min(500)]).into_owned();
    let end = bytes.windows(4).position(|part| part == b"\r\n\r\n");
    let end = end.with_context(|| format!("no end of the head in {:?}", shown()))?;
    let head = std::str::from_utf8(&bytes[..end])?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.")?.get(2..5)?.parse().ok());
    let Some(status) = status else { bail!("no status line in {:?}", shown()) };
    let headers = lines.map(|line| {
        let (name, value) = line.split_once(':').with_context(|| format!("a header: {line}"))?;
        Ok((name.to_ascii_lowercase(), value.trim().to_owned()))
    });
    let headers = headers.collect::<Result<Vec<_>>>()?;
    let answer = Answer { status, headers, body: bytes[end + 4..].to_vec() };
    if let Some(length) = answer.header("content-length") {
        ensure!(length.parse() == Ok(answer.body.len()), "{length} bytes said, {} came", answer.body.len());
    }
    Ok(answer)
}

/// A request with further header lines and a body, on a connection of its own.
///
/// # Errors
/// As [`raw`].
pub fn request(address: SocketAddr, line: &str, headers: &[&str], body: &[u8]) -> Result<Answer> {
    let mut text = format!("{line} HTTP/1.1\r\nConnection: close\r\n");
    if !headers.iter().any(|header| header.starts_with("Host:")) {
        text.push_str(&format!("Host: {address}\r\n"));
    }
    for header in headers {
        text.push_str(header);
        text.push_str("\r\n");
    }
    if !body.is_empty() {
        text.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    text.push_str("\r\n");
    raw(address, &[text.as_bytes(), body].concat())
}

/// `GET path`.
///
/// # Errors
/// As [`raw`].
pub fn get(address: SocketAddr, path: &str) -> Result<Answer> {
    request(address, &format!("GET {path}"), &[], b"")
}

/// `POST path` with a JSON body.
///
/// # Errors
/// As [`raw`].
pub fn post(address: SocketAddr, path: &str, body: &Value) -> Result<Answer> {
    let body = body.to_string();
    request(address, &format!("POST {path}"), &["Content-Type: application/json"], body.as_bytes())
}
