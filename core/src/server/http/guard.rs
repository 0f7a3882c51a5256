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
use crate::types::Identity;

/// What a listener and its settings allow.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    /// Names by which the server is reached; `*` for all.
    pub(super) hosts: Vec<String>,
    pub(super) token: Option<String>,
    /// Only this machine reaches the listener.
    pub(super) local: bool,
    /// It is a Unix socket.
    pub(super) unix: bool,
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
        if headers.contains_key(ORIGIN) && !is_own_origin(headers) {
            return cross("Origin is not the host that was asked");
        }
        // A form can be sent to anybody, but only as one of three types, of which this is none.
        if matches!(*method, Method::POST | Method::PUT) && !is_type(headers, "application/json") {
            let text = "The body has to be JSON, and to say so: Content-Type: application/json";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_json", text));
        }
        Ok(())
    }

    /// Refuses a form that no page of ours has sent. Everybody's forms look the same, so that this one has to bring proof: one of two
    /// headers that browsers send and pages cannot set. Only one of them is sent to an address without TLS.
    pub(super) fn check_form(headers: &HeaderMap) -> Result<(), Problem> {
        let site = headers.get("sec-fetch-site");
        let proven = match site {
            Some(site) => site == "same-origin",
            None => is_own_origin(headers),
        };
        if !proven {
            let text = "A form is taken from a page of this server only; programs use /api/";
            return Err(Problem::new(StatusCode::FORBIDDEN, "cross_origin", text));
        }
        if !is_type(headers, "application/x-www-form-urlencoded") {
            let text = "The body has to be a form's: application/x-www-form-urlencoded";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_a_form", text));
        }
        Ok(())
    }

    /// Whether anybody at all may change things.
    pub(super) const fn may_change(&self) -> bool {
        self.local || self.token.is_some()
    }

    /// What somebody has shown to be whose rights have been checked: with the token it is as one of the server's own process; without
    /// one what it would be on Gearman's own port.
    pub(super) fn identity(&self) -> Identity {
        match (&self.token, self.unix) {
            (Some(_), _) => Identity::Local,
            (None, true) => Identity::Unix,
            (None, false) => Identity::Anonymous,
        }
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

/// Whether the page that sends a request came from the host that is asked.
fn is_own_origin(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let from = text(ORIGIN).split_once("://").map(|(_, host)| host);
    from.is_some_and(|from| from.eq_ignore_ascii_case(text(HOST)))
}

/// Whether the body is of that type, whatever stands behind it.
fn is_type(headers: &HeaderMap, wanted: &str) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(wanted)
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
    (hyper::header::REFERRER_POLICY, "same-origin"),
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
        Guard { hosts: vec!["queue.example".into()], token: token.map(Into::into), local, unix: false }
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
    fn forms_of_strangers_are_refused() {
        let check = |pairs: &[_]| Guard::check_form(&headers(pairs)).map_err(|p| p.code);
        let form = ("content-type", "application/x-www-form-urlencoded;charset=UTF-8");
        let host = ("host", "10.0.0.1:80");
        assert_eq!(check(&[host, form, ("origin", "http://10.0.0.1:80")]), Ok(()));
        assert_eq!(check(&[host, form, ("origin", "null"), ("sec-fetch-site", "same-origin")]), Ok(()));
        for (name, value) in [
            ("origin", "null"),
            ("origin", "http://10.0.0.1:81"),
            ("origin", "http://10.0.0.1:80.evil.example"),
            ("sec-fetch-site", "none"),
            ("sec-fetch-site", "same-site"),
            ("sec-fetch-site", "cross-site"),
            ("x", "y"),
        ] {
            assert_eq!(check(&[host, form, (name, value)]), Err("cross_origin"), "{name}: {value}");
        }
        let own = ("origin", "http://10.0.0.1:80");
        let both = [host, form, own, ("sec-fetch-site", "cross-site")];
        assert_eq!(check(&both), Err("cross_origin"), "what the browser says itself counts");
        assert_eq!(check(&[host, own]), Err("not_a_form"));
        assert_eq!(check(&[own, form]), Err("cross_origin"), "without a host there is no own origin");
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
