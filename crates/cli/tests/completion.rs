//! The scripts for shells, run in those that are on this machine.

mod support;

use std::process::Command;

use support::{Broker, run};

/// Names that any client may give its group, and that shells take for more than a name.
const NAMES: [&str; 7] =
    ["$(touch pwned)", "odd grp", "semi;touch pwned", "it's", "`touch pwned`", "*", "say\"$(touch pwned)"];

fn is_there(shell: &str) -> bool {
    Command::new(shell).args(["-c", "true"]).output().is_ok_and(|output| output.status.success())
}

/// What `bash` has on the line after a tab, run as bash runs it: the command prints its words.
fn completed(broker: &Broker, typed: &str, kept: &str) -> String {
    let script = r#"source <(riverrun completion bash)
        COMP_LINE=$1; COMP_POINT=${#COMP_LINE}; COMP_WORDBREAKS=$' \t\n"\'@><=;|&(:'
        _riverrun
        riverrun() { printf '<%s>' "$@"; echo; }
        for found in "${COMPREPLY[@]}"; do eval "$2$found$3"; done"#;
    let open: String = kept.chars().filter(|c| matches!(c, '\'' | '"')).collect();
    let mut command = broker.shell_command("bash", &["-c", script, "bash", typed, kept, &open]);
    let directory = std::env::temp_dir().join(format!("riverrun-cli-completion-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("it can be made");
    command.current_dir(&directory);
    let ended = run(command, "");
    let left = std::fs::read_dir(&directory).expect("it is there").count();
    std::fs::remove_dir_all(&directory).expect("it is ours");
    assert_eq!(left, 0, "a name was run: {ended:?}");
    ended.ok().to_owned()
}

#[test]
fn bash_runs_no_part_of_a_name_and_takes_each_as_one_word() {
    if !is_there("bash") {
        return;
    }
    let broker = Broker::start("bash");
    broker.run(&["topic", "create", "a", "--partitions", "1"]).ok();
    broker.run_with_input(&["produce", "a"], "1\n").ok();
    for name in NAMES {
        broker.run(&["consume", "a", "--group", name, "--from", "start", "--until-end"]).ok();
    }
    broker.run(&["consume", "a", "--group", "odd\nline", "--from", "start", "--until-end"]).ok();
    for quote in ["", "'", "\""] {
        let typed = format!("riverrun group describe {quote}");
        let words = completed(&broker, &typed, &typed);
        let mut words: Vec<&str> = words.lines().collect();
        words.sort_unstable();
        let mut expected = NAMES.map(|name| format!("<group><describe><{name}>"));
        expected.sort_unstable();
        assert_eq!(words, expected, "after {quote:?}");
    }
    // Bash replaces the whole word, or what comes after a quote in it.
    let begun = completed(&broker, "riverrun group describe odd\\ g", "riverrun group describe ");
    assert_eq!(begun, "<group><describe><odd grp>\n");
    let quoted = completed(&broker, "riverrun group describe 'odd g", "riverrun group describe '");
    assert_eq!(quoted, "<group><describe><odd grp>\n");
}
