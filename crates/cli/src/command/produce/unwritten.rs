//! What of the input is still to be written, and how.

use super::Produce;

/// So many runs of records are named.
const RUNS_MAX: usize = 16;

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
        let (first, is_one) = match self.ranges.as_slice() {
            [] => return produce.rest_from(self.rest),
            [(first, last)] if last + 1 == self.rest => return produce.rest_from(*first),
            [(first, last)] => (*first, first == last),
            [(first, _), ..] => (*first, false),
        };
        if self.ranges.len() > RUNS_MAX {
            return self.scattered(first, produce);
        }
        let runs: Vec<String> = self.ranges.iter().map(|run| named(*run)).collect();
        let plural = if is_one { "" } else { "s" };
        let (beginning, are) = match is_all_read {
            true => (String::new(), if is_one { "is" } else { "are" }),
            false => (format!(" and what begins with {}", produce.nth(self.rest)), "are"),
        };
        let unit = produce.unit();
        let left =
            format!("{unit}{plural} {}{beginning} of the input {are} still to be written", runs.join(", "));
        if produce.template.is_some() {
            let them = if is_one && is_all_read { "it" } else { "them" };
            return format!("{left}: give {them} to the same command");
        }
        let mut addresses: Vec<String> = self.ranges.iter().map(|run| address(*run)).collect();
        if !is_all_read {
            addresses.push(format!("{},$p", self.rest));
        }
        format!("{left}: `sed -n '{}' FILE | riverrun produce ...`", addresses.join(";"))
    }
}

impl Unwritten {
    /// The same where the runs are too many to name.
    fn scattered(&self, first: u64, produce: &Produce) -> String {
        let unwritten: u64 = self.ranges.iter().map(|(first, last)| last - first + 1).sum();
        let written = (self.rest - first).saturating_sub(unwritten);
        let (records, nth) = (if written == 1 { "record" } else { "records" }, produce.nth(first));
        let how = match produce.template {
            Some(_) => "given to the same command".to_owned(),
            None => format!("as in `tail -n +{first} FILE | riverrun produce ...`"),
        };
        format!(
            "{unwritten} here and there from {nth} of the input on are still to be written; all that begins with it, {how}, \
             would write {written} {records} a second time; with --format json it is said which are missing"
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
    fn of_what_is_scattered_it_is_told_how_much_would_be_written_twice() {
        let many: Vec<u64> = (1..20).map(|number| number * 2).collect();
        let told = rest(&many, 40, false);
        assert!(told.starts_with("19 here and there from line 2 of the input on"), "{told}");
        assert!(
            told.contains("`tail -n +2 FILE | riverrun produce ...`, would write 19 records a second"),
            "{told}"
        );
    }
}
