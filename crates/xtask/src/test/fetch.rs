//! Brings the clients of other people: each in the version that `conformance/` pins, kept in a cache between runs.
//!
//! An error here says what is missing; outside CI it skips the suite by name and fails nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use super::Context;
use super::process::{exists, succeed};

/// A command that speaks to a broker; the broker's address is appended.
#[derive(Debug, Default)]
pub struct Program {
    pub command: Vec<String>,
    pub env: Vec<(String, String)>,
}

impl Program {
    fn new<const N: usize>(command: [String; N]) -> Self {
        Self { command: command.into(), env: Vec::new() }
    }

    fn env(mut self, key: &str, value: &Path) -> Self {
        self.env.push((key.to_owned(), value.display().to_string()));
        self
    }
}

/// Two suites may want the same cache at the same time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

pub(crate) fn need(programs: &[&str]) -> Result<(), String> {
    match programs.iter().find(|program| !exists(program)) {
        Some(missing) => Err(format!("{missing} is not installed")),
        None => Ok(()),
    }
}

/// Runs `fill` on an empty directory unless a former run with the same `stamp` completed it.
pub(crate) fn cached(
    dir: &Path,
    stamp: &str,
    fill: impl FnOnce(&Path) -> Result<(), String>,
) -> Result<(), String> {
    let _guard = ONE_AT_A_TIME.lock().map_err(|_| "another fetch failed")?;
    let mark = dir.join(".complete");
    if fs::read_to_string(&mark).is_ok_and(|old| old == stamp) {
        return Ok(());
    }
    let io = |error: std::io::Error| format!("{}: {error}", dir.display());
    if dir.exists() {
        fs::remove_dir_all(dir).map_err(io)?;
    }
    fs::create_dir_all(dir).map_err(io)?;
    fill(dir)?;
    fs::write(mark, stamp).map_err(io)
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

/// The jars that `conformance/java/NAME/pom.xml` lists, and the program beside it compiled against them.
fn java(context: &Context, name: &str, main: &[&str]) -> Result<Program, String> {
    need(&["java", "javac", "mvn"])?;
    let home = context.root.join("conformance/java").join(name);
    let (pom, jars) = (home.join("pom.xml"), context.cache.join(format!("java-{name}")));
    cached(&jars, &read(&pom)?, |dir| {
        let target = format!("-DoutputDirectory={}", dir.display());
        let mut mvn = Command::new("mvn");
        mvn.args(["-q", "-B", "-f"]).arg(&pom).arg("dependency:copy-dependencies").arg(target);
        succeed(&mut mvn, "fetching jars")
    })?;
    let classes = context.out.join(format!("classes-{name}"));
    let path = format!("{}/*", jars.display());
    let mut javac = Command::new("javac");
    javac.args(["-d"]).arg(&classes).args(["-cp", &path]);
    javac.arg(context.root.join("conformance/java/common/Suite.java"));
    for entry in fs::read_dir(home.join("src")).map_err(|error| format!("no Java sources: {error}"))? {
        javac.arg(entry.map_err(|error| error.to_string())?.path());
    }
    succeed(&mut javac, "compiling")?;
    let mut command = vec!["java".to_owned(), "-Xmx512m".to_owned(), "-XX:+UseSerialGC".to_owned()];
    command.push("-XX:TieredStopAtLevel=1".to_owned());
    command.push("-Dorg.slf4j.simpleLogger.defaultLogLevel=error".to_owned());
    command.push(format!(
        "-Dlog4j2.configurationFile={}/conformance/backends/log4j2.properties",
        context.root.display()
    ));
    command.extend(["-cp".to_owned(), format!("{}:{path}", classes.display())]);
    command.extend(main.iter().map(|word| (*word).to_owned()));
    Ok(Program { command, env: Vec::new() })
}

pub fn java_clients(context: &Context) -> Result<Program, String> {
    java(context, "clients", &["Main"])
}

pub fn java_tools(context: &Context) -> Result<Program, String> {
    java(context, "tools", &["ToolsMain"])
}

/// What fills brokers and dumps their files, beside the tools.
pub fn java_files(context: &Context) -> Result<Program, String> {
    java(context, "tools", &["FilesMain"])
}

/// A virtual environment with the pinned packages.
fn python_packages(root: &Path, cache: &Path) -> Result<PathBuf, String> {
    need(&["python3"])?;
    let requirements = root.join("conformance/python/requirements.txt");
    let dir = cache.join("python");
    cached(&dir, &read(&requirements)?, |dir| {
        let mut venv = Command::new("python3");
        succeed(venv.args(["-m", "venv"]).arg(dir), "making a virtual environment")?;
        let mut pip = Command::new(dir.join("bin/pip"));
        succeed(pip.args(["install", "--quiet", "-r"]).arg(&requirements), "fetching Python packages")
    })?;
    Ok(dir)
}

pub fn python(context: &Context, script: &str) -> Result<Program, String> {
    let dir = python_packages(&context.root, &context.cache)?;
    let script = context.root.join("conformance/python").join(script);
    let program = [dir.join("bin/python").display().to_string(), script.display().to_string()];
    let mut program = Program::new(program);
    program.env.push(("PYTHONDONTWRITEBYTECODE".to_owned(), "1".to_owned()));
    Ok(program)
}

/// The librdkafka that a Python package has with it, as an object to link with.
#[cfg(feature = "bench")]
pub(crate) fn librdkafka(root: &Path, cache: &Path) -> Result<PathBuf, String> {
    let packages = python_packages(root, cache)?.join("lib");
    let entries = |dir: &Path| {
        let read = fs::read_dir(dir).into_iter().flatten().flatten();
        read.map(|entry| entry.path()).collect::<Vec<_>>()
    };
    let folders =
        entries(&packages).into_iter().map(|python| python.join("site-packages/confluent_kafka.libs"));
    let is_it = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.starts_with("librdkafka"))
    };
    let found = folders.flat_map(|folder| entries(&folder)).find(is_it);
    found.ok_or_else(|| "the Python package confluent-kafka has no librdkafka with it here".to_owned())
}

