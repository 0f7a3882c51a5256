//! Which servers, and what of them.

use std::time::Duration;

use crate::store::address::Address;
use crate::store::{StoreError, StoreErrorKind};

/// Where the queue is. The defaults are those of gearmand's plug-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemcachedSettings {
    /// The servers, each as `HOST:PORT`; without a port it is 11211. Their number and order belong to the queue: change them
    /// while it is empty. Default `localhost`.
    pub servers: Vec<String>,
    /// What gearmand's keys begin with, and what tells several queues apart; at most 150 bytes without blanks; default `gear_`.
    pub prefix: String,
    /// Functions with dashes in their names, for keys of gearmand's that can be split in several ways; default none.
    pub functions: Vec<String>,
    /// How long connecting, and each answer, may take; default 5 s.
    pub timeout: Duration,
}

impl Default for MemcachedSettings {
    fn default() -> Self {
        Self {
            servers: vec!["localhost".into()],
            prefix: "gear_".into(),
            functions: Vec::new(),
            timeout: Duration::from_secs(5),
        }
    }
}

impl MemcachedSettings {
    /// Bytes that a prefix may have: memcached takes keys of 250, and gearmand and we put names behind it.
    const MAX_PREFIX: usize = 150;

    /// From `memcached://HOST:PORT,HOST:PORT`, and the settings behind it.
    pub(super) fn from_address(address: &Address<'_>) -> Result<Self, StoreError> {
        let [prefix, functions] = address.settings(["prefix", "functions"])?;
        let mut settings = Self::default();
        let place = address.place.strip_prefix("//").unwrap_or(address.place);
        settings.servers = Self::list(place.trim_end_matches('/'));
        settings.prefix = prefix.unwrap_or(settings.prefix);
        settings.functions = functions.iter().flat_map(|names| names.split(',')).map(Into::into).collect();
        Ok(settings)
    }

    /// The servers of a list with commas or blanks between them, as libmemcached takes it.
    pub fn list(text: &str) -> Vec<String> {
        let places = text.split(|c: char| c == ',' || c.is_whitespace());
        places.filter(|place| !place.is_empty()).map(Into::into).collect()
    }

    pub(super) fn check(&self) -> Result<(), StoreError> {
        let refuse = |text: String| Err(StoreError::new(StoreErrorKind::Settings, text));
        if self.servers.is_empty() {
            return refuse("no memcached is named: give HOST:PORT, several with commas between them".into());
        }
        let prefix = &self.prefix;
        if prefix.len() > Self::MAX_PREFIX || prefix.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
            let most = Self::MAX_PREFIX;
            return refuse(format!(
                "the prefix `{}` cannot begin keys of memcached: at most {most} bytes without blanks",
                prefix.escape_debug()
            ));
        }
        Ok(())
    }

    /// For sentences.
    pub(super) fn place(&self) -> String {
        format!("memcached at {}", self.servers.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(address: &str) -> Result<MemcachedSettings, StoreError> {
        let settings = MemcachedSettings::from_address(&Address::parse(address)?)?;
        settings.check().map(|()| settings)
    }

    #[test]
    fn addresses_say_all_of_it() {
        let full = read("memcached://a:1,b,[::1]:2?prefix=x&functions=a-b,c").expect("an address");
        assert_eq!(full.servers, ["a:1", "b", "[::1]:2"]);
        assert_eq!((full.prefix.as_str(), full.functions), ("x", vec!["a-b".into(), "c".into()]));
        assert_eq!(read("memcached:localhost"), Ok(MemcachedSettings::default()));
        let long = format!("memcached://a?prefix={}", "x".repeat(151));
        for bad in ["memcached:", "memcached://", "memcached://a?prefix=a%20b", "memcached://a?x=y", &long] {
            assert_eq!(read(bad).map_err(|error| error.kind()), Err(StoreErrorKind::Settings), "{bad}");
        }
    }
}
