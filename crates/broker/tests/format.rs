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
    let dirs: Vec<_> = dirs.iter().map(|dir| dir.display().to_string()).collect();
    let settings = [format!("log.dirs={}", dirs.join(","))];
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
