//! The daemon's options that vectors use, as settings of the broker.

use anyhow::{Context, Result, bail};
use lineshaft::broker::Config;

/// Settings for a broker without a daemon around it.
pub(super) fn config(args: &[String]) -> Result<Config> {
    let mut config = Config::default();
    for arg in args {
        let (name, value) = arg.split_once('=').unwrap_or((arg, ""));
        let number = || value.parse::<u32>().with_context(|| arg.clone());
        match name {
            "--exceptions" => config.exceptions = true,
            "--round-robin" => config.round_robin = true,
            "--job-retries" => config.job_retries = Some(number()?),
            "--worker-wakeup" => config.worker_wakeup = Some(number()?),
            "--job-handle-prefix" => config.handle_prefix = value.to_owned(),
            _ => bail!("no setting for {arg}"),
        }
    }
    Ok(config)
}
