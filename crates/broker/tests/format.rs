//! What a format step leaves is what the cluster begins with.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use broker::format::{Format, FormatError, FormattedDir, MetadataVersion, format};
use host::{RealClock, RealDisk, RealEntropy};
use kernel::option::{NodeOptions, Sources, resolve};
use kernel::port::Disk;
use support::TestNode;

fn wanted(release: &str) -> Format {
    Format {
        cluster_id: "Form4tted".to_owned(),
        release: MetadataVersion::from_release(release),
        features: Vec::new(),
        ignore_formatted: false,
        dry_run: false,
    }
}

/// An empty directory of the test's own.
#[expect(clippy::disallowed_methods, reason = "the directory of a test")]
fn empty(test: &str) -> PathBuf {
    let dir = TestNode::dir_of(test);
    let _ = std::fs::remove_dir_all(&dir);
    dir
}

fn run(dirs: &[&Path], wanted: &Format) -> Result<Vec<FormattedDir>, FormatError> {
    run_with(dirs, wanted, &[])
}

fn run_with(dirs: &[&Path], wanted: &Format, more: &[&str]) -> Result<Vec<FormattedDir>, FormatError> {
    let dirs: Vec<_> = dirs.iter().map(|dir| dir.display().to_string()).collect();
    let mut settings = vec![format!("log.dirs={}", dirs.join(","))];
    settings.extend(more.iter().map(|setting| (*setting).to_owned()));
    let sources = Sources { file: None, environment: &[], command_line: &settings };
    let config = NodeOptions::new(resolve(&sources).unwrap()).broker_config().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(RealDisk::new().unwrap());
    format(&config, wanted, &disk, &RealClock::new(), &RealEntropy).map(|(_, formatted)| formatted)
}

#[test]
fn a_formatted_node_begins_with_the_id_and_the_release_that_were_asked_for() {
    let dir = empty("format-begin");
    let formatted = run(&[&dir], &wanted("3.7")).unwrap();
    assert_eq!(formatted, [FormattedDir { path: dir, metadata: true }]);
    let mut node = TestNode::start_in("format-begin", &[]);
    for _ in 0..2 {
        assert_eq!(&*node.node().cluster_id, "Form4tted");
        assert_eq!(node.node().image().features.metadata_version(), Some(MetadataVersion(19)));
        node.stop();
        node.restart();
    }
}

#[test]
fn without_a_release_the_newest_is_taken() {
    let dir = empty("format-newest");
    run(&[&dir], &Format { release: None, ..wanted("") }).unwrap();
    let node = TestNode::start_in("format-newest", &[]);
    assert_eq!(node.node().image().features.metadata_version(), Some(MetadataVersion::LATEST));
}

#[test]
fn what_is_formatted_is_refused_or_on_demand_left_alone() {
    let dir = empty("format-twice");
    let (one, two) = (dir.join("one"), dir.join("two"));
    run(&[&one], &wanted("4.0")).unwrap();
    let refused = run(&[&one, &two], &wanted("4.0")).unwrap_err();
    assert!(matches!(&refused, FormatError::Formatted(path) if *path == one), "{refused}");
    let more = Format { ignore_formatted: true, ..wanted("4.0") };
    let formatted = run(&[&one, &two], &more).unwrap();
    assert_eq!(formatted, [FormattedDir { path: two.clone(), metadata: false }]);
    assert_eq!(run(&[&one, &two], &more).unwrap(), []);
    let other = Format { cluster_id: "Another".to_owned(), ..more };
    let refused = run(&[&one, &two], &other).unwrap_err();
    assert!(matches!(&refused, FormatError::Other { cluster, .. } if cluster == "Form4tted"), "{refused}");
}

