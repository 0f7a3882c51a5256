//! What is logged, changed while the server runs.

use hyper::StatusCode;
use serde_json::{Map, Value, json};

use super::{Answer, Call, Problem, ok};
use crate::server::View;
use crate::server::http::caller::order;
use crate::server::http::listen::House;
use crate::types::LogTarget;

/// `GET /api/log`.
pub(super) fn log(view: &View, call: &Call) -> Result<Answer, Problem> {
    call.allow(&[])?;
    let levels = view.log_levels();
    let own = LogTarget::ALL.iter().filter_map(|(target, name)| Some((name, levels.own(*target)?)));
    let targets: Map<String, Value> =
        own.map(|(name, level)| ((*name).to_owned(), level.name().into())).collect();
    ok(&json!({ "level": levels.general().name(), "targets": targets }))
}

/// `PUT /api/log`: the admin command `verbose` with other words.
pub(super) async fn set(house: &House, call: &Call) -> Result<Answer, Problem> {
    call.allow(&[])?;
    let wrong =
        |error| Problem::new(StatusCode::BAD_REQUEST, "not_json", format!("The body is no JSON: {error}"));
    let body: Value = serde_json::from_slice(&call.body).map_err(wrong)?;
    let known = |key: &String| key == "level" || key == "target";
    let Some(body) = body.as_object().filter(|body| body.keys().all(known)) else {
        return Err(Problem::bad(
            "The body is an object with 'level' and, for one part of the log, 'target'",
        ));
    };
    let word = |name: &str| match body.get(name) {
        None => Ok(None),
        Some(Value::String(word)) if word.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(Some(word)),
        Some(_) => Err(Problem::bad(format_args!("'{name}' is not the name of one"))),
    };
    let Some(level) = word("level")? else {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "missing_field", "'level' is missing"));
    };
    let target = word("target")?.map(|target| format!(" {target}")).unwrap_or_default();
    let answer = order(house, &call.who, format!("verbose {level}{target}").as_bytes()).await?;
    if let Some(why) = answer.strip_prefix(b"ERR INVALID_ARGUMENTS ") {
        return Err(Problem::bad(String::from_utf8_lossy(why).replace('+', " ")));
    }
    log(&house.view, call)
}
