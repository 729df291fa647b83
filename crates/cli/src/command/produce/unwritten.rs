//! What of the input is still to be written, and how.

use std::fs::File;
use std::io::Write;

use super::Produce;

/// So many runs of records are named.
const RUNS_MAX: usize = 16;

/// So many stand in a command.
const ADDRESSES_MAX: usize = 100;

/// What was not written though it was handed over, and what was not read.
#[derive(Debug)]
pub struct Unwritten {
    /// The record to blame.
    pub number: u64,
    /// Whether it is not to blame, and may be written if it is tried again, or is written already.
    pub may_be_there: bool,
    /// The first and the last record of each run that was not written.
    pub ranges: Vec<(u64, u64)>,
    /// Where the part begins of which nothing was read.
    pub rest: u64,
}

impl Unwritten {
    /// How to write it. Others that come between were written: who began anew at the first would write them twice.
    pub fn rest(&self, produce: &Produce, is_all_read: bool) -> String {
        let (first, last) = match self.ranges.as_slice() {
            [] => return produce.rest_from(self.rest),
            [(first, last)] if last + 1 == self.rest => return produce.rest_from(*first),
            [(first, last)] => (*first, *last),
            [(first, _), .., (_, last)] => (*first, *last),
        };
        let is_one = first == last;
        let unit = produce.unit();
        let named = match self.ranges.len() <= RUNS_MAX {
            true => {
                let runs: Vec<String> = self.ranges.iter().map(|run| named(*run)).collect();
                format!("{unit}{} {}", if is_one { "" } else { "s" }, runs.join(", "))
            }
            false => format!("{} records of {unit}s {first} to {last}", self.records()),
        };
        let (beginning, are) = match is_all_read {
            true => (String::new(), if is_one { "is" } else { "are" }),
            false => (format!(" and what begins with {}", produce.nth(self.rest)), "are"),
        };
        let left = format!("{named}{beginning} of the input {are} still to be written");
        match (&produce.template, self.ranges.len() <= RUNS_MAX) {
            (None, _) => match self.script(is_all_read) {
                Some(script) => format!("{left}: `sed -n {script} FILE | riverrun produce ...`"),
                None => self.scattered(&left, first, produce),
            },
            (Some(_), true) => {
                let them = if is_one && is_all_read { "it" } else { "them" };
                format!("{left}: give {them} to the same command")
            }
            (Some(_), false) => self.scattered(&left, first, produce),
        }
    }

    fn records(&self) -> u64 {
        self.ranges.iter().map(|(first, last)| last - first + 1).sum()
    }

    /// What has sed print it: a script, or where that is long, the file that it is in.
    fn script(&self, is_all_read: bool) -> Option<String> {
        let mut addresses: Vec<String> = self.ranges.iter().map(|run| address(*run)).collect();
        if !is_all_read {
            addresses.push(format!("{},$p", self.rest));
        }
        if addresses.len() <= ADDRESSES_MAX {
            return Some(format!("'{}'", addresses.join(";")));
        }
        let path = std::env::temp_dir().join(format!("riverrun-unwritten-{}.sed", std::process::id()));
        let mut file = File::create_new(&path).ok()?;
        file.write_all((addresses.join("\n") + "\n").as_bytes()).ok()?;
        Some(format!("-f {}", path.display()))
    }

    /// Where nothing short tells them from what was written.
    fn scattered(&self, left: &str, first: u64, produce: &Produce) -> String {
        let written = (self.rest - first).saturating_sub(self.records());
        let records = if written == 1 { "record" } else { "records" };
        format!(
            "{left}; whoever writes all from {} on writes {written} {records} a second time. With --format json it is said which \
             are missing",
            produce.nth(first)
        )
    }
}

fn named((first, last): (u64, u64)) -> String {
    if first == last { first.to_string() } else { format!("{first} to {last}") }
}

/// How sed is told to print a run of lines.
fn address((first, last): (u64, u64)) -> String {
    if first == last { format!("{first}p") } else { format!("{first},{last}p") }
}

/// Runs of numbers that are in order.
pub fn ranges(numbers: impl Iterator<Item = u64>) -> impl Iterator<Item = (u64, u64)> {
    let mut numbers = numbers.peekable();
    std::iter::from_fn(move || {
        let first = numbers.next()?;
        let mut last = first;
        while let Some(next) = numbers.next_if_eq(&(last + 1)) {
            last = next;
        }
        Some((first, last))
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::produce;
    use super::*;

    fn rest(numbers: &[u64], rest: u64, is_all_read: bool) -> String {
        let ranges = ranges(numbers.iter().copied()).collect();
        Unwritten { number: 2, may_be_there: false, ranges, rest }.rest(&produce(None), is_all_read)
    }

    #[test]
    fn what_was_written_between_is_not_written_again() {
        assert_eq!(
            rest(&[2, 3, 4, 7], 10, false),
            "lines 2 to 4, 7 and what begins with line 10 of the input are still to be written: `sed -n '2,4p;7p;10,$p' FILE | \
             riverrun produce ...`"
        );
        assert_eq!(
            rest(&[2], 10, true),
            "line 2 of the input is still to be written: `sed -n '2p' FILE | riverrun produce ...`"
        );
    }

    #[test]
    fn where_nothing_was_written_after_it_the_rest_is_named_by_its_beginning() {
        let begins = rest(&[2, 3], 4, false);
        assert!(begins.contains("`tail -n +2 FILE | riverrun produce ...`"), "{begins}");
    }

    #[test]
    fn of_much_that_is_scattered_a_file_tells_what_it_is() {
        let some: Vec<u64> = (1..20).map(|number| number * 2).collect();
        let told = rest(&some, 39, true);
        assert!(told.starts_with(
            "19 records of lines 2 to 38 of the input are still to be written: `sed -n '2p;4p;6p;"
        ));
        let many: Vec<u64> = (1..200).map(|number| number * 2).collect();
        let told = rest(&many, 400, false);
        let (_, file) = told.split_once("`sed -n -f ").expect("it is too long for a command");
        let (file, _) = file.split_once(" FILE | riverrun produce ...`").expect("it is named");
        let script = std::fs::read_to_string(file).expect("it was written");
        std::fs::remove_file(file).expect("it was written");
        assert!(script.starts_with("2p\n4p\n") && script.ends_with("\n398p\n400,$p\n"), "{script}");
    }
}
