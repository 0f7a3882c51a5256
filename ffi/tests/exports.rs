//! The library exports what libgearman exports, and nothing else.

mod common;

use common::{library, output, package};
use std::collections::BTreeSet;
use std::process::Command;

/// What `facts/exports.txt` lists: Debian's libgearman 1.1.20 and what 2.0 has added.
fn wanted() -> BTreeSet<String> {
    let text =
        std::fs::read_to_string(package().join("tests/facts/exports.txt")).expect("the list of exports");
    text.lines().map(str::to_owned).collect()
}

fn exported() -> BTreeSet<String> {
    let nm = output(Command::new("nm").args(["-D", "--defined-only"]).arg(library()));
    let text = String::from_utf8(nm.stdout).expect("symbols of plain letters");
    text.lines().filter_map(|line| line.split_whitespace().nth(2)).map(str::to_owned).collect()
}

#[test]
fn every_export_of_libgearman_is_there_and_no_other() {
    let (wanted, exported) = (wanted(), exported());
    assert_eq!(wanted.len(), 173);
    let missing: Vec<_> = wanted.difference(&exported).collect();
    let surplus: Vec<_> =
        exported.difference(&wanted).filter(|name| !name.starts_with("lineshaft_")).collect();
    assert!(missing.is_empty() && surplus.is_empty(), "missing: {missing:?}\nsurplus: {surplus:?}");
}

#[test]
fn the_loader_knows_it_as_libgearman_so_8() {
    let readelf = output(Command::new("readelf").arg("-d").arg(library()));
    let text = String::from_utf8_lossy(&readelf.stdout).into_owned();
    assert!(
        text.lines().any(|line| line.contains("(SONAME)") && line.contains("[libgearman.so.8]")),
        "{text}"
    );
}
