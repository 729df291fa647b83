//! Threads for disk work that takes long, so that no request waits behind another's.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;

use kernel::port::Submission;
use kernel::port::disk::Completion;
use parking_lot::Mutex;

/// How many works of a kind run at a time. Syncs of one file system join one journal commit, so few threads are enough.
const WORKERS: usize = 4;

/// How many works may wait. Whoever submits more does the work itself, which slows it down to what the disk can do.
const QUEUE_MAX: usize = 4096;

type Job = (Submission, Completion);

#[derive(Debug)]
pub(super) struct Workers {
    changes: SyncSender<Job>,
    /// Apart from the others, so that who reads what is old holds up nobody's acknowledgement.
    reads: SyncSender<Job>,
}

impl Workers {
    pub(super) fn start() -> io::Result<Self> {
        Ok(Self { changes: start("disk")?, reads: start("read")? })
    }

    pub(super) fn submit(&self, work: Submission, done: Completion) {
        let queue = if matches!(work, Submission::Warm { .. }) { &self.reads } else { &self.changes };
        match queue.try_send((work, done)) {
            Ok(()) => {}
            Err(TrySendError::Full((work, done)) | TrySendError::Disconnected((work, done))) => {
                done(perform(work))
            }
        }
    }
}

fn start(name: &str) -> io::Result<SyncSender<Job>> {
    let (queue, jobs) = sync_channel(QUEUE_MAX);
    let jobs = Arc::new(Mutex::new(jobs));
    for number in 0..WORKERS {
        let jobs = Arc::clone(&jobs);
        thread::Builder::new()
            .name(format!("{name}-{number}"))
            .stack_size(128 << 10)
            .spawn(move || serve(&jobs))?;
    }
    Ok(queue)
}

fn serve(jobs: &Mutex<Receiver<Job>>) {
    loop {
        let job = jobs.lock().recv();
        let Ok((work, done)) = job else { return };
        done(perform(work));
    }
}

fn perform(work: Submission) -> io::Result<()> {
    match work {
        Submission::Sync(file) => file.sync_data(),
        Submission::Warm { file, position, len } => file.warm(position, len),
        Submission::Remove(path) if path.is_dir() => std::fs::remove_dir_all(path),
        Submission::Remove(path) => match std::fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        },
        Submission::Task(task) => {
            task();
            Ok(())
        }
    }
}
