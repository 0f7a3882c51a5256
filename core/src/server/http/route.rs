//! Which endpoint a request is for.

use bytes::Bytes;
use hyper::header::{ALLOW, HeaderValue};
use hyper::{Method, StatusCode};

use super::answer::Problem;
use super::caller::Who;
use super::text::unescape;

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    Status,
    Functions,
    Function,
    Workers,
    Jobs,
    Job,
    Schedules,
    Alarms,
    Page,
    Events,
    Asset,
    CancelByForm,
    Submit,
    Workload,
    Result,
    Cancel,
    Explain,
    Log,
    SetLog,
    Description,
    Metrics,
    Alive,
    Ready,
}

/// What a request needs to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    /// Nothing: whoever probes a machine calls it as it likes.
    Nothing,
    /// To come by a name of ours.
    Name,
    /// The right to change things, or to see what jobs hold.
    Rights,
    /// The same; the body is that of a form of ours.
    RightsByForm,
}

/// A row of the table.
#[derive(Debug)]
pub(super) struct Route {
    pub(super) method: Method,
    /// The path; `{name}` stands for one segment of it.
    pub(super) path: &'static str,
    pub(super) needs: Needs,
    pub(super) endpoint: Endpoint,
}

const fn get(path: &'static str, endpoint: Endpoint) -> Route {
    Route { method: Method::GET, path, needs: Needs::Name, endpoint }
}

const fn probe(path: &'static str, endpoint: Endpoint) -> Route {
    Route { method: Method::GET, path, needs: Needs::Nothing, endpoint }
}

const fn act(method: Method, path: &'static str, endpoint: Endpoint) -> Route {
    Route { method, path, needs: Needs::Rights, endpoint }
}

/// All that is answered. The document at `/api/openapi.json` describes the same.
pub(super) static ROUTES: &[Route] = &[
    get("/api/status", Endpoint::Status),
    get("/api/functions", Endpoint::Functions),
    get("/api/functions/{function}", Endpoint::Function),
    get("/api/workers", Endpoint::Workers),
    get("/api/jobs", Endpoint::Jobs),
    get("/api/jobs/{handle}", Endpoint::Job),
    act(Method::POST, "/api/jobs", Endpoint::Submit),
    act(Method::DELETE, "/api/jobs/{handle}", Endpoint::Cancel),
    act(Method::GET, "/api/jobs/{handle}/workload", Endpoint::Workload),
    act(Method::GET, "/api/jobs/{handle}/result", Endpoint::Result),
    get("/api/schedules", Endpoint::Schedules),
    act(Method::DELETE, "/api/schedules/{handle}", Endpoint::Cancel),
    get("/api/alarms", Endpoint::Alarms),
    get("/api/explain/{word}", Endpoint::Explain),
    get("/api/log", Endpoint::Log),
    act(Method::PUT, "/api/log", Endpoint::SetLog),
    get("/api/openapi.json", Endpoint::Description),
    get("/metrics", Endpoint::Metrics),
    probe("/healthz", Endpoint::Alive),
    probe("/readyz", Endpoint::Ready),
    get("/", Endpoint::Page),
    get("/events", Endpoint::Events),
    get("/dashboard/{file}", Endpoint::Asset),
    Route {
        method: Method::POST,
        path: "/cancel",
        needs: Needs::RightsByForm,
        endpoint: Endpoint::CancelByForm,
    },
];

/// A request that has been found in the table.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) endpoint: Endpoint,
    pub(super) needs: Needs,
    /// What stands for the `{name}` of the path.
    pub(super) param: Vec<u8>,
    query: Vec<(String, Vec<u8>)>,
    pub(super) body: Bytes,
    /// Changes are possible where the request came in.
    pub(super) may_change: bool,
    pub(super) who: Who,
    /// The formats that are wanted.
    pub(super) accept: String,
}

impl Call {
    /// Finds the row for a request.
    pub(super) fn find(method: &Method, path: &str, query: &str) -> Result<Self, Problem> {
        let mut allowed = Vec::new();
        // HEAD is GET without the body, which hyper leaves out.
        let asked = if *method == Method::HEAD { Method::GET } else { method.clone() };
        for route in ROUTES {
            let Some(param) = matched(route.path, path) else { continue };
            if route.method != asked {
                allowed.push(route.method.as_str());
                continue;
            }
            let param = param.ok_or_else(|| Problem::bad("The path holds a % that is no escape"))?;
            let query = pairs(query).ok_or_else(|| Problem::bad("The query holds a % that is no escape"))?;
            let (endpoint, needs) = (route.endpoint, route.needs);
            let (body, who, accept) = (Bytes::new(), Who::default(), String::new());
            return Ok(Self { endpoint, needs, param, query, body, may_change: false, who, accept });
        }
        if allowed.is_empty() {
            let text = format!(
                "There is nothing at {}; /api/openapi.json tells what there is",
                path.escape_default()
            );
            return Err(Problem::new(StatusCode::NOT_FOUND, "not_found", text));
        }
        let allowed = allowed.join(", ");
        let text = format!("{} is not possible here; {allowed} is", method.as_str().escape_default());
        let value = HeaderValue::from_str(&allowed).unwrap_or(HeaderValue::from_static("GET"));
        Err(Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", text)
            .with_header(ALLOW, value))
    }

