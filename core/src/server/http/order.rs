//! Orders to the broker, as the admin text protocol has them.

use std::future::poll_fn;
use std::time::Duration;

use hyper::StatusCode;

use super::answer::Problem;
use crate::net::LinkClosed;
use crate::protocol::OutBuf;
use crate::server::View;

/// Sends a line, without its end, and waits for the line that answers it, which may take as long as a store takes.
pub(super) async fn order(view: &View, line: &[u8], patience: Duration) -> Result<Vec<u8>, Problem> {
    let ended = |_: LinkClosed| {
        let text = "The server is being stopped, or takes no more connections";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", text)
    };
    let link = view.connect().map_err(ended)?;
    let mut answer = OutBuf::default();
    link.text(line, &mut answer).map_err(ended)?;
    let whole = async {
        loop {
            let said = answer.to_vec();
            if let Some(end) = said.iter().position(|byte| *byte == b'\n') {
                return Ok(said[..end].trim_ascii_end().to_vec());
            }
            poll_fn(|cx| link.poll_readable(cx)).await;
            link.exchange(&[], &mut answer).map_err(ended)?;
        }
    };
    match tokio::time::timeout(patience, whole).await {
        Ok(said) => said,
        Err(_) => {
            let text = format!("The store did not answer within {} s (http-patience)", patience.as_secs());
            Err(Problem::new(StatusCode::GATEWAY_TIMEOUT, "timeout", text))
        }
    }
}
