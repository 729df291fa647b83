//! Profiles: what is kept, what a variable may change, and what is said.

mod support;

use std::path::PathBuf;
use std::process::Command;

use support::terminal::Terminal;
use support::{Ended, run};

/// A file of profiles of a test's own.
struct Profiles {
    path: PathBuf,
}

impl Profiles {
    fn new(test: &str) -> Profiles {
        let path = std::env::temp_dir().join(format!("riverrun-cli-{test}-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        Profiles { path }
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        self.run_with(&[], arguments)
    }

    /// With variables.
    fn run_with(&self, variables: &[(&str, &str)], arguments: &[&str]) -> Ended {
        let mut command = self.command(arguments);
        command.envs(variables.iter().copied());
        run(command, "")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_riverrun"));
        for variable in ["RIVERRUN_BOOTSTRAP", "RIVERRUN_PROFILE", "NO_COLOR"] {
            command.env_remove(variable);
        }
        command.args(arguments).env("RIVERRUN_PROFILES", &self.path);
        command
    }
}

impl Drop for Profiles {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

const ELSEWHERE: [(&str, &str); 1] = [("RIVERRUN_BOOTSTRAP", "127.0.0.1:19310")];

#[test]
fn an_address_that_is_given_as_a_setting_is_the_one_that_is_named() {
    let profiles = Profiles::new("profile-setting");
    profiles.run(&["profile", "create", "prod", "--bootstrap", "kafka-1:9092", "--use"]).ok();
    let setting = ["-X", "bootstrap.servers=127.0.0.1:1"];
    for variables in [&[][..], &ELSEWHERE] {
        let current = [&["profile", "current", "--format", "json"][..], &setting].concat();
        let current = profiles.run_with(variables, &current);
        assert!(current.ok().contains(r#""bootstrap": "127.0.0.1:1""#), "{current:?}");
        let refused = profiles.run_with(variables, &[&["topic", "list"][..], &setting].concat());
        assert!(refused.failed(1).contains("127.0.0.1:1: "), "{refused:?}");
    }
    let both = profiles.run(&[&["topic", "delete", "a", "--profile", "prod"][..], &setting].concat());
    assert!(both.failed(2).contains("-X bootstrap.servers) and --profile name a cluster each"), "{both:?}");
}

#[test]
fn only_the_command_line_changes_the_address_of_a_profile() {
    let profiles = Profiles::new("profile-set");
    profiles.run(&["profile", "create", "prod", "--bootstrap", "kafka-1:9092,kafka-2:9092"]).ok();
    let color = ["profile", "set", "prod", "--color", "yellow"];
    let dry = profiles.run_with(&ELSEWHERE, &[&color[..], &["--dry-run"]].concat());
    assert_eq!(
        dry.ok(),
        "prod (kafka-1:9092,kafka-2:9092) would be changed\nKEY    BEFORE  NOW\ncolor  -       yellow\n"
    );
    let set = profiles.run_with(&ELSEWHERE, &color);
    assert_eq!(
        set.ok(),
        "prod (kafka-1:9092,kafka-2:9092) is changed\nKEY    BEFORE  NOW\ncolor  -       yellow\n"
    );
    profiles.run_with(&ELSEWHERE, &["profile", "set", "prod"]).failed(2);
    assert_eq!(profiles.run(&["profile", "current"]).ok(), "prod (kafka-1:9092,kafka-2:9092)\n");

    let moved = ["profile", "set", "prod", "--bootstrap", "kafka-3:9092", "--format", "json"];
    let moved: serde_json::Value =
        serde_json::from_str(profiles.run_with(&ELSEWHERE, &moved).ok()).expect("it is JSON");
    assert_eq!(moved["before"]["bootstrap"], "kafka-1:9092,kafka-2:9092");
    assert_eq!(moved["now"], serde_json::json!({ "bootstrap": "kafka-3:9092", "color": "yellow" }));
    assert_eq!(profiles.run(&["profile", "current"]).ok(), "prod (kafka-3:9092)\n");
}

#[test]
fn the_star_is_at_the_profile_that_commands_go_to() {
    let profiles = Profiles::new("profile-star");
    profiles.run(&["profile", "create", "dev", "--bootstrap", "a:1"]).ok();
    profiles.run(&["profile", "create", "prod", "--bootstrap", "b:1", "--use"]).ok();
    let by_variable = [("RIVERRUN_PROFILE", "dev")];
    let of_none = [("RIVERRUN_PROFILE", "nope")];
    for (variables, options, used) in [
        (&[][..], &[][..], Some("prod")),
        (&by_variable, &[], Some("dev")),
        (&[], &["--profile", "dev"], Some("dev")),
        (&by_variable, &["--profile", "prod"], Some("prod")),
        (&of_none, &[], None),
        (&ELSEWHERE, &[], None),
        (&ELSEWHERE, &["--profile", "dev"], Some("dev")),
        (&by_variable, &["--bootstrap", "c:1"], None),
    ] {
        let run = |command: &[&str]| profiles.run_with(variables, &[command, options].concat());
        let listed = run(&["profile", "list"]);
        let star = listed.ok().lines().find_map(|line| line.strip_prefix('*')?.split_whitespace().next());
        assert_eq!(star, used, "{variables:?} {options:?}: {listed:?}");
        assert_eq!(listed.stderr.contains("without it commands go to"), used != Some("prod"), "{listed:?}");
        let json: serde_json::Value =
            serde_json::from_str(run(&["profile", "list", "--format", "json"]).ok()).expect("it is JSON");
        assert_eq!(json["current"].as_str(), used, "{variables:?} {options:?}");
        let current = run(&["profile", "current", "--format", "name"]);
        match (used, variables == of_none) {
            (Some(used), _) => assert_eq!(current.ok(), format!("{used}\n")),
            (None, true) => assert!(current.failed(3).contains("nope"), "{current:?}"),
            (None, false) => assert_eq!(current.ok(), ""),
        }
    }
    let meant = profiles.run_with(&by_variable, &["profile", "use", "prod"]);
    assert!(
        meant.ok() == "prod (b:1) is the current profile\n" && meant.stderr.contains("names dev"),
        "{meant:?}"
    );
}

#[test]
fn a_prompt_shows_the_cluster_that_commands_go_to() {
    let profiles = Profiles::new("profile-prompt");
    profiles.run(&["profile", "create", "p%F{red}", "--bootstrap", "a:1", "--color", "red"]).ok();
    assert_eq!(profiles.run_with(&ELSEWHERE, &["profile", "prompt"]).ok(), "127.0.0.1:19310 \n");
    let plain = [("NO_COLOR", "1")];
    assert_eq!(profiles.run_with(&plain, &["profile", "prompt"]).ok(), "p%F{red} \n");
    let zsh = ["profile", "prompt", "--shell", "zsh"];
    assert_eq!(profiles.run_with(&plain, &zsh).ok(), "p%%F{red} \n", "zsh would colour it");
    let json = profiles.run(&["profile", "prompt", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(json.ok()).expect("it is JSON");
    assert_eq!(json, serde_json::json!({ "profile": "p%F{red}", "bootstrap": "a:1", "color": "red" }));
    assert_eq!(profiles.run(&["profile", "prompt", "--format", "name"]).ok(), "p%F{red}\n");
    profiles.run(&["profile", "set", "p%F{red}", "--color", "none"]).ok();
    assert_eq!(profiles.run(&["profile", "prompt"]).ok(), "p%F{red} \n", "the colour is gone");
}

#[test]
fn what_is_kept_and_forgotten_is_said_with_its_address() {
    let profiles = Profiles::new("profile-said");
    let create = ["profile", "create", "dev"];
    let dry = profiles.run_with(&ELSEWHERE, &[&create[..], &["--dry-run"]].concat());
    assert_eq!(dry.ok(), "dev (127.0.0.1:19310) would be created\n");
    let made = profiles.run_with(&ELSEWHERE, &[&create[..], &["--format", "json"]].concat());
    assert!(made.ok().contains(r#""bootstrap": "127.0.0.1:19310""#), "{made:?}");
    profiles.run(&["profile", "create", "prod", "--bootstrap", "b:1"]).ok();
    let taken = profiles.run(&["profile", "rename", "prod", "dev"]);
    assert!(taken.failed(1).contains("next: name another one, or delete that profile first"), "{taken:?}");
    let near = profiles.run(&["profile", "use", "pord"]);
    assert!(near.failed(3).contains("next: did you mean prod?"), "{near:?}");
    assert_eq!(profiles.run(&["profile", "delete", "prod", "--yes"]).stderr, "");
    let asked = Terminal::default().run(profiles.command(&["profile", "delete", "dev"]), "n\n");
    let question = "Forget the profile dev (127.0.0.1:19310), which is the current one? [y/N] ";
    assert!(asked.screen.starts_with(question), "{asked:?}");
    let gone = profiles.run(&["profile", "delete", "dev", "--yes"]);
    assert_eq!(gone.ok(), "dev (127.0.0.1:19310) is forgotten\n");
    assert!(gone.stderr.contains("it was the current profile") && gone.stderr.contains("127.0.0.1:9092"));
}

#[test]
fn a_file_of_profiles_that_cannot_be_used_is_said_with_the_next_step() {
    let profiles = Profiles::new("profile-file");
    std::fs::create_dir(&profiles.path).expect("it can be made");
    let unreadable = profiles.run(&["profile", "list"]);
    let nowhere = profiles.path.join("file").join("profiles").display().to_string();
    std::fs::write(profiles.path.join("file"), "").expect("it can be written");
    let unwritable = profiles
        .run_with(&[("RIVERRUN_PROFILES", &nowhere)], &["profile", "create", "a", "--bootstrap", "a:1"]);
    std::fs::remove_dir_all(&profiles.path).expect("it is ours");
    let endless = profiles.run_with(&[("RIVERRUN_PROFILES", "/dev/zero")], &["profile", "list"]);
    for refused in [unreadable, unwritable, endless] {
        assert!(refused.failed(1).contains("name another file in RIVERRUN_PROFILES"), "{refused:?}");
    }
}

#[test]
fn profiles_that_are_made_at_the_same_time_are_all_kept() {
    let profiles = Profiles::new("profile-many");
    std::thread::scope(|scope| {
        for number in 0..20 {
            let name = format!("c{number}");
            let profiles = &profiles;
            scope.spawn(move || {
                profiles.run(&["profile", "create", &name, "--bootstrap", "h:1"]).ok().to_owned()
            });
        }
    });
    assert_eq!(profiles.run(&["profile", "list", "--format", "name"]).ok().lines().count(), 20);
}

#[test]
fn a_file_of_profiles_that_is_a_link_stays_one() {
    let profiles = Profiles::new("profile-link");
    let target = profiles.path.with_extension("target");
    std::os::unix::fs::symlink(&target, &profiles.path).expect("it can be made");
    for name in ["a", "b"] {
        profiles.run(&["profile", "create", name, "--bootstrap", "h:1"]).ok();
    }
    let text = std::fs::read_to_string(&target).expect("the link led there before there was a file");
    std::fs::remove_file(&target).expect("it is ours");
    assert!(text.contains(r#""b""#) && profiles.path.is_symlink(), "{text}");
}

#[test]
fn the_variables_stand_in_the_help() {
    let profiles = Profiles::new("profile-help");
    let help = profiles.run(&["topic", "list", "--help"]);
    for said in
        ["[env: RIVERRUN_BOOTSTRAP=]", "[env: RIVERRUN_PROFILE=]", "RIVERRUN_PROFILE, the current profile"]
    {
        assert!(help.ok().contains(said), "{said}: {help:?}");
    }
    let help = profiles.run(&["profile", "--help"]);
    assert!(help.ok().contains("RIVERRUN_PROFILES"), "{help:?}");
}
