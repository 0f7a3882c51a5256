//! Who may ask for what. A browser on this machine shows pages of strangers, and those may send requests: they must be told from the
//! requests of the person in front of it.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{
    AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN, WWW_AUTHENTICATE,
};
use hyper::{Method, StatusCode};

use super::answer::Problem;

/// What a listener and its settings allow.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    /// Names by which the server is reached; `*` for all.
    pub(super) hosts: Vec<String>,
    pub(super) token: Option<String>,
    /// Only this machine reaches the listener.
    pub(super) local: bool,
}

impl Guard {
    /// Refuses a request for a name that is none of ours: a page of a stranger can have made its own name mean this machine ("DNS
    /// rebinding"), but has no power over addresses in numbers, nor over our names.
    pub(super) fn check_host(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let Some(host) = headers.get(HOST) else { return Ok(()) };
        let host = host.to_str().unwrap_or_default();
        let name = name_of(host);
        let ours = |known: &String| known == "*" || known.eq_ignore_ascii_case(name);
        let number = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok();
        if number || name.eq_ignore_ascii_case("localhost") || self.hosts.iter().any(ours) {
            return Ok(());
        }
        let text = format!(
            "This server is not known as '{}'; use its address in numbers, or add the name to --http-hosts",
            name.escape_default()
        );
        Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, "unknown_host", text))
    }

    /// Refuses a request that changes things and comes from a page of another origin.
    pub(super) fn check_origin(method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
        let cross = |why: &str| {
            let text = format!("A page of another origin may not do this: {why}");
            Err(Problem::new(StatusCode::FORBIDDEN, "cross_origin", text))
        };
        if let Some(site) = headers.get("sec-fetch-site")
            && site != "same-origin"
            && site != "none"
        {
            return cross("Sec-Fetch-Site says so");
        }
        if let Some(origin) = headers.get(ORIGIN) {
            let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
            let origin = origin.to_str().unwrap_or_default();
            let same = origin.split_once("://").is_some_and(|(_, from)| from.eq_ignore_ascii_case(host));
            if !same {
                return cross("Origin is not the host that was asked");
            }
        }
        // A form can be sent to anybody, but only as one of three types, of which this is none.
        let json = |value: &HeaderValue| {
            let kind = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
            kind.trim().eq_ignore_ascii_case("application/json")
        };
        if *method == Method::POST && !headers.get(CONTENT_TYPE).is_some_and(json) {
            let text = "The body has to be JSON, and to say so: Content-Type: application/json";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_json", text));
        }
        Ok(())
    }

    /// Refuses a request that changes things, or asks for what jobs hold, from somebody who may only look.
    pub(super) fn check_rights(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let Some(token) = &self.token else {
            if self.local {
                return Ok(());
            }
            let text =
                "This address is read-only: give the server a --http-token-file, or use its loopback address";
            return Err(Problem::new(StatusCode::FORBIDDEN, "read_only", text));
        };
        let given = headers.get(AUTHORIZATION).and_then(|value| secret(value.to_str().ok()?));
        if given.is_some_and(|given| same(&given, token.as_bytes())) {
            return Ok(());
        }
        let text =
            "This takes the token of the server: Authorization: Bearer TOKEN, or the token as a password";
        let realm = HeaderValue::from_static("Basic realm=\"Lineshaft\", charset=\"UTF-8\"");
        Err(Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", text).with_header(WWW_AUTHENTICATE, realm))
    }
}

/// The host of `host:port`.
fn name_of(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => name,
        _ => host,
    }
}

/// What an Authorization header brings.
fn secret(value: &str) -> Option<Vec<u8>> {
    let (scheme, given) = value.split_once(' ')?;
    let given = given.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(given.into());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = STANDARD.decode(given).ok()?;
    let colon = pair.iter().position(|byte| *byte == b':')?;
    Some(pair[colon + 1..].to_vec())
}

