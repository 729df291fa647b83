//! The section of `docs/conformance.md` that counts the expectations: how much passes, and what the rest waits for.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use super::Modules;
use super::expectations::{Expectations, Expected, FEATURES};

const PAGE: &str = "docs/conformance.md";
const BEGIN: &str = "<!-- kafka-it: written by `cargo xtask kafka-it --update` -->";
const END: &str = "<!-- kafka-it: end -->";

/// Writes the section, or with `compare` only says whether it is as it should be.
pub fn write(
    root: &Path,
    modules: &Modules,
    expectations: &Expectations,
    compare: bool,
) -> Result<(), String> {
    let path = root.join(PAGE);
    let text = fs::read_to_string(&path).map_err(|error| format!("{PAGE}: {error}"))?;
    let fresh = replaced(&text, &section(modules, expectations))?;
    match (fresh == text, compare) {
        (true, _) => Ok(()),
        (false, true) => {
            Err(format!("{PAGE} does not say what the expectations say: run `cargo xtask kafka-it --map`"))
        }
        (false, false) => fs::write(&path, fresh).map_err(|error| format!("{PAGE}: {error}")),
    }
}

fn replaced(page: &str, section: &str) -> Result<String, String> {
    let (head, rest) = page.split_once(BEGIN).ok_or_else(|| format!("{PAGE} has no {BEGIN}"))?;
    let (_, tail) = rest.split_once(END).ok_or_else(|| format!("{PAGE} has no {END}"))?;
    Ok(format!("{head}{BEGIN}\n{section}{END}{tail}"))
}

fn section(modules: &Modules, expectations: &Expectations) -> String {
    let mut counts: BTreeMap<&str, [usize; 3]> = BTreeMap::new();
    let mut waiting: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
    for ((class, _), expected) in &expectations.0 {
        let module = modules.of(class);
        let [passing, not_yet, not_applicable] = counts.entry(module).or_default();
        match expected {
            Expected::Pass { .. } => *passing += 1,
            Expected::NotApplicable { .. } => *not_applicable += 1,
            Expected::NotYet { feature } => {
                *not_yet += 1;
                *waiting.entry(feature).or_default().entry(module).or_default() += 1;
            }
        }
    }
    let mut text = "\n| module | PASS | NOT YET | NA |\n|---|--:|--:|--:|\n".to_owned();
    let mut all = [0; 3];
    for (module, counts) in &counts {
        row(&mut text, &format!("`{module}`"), counts);
        all.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
    }
    row(&mut text, "all", &all);
    text.push_str("\n| what is missing | tests | in |\n|---|--:|---|\n");
    for feature in FEATURES {
        let Some(modules) = waiting.get(feature) else { continue };
        let places: Vec<_> = modules.iter().map(|(module, count)| format!("{module} {count}")).collect();
        // Writing to a string does not fail.
        let _ = writeln!(text, "| {feature} | {} | {} |", modules.values().sum::<usize>(), places.join(", "));
    }
    text.push('\n');
    text
}

fn row(text: &mut String, name: &str, [passing, not_yet, not_applicable]: &[usize; 3]) {
    let _ = writeln!(text, "| {name} | {passing} | {not_yet} | {not_applicable} |");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_counted_by_module_and_by_what_they_wait_for() {
        let text = "a.B\t1\tPASS\t\na.B\t2\tNOT YET\tACLs\na.C\t3\tNOT YET\tACLs\na.C\t4\tNA\tits metrics\n";
        let expectations = Expectations::parse(text).expect("rows");
        let modules = Modules(vec![
            ("core".to_owned(), vec!["a.B".to_owned()]),
            ("tools".to_owned(), vec!["a.C".to_owned()]),
        ]);
        let section = section(&modules, &expectations);
        for line in [
            "| `core` | 1 | 1 | 0 |",
            "| `tools` | 0 | 1 | 1 |",
            "| all | 1 | 2 | 1 |",
            "| ACLs | 2 | core 1, tools 1 |",
        ] {
            assert!(section.contains(&format!("\n{line}\n")), "{line} is not in {section}");
        }
    }

    #[test]
    fn only_what_stands_between_the_marks_is_replaced() {
        let page = format!("above\n{BEGIN}\nold\n{END}\nbelow\n");
        assert_eq!(
            replaced(&page, "new\n").expect("both marks"),
            format!("above\n{BEGIN}\nnew\n{END}\nbelow\n")
        );
        assert!(replaced("nothing", "new").expect_err("no marks").contains("has no"));
    }
}
