//! Profiles: what is kept, what a variable may change, and what is said.

mod support;

use std::path::PathBuf;
use std::process::Command;

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
        let mut command = Command::new(env!("CARGO_BIN_EXE_riverrun"));
        command.args(arguments).env_remove("RIVERRUN_BOOTSTRAP").env_remove("RIVERRUN_PROFILE");
        command.envs(variables.iter().copied()).env("RIVERRUN_PROFILES", &self.path);
        run(command, "")
    }
}

impl Drop for Profiles {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

const ELSEWHERE: [(&str, &str); 1] = [("RIVERRUN_BOOTSTRAP", "127.0.0.1:19310")];

#[test]
fn only_the_command_line_changes_the_address_of_a_profile() {
    let profiles = Profiles::new("profile-set");
    profiles.run(&["profile", "create", "prod", "--bootstrap", "kafka-1:9092,kafka-2:9092"]).ok();
    let color = ["profile", "set", "prod", "--color", "yellow"];
    let dry = profiles.run_with(&ELSEWHERE, &[&color[..], &["--dry-run"]].concat());
    assert_eq!(dry.ok(), "prod would be changed\nKEY    BEFORE  NOW\ncolor  -       yellow\n");
    let set = profiles.run_with(&ELSEWHERE, &color);
    assert_eq!(set.ok(), "prod is changed\nKEY    BEFORE  NOW\ncolor  -       yellow\n");
    profiles.run_with(&ELSEWHERE, &["profile", "set", "prod"]).failed(2);
    assert_eq!(profiles.run(&["profile", "current"]).ok(), "prod (kafka-1:9092,kafka-2:9092)\n");

    let moved = ["profile", "set", "prod", "--bootstrap", "kafka-3:9092", "--format", "json"];
    let moved: serde_json::Value =
        serde_json::from_str(profiles.run_with(&ELSEWHERE, &moved).ok()).expect("it is JSON");
    assert_eq!(moved["before"]["bootstrap"], "kafka-1:9092,kafka-2:9092");
    assert_eq!(moved["now"], serde_json::json!({ "bootstrap": "kafka-3:9092", "color": "yellow" }));
    assert_eq!(profiles.run(&["profile", "current"]).ok(), "prod (kafka-3:9092)\n");
}
