//! Starts that cannot be, each of which says the next step.

mod support;

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;

use support::Broker;

/// A path of this test's own, where nothing is.
fn path(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("riverrun-cli-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&path);
    path
}

/// What a start says that ends with `code`; it must name a next step in a line of its own.
#[track_caller]
fn refused(code: i32, settings: &[&str]) -> String {
    let set = settings.iter().flat_map(|setting| ["--set", *setting]);
    told(code, &[&["start"], &set.collect::<Vec<_>>()[..]].concat())
}

/// The same of what is to be formatted.
#[track_caller]
fn format_refused(code: i32, arguments: &[&str]) -> String {
    told(code, &[&["format"], arguments].concat())
}

#[track_caller]
fn told(code: i32, arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_riverrun"));
    command.args(arguments);
    let ended = command.output().expect("the binary is there");
    let words = String::from_utf8(ended.stderr).expect("it prints text");
    assert_eq!(ended.status.code(), Some(code), "{arguments:?}: {words}");
    assert_eq!(words.lines().filter(|line| line.starts_with("next: ")).count(), 1, "{arguments:?}: {words}");
    words
}

#[test]
fn settings_that_cannot_be_are_wrong_use() {
    for (setting, problem, next) in [
        ("nonsense", "nonsense", "--set KEY=VALUE"),
        ("num.partitions=many", "num.partitions=many", "config explain num.partitions"),
        (
            "controller.listener.names=CONTROLLER",
            "not among listeners",
            "leave controller.listener.names out",
        ),
        ("process.roles=broker", "is no controller", "set process.roles=broker,controller"),
        (
            "listeners=PLAINTEXT://0.0.0.0:0",
            "that clients reach",
            "as in advertised.listeners=PLAINTEXT://HOST:9092",
        ),
        (
            "listeners=SSL://127.0.0.1:0",
            "not among those that are advertised: SSL",
            "serves PLAINTEXT and nothing else",
        ),
        ("listeners=CONTROLLER://127.0.0.1:0", "names no protocol", "serves PLAINTEXT and nothing else"),
        (
            "listeners=PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0",
            "which controller.listener.names does not have",
            "name it in controller.listener.names, as in controller.listener.names=CONTROLLER",
        ),
        ("log.retention.ms=0", "log.retention.ms must be", "config explain log.retention.ms"),
    ] {
        let words = refused(2, &[setting]);
        assert!(words.contains(problem) && words.contains(next), "{setting}: {words}");
    }
    let both = refused(2, &["num.partitions=many", "log.dirs="]);
    assert!(both.contains("config explain log.dirs` says what it may be, and so of the others"), "{both}");
    let missing =
        Command::new(env!("CARGO_BIN_EXE_riverrun")).args(["start", "--config", "nowhere"]).output();
    let missing = missing.expect("the binary is there");
    assert!(String::from_utf8_lossy(&missing.stderr).contains("next: name a file"), "{missing:?}");
}

#[test]
fn what_this_version_does_not_serve_says_what_it_does() {
    let secured = refused(1, &["listeners=PLAINTEXT://127.0.0.1:0,SSL://127.0.0.1:0"]);
    assert!(secured.contains("SSL, which is not served yet") && secured.contains("next: use PLAINTEXT"));
    let several = refused(1, &["controller.quorum.voters=1@h:9,2@h:9"]);
    assert!(several.contains("several nodes are not served yet"), "{several}");
}

#[test]
fn a_port_that_is_taken_is_said_with_the_option_that_names_another() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = taken.local_addr().expect("it is bound").to_string();
    let data = path("taken");
    let dirs = format!("log.dirs={}", data.display());
    let words = refused(1, &[&format!("listeners=PLAINTEXT://{address}"), &dirs]);
    assert!(words.contains("next: stop whoever uses the port, or choose another in listeners\n"), "{words}");
    let metrics = format!("metrics.listener={address}");
    let words = refused(1, &["listeners=PLAINTEXT://127.0.0.1:0", &metrics, &dirs]);
    assert!(words.contains("choose another in metrics.listener\n"), "{words}");
    let words = refused(1, &["listeners=PLAINTEXT://192.0.2.1:0", &dirs]);
    assert!(words.contains("next: name an address of this machine in listeners"), "{words}");
    assert!(!data.exists(), "nothing was begun");
}

