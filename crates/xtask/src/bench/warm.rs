//! Memory that was just in use, for whoever appends next.
//!
//! Memory that a virtual machine freed goes back to its host within about two seconds, and costs ten times as much to
//! touch after that: appending to a fresh file took 400 MB per CPU second over such memory, 4,000 to 5,000 over memory
//! freed just before, 8,500 over pages that the file had already. So a store of files in the page cache is kept beside
//! the runs, and during a run it is removed bit by bit, as fast as the broker appends. Files, because memory freed by
//! other means (anonymous memory, tmpfs) did not reach the page cache of a fresh file warm.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

const PIECE_BYTES: u64 = 16 << 20;

/// How far freeing is ahead of appending: little, because what is freed early is cold again when it is needed.
const AHEAD_BYTES: u64 = 64 << 20;
const AHEAD_SECONDS: f64 = 0.1;

#[derive(Debug)]
pub struct Warm {
    dir: PathBuf,
    files: Vec<PathBuf>,
    made: u64,
    run: Option<Run>,
}

#[derive(Debug)]
struct Run {
    begun: Instant,
    freed: u64,
}

impl Warm {
    pub fn new(scratch: &Path) -> Result<Self, String> {
        let dir = scratch.join("warm");
        fs::create_dir_all(&dir).map_err(|error| format!("{}: {error}", dir.display()))?;
        Ok(Self { dir, files: Vec::new(), made: 0, run: None })
    }

    /// Fills the store up to `bytes`. Best right after files were removed, while their memory is still warm.
    pub fn fill(&mut self, bytes: u64) -> Result<(), String> {
        let block = vec![1_u8; 1 << 20];
        while (self.files.len() as u64) < bytes.div_ceil(PIECE_BYTES) {
            let path = self.dir.join(self.made.to_string());
            self.made += 1;
            let write = || -> io::Result<()> {
                let mut file = File::create(&path)?;
                (0..PIECE_BYTES / block.len() as u64).try_for_each(|_| file.write_all(&block))
            };
            write().map_err(|error| format!("{}: {error}", path.display()))?;
            self.files.push(path);
        }
        self.run = None;
        Ok(())
    }

    /// Frees memory for what is to be appended next, after `appended` bytes of this run.
    pub fn keep_ahead_of(&mut self, appended: u64) {
        let run = self.run.get_or_insert_with(|| Run { begun: Instant::now(), freed: 0 });
        let rate = appended as f64 / run.begun.elapsed().as_secs_f64().max(AHEAD_SECONDS);
        let wanted = appended + AHEAD_BYTES + (rate * AHEAD_SECONDS) as u64;
        while run.freed < wanted
            && let Some(path) = self.files.pop()
        {
            // The whole folder goes in the end.
            let _ = fs::remove_file(path);
            run.freed += PIECE_BYTES;
        }
    }
}

impl Drop for Warm {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}
