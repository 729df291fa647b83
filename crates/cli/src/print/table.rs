//! Results for people: columns that fit the terminal, one line for each row, so that `grep` and `awk` work on them.

use std::io::{self, Write};

use super::text::{cut, visible, width};

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

    /// Writes it with all columns if `wide`, and fit for so many columns of a terminal where it goes to one. What there was no
    /// room for comes back.
    pub fn write(
        &self,
        out: &mut dyn Write,
        wide: bool,
        fit: Option<usize>,
    ) -> io::Result<Vec<&'static str>> {
        let mut shown: Vec<(usize, &Column)> =
            self.columns.iter().enumerate().filter(|(_, column)| wide || !column.wide).collect();
        let mut widths: Vec<usize> = shown.iter().map(|(place, column)| self.width(*place, column)).collect();
        let mut left_out = Vec::new();
        if let Some(fit) = fit {
            // The first ones say what a row is about. Who asks for all columns gets them on as many lines as it takes.
            let fitting = if wide { shown.len() } else { fitting(&widths, fit) };
            left_out = shown.split_off(fitting).into_iter().map(|(_, column)| column.title).collect();
            widths.truncate(fitting);
            give_way(&mut widths, fit);
        }
        let titles: Vec<String> = self.columns.iter().map(|column| column.title.to_owned()).collect();
        for row in std::iter::once(&titles).chain(&self.rows) {
            let mut line = String::new();
            for ((place, column), columns) in shown.iter().zip(&widths) {
                let cell = cut(row.get(*place).map_or("", String::as_str), *columns);
                let gap = " ".repeat(columns.saturating_sub(width(&cell)));
                let (before, after) = if column.right { (gap.as_str(), "") } else { ("", gap.as_str()) };
                line.push_str(&format!("{before}{cell}{after}  "));
            }
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(left_out)
    }

    /// As wide as the widest cell.
    fn width(&self, place: usize, column: &Column) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.get(place));
        cells.map(|cell| width(cell)).chain([column.title.len()]).max().unwrap_or(0)
    }
}

/// Between columns.
const GAP: usize = 2;

/// How many columns fit when each is as narrow as may be; one in any case.
fn fitting(widths: &[usize], fit: usize) -> usize {
    let ends = widths.iter().scan(0, |end, width| {
        let begin = if *end == 0 { 0 } else { *end + GAP };
        *end = begin + (*width).min(WIDTH_MIN);
        Some(*end)
    });
    ends.take_while(|end| *end <= fit).count().max(1)
}

/// Makes columns narrower until they fit, the widest ones first.
fn give_way(widths: &mut [usize], fit: usize) {
    let room = fit.saturating_sub(GAP * widths.len().saturating_sub(1));
    while widths.iter().sum::<usize>() > room {
        match widths.iter_mut().max() {
            Some(widest) if *widest > WIDTH_MIN => *widest -= 1,
            _ => break,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(fit: Option<usize>) -> String {
        written(false, fit).0
    }

    fn written(wide: bool, fit: Option<usize>) -> (String, Vec<&'static str>) {
        let mut table = Table::new(&["NAME", ">PARTITIONS", "+>BYTES", "NOTE"]);
        table.row([
            "a-rather-long-name-of-a-topic".to_owned(),
            "12".to_owned(),
            "7".to_owned(),
            String::new(),
        ]);
        table.row(["b".to_owned(), "3".to_owned(), "8".to_owned(), "x".to_owned()]);
        let mut out = Vec::new();
        let left_out = table.write(&mut out, wide, fit).expect("memory takes it");
        (String::from_utf8(out).expect("it is text"), left_out)
    }

    #[test]
    fn what_a_narrow_terminal_has_no_room_for_is_left_out_and_told() {
        let (text, left_out) = written(false, Some(20));
        assert!(text.lines().all(|line| width(line) <= 20), "{text}");
        assert_eq!((text.lines().next(), left_out), (Some("NAME       PARTITIO…"), vec!["NOTE"]));
        let (text, left_out) = written(false, Some(5));
        assert_eq!((text.lines().next(), left_out), (Some("NAME"), vec!["PARTITIONS", "NOTE"]));
        let (text, left_out) = written(true, Some(20));
        assert!(
            text.contains("BYTES") && text.contains("NOTE") && left_out.is_empty(),
            "all are asked for: {text}"
        );
    }

    #[test]
    fn columns_stand_below_each_other_whatever_the_characters() {
        let mut table = Table::new(&["GROUP", "STATE"]);
        for name in ["日本語", "kitchen"] {
            table.row([name.to_owned(), "Empty".to_owned()]);
        }
        let mut out = Vec::new();
        table.write(&mut out, false, None).expect("memory takes it");
        assert_eq!(String::from_utf8_lossy(&out), "GROUP    STATE\n日本語   Empty\nkitchen  Empty\n");
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
