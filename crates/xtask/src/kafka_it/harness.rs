//! The harness: Kafka's test jars and our few classes that stand in front of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::options::Options;
use crate::test::fetch::{cached, need};
use crate::test::process::succeed;
use crate::test::{Places, build};

/// What a run of tests needs.
#[derive(Debug)]
pub struct Harness {
    pub places: Places,
    /// Ours first: two of our classes take the place of Kafka's classes of the same names.
    pub class_path: String,
    /// The command that runs a node; the path of its properties file is appended.
    pub backend: String,
    /// Where results and logs go.
    pub out: PathBuf,
    /// Our binary, for the script that runs it.
    pub binary: PathBuf,
}

impl Harness {
    /// Fetches the jars, compiles our classes, and builds the broker if no other one is to be tested.
    pub fn prepare(places: Places, options: &Options) -> Result<Self, String> {
        need(&["java", "javac", "mvn"])?;
        let home = places.root.join("conformance/kafka-it");
        let jars = places.cache.join("java-kafka-it");
        let pom = home.join("pom.xml");
        let text = fs::read_to_string(&pom).map_err(|error| format!("{}: {error}", pom.display()))?;
        cached(&jars, &text, |dir| {
            println!("fetching the jars of Apache Kafka's tests");
            let target = format!("-DoutputDirectory={}", dir.display());
            let mut mvn = Command::new("mvn");
            mvn.args(["-q", "-B", "-f"]).arg(&pom).arg("dependency:copy-dependencies").arg(target);
            succeed(&mut mvn, "fetching jars")
        })?;
        let classes = places.out.join("classes-kafka-it");
        compile(&home.join("src"), &jars, &classes)?;
        let class_path = class_path(&classes, &jars)?;
        let binary = options.binary.clone().unwrap_or_else(|| places.root.join("target/release/riverrun"));
        if options.binary.is_none() && options.backend.is_none() {
            build(&places.root)?;
        }
        let ours = || home.join("backends/riverrun").display().to_string();
        let backend = options.backend.clone().unwrap_or_else(ours);
        let out = options.out.clone().unwrap_or_else(|| places.out.join("kafka-it"));
        fs::create_dir_all(&out).map_err(|error| format!("{}: {error}", out.display()))?;
        let out = out.canonicalize().map_err(|error| format!("{}: {error}", out.display()))?;
        Ok(Self { places, out, class_path, backend, binary })
    }
}

/// Compiles our classes unless they are as they were.
fn compile(sources: &Path, jars: &Path, classes: &Path) -> Result<(), String> {
    let mut javac = Command::new("javac");
    javac.args(["-nowarn", "-proc:none", "--release", "17", "-cp"]).arg(format!("{}/*", jars.display()));
    javac.arg("-d").arg(classes);
    let mut stamp = String::new();
    files(sources, "java", &mut |file| {
        stamp.push_str(&fs::read_to_string(file).unwrap_or_default());
        javac.arg(file);
    })?;
    cached(classes, &stamp, |_| succeed(&mut javac, "compiling the harness"))
}

/// In a fixed order, as which jar comes first may matter.
fn class_path(classes: &Path, jars: &Path) -> Result<String, String> {
    let mut found = Vec::new();
    files(jars, "jar", &mut |file| found.push(file.display().to_string()))?;
    found.sort();
    found.insert(0, classes.display().to_string());
    Ok(found.join(":"))
}

/// Every file below a folder whose name ends so.
fn files(folder: &Path, extension: &str, found: &mut dyn FnMut(&Path)) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() {
            files(&path, extension, found)?;
        } else if path.extension().is_some_and(|end| end == extension) {
            found(&path);
        }
    }
    Ok(())
}
