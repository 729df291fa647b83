//! What the operating system says of processes and of itself.

use std::fmt;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde::{Deserialize, Serialize};

/// The kernel counts CPU time of processes in hundredths of a second, whatever its own clock does.
const TICKS_PER_SECOND: f64 = 100.0;

/// CPU time that a process has used so far, in seconds: its own and the kernel's for it.
pub fn cpu_seconds(pid: u32) -> Result<f64, String> {
    let path = format!("/proc/{pid}/stat");
    let text = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    // The name of the program, in parentheses, may have blanks.
    let fields: Vec<&str> =
        text.rsplit_once(')').map(|(_, rest)| rest.split_whitespace().collect()).unwrap_or_default();
    let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<f64>().ok());
    match (ticks(11), ticks(12)) {
        (Some(user), Some(system)) => Ok((user + system) / TICKS_PER_SECOND),
        _ => Err(format!("{path} is not understood")),
    }
}

/// A row of `/proc/PID/status` in MB, such as `VmRSS`.
pub fn memory_mb(pid: u32, row: &str) -> Result<f64, String> {
    let path = format!("/proc/{pid}/status");
    let text = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    kib(&text, row).map(|kib| kib * 1024.0 / 1e6).ok_or_else(|| format!("{path} has no {row}"))
}

fn kib(text: &str, row: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.split(':').next() == Some(row))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Bytes in the files of a folder.
pub fn dir_bytes(dir: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(dir) else { return 0 };
    let sizes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => dir_bytes(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

/// Where figures were measured, and with what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    pub cpu: String,
    pub cores: usize,
    pub memory_gib: u64,
    pub kernel: String,
    pub file_system: String,
    pub rustc: String,
    pub java: String,
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Machine { cpu, cores, memory_gib, kernel, file_system, rustc, java } = self;
        write!(f, "{cores} cores of {cpu}, {memory_gib} GiB, Linux {kernel}, {file_system}; {rustc}; {java}")
    }
}

impl Machine {
    pub fn here(data: &Path) -> Self {
        let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Self {
            cpu: model.map_or("unknown", |(_, name)| name).trim().to_owned(),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            memory_gib: (kib(&memory, "MemTotal").unwrap_or(0.0) / f64::from(1 << 20)).round() as u64,
            // The version alone: what follows names somebody's build.
            kernel: kernel.trim().split('-').next().unwrap_or_default().to_owned(),
            file_system: last_line(Command::new("df").arg("--output=fstype").arg(data)),
            rustc: first_line("rustc", &["--version"]),
            java: first_line("java", &["-version"]),
        }
    }
}

/// Which source the figures are of.
pub fn revision() -> String {
    first_line("git", &["describe", "--always", "--dirty"])
}

/// Today, as in 2026-11-21.
pub fn date() -> String {
    first_line("date", &["-u", "+%Y-%m-%d"])
}

fn last_line(command: &mut Command) -> String {
    let output = command.output().map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&output).lines().last().unwrap_or("unknown").to_owned()
}

fn first_line(program: &str, args: &[&str]) -> String {
    let Ok(output) = Command::new(program).args(args).output() else { return "unknown".to_owned() };
    let text = if output.stdout.is_empty() { output.stderr } else { output.stdout };
    String::from_utf8_lossy(&text).lines().next().unwrap_or("unknown").to_owned()
}
