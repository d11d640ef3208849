//! Plain text tables with aligned columns.

use std::fmt::Write;

use unicode_width::UnicodeWidthStr;

/// How a column is aligned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// Rows under headings; every row has as many cells as there are headings.
#[derive(Debug)]
pub(crate) struct Table {
    columns: Vec<(&'static str, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(columns: &[(&'static str, Align)]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let cells: Vec<String> = cells.into_iter().collect();
        assert_eq!(cells.len(), self.columns.len(), "a row has one cell for each column");
        self.rows.push(cells);
    }

    /// The table as text, without spaces at the ends of lines.
    pub(crate) fn render(&self) -> String {
        let headings: Vec<String> = self.columns.iter().map(|(heading, _)| (*heading).to_owned()).collect();
        let widths: Vec<usize> = (0..self.columns.len())
            .map(|column| self.rows.iter().chain([&headings]).map(|row| row[column].width()).max().unwrap_or(0))
            .collect();
        let mut out = String::new();
        for row in [&headings].into_iter().chain(&self.rows) {
            let mut line = String::new();
            for ((cell, width), (_, align)) in row.iter().zip(&widths).zip(&self.columns) {
                let padding = " ".repeat(width - cell.width());
                match align {
                    Align::Left => write!(line, "{cell}{padding}  "),
                    Align::Right => write!(line, "{padding}{cell}  "),
                }
                .expect("writing to a string cannot fail");
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_for_wide_characters_too() {
        let mut table = Table::new(&[("STREAM", Align::Left), ("BYTES", Align::Right)]);
        table.row(["日本".to_owned(), "7".to_owned()]);
        table.row(["chat".to_owned(), "1234567".to_owned()]);
        assert_eq!(table.render(), "STREAM    BYTES\n日本          7\nchat    1234567\n");
    }
}
