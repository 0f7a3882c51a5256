//! `--queue-type libmemcached`.

use lineshaft::store::{Memcached, MemcachedSettings};

use super::{Open, Variable};
use crate::options::Refusal;
use crate::options::choices::Choices;

pub(super) fn read(choices: &Choices, _: Variable<'_>) -> Result<Open, Refusal> {
    let settings = settings(choices)?;
    Ok(Box::new(move || Ok(Box::new(Memcached::open(settings.clone())?))))
}

fn settings(choices: &Choices) -> Result<MemcachedSettings, Refusal> {
    let mut settings = MemcachedSettings::default();
    if let Some(servers) = choices.text("libmemcached-servers")? {
        settings.servers = MemcachedSettings::list(servers);
    }
    settings.prefix = choices.text("libmemcached-prefix")?.unwrap_or_default().to_owned();
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::super::tests::choices;
    use super::*;
    use crate::options::choices::Program;

    fn of(words: &[&str]) -> Result<MemcachedSettings, String> {
        settings(&choices(Program::Gearmand, words)).map_err(|why| why.0)
    }

    #[test]
    fn gearmands_options_say_where_it_is() {
        assert_eq!(of(&[]), Ok(MemcachedSettings::default()));
        let full = MemcachedSettings {
            servers: vec!["a:1".into(), "b".into()],
            prefix: "x".into(),
            ..MemcachedSettings::default()
        };
        assert_eq!(of(&["--libmemcached-servers=a:1,b", "--libmemcached-prefix=x"]), Ok(full));
    }
}
