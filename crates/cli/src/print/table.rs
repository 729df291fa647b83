//! Results for people: columns that fit the terminal, one line for each row, so that `grep` and `awk` work on them.

use std::io::{self, Write};

use super::text::visible;

/// A table that is being put together.
#[derive(Debug)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
}

#[derive(Debug)]
struct Column {
    title: &'static str,
    right: bool,
    /// Left out unless everything is asked for.
    wide: bool,
}

/// What stands where there is nothing, so that columns can be counted.
const NOTHING: &str = "-";

/// The narrowest that a column is cut to.
const WIDTH_MIN: usize = 8;

impl Table {
    /// A table with these titles; those that begin with `>` stand over numbers, those with `+` are for `--format wide`.
    pub fn new(titles: &[&'static str]) -> Table {
        let column = |title: &&'static str| {
            let (wide, title) = title.strip_prefix('+').map_or((false, *title), |title| (true, title));
            let (right, title) = title.strip_prefix('>').map_or((false, title), |title| (true, title));
            Column { title, right, wide }
        };
        Table { columns: titles.iter().map(column).collect(), rows: Vec::new() }
    }

    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let cell = |cell: String| if cell.is_empty() { NOTHING.to_owned() } else { visible(&cell) };
        self.rows.push(cells.into_iter().map(cell).collect());
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Writes it with all columns if `wide`, and fit for so many columns of a terminal where it goes to one.
    pub fn write(&self, out: &mut dyn Write, wide: bool, fit: Option<usize>) -> io::Result<()> {
        match wide || self.columns.iter().all(|column| !column.wide) {
            true => self.write_all(out, fit),
            false => self.narrow().write_all(out, fit),
        }
    }

    /// The table without the columns that are for the wide form.
    fn narrow(&self) -> Table {
        let shown: Vec<bool> = self.columns.iter().map(|column| !column.wide).collect();
        let cells = |row: &Vec<String>| {
            row.iter().zip(&shown).filter(|(_, shown)| **shown).map(|(cell, _)| cell.clone()).collect()
        };
        let columns = self.columns.iter().filter(|column| !column.wide);
        Table {
            columns: columns
                .map(|column| Column { title: column.title, right: column.right, wide: false })
                .collect(),
            rows: self.rows.iter().map(cells).collect(),
        }
    }

    fn write_all(&self, out: &mut dyn Write, fit: Option<usize>) -> io::Result<()> {
        let widths = self.widths(fit);
        let titles: Vec<String> = self.columns.iter().map(|column| column.title.to_owned()).collect();
        for row in std::iter::once(&titles).chain(&self.rows) {
            let mut line = String::new();
            for ((cell, column), width) in row.iter().zip(&self.columns).zip(&widths) {
                let cell = cut(cell, *width);
                let gap = " ".repeat(width.saturating_sub(cell.chars().count()));
                let (before, after) = if column.right { (gap.as_str(), "") } else { ("", gap.as_str()) };
                line.push_str(&format!("{before}{cell}{after}  "));
            }
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }

    /// As wide as the widest cell; if that does not fit, the widest columns give way first.
    fn widths(&self, fit: Option<usize>) -> Vec<usize> {
        let widest = |place: usize, column: &Column| {
            let cells = self.rows.iter().filter_map(|row| row.get(place));
            cells.map(|cell| cell.chars().count()).chain([column.title.len()]).max().unwrap_or(0)
        };
        let mut widths: Vec<usize> =
            self.columns.iter().enumerate().map(|(place, column)| widest(place, column)).collect();
        let gaps = 2 * widths.len().saturating_sub(1);
        let Some(room) = fit.map(|fit| fit.saturating_sub(gaps)) else {
            return widths;
        };
        while widths.iter().sum::<usize>() > room {
            match widths.iter_mut().max() {
                Some(widest) if *widest > WIDTH_MIN => *widest -= 1,
                _ => break,
            }
        }
        widths
    }
}

fn cut(cell: &str, width: usize) -> String {
    if cell.chars().count() <= width {
        return cell.to_owned();
    }
    cell.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(fit: Option<usize>) -> String {
        let mut table = Table::new(&["NAME", ">PARTITIONS", "+>BYTES", "NOTE"]);
        table.row([
            "a-rather-long-name-of-a-topic".to_owned(),
            "12".to_owned(),
            "7".to_owned(),
            String::new(),
        ]);
        table.row(["b".to_owned(), "3".to_owned(), "8".to_owned(), "x".to_owned()]);
        let mut out = Vec::new();
        table.write(&mut out, false, fit).expect("memory takes it");
        String::from_utf8(out).expect("it is text")
    }

    #[test]
    fn in_a_pipe_nothing_is_cut() {
        assert_eq!(
            render(None),
            "NAME                           PARTITIONS  NOTE\n\
             a-rather-long-name-of-a-topic          12  -\n\
             b                                       3  x\n"
        );
    }

    #[test]
    fn on_a_terminal_the_widest_column_gives_way() {
        let text = render(Some(30));
        assert!(text.lines().all(|line| line.chars().count() <= 30), "{text}");
        assert!(text.contains("a-rather-lo…") || text.contains('…'), "{text}");
    }
}