pub fn kafkajs(context: &Context) -> Result<Program, String> {
    need(&["node", "npm"])?;
    let home = context.root.join("conformance/kafkajs");
    let (package, lock) = (read(&home.join("package.json"))?, read(&home.join("package-lock.json"))?);
    let dir = context.cache.join("kafkajs");
    cached(&dir, &format!("{package}{lock}"), |dir| {
        let io = |error: std::io::Error| format!("{}: {error}", dir.display());
        fs::write(dir.join("package.json"), &package).map_err(io)?;
        fs::write(dir.join("package-lock.json"), &lock).map_err(io)?;
        let mut npm = Command::new("npm");
        succeed(npm.args(["ci", "--no-audit", "--no-fund"]).current_dir(dir), "fetching npm packages")
    })?;
    let program = Program::new(["node".to_owned(), home.join("suite.js").display().to_string()]);
    Ok(program.env("NODE_PATH", &dir.join("node_modules")))
}

pub fn franz_go(context: &Context) -> Result<Program, String> {
    need(&["go"])?;
    let home = context.root.join("conformance/franz-go");
    let binary: PathBuf = context.cache.join("franz-go");
    let _guard = ONE_AT_A_TIME.lock().map_err(|_| "another fetch failed")?;
    let mut go = Command::new("go");
    go.args(["build", "-o"]).arg(&binary).arg(".").current_dir(home);
    succeed(&mut go, "building the Go client")?;
    Ok(Program::new([binary.display().to_string()]))
}

pub fn kcat(context: &Context) -> Result<Program, String> {
    if !exists("kcat") {
        let install = "test \"$(id -u)\" = 0 && { apt-get install -qq -y kcat || { apt-get update -qq && apt-get install -qq -y kcat; }; }";
        let mut apt = Command::new("sh");
        succeed(
            apt.args(["-c", install]),
            "kcat is not installed, and installing it needs root and apt-get",
        )?;
    }
    let script = context.root.join("conformance/kcat/suite.sh");
    Ok(Program::new(["bash".to_owned(), script.display().to_string()]))
}
