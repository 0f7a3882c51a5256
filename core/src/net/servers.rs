//! The servers of a client or worker.

use std::fmt;
use std::net::SocketAddr;
use std::ops::Deref;
use std::str::FromStr;

use super::Address;
use crate::error::{Error, Result};

/// The servers of a client or worker, at least one. A client uses the first that it can reach; a worker serves all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Servers(Vec<Address>);

impl Default for Servers {
    /// The one on this machine: `127.0.0.1:4730`.
    fn default() -> Self {
        Self(vec![Address::from(SocketAddr::from(([127, 0, 0, 1], crate::protocol::DEFAULT_PORT)))])
    }
}

impl Deref for Servers {
    type Target = [Address];

    fn deref(&self) -> &[Address] {
        &self.0
    }
}

impl fmt::Display for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, address) in self.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            write!(f, "{comma}{address}")?;
        }
        Ok(())
    }
}

impl FromIterator<Address> for Servers {
    /// The same as [`Servers::default`] where there are none.
    fn from_iter<I: IntoIterator<Item = Address>>(addresses: I) -> Self {
        let servers = Self(addresses.into_iter().collect());
        if servers.is_empty() { Self::default() } else { servers }
    }
}

impl FromStr for Servers {
    type Err = Error;

    /// Addresses separated by commas, as in libgearman's `GEARMAN_SERVERS`; blanks around them do not count. No address at
    /// all means the default.
    ///
    /// # Errors
    /// As for [`Address`].
    fn from_str(list: &str) -> Result<Self> {
        list.split(',').map(str::trim).filter(|text| !text.is_empty()).map(str::parse).collect()
    }
}

/// What servers can be given as: one address or a list, as text or ready-made.
///
/// ```
/// use lineshaft::net::{IntoServers, Servers};
///
/// assert_eq!("a, b:7003".into_servers()?.to_string(), "a:4730,b:7003");
/// assert_eq!(["a", "b"].into_servers()?.len(), 2);
/// assert_eq!("".into_servers()?, Servers::default());
/// # Ok::<(), lineshaft::Error>(())
/// ```
pub trait IntoServers {
    /// The servers.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) where a text is no address.
    fn into_servers(self) -> Result<Servers>;
}

impl IntoServers for Servers {
    fn into_servers(self) -> Result<Servers> {
        Ok(self)
    }
}

impl IntoServers for &Servers {
    fn into_servers(self) -> Result<Servers> {
        Ok(self.clone())
    }
}

impl IntoServers for Address {
    fn into_servers(self) -> Result<Servers> {
        Ok(Servers(vec![self]))
    }
}

impl IntoServers for &Address {
    fn into_servers(self) -> Result<Servers> {
        self.clone().into_servers()
    }
}

impl IntoServers for SocketAddr {
    fn into_servers(self) -> Result<Servers> {
        Address::from(self).into_servers()
    }
}

impl IntoServers for Vec<Address> {
    fn into_servers(self) -> Result<Servers> {
        Ok(self.into_iter().collect())
    }
}

impl IntoServers for &[Address] {
    fn into_servers(self) -> Result<Servers> {
        Ok(self.iter().cloned().collect())
    }
}

impl IntoServers for &str {
    fn into_servers(self) -> Result<Servers> {
        self.parse()
    }
}

impl IntoServers for &String {
    fn into_servers(self) -> Result<Servers> {
        self.parse()
    }
}

impl IntoServers for String {
    fn into_servers(self) -> Result<Servers> {
        self.parse()
    }
}

impl IntoServers for &[&str] {
    fn into_servers(self) -> Result<Servers> {
        self.iter().map(|text| text.parse()).collect()
    }
}

impl<const N: usize> IntoServers for [&str; N] {
    fn into_servers(self) -> Result<Servers> {
        self.as_slice().into_servers()
    }
}

impl IntoServers for Vec<String> {
    fn into_servers(self) -> Result<Servers> {
        self.iter().map(|text| text.parse()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_as_libgearman_does() {
        assert_eq!("a,b:1,,c ,".into_servers().unwrap().to_string(), "a:4730,b:1,c:4730");
        assert_eq!(Vec::<Address>::new().into_servers().unwrap().to_string(), "127.0.0.1:4730");
        assert!("a,b:x".into_servers().unwrap_err().to_string().contains("`b:x`"));
    }
}
