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

/// What becomes of columns where a terminal has no room for all: the first ones are left out last and give way last. What is
/// in none of the lists is before the last list.
const RANKS: [&[&str]; 3] = [
    // They say what a row is about.
    &["", "TOPIC", "PARTITION", "GROUP", "BROKER", "NAME", "KEY"],
    // What was asked for.
    &[
        "LAG",
        "BEHIND",
        "STATE",
        "VALUE",
        "LEADER",
        "IN-SYNC",
        "PARTITIONS",
        "BEFORE",
        "AFTER",
        "NOW",
        "DELETED",
        "SIZE",
        "FREE",
        "WHY",
        "READS",
        "BOOTSTRAP",
    ],
    // What is long, and known from elsewhere or found by --format wide.
    &["HOST", "MEMBER", "INSTANCE", "CLIENT", "COORDINATOR", "ASSIGNOR", "DOES", "ID", "COLOR", "RACK"],
];

fn rank(title: &str) -> usize {
    let last = RANKS.len() - 1;
    match RANKS.iter().position(|titles| titles.contains(&title)) {
        Some(place) if place == last => last + 1,
        place => place.unwrap_or(last),
    }
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

    /// Whether there is anything to see, with all columns or without those that are only for who asks for more.
    pub fn is_shown(&self, wide: bool) -> bool {
        !self.rows.is_empty() && self.columns.iter().any(|column| wide || !column.wide)
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
        // Who asks for all columns gets them whole, on as many lines as it takes.
        if let Some(fit) = fit.filter(|_| !wide) {
            let ranks = |shown: &[(usize, &Column)]| -> Vec<usize> {
                let rank = |(place, column): &(usize, &Column)| match self.says_nothing(*place) {
                    true => RANKS.len() + 1,
                    false => rank(column.title),
                };
                shown.iter().map(rank).collect()
            };
            let least: Vec<usize> =
                shown.iter().map(|(place, column)| self.least(*place, column, fit)).collect();
            let kept = fitting(&least, &ranks(&shown), fit);
            let keep = |place: usize| kept.get(place).copied().unwrap_or(true);
            left_out = shown
                .iter()
                .enumerate()
                .filter(|(at, _)| !keep(*at))
                .map(|(_, (_, column))| column.title)
                .collect();
            shown = shown.into_iter().enumerate().filter(|(at, _)| keep(*at)).map(|(_, one)| one).collect();
            let least: Vec<usize> =
                shown.iter().map(|(place, column)| self.least(*place, column, fit)).collect();
            widths = shown.iter().map(|(place, column)| self.width(*place, column)).collect();
            give_way(&mut widths, &least, &ranks(&shown), fit);
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

    /// Whether no row has anything there.
    fn says_nothing(&self, place: usize) -> bool {
        self.rows.iter().all(|row| row.get(place).is_none_or(|cell| cell == NOTHING))
    }

    /// As wide as the widest cell.
    fn width(&self, place: usize, column: &Column) -> usize {
        self.widest_cell(place).max(column.title.len())
    }

    /// The narrowest that a column may be: of a number no digit is left out, as it would be another one, and many
    /// settings begin alike.
    fn least(&self, place: usize, column: &Column, fit: usize) -> usize {
        let narrow = if column.title == "KEY" {
            WIDTH_MIN.max(fit.saturating_sub(GAP + WIDTH_MIN))
        } else {
            WIDTH_MIN
        };
        let least = self.width(place, column).min(narrow);
        if column.right { least.max(self.widest_cell(place)) } else { least }
    }

    fn widest_cell(&self, place: usize) -> usize {
        self.rows.iter().filter_map(|row| row.get(place)).map(|cell| width(cell)).max().unwrap_or(0)
    }
}

/// Between columns.
const GAP: usize = 2;

/// Which columns fit when each is as narrow as may be; one in any case. Of those that are alike the last is left out first.
fn fitting(least: &[usize], ranks: &[usize], fit: usize) -> Vec<bool> {
    let mut kept = vec![true; least.len()];
    loop {
        let left = || least.iter().zip(ranks).zip(&kept).enumerate().filter(|(_, (_, kept))| **kept);
        let count = left().count();
        let taken: usize = left().map(|(_, ((least, _), _))| *least).sum();
        if count <= 1 || taken + GAP * (count - 1) <= fit {
            return kept;
        }
        let first_to_go =
            left().max_by_key(|(place, ((_, rank), _))| (**rank, *place)).map(|(place, _)| place);
        if let Some(kept) = first_to_go.and_then(|place| kept.get_mut(place)) {
            *kept = false;
        }
    }
}

/// Makes columns narrower until they fit, those that are left out first before the others, and of these the widest ones.
fn give_way(widths: &mut [usize], least: &[usize], ranks: &[usize], fit: usize) {
    let room = fit.saturating_sub(GAP * widths.len().saturating_sub(1));
    let mut over = widths.iter().sum::<usize>().saturating_sub(room);
    while over > 0 {
        let columns = widths.iter_mut().zip(least).zip(ranks);
        let shrinking = columns.filter(|((width, least), _)| **width > **least);
        match shrinking.max_by_key(|((width, _), rank)| (**rank, **width)) {
            Some(((width, _), _)) => *width -= 1,
            None => break,
        }
        over -= 1;
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
        assert_eq!((text.lines().next(), left_out), (Some("NAME        PARTITI…"), vec!["NOTE"]));
        let (text, left_out) = written(false, Some(5));
        assert_eq!((text.lines().next(), left_out), (Some("NAME"), vec!["PARTITIONS", "NOTE"]));
        let (text, left_out) = written(true, Some(20));
        assert!(
            text.contains("BYTES") && text.contains("NOTE") && left_out.is_empty(),
            "all are asked for: {text}"
        );
    }

    #[test]
    fn what_a_row_is_about_and_what_was_asked_for_stay_longest() {
        let titles = ["TOPIC", ">PARTITION", ">COMMITTED", ">END", ">LAG", ">BEHIND", "MEMBER", "HOST"];
        let mut table = Table::new(&titles);
        let row = [
            "a-topic-of-some-length",
            "11",
            "1234567890",
            "1234567899",
            "9",
            "2.5s",
            "consumer-a-1",
            "/10.0.0.1",
        ];
        table.row(row.map(str::to_owned));
        let shown = |fit| {
            let mut out = Vec::new();
            let left_out = table.write(&mut out, false, Some(fit)).expect("memory takes it");
            let text = String::from_utf8(out).expect("it is text");
            assert!(text.lines().all(|line| width(line) <= fit), "{text}");
            (text, left_out)
        };
        let (text, left_out) = shown(92);
        assert!(
            left_out.is_empty() && text.contains("a-topic-of-some-length"),
            "the others give way: {text}"
        );
        let (text, left_out) = shown(66);
        assert_eq!(left_out, ["HOST"], "{text}");
        assert!(text.contains("1234567890  1234567899"), "no digit is left out: {text}");
        let (text, left_out) = shown(40);
        assert_eq!(left_out, ["COMMITTED", "END", "MEMBER", "HOST"], "{text}");
        let (text, left_out) = shown(18);
        assert_eq!(left_out, ["COMMITTED", "END", "LAG", "BEHIND", "MEMBER", "HOST"], "{text}");
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
