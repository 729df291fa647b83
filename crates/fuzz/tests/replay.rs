//! The kept corpus and everything that was ever found, without the engine.

use fuzz::{TARGETS, corpus};

#[test]
fn the_kept_corpus_runs_through() {
    for target in TARGETS {
        let inputs = corpus::kept(target).expect("the corpus is whole");
        inputs.iter().for_each(|input| target.execute(input));
    }
}

#[test]
fn what_was_found_once_is_not_found_again() {
    for target in TARGETS {
        for (name, input) in corpus::regressions(target).expect("findings can be read") {
            println!("{} {name}", target.name);
            target.execute(&input);
        }
    }
}

#[test]
fn seeds_run_through() {
    for target in TARGETS {
        (target.seeds)().iter().for_each(|input| target.execute(input));
    }
}
