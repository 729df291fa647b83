//! The figures in `docs/reliability.md`: a row for each broker between two marks; everything else is written by hand.

use std::fs;
use std::path::Path;

use super::tally::{Tally, Times};
use crate::sim::grouped;
use crate::sim::ledger::{commit, today};

const PAGE: &str = "docs/reliability.md";
const BEGIN: &str = "<!-- powercut:begin -->\n";
const END: &str = "<!-- powercut:end -->";
const HEAD: &str = "\
| | cuts, in a recovery | acknowledged | lost | duplicate | reordered | wrong bytes | other offset | stale keys | commits back | first ack ms | first read ms |
|---|---|---|---|---|---|---|---|---|---|---|---|
";

/// Puts a run in the place of the last one of the same broker.
pub fn update(root: &Path, subject: &str, tally: &Tally) -> Result<(), String> {
    let path = root.join(PAGE);
    let text = fs::read_to_string(&path).map_err(|error| format!("{PAGE}: {error}"))?;
    let name = if subject == "riverrun" {
        format!("Riverrun {}, {}", commit(root)?, today()?)
    } else {
        format!("Apache Kafka 4.4.0, {}", today()?)
    };
    let page = replaced(&text, &row(&name, tally))?;
    fs::write(&path, page).map_err(|error| format!("{PAGE}: {error}"))
}

fn row(name: &str, tally: &Tally) -> String {
    let total = &tally.total;
    let time = |of: fn(Times) -> [u128; 2]| {
        tally.times().map(of).map_or_else(|| "–".to_owned(), |[median, max]| format!("{median} (max {max})"))
    };
    let cells = [
        name.to_owned(),
        format!("{}, {}", tally.cuts, tally.cuts_in_recovery),
        grouped(total.acknowledged),
        grouped(total.lost),
        grouped(total.duplicate),
        grouped(total.reordered),
        grouped(total.wrong),
        grouped(total.moved),
        grouped(total.stale_keys),
        grouped(total.commits_back),
        time(|times| [times.acknowledged_median.as_millis(), times.acknowledged_max.as_millis()]),
        time(|times| [times.read_median.as_millis(), times.read_max.as_millis()]),
    ];
    format!("| {} |\n", cells.join(" | "))
}

/// The page with a row added, or in the place of the one whose first word is the same.
fn replaced(text: &str, row: &str) -> Result<String, String> {
    let (before, rest) = text.split_once(BEGIN).ok_or_else(|| format!("{PAGE} has no {BEGIN}"))?;
    let (table, after) = rest.split_once(END).ok_or_else(|| format!("{PAGE} has no {END}"))?;
    let subject = |row: &str| row.split_whitespace().nth(1).map(str::to_owned);
    let mut rows: Vec<_> = table.lines().skip(HEAD.lines().count()).map(|line| format!("{line}\n")).collect();
    match rows.iter_mut().find(|old| subject(old) == subject(row)) {
        Some(old) => row.clone_into(old),
        None => rows.push(row.to_owned()),
    }
    Ok(format!("{before}{BEGIN}{HEAD}{}{END}{after}", rows.concat()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_run_takes_the_place_of_the_same_broker_s_last() {
        let page = format!("above\n{BEGIN}{END}\nbelow\n");
        let page = replaced(&page, "| Riverrun a | 1 |\n").expect("the marks are there");
        let page = replaced(&page, "| Apache Kafka | 2 |\n").expect("the marks are there");
        let page = replaced(&page, "| Riverrun b | 3 |\n").expect("the marks are there");
        let rows = "| Riverrun b | 3 |\n| Apache Kafka | 2 |\n";
        assert_eq!(page, format!("above\n{BEGIN}{HEAD}{rows}{END}\nbelow\n"));
    }
}
