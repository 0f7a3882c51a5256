//! The rooms of core/src may only use those below them, and the pure ones do no I/O (docs/design.md, section 2).

use lineshaft_tests::place;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Every room, and what it may use of this crate beside itself.
const ROOMS: &[(&str, &[&str])] = &[
    ("types", &[]),
    ("error", &[]),
    ("protocol", &["types", "error"]),
    ("queue", &["types", "error"]),
    ("store/record", &["types"]),
    ("store/batch", &["types"]),
    ("store", &["types", "error"]),
    ("broker", &["types", "error", "protocol", "queue", "store"]),
    ("net", &["types", "error", "protocol"]),
    ("server", &["types", "error", "protocol", "queue", "store", "broker", "net"]),
    ("client/exchange", &["types", "error", "protocol"]),
    ("worker/exchange", &["types", "error", "protocol"]),
    ("client", &["types", "error", "protocol", "net"]),
    ("worker", &["types", "error", "protocol", "net"]),
    ("facade", &["types", "error", "protocol", "net", "server", "client", "worker"]),
];

/// Rooms without sockets, clocks, environment, randomness or threads.
const PURE: &[&str] = &[
    "types",
    "error",
    "protocol",
    "queue",
    "store/record",
    "store/batch",
    "broker",
    "client/exchange",
    "worker/exchange",
];

/// What pure rooms do not name.
const IMPURE_PATHS: &[&str] = &[
    "tokio::",
    "parking_lot::",
    "std::net",
    "std::thread",
    "std::env",
    "std::fs",
    "std::process",
    "std::os",
    "SystemTime::now",
    "Instant::now",
    "RandomState",
];

#[test]
fn rooms_use_only_what_lies_below_them() {
    let mut faults = Vec::new();
    for (path, text) in sources() {
        let Some(room) = room_of(&path) else { continue };
        let Some((_, allowed)) = ROOMS.iter().find(|(name, _)| *name == room) else {
            faults
                .push(format!("{}: `{room}` is no room; design.md and ROOMS name them all", path.display()));
            continue;
        };
        let own = room.split('/').next().unwrap_or(room);
        for (line, used) in uses(&text) {
            if used != own && !allowed.contains(&used.as_str()) {
                faults.push(format!("{}:{line}: {room} may not use crate::{used}", path.display()));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn pure_rooms_do_no_io() {
    let mut faults = Vec::new();
    for (path, text) in sources() {
        if !room_of(&path).is_some_and(|room| PURE.contains(&room)) {
            continue;
        }
        for (line, code) in code_lines(&text) {
            for impure in IMPURE_PATHS.iter().filter(|impure| code.contains(**impure)) {
                faults.push(format!("{}:{line}: a pure room names {impure}", path.display()));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_reader_of_paths_sees_them_all() {
    let text = "\
//! [`crate::server`] in a comment is a link, not a use.
use crate::types::ConnId;
use crate::{broker::{Broker, Config}, queue, net::Address};
pub(crate) fn f() { crate::protocol::go() } // crate::client
#[cfg(test)]
mod tests { use crate::worker::Worker; }
";
    let used: Vec<_> = uses(text).into_iter().collect();
    let expected = [(2, "types"), (3, "broker"), (3, "net"), (3, "queue"), (4, "protocol")];
    assert_eq!(used, expected.map(|(line, name)| (line, name.to_owned())));
}

/// All of core/src, each file with its path from there.
fn sources() -> Vec<(PathBuf, String)> {
    let src = place::root().join("core/src");
    let mut found = Vec::new();
    let mut folders = vec![src.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of core/src") {
            let path = entry.expect("an entry of core/src").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a source file");
                found.push((path.strip_prefix(&src).expect("a path below src").to_owned(), text));
            }
        }
    }
    assert!(found.len() > 10, "core/src has moved: {found:?}");
    found.sort();
    found
}

/// The room that a file belongs to; `None` for lib.rs, the map of them.
fn room_of(path: &Path) -> Option<&str> {
    let path = path.to_str().expect("a path of plain letters");
    let path = path.strip_suffix(".rs").unwrap_or(path);
    let first = path.split('/').next()?;
    const INNER: &[&str] = &["client/exchange", "worker/exchange", "store/record", "store/batch"];
    let inner = INNER.iter().copied().find(|room| path.starts_with(room));
    (first != "lib").then(|| inner.unwrap_or(first))
}

/// Lines of code with their numbers: comments are left out, and so are the tests at the end of a file, which may use
/// everything.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or(text);
    code.lines().enumerate().map(|(at, line)| (at + 1, line.split("//").next().unwrap_or(line)))
}

/// The first names of all paths that begin with `crate::`, with their lines.
fn uses(text: &str) -> BTreeSet<(usize, String)> {
    let mut found = BTreeSet::new();
    // A group may go on over several lines: what is open is carried along.
    let mut depth = 0_usize;
    for (line, code) in code_lines(text) {
        let mut rest = code;
        loop {
            if depth == 0 {
                let Some((_, after)) = rest.split_once("crate::") else { break };
                rest = after;
                if let Some(group) = rest.strip_prefix('{') {
                    rest = group;
                    depth = 1;
                } else {
                    found.insert((line, name(rest)));
                    continue;
                }
            }
            // Inside a group: names stand at depth 1, behind the brace or a comma.
            rest = rest.trim_start();
            let Some(letter) = rest.chars().next() else { break };
            match letter {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ if letter.is_alphanumeric() || letter == '_' => {
                    let word = name(rest);
                    rest = &rest[word.len()..];
                    if depth == 1 {
                        found.insert((line, word));
                        // The rest of this path belongs to the same name, except a group, which deepens.
                        rest = rest.trim_start_matches(|c: char| c.is_alphanumeric() || "_:".contains(c));
                    }
                    continue;
                }
                _ => {}
            }
            rest = &rest[letter.len_utf8()..];
        }
    }
    found
}

fn name(text: &str) -> String {
    text.chars().take_while(|&c| c.is_alphanumeric() || c == '_').collect()
}
