//! `--queue-type redis`.

use lineshaft::store::{Redis, RedisSettings};

use super::{Open, Variable};
use crate::options::choices::Choices;
use crate::options::{Refusal, refuse};

pub(super) fn read(choices: &Choices, _: Variable<'_>) -> Result<Open, Refusal> {
    let settings = settings(choices)?;
    Ok(Box::new(move || Ok(Box::new(Redis::open(settings.clone())?))))
}

fn settings(choices: &Choices) -> Result<RedisSettings, Refusal> {
    let text = |name| Ok(choices.text(name)?.unwrap_or_default().to_owned());
    let port = text("redis-port")?;
    let Ok(port) = port.parse() else {
        return refuse(format!("--redis-port {port}: give a port, 1 to 65535"));
    };
    let password = text("redis-password")?;
    Ok(RedisSettings {
        host: text("redis-server")?,
        port,
        password: (!password.is_empty()).then_some(password),
        prefix: text("redis-prefix")?,
        ..RedisSettings::default()
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::choices;
    use super::*;
    use crate::options::choices::Program;

    fn of(words: &[&str]) -> Result<RedisSettings, String> {
        settings(&choices(Program::Gearmand, words)).map_err(|why| why.0)
    }

    #[test]
    fn gearmands_options_say_where_it_is() {
        assert_eq!(of(&[]), Ok(RedisSettings::default()));
        let words = ["--redis-server=h", "--redis-port=7", "--redis-password=p", "--redis-prefix=x"];
        let full = RedisSettings {
            host: "h".into(),
            port: 7,
            password: Some("p".into()),
            prefix: "x".into(),
            ..RedisSettings::default()
        };
        assert_eq!(of(&words), Ok(full));
        assert_eq!(of(&["--redis-port=x"]), Err("--redis-port x: give a port, 1 to 65535".into()));
    }
}
