//! Tables for people, and the same as JSON for programs.

use std::io::{self, Write};

use serde_json::{Map, Value};

/// Where the cells of a column stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    /// Words.
    Left,
    /// Numbers; they are numbers in JSON, too.
    Right,
}

/// Rows under named columns.
#[derive(Debug)]
pub(crate) struct Table {
    columns: Vec<(&'static str, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// No rows yet.
    pub(crate) fn new(columns: &[(&'static str, Align)]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Adds a row with a cell for each column.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Prints a list of objects, or columns with their names above them.
    pub(crate) fn print(&self, json: bool, to: &mut impl Write) -> io::Result<()> {
        if json {
            serde_json::to_writer_pretty(&mut *to, &self.json()).map_err(io::Error::from)?;
            return writeln!(to);
        }
        let widths: Vec<usize> = (0..self.columns.len()).map(|at| self.width(at)).collect();
        let names: Vec<String> = self.columns.iter().map(|(name, _)| name.to_uppercase()).collect();
        for cells in std::iter::once(&names).chain(&self.rows) {
            let mut line = String::new();
            for ((cell, width), (_, align)) in cells.iter().zip(&widths).zip(&self.columns) {
                let cell = visible(cell);
                match align {
                    Align::Left => line.push_str(&format!("{cell:<width$}  ")),
                    Align::Right => line.push_str(&format!("{cell:>width$}  ")),
                }
            }
            writeln!(to, "{}", line.trim_end())?;
        }
        Ok(())
    }

    fn width(&self, column: usize) -> usize {
        let cells = self.rows.iter().map(|cells| visible(&cells[column]).chars().count());
        cells.chain([self.columns[column].0.chars().count()]).max().unwrap_or(0)
    }

    fn json(&self) -> Value {
        let object = |cells: &Vec<String>| -> Value {
            let pairs = self.columns.iter().zip(cells).map(|((name, align), cell)| {
                let value = match (align, cell.parse::<u64>()) {
                    (Align::Right, Ok(number)) => Value::from(number),
                    (Align::Right, Err(_)) => Value::Null,
                    (Align::Left, _) => Value::from(cell.as_str()),
                };
                ((*name).to_owned(), value)
            });
            Value::Object(pairs.collect::<Map<_, _>>())
        };
        self.rows.iter().map(object).collect()
    }
}

/// What a terminal would take for an order is shown as an escape.
pub(crate) fn visible(cell: &str) -> String {
    // Letters that turn round what stands beside them are such orders, too.
    let orders = |letter: char| {
        letter.is_control()
            || matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if cell.chars().any(orders) { cell.escape_default().to_string() } else { cell.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(json: bool) -> String {
        let mut table = Table::new(&[("name", Align::Left), ("jobs", Align::Right)]);
        table.row(["resize".into(), "7".into()]);
        table.row(["a\x1b[2J".into(), "12345".into()]);
        let mut text = Vec::new();
        table.print(json, &mut text).unwrap();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn columns_are_aligned_and_control_characters_visible() {
        assert_eq!(printed(false), "NAME         JOBS\nresize          7\na\\u{1b}[2J  12345\n");
    }

    #[test]
    fn json_has_numbers_where_the_table_has() {
        let value: Value = serde_json::from_str(&printed(true)).unwrap();
        assert_eq!(value[1]["jobs"], 12345);
        assert_eq!(value[1]["name"], "a\u{1b}[2J");
    }
}