#[test]
fn a_directory_that_cannot_be_had_is_said_with_what_to_do() {
    let broker = Broker::start("locked");
    let listener = "listeners=PLAINTEXT://127.0.0.1:0";
    let used = format!("log.dirs={}", broker.directory().display());
    assert!(refused(1, &[listener, &used]).contains("next: stop the other process"));
    let file = path("no-directory");
    std::fs::write(&file, "").expect("the file can be written");
    let words = refused(1, &[listener, &format!("log.dirs={}", file.display())]);
    assert!(words.contains(" is no directory: name one in log.dirs\n"), "{words}");
    std::fs::remove_file(file).expect("it was written");
    for (dir, next) in
        [("/dev/full", "next: /dev/full is no directory"), ("/proc/nowhere", "is mounted, or name")]
    {
        let dirs = format!("log.dirs={dir}");
        assert!(refused(1, &[listener, &dirs]).contains(next), "{dir}");
        assert!(format_refused(1, &["--set", &dirs]).contains(next), "{dir}");
    }
}

#[test]
fn a_journal_that_does_not_fit_is_said_with_its_size_its_setting_and_what_is_free() {
    let dir = path("journal");
    let dirs = format!("log.dirs={}", dir.display());
    // More than any disk of today has.
    let sizes = ["log.journal.bytes=4503599627370496"];
    let words = refused(1, &[&["listeners=PLAINTEXT://127.0.0.1:0", &dirs], &sizes[..]].concat());
    let last = words.lines().rev().nth(1).expect("what went wrong is above the next step");
    assert!(
        last.contains("riverrun.journal takes 45035") && last.contains(" bytes (log.journal.bytes)"),
        "{last}"
    );
    assert!(last.contains(" are free there") && last.contains(&dir.display().to_string()), "{last}");
    assert!(words.contains("next: set log.journal.bytes to less") && !words.contains("rights"), "{words}");
    let _ = std::fs::remove_dir_all(&dir);
    let mut format = Command::new(env!("CARGO_BIN_EXE_riverrun"));
    let formatted =
        format.args(["format", "--set", &dirs, "--set", sizes[0]]).output().expect("the binary is there");
    let told = String::from_utf8_lossy(&formatted.stderr).into_owned();
    assert!(
        formatted.status.success() && told.contains("the first start takes 4503599627370496 bytes"),
        "{told}"
    );
    let _ = std::fs::remove_dir_all(&dir);
}

#[test]
fn what_cannot_be_formatted_says_what_to_do() {
    let dir = path("formatted");
    let dirs = format!("log.dirs={}", dir.display());
    for (more, next) in [
        (["--feature", "share.version=9"], "leave --feature out"),
        (["--feature", "kraft.version=1"], "give --feature kraft.version=0"),
        (["--cluster-id", "!"], "leave --cluster-id out"),
    ] {
        let words = format_refused(2, &[&["--set", &dirs], &more[..]].concat());
        assert!(words.contains(&format!("next: {next}")), "{words}");
    }
    let twice = ["--set", &dirs, "--feature", "metadata.version=30", "--release-version", "4.1"];
    assert!(format_refused(2, &twice).contains("next: keep one of"));
    let mut format = Command::new(env!("CARGO_BIN_EXE_riverrun"));
    let formatted = format.args(["format", "--set", &dirs, "--cluster-id", "first"]).output();
    assert!(formatted.expect("the binary is there").status.success());
    let again = format_refused(1, &["--set", &dirs]);
    assert!(again.contains("next: `riverrun start` takes it as it is; --ignore-formatted"), "{again}");
    let other = format_refused(1, &["--set", &dirs, "--cluster-id", "second"]);
    assert!(
        other.contains("next: leave the directory out") && other.contains("--cluster-id first"),
        "{other}"
    );
    std::fs::remove_dir_all(dir).expect("it was made");
}

#[test]
fn a_key_that_nobody_knows_is_warned_about_before_a_directory_is_formatted() {
    let dir = path("format-unknown");
    let mut format = Command::new(env!("CARGO_BIN_EXE_riverrun"));
    format.args(["format", "--set", &format!("log.dirs={}", dir.display()), "--dry-run"]);
    let formatted = format.args(["--set", "num.partitons=3"]).output().expect("the binary is there");
    let told = String::from_utf8_lossy(&formatted.stderr).into_owned();
    assert!(formatted.status.success(), "{told}");
    assert!(told.contains("warning: ") && told.contains("did you mean num.partitions?"), "{told}");
}

#[test]
fn a_directory_of_another_node_is_said_with_that_nodes_number() {
    let mut broker = Broker::start("other-node");
    broker.kill();
    let dirs = format!("log.dirs={}", broker.directory().display());
    let words = refused(1, &["listeners=PLAINTEXT://127.0.0.1:0", "node.id=5", &dirs]);
    assert!(words.contains("this is node 5\n") && words.contains("next: set node.id=1, or"), "{words}");
}