    /// Refuses words in the query that the endpoint does not know: a filter that is spelled wrongly must not show everything.
    pub(super) fn allow(&self, known: &[&str]) -> Result<(), Problem> {
        match self.query.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            None => Ok(()),
            Some((name, _)) if known.is_empty() => {
                Err(Problem::bad(format_args!("No query is known here, not '{}'", name.escape_default())))
            }
            Some((name, _)) => {
                let (name, known) = (name.escape_default(), known.join(", "));
                Err(Problem::bad(format_args!("The query '{name}' is not known here; {known} is")))
            }
        }
    }

    /// The bytes behind a word of the query.
    pub(super) fn bytes(&self, name: &str) -> Option<&[u8]> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| &value[..])
    }

    /// The text behind a word of the query.
    pub(super) fn word(&self, name: &str) -> Result<Option<&str>, Problem> {
        let Some(bytes) = self.bytes(name) else { return Ok(None) };
        let wrong = |_| Problem::bad(format_args!("The query '{name}' is not text"));
        std::str::from_utf8(bytes).map(Some).map_err(wrong)
    }

    /// The number behind a word of the query, up to `max`.
    pub(super) fn number(&self, name: &str, default: u64, max: u64) -> Result<u64, Problem> {
        let Some(text) = self.word(name)? else { return Ok(default) };
        let digits = !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
        let number = text.parse().ok().filter(|number| digits && *number <= max);
        number.ok_or_else(|| Problem::bad(format_args!("The query '{name}' is a number from 0 to {max}")))
    }

    /// Whether a word of the query says `true`.
    pub(super) fn flag(&self, name: &str) -> Result<bool, Problem> {
        match self.word(name)? {
            Some("true" | "1") => Ok(true),
            None | Some("false" | "0") => Ok(false),
            Some(_) => Err(Problem::bad(format_args!("The query '{name}' is true or false"))),
        }
    }
}

/// `None` where the path is another one; inside it what stands for its variable part, `None` where that cannot be read.
fn matched(pattern: &str, path: &str) -> Option<Option<Vec<u8>>> {
    let mut param = Some(Vec::new());
    let mut segments = path.split('/');
    for wanted in pattern.split('/') {
        let segment = segments.next()?;
        if wanted.starts_with('{') {
            if segment.is_empty() {
                return None;
            }
            param = unescape(segment, false);
        } else if segment != wanted {
            return None;
        }
    }
    segments.next().is_none().then_some(param)
}

/// The words of a query, or of a form.
pub(super) fn pairs(query: &str) -> Option<Vec<(String, Vec<u8>)>> {
    let words = query.split('&').filter(|word| !word.is_empty());
    words
        .map(|word| {
            let (name, value) = word.split_once('=').unwrap_or((word, ""));
            let name = String::from_utf8_lossy(&unescape(name, true)?).into_owned();
            Some((name, unescape(value, true)?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(method: Method, path: &str, query: &str) -> Result<Call, &'static str> {
        Call::find(&method, path, query).map_err(|problem| problem.code)
    }

    #[test]
    fn requests_find_their_endpoint() {
        assert_eq!(find(Method::GET, "/api/jobs", "").unwrap().endpoint, Endpoint::Jobs);
        assert_eq!(find(Method::HEAD, "/api/jobs", "").unwrap().endpoint, Endpoint::Jobs);
        let call = find(Method::GET, "/api/functions/a%2fb%ff", "").unwrap();
        assert_eq!((call.endpoint, &call.param[..]), (Endpoint::Function, &b"a/b\xff"[..]));
        assert_eq!(find(Method::GET, "/api/functions/", "").err(), Some("not_found"));
        assert_eq!(find(Method::GET, "/api/functions/a/b", "").err(), Some("not_found"));
        assert_eq!(find(Method::GET, "/api/functions/%", "").err(), Some("bad_request"));
        assert_eq!(find(Method::PATCH, "/api/jobs", "").err(), Some("method_not_allowed"));
        assert_eq!(find(Method::GET, "//api/jobs", "").err(), Some("not_found"));
    }

    #[test]
    fn the_description_has_every_route_and_no_other() {
        let document: serde_json::Value = serde_json::from_str(include_str!("openapi.json")).unwrap();
        let mut described: Vec<(String, String)> = Vec::new();
        for (path, methods) in document["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                described.push((path.clone(), method.to_uppercase()));
                let route =
                    ROUTES.iter().find(|it| it.path == path && it.method.as_str() == method.to_uppercase());
                let rights = operation.get("security").is_some();
                assert_eq!(route.map(|it| it.needs == Needs::Rights), Some(rights), "{method} {path}");
            }
        }
        // The page speaks for itself.
        let page = [Endpoint::Page, Endpoint::Events, Endpoint::Asset, Endpoint::CancelByForm];
        let known = ROUTES.iter().filter(|it| !page.contains(&it.endpoint));
        let mut known: Vec<_> = known.map(|it| (it.path.to_owned(), it.method.to_string())).collect();
        known.sort();
        described.sort();
        assert_eq!(known, described);
    }

    #[test]
    fn queries_are_read_strictly() {
        let call = find(Method::GET, "/api/jobs", "limit=7&function=a+b%26&flag=true&&x").unwrap();
        assert_eq!(call.number("limit", 5, 10).unwrap(), 7);
        assert_eq!(call.number("from", 5, 10).unwrap(), 5);
        assert!(call.number("limit", 5, 6).is_err());
        assert!(call.number("function", 5, 6).is_err());
        assert_eq!(call.bytes("function"), Some(&b"a b&"[..]));
        assert!(call.flag("flag").unwrap());
        assert!(call.flag("limit").is_err());
        assert!(call.allow(&["limit", "function", "flag"]).is_err(), "x is not known");
        assert!(call.allow(&["limit", "function", "flag", "x"]).is_ok());
        assert_eq!(find(Method::GET, "/api/jobs", "a=%").err(), Some("bad_request"));
    }
}
