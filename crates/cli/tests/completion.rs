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

/// What a shell would put on the line, and what it was told of it.
#[test]
fn what_ends_with_an_equals_sign_goes_on_in_the_same_word() {
    let broker = Broker::start("nospace");
    let line = "riverrun topic alter a --set retention.m";
    let script = format!(
        r#"source <(riverrun completion bash)
        compopt() {{ echo "compopt $*"; }}
        for COMP_LINE in '{line}' 'riverrun group reset g --undo-file ./f' 'riverrun topic li'; do
            COMP_POINT=${{#COMP_LINE}}; _riverrun; echo "${{COMPREPLY[*]}}"
        done"#
    );
    if is_there("bash") {
        let ended = run(broker.shell_command("bash", &["-c", &script]), "");
        assert_eq!(ended.ok(), "compopt -o nospace\nretention.ms=\ncompopt -o default\n\nlist\n");
    }
    let script = format!(
        r#"compdef() {{ :; }}; source <(riverrun completion zsh)
        compadd() {{ echo "compadd $*"; }}; compset() {{ :; }}; _files() {{ echo files; }}
        typed() {{ words=("$@"); CURRENT=$#words; PREFIX=${{words[CURRENT]#[\'\"]}}; _riverrun; }}
        typed {line}
        typed riverrun group reset g --undo-file ./f
        typed riverrun topi
        typed riverrun topic "'li""#
    );
    if is_there("zsh") {
        let ended = run(broker.shell_command("zsh", &["-fc", &script]), "");
        let expected = "compadd --\ncompadd -S  -- retention.ms=\nfiles\ncompadd -- topic\ncompadd -S  --\n\
                        compadd -- list\ncompadd -S  --\n";
        assert_eq!(ended.ok().replace("  --\n", " --\n"), expected.replace("  --\n", " --\n"));
    }
}

#[test]
fn fish_completes_names_and_files() {
    if !is_there("fish") {
        return;
    }
    let broker = Broker::start("fish");
    broker.run(&["topic", "create", "orders", "--partitions", "1"]).ok();
    let complete = |line: &str| {
        let script = "riverrun completion fish | source; complete -C $argv[1]";
        run(broker.shell_command("fish", &["--no-config", "-c", script, line]), "").ok().to_owned()
    };
    for quote in ["", "'", "\""] {
        assert_eq!(complete(&format!("riverrun topic describe {quote}or")), "orders\n", "after {quote:?}");
    }
    let path = format!("{}/odd ", broker.directory().display());
    std::fs::write(format!("{path}file"), "").expect("the directory is there");
    for typed in [path.replace(' ', "\\ "), format!("'{path}"), format!("\"{path}")] {
        assert_eq!(complete(&format!("riverrun start --config {typed}")), format!("{path}file\n"));
    }
    let escaped = complete(&format!("riverrun start --config={}", path.replace(' ', "\\ ")));
    assert_eq!(escaped, format!("--config={path}file\n"));
    assert!(complete("riverrun group reset g --undo-file Carg").contains("Cargo.toml"));
    for (option, path) in [
        ("group reset g --from-file=", "Carg"),
        ("group reset g --undo-file=", "Carg"),
        ("start --config=", "./Carg"),
    ] {
        let found = complete(&format!("riverrun {option}{path}"));
        let word = option.rsplit(' ').next().expect("there is one");
        assert!(found.starts_with(&format!("{word}{path}o.toml")), "{option}{path}: {found:?}");
    }
    assert!(complete("riverrun start --config=sr").starts_with("--config=src/"), "a directory goes on");
    assert_eq!(complete("riverrun topic create --config=a --format=j").trim_end(), "--format=json");
    assert_eq!(complete("riverrun topic create Carg"), "", "that is no file");
    assert_eq!(complete("riverrun cluster log-dirs --broker "), "1\n");
}

#[test]
fn subscriptions_and_values_are_completed() {
    let broker = Broker::start("values");
    broker.run(&["config", "set", "client-metrics", "lag-of-all", "--set", "interval.ms=60000"]).ok();
    broker.run(&["topic", "create", "orders", "--partitions", "1"]).ok();
    let complete = |words: &[&str]| broker.run(&[&["complete", "--"], words].concat()).ok().to_owned();
    assert_eq!(complete(&["config", "get", "client-metrics", ""]), "lag-of-all\n");
    let set = ["topic", "alter", "orders", "--set", "compression.type=z"];
    assert_eq!(complete(&set), "compression.type=zstd\n");
    let line = ["complete", "--line", "riverrun topic alter orders --set compression.type=z"];
    assert_eq!(broker.run(&line).ok(), "zstd\n", "bash keeps what is before an equals sign");
    let line = "riverrun topic alter orders --set compression.type=z";
    if is_there("fish") {
        let script = format!("riverrun completion fish | source; complete -C '{line}'");
        let ended = run(broker.shell_command("fish", &["--no-config", "-c", &script]), "");
        assert_eq!(ended.ok(), "compression.type=zstd\n");
    }
    if is_there("zsh") {
        let script = format!(
            r#"compdef() {{ :; }}; source <(riverrun completion zsh)
            compadd() {{ echo "compadd $*"; }}
            words=({line}); CURRENT=$#words; PREFIX=$words[CURRENT]; _riverrun"#
        );
        let ended = run(broker.shell_command("zsh", &["-fc", &script]), "");
        assert!(ended.ok().contains("compadd -- compression.type=zstd\n"), "{ended:?}");
    }
}

#[test]
fn loggers_are_those_of_the_broker_and_no_settings() {
    let broker = Broker::start("loggers");
    let found = broker.run(&["complete", "--", "config", "get", "logger", "1", ""]);
    let loggers: Vec<&str> = found.ok().lines().collect();
    assert!(loggers.contains(&"root") && !loggers.contains(&"log.retention.ms"), "{loggers:?}");
}
