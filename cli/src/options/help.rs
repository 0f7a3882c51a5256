//! The help text of gearmand and gearadmin, made from their tables.

use super::{Flag, Standing, Takes};

/// The width of a terminal that nobody has made wider.
const LINE: usize = 80;
/// What is left for the sentences at the least.
const SENTENCES: usize = 40;

/// All options that may be seen, under their headings in the order of the table.
pub(crate) fn render(flags: &[&'static Flag]) -> String {
    let seen: Vec<_> = flags.iter().copied().filter(|flag| flag.standing != Standing::Hidden).collect();
    let width = seen.iter().map(|flag| left(flag).len() + 1).max().unwrap_or(0).min(LINE - SENTENCES);
    let mut groups: Vec<&str> = Vec::new();
    for flag in &seen {
        if !groups.contains(&flag.group) {
            groups.push(flag.group);
        }
    }
    let mut text = String::new();
    for group in groups {
        text.push_str(&format!("{}{group}:\n", if text.is_empty() { "" } else { "\n" }));
        for flag in seen.iter().filter(|flag| flag.group == group) {
            line(&mut text, flag, width);
        }
    }
    text
}

fn left(flag: &Flag) -> String {
    let names = match flag.short {
        Some(letter) => format!("  -{letter} [ --{} ]", flag.long),
        None => format!("  --{}", flag.long),
    };
    let value = if flag.takes == Takes::Nothing { "" } else { " arg" };
    let default = flag.default.map_or(String::new(), |default| format!(" (={default})"));
    format!("{names}{value}{default}")
}

fn line(text: &mut String, flag: &Flag, width: usize) {
    let left = left(flag);
    text.push_str(&left);
    let mut at = left.len();
    if at >= width || flag.help.is_empty() {
        text.push('\n');
        at = 0;
    }
    for row in wrap(flag.help, LINE - width) {
        text.push_str(&" ".repeat(width.saturating_sub(at)));
        text.push_str(&row);
        text.push('\n');
        at = 0;
    }
}

/// Breaks at spaces so that no row has more than `width` characters, single long words excepted.
pub(crate) fn wrap(sentence: &str, width: usize) -> Vec<String> {
    let mut rows: Vec<String> = Vec::new();
    for word in sentence.split_whitespace() {
        match rows.last_mut() {
            Some(row) if row.chars().count() + 1 + word.chars().count() <= width => {
                row.push(' ');
                row.push_str(word);
            }
            _ => rows.push(word.to_owned()),
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::{gearadmin, gearmand};

    #[test]
    fn no_line_is_wider_than_a_terminal() {
        for flags in [gearmand::on_command_line(), gearadmin::all()] {
            assert!(render(&flags).lines().all(|line| line.chars().count() <= LINE));
        }
    }

    #[test]
    fn columns_stand_as_in_gearmand() {
        let text = render(&gearmand::on_command_line());
        assert!(text.starts_with("General options:\n  -b [ --backlog ] arg (=1024)          "), "{text}");
        assert!(text.contains("\n\nGear:\n  -p [ --port ] arg (=4730)             "), "{text}");
        assert!(!text.contains("check-args"));
        let text = render(&gearadmin::all());
        assert!(text.contains("\n  -p [ --port ] arg (=4730)      Port"), "{text}");
    }
}
