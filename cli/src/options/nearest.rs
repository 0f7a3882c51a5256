//! The name that somebody may have meant.

/// Of `known` the one that is closest to `typed`; `None` where none is close enough to be worth a word.
pub(crate) fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let distance = |name: &str| strsim::damerau_levenshtein(typed, name);
    let near = known.into_iter().map(|name| (distance(name), name)).min()?;
    // A third of the letters may be wrong; a word of two or three letters has one.
    let letters = typed.chars().count().max(near.1.chars().count());
    (near.0 <= (letters / 3).max(1)).then_some(near.1)
}

/// `; did you mean 'port'?` behind a message, or nothing.
pub(crate) fn suggestion<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(typed, known).map_or(String::new(), |name| format!("; did you mean '{name}'?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_are_near_are_named() {
        let known = ["port", "threads", "max-packet", "max-line"];
        for (typed, expected) in [
            ("prot", Some("port")),
            ("thred", Some("threads")),
            ("max_packet", Some("max-packet")),
            ("max-lines", Some("max-line")),
            ("color", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(typed, known), expected, "{typed}");
        }
        assert_eq!(suggestion("prot", known), "; did you mean 'port'?");
    }
}
