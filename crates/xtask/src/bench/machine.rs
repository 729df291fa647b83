//! What the operating system says of processes and of itself.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Serialize;

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

/// Memory that was just in use, freed as fast as a broker needs memory for what it appends.
///
/// Memory that a virtual machine has freed goes back to its host after a moment, and costs several times as much to
/// touch after that, whoever does it. So that both sides find warm memory all the time, files fill the page cache before
/// a run and are removed bit by bit during it. Files, because the kernel gives what other memory leaves behind to
/// programs first and to the page cache last.
#[derive(Debug)]
pub struct Warm {
    files: Vec<PathBuf>,
    freed: u64,
}

impl Warm {
    const PIECE_BYTES: u64 = 64 << 20;
    /// How far freeing is ahead of what is appended.
    const AHEAD_BYTES: u64 = 256 << 20;

    /// Fills so much of the page cache with files in `dir`.
    pub fn fill(dir: &Path, gib: u64) -> Result<Self, String> {
        let dir = dir.join("warm");
        let failed = |error: io::Error| format!("{}: {error}", dir.display());
        fs::create_dir_all(&dir).map_err(failed)?;
        let block = vec![1_u8; 1 << 20];
        let mut warm = Self { files: Vec::new(), freed: 0 };
        for number in 0..(gib << 30) / Self::PIECE_BYTES {
            let path = dir.join(number.to_string());
            let mut file = File::create(&path).map_err(failed)?;
            warm.files.push(path);
            for _ in 0..Self::PIECE_BYTES / block.len() as u64 {
                file.write_all(&block).map_err(failed)?;
            }
        }
        Ok(warm)
    }

    /// Frees memory for what is to be appended next, after `appended` bytes.
    pub fn keep_ahead_of(&mut self, appended: u64) {
        while self.freed < appended + Self::AHEAD_BYTES
            && let Some(path) = self.files.pop()
        {
            // The whole folder goes in the end.
            let _ = fs::remove_file(path);
            self.freed += Self::PIECE_BYTES;
        }
    }
}

impl Drop for Warm {
    fn drop(&mut self) {
        self.keep_ahead_of(u64::MAX - Self::AHEAD_BYTES);
    }
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

/// Where figures were measured.
#[derive(Debug, Clone, Serialize)]
pub struct Machine {
    pub cpu: String,
    pub cores: usize,
    pub memory_gib: u64,
    pub kernel: String,
    pub revision: String,
    pub rustc: String,
    pub java: String,
}

impl Machine {
    pub fn here() -> Self {
        let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        Self {
            cpu: model.map_or("unknown", |(_, name)| name).trim().to_owned(),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            memory_gib: (kib(&memory, "MemTotal").unwrap_or(0.0) / f64::from(1 << 20)).round() as u64,
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
            revision: first_line("git", &["describe", "--always", "--dirty"]),
            rustc: first_line("rustc", &["--version"]),
            java: first_line("java", &["-version"]),
        }
    }
}

fn first_line(program: &str, args: &[&str]) -> String {
    let Ok(output) = Command::new(program).args(args).output() else { return "unknown".to_owned() };
    let text = if output.stdout.is_empty() { output.stderr } else { output.stdout };
    String::from_utf8_lossy(&text).lines().next().unwrap_or("unknown").to_owned()
}