/// Compares in a time that does not tell where the difference is.
fn same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.iter().zip(other).fold(0, |seen, (a, b)| seen | (a ^ b)) == 0
}

/// What a browser is to do with a page of ours.
pub(super) const SECURITY_HEADERS: [(HeaderName, &str); 3] = [
    (
        hyper::header::CONTENT_SECURITY_POLICY,
        "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    ),
    (hyper::header::REFERRER_POLICY, "no-referrer"),
    (hyper::header::X_FRAME_OPTIONS, "DENY"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pairs = pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()));
        pairs.collect()
    }

    fn guard(local: bool, token: Option<&str>) -> Guard {
        Guard { hosts: vec!["queue.example".into()], token: token.map(Into::into), local }
    }

    #[test]
    fn names_of_strangers_are_not_ours() {
        let guard = guard(true, None);
        let check = |host| guard.check_host(&headers(&[("host", host)])).is_ok();
        for ours in ["localhost", "LOCALHOST:80", "127.0.0.1:8080", "[::1]:9", "10.0.0.1", "Queue.Example:1"]
        {
            assert!(check(ours), "{ours}");
        }
        for other in
            ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:80", "", "[evil]", "a:b"]
        {
            assert!(!check(other), "{other}");
        }
        assert!(guard.check_host(&headers(&[])).is_ok(), "no browser leaves it out");
    }

    #[test]
    fn pages_of_strangers_change_nothing() {
        let check = |method, pairs: &[_]| Guard::check_origin(&method, &headers(pairs)).map_err(|p| p.code);
        let json = ("content-type", "application/json; charset=utf-8");
        let host = ("host", "localhost:80");
        assert_eq!(check(Method::POST, &[host, json]), Ok(()));
        assert_eq!(check(Method::DELETE, &[host]), Ok(()));
        assert_eq!(check(Method::POST, &[host, json, ("origin", "http://localhost:80")]), Ok(()));
        assert_eq!(
            check(Method::POST, &[host, json, ("origin", "http://localhost:81")]),
            Err("cross_origin")
        );
        assert_eq!(check(Method::DELETE, &[host, ("origin", "null")]), Err("cross_origin"));
        assert_eq!(check(Method::DELETE, &[host, ("sec-fetch-site", "cross-site")]), Err("cross_origin"));
        assert_eq!(check(Method::DELETE, &[host, ("sec-fetch-site", "same-site")]), Err("cross_origin"));
        assert_eq!(check(Method::DELETE, &[host, ("sec-fetch-site", "none")]), Ok(()));
        assert_eq!(check(Method::POST, &[host]), Err("not_json"));
        assert_eq!(check(Method::POST, &[host, ("content-type", "text/plain")]), Err("not_json"));
    }

    #[test]
    fn who_may_only_look_changes_nothing() {
        let check = |guard: Guard, value: Option<&str>| {
            let pairs: Vec<_> = value.into_iter().map(|value| ("authorization", value)).collect();
            guard.check_rights(&headers(&pairs)).map_err(|problem| problem.code)
        };
        assert_eq!(check(guard(true, None), None), Ok(()));
        assert_eq!(check(guard(false, None), Some("Bearer x")), Err("read_only"));
        for local in [true, false] {
            let guard = || guard(local, Some("open sesame"));
            assert_eq!(check(guard(), None), Err("unauthorized"));
            assert_eq!(check(guard(), Some("Bearer open sesam")), Err("unauthorized"));
            assert_eq!(check(guard(), Some("Bearer open sesame!")), Err("unauthorized"));
            assert_eq!(check(guard(), Some("Digest open sesame")), Err("unauthorized"));
            assert_eq!(check(guard(), Some("bearer open sesame")), Ok(()));
            let basic = format!("Basic {}", STANDARD.encode("anybody:open sesame"));
            assert_eq!(check(guard(), Some(&basic)), Ok(()));
            assert_eq!(check(guard(), Some("Basic ====")), Err("unauthorized"));
        }
    }
}