#[test]
fn what_is_not_served_is_refused_before_anything_is_written() {
    let dir = empty("format-refused");
    let features = |name: &str, level| Format { features: vec![(name.to_owned(), level)], ..wanted("4.0") };
    for (name, level) in [("share.version", 9), ("no.such", 1), ("metadata.version", 6)] {
        let refused = run(&[&dir], &features(name, level)).unwrap_err();
        assert!(matches!(&refused, FormatError::NotServed { .. }), "{name}: {refused}");
    }
    // No controller listens here that the log could name.
    let refused = run(&[&dir], &features("kraft.version", 1)).unwrap_err();
    assert!(matches!(refused, FormatError::QuorumVersion(0)), "{refused}");
    let refused = run(&[&dir], &features("metadata.version", 20)).unwrap_err();
    assert!(matches!(refused, FormatError::VersionTwice), "{refused}");
    let id = "no spaces, no\nlines".to_owned();
    let refused = run(&[&dir], &Format { cluster_id: id, ..wanted("4.0") }).unwrap_err();
    assert!(matches!(refused, FormatError::ClusterId(_)), "{refused}");
    assert!(!dir.exists());
}

/// Without that Kafka does not go on with the directory; which it does, `cargo xtask test --only java` shows.
#[test]
fn the_voters_are_named_before_the_first_start_where_the_log_names_them() {
    let listeners = "listeners=PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:19093";
    let controller = [listeners, "controller.listener.names=CONTROLLER"];
    let named = "__cluster_metadata-0/00000000000000000000-0000000000.checkpoint";
    let dir = empty("format-voters");
    run_with(&[&dir], &wanted("4.3"), &controller).unwrap();
    assert!(exists(&dir.join(named)));
    let settings = ["listeners=PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0", controller[1]];
    let mut node = TestNode::start_in("format-voters", &settings);
    for _ in 0..2 {
        let voters = node.node().image().quorum.voters().unwrap().voters;
        let [voter] = voters.as_slice() else { panic!("{voters:?}") };
        assert_eq!((voter.endpoints[0].port, voter.endpoints[0].host.as_str()), (19_093, "127.0.0.1"));
        node.stop();
        node.restart();
    }
    let dir = empty("format-voters-set");
    run_with(&[&dir], &wanted("4.3"), &[&controller[..], &["controller.quorum.voters=1@h:9093"]].concat())
        .unwrap();
    assert!(!exists(&dir.join(named)), "the configuration names them");
}

#[test]
fn a_directory_with_logs_is_refused_unless_it_is_known_whose_they_are() {
    let mut node = TestNode::start("format-whose");
    node.client().topics(&["t"]);
    let (dir, id) = (node.dir().to_owned(), node.node().cluster_id.to_string());
    node.stop();
    let refused =
        |node: &mut TestNode| node.try_restart().expect_err("somebody has to say whose").to_string();
    remove(&dir.join("meta.properties"));
    assert!(refused(&mut node).contains("no meta.properties"));
    run(&[&dir], &Format { cluster_id: id, ..wanted("4.3") }).unwrap();
    node.restart();
    assert!(node.node().image().topic("t").is_some(), "the metadata is used as it was");
    node.client().topics(&["t"]);
    node.kill();
    rename(&dir.join("__cluster_metadata-0"), &dir.join("kept"));
    make(&dir.join("u-0"));
    assert!(refused(&mut node).contains("has no __cluster_metadata-0"));
    rename(&dir.join("kept"), &dir.join("__cluster_metadata-0"));
    node.restart();
    assert!(node.node().image().topic("t").is_some());
}

#[expect(clippy::disallowed_methods, reason = "the directory of a test")]
fn exists(path: &Path) -> bool {
    std::fs::exists(path).unwrap()
}

#[expect(clippy::disallowed_methods, reason = "the directory of a test")]
fn remove(path: &Path) {
    std::fs::remove_file(path).unwrap();
}

#[expect(clippy::disallowed_methods, reason = "the directory of a test")]
fn make(folder: &Path) {
    std::fs::create_dir(folder).unwrap();
}

#[expect(clippy::disallowed_methods, reason = "the directory of a test")]
fn rename(from: &Path, to: &Path) {
    std::fs::rename(from, to).unwrap();
}
