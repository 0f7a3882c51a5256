//! Ports and hosts as people write them.

use std::ffi::OsStr;
use std::fs;
use std::net::{SocketAddr, ToSocketAddrs, UdpSocket};

use lineshaft::net::Address;
use lineshaft::protocol::DEFAULT_PORT;

use crate::options::{Refusal, refuse};

/// Where the names of services stand.
const SERVICES: &str = "/etc/services";

/// The port of that number, or of the TCP service of that name.
pub(crate) fn port(text: &str) -> Result<u16, String> {
    if let Ok(port) = text.parse() {
        return Ok(port);
    }
    let services = fs::read_to_string(SERVICES).unwrap_or_default();
    service(&services, text).ok_or_else(|| {
        format!("port '{text}' is neither a number from 0 to 65535 nor a TCP service of {SERVICES}")
    })
}

fn service(services: &str, name: &str) -> Option<u16> {
    services.lines().find_map(|line| {
        let mut words = line.split('#').next()?.split_whitespace();
        let (first, place) = (words.next()?, words.next()?);
        let (port, protocol) = place.split_once('/')?;
        let named = first == name || words.any(|alias| alias == name);
        if named && protocol == "tcp" { port.parse().ok() } else { None }
    })
}

/// The server that options such as -h and -p name: a host, in brackets or not, or `unix:` and a path; an empty port is the
/// usual one.
pub(crate) fn server(host: &OsStr, port: &OsStr) -> Result<Address, Refusal> {
    let (Some(host), Some(port)) = (host.to_str(), port.to_str()) else {
        return refuse(format!("server '{}', port '{}': not UTF-8", host.display(), port.display()));
    };
    if host.starts_with("unix:") {
        return host.parse().map_err(|error| Refusal(format!("{error}")));
    }
    let port = match port {
        "" => DEFAULT_PORT,
        port => self::port(port).map_err(Refusal)?,
    };
    Ok(Address::Tcp { host: bare(host).to_owned(), port })
}

fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host)
}

/// Every address of `host`, which may be a name, with this port; `None` stands for all addresses of this machine.
pub(crate) fn addresses(host: Option<&str>, port: u16) -> Result<Vec<SocketAddr>, String> {
    let Some(host) = host else {
        let mut all = vec![SocketAddr::from(([0, 0, 0, 0], port))];
        // A kernel without IPv6 has no such address to bind.
        if UdpSocket::bind("[::]:0").is_ok() {
            all.push(SocketAddr::from(([0u16; 8], port)));
        }
        return Ok(all);
    };
    let host = bare(host);
    let found = (host, port).to_socket_addrs().map_err(|error| format!("{host}:{port}: {error}"))?;
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for address in found {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_have_names_and_aliases() {
        let text = "# comment\ngearman\t4730/tcp\ngearman\t4730/udp\nhttp 80/tcp www # web\nntp 123/udp\n";
        assert_eq!(service(text, "gearman"), Some(4730));
        assert_eq!(service(text, "www"), Some(80));
        assert_eq!(service(text, "ntp"), None);
        assert_eq!(service(text, "web"), None);
    }

    #[test]
    fn ports_are_numbers_or_services() {
        assert_eq!(port("4730"), Ok(4730));
        for bad in ["70000", "-1", "", "no such service"] {
            assert!(port(bad).unwrap_err().starts_with(&format!("port '{bad}' is neither")));
        }
    }

    #[test]
    fn numbers_are_their_own_addresses() {
        assert_eq!(addresses(Some("127.0.0.1"), 1), Ok(vec!["127.0.0.1:1".parse().unwrap()]));
        assert_eq!(addresses(Some("[::1]"), 1), Ok(vec!["[::1]:1".parse().unwrap()]));
        assert!(addresses(None, 1).unwrap().contains(&"0.0.0.0:1".parse().unwrap()));
    }
}
