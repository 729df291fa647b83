//! How one command reaches the shop that runs: a line over a socket in its folder, and a line back.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// How long either side waits for the other; a replay waits for its group to be empty.
const PATIENCE: Duration = Duration::from_secs(60);

/// No command is longer.
const LINE_MAX: u64 = 1024;

/// What can be asked of a shop that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    Stop(String),
    Start(String),
    Crash(String),
    Slow(String, u64),
    Replay(String),
}

fn path(dir: &Path) -> PathBuf {
    dir.join("control.sock")
}

/// Asks the shop that runs in this folder. Returns what it says.
pub async fn send(dir: &Path, command: &Command) -> Result<String, Box<dyn Error>> {
    let ask = async {
        let mut stream = UnixStream::connect(path(dir)).await.map_err(|error| {
            format!(
                "no shop runs in {}: {error}. Start one with `shop run`, or name its folder with --dir",
                dir.display()
            )
        })?;
        stream.write_all(format!("{}\n", serde_json::to_string(command)?).as_bytes()).await?;
        let mut said = String::new();
        stream.read_to_string(&mut said).await?;
        Ok::<_, Box<dyn Error>>(said)
    };
    let said = timeout(PATIENCE, ask).await??;
    match said.strip_prefix("error: ") {
        Some(problem) => Err(problem.into()),
        None => Ok(said),
    }
}

/// Where commands arrive.
#[derive(Debug)]
pub struct Listener {
    commands: mpsc::Receiver<(Command, Reply)>,
    path: PathBuf,
}

/// The way back to who asked.
#[derive(Debug)]
pub struct Reply(UnixStream);

impl Listener {
    /// Only one shop runs in a folder.
    pub fn open(dir: &Path) -> Result<Self, Box<dyn Error>> {
        let path = path(dir);
        if std::os::unix::net::UnixStream::connect(&path).is_ok() {
            return Err(format!("a shop runs in {} already", dir.display()).into());
        }
        // Left by one that was killed.
        let _ = std::fs::remove_file(&path);
        let socket = UnixListener::bind(&path)?;
        let (arrived, commands) = mpsc::channel(1);
        tokio::spawn(async move {
            while let Ok((stream, _)) = socket.accept().await {
                if let Some(command) = read(stream).await
                    && arrived.send(command).await.is_err()
                {
                    return;
                }
            }
        });
        Ok(Self { commands, path })
    }

    /// The next command. Nothing is lost if something else is done before it is there.
    pub async fn next(&mut self) -> Result<(Command, Reply), Box<dyn Error>> {
        self.commands.recv().await.ok_or_else(|| "no commands arrive any more".into())
    }
}

/// A command that has arrived. What is not understood is answered, and passed over.
async fn read(stream: UnixStream) -> Option<(Command, Reply)> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    let mut limited = (&mut stream).take(LINE_MAX);
    let arrived = matches!(timeout(Duration::from_secs(1), limited.read_line(&mut line)).await, Ok(Ok(_)));
    let reply = Reply(stream.into_inner());
    match serde_json::from_str(&line) {
        Ok(command) if arrived => Some((command, reply)),
        _ => {
            reply.send(&Err("the command is not understood".to_owned())).await;
            None
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Reply {
    /// Whoever has gone meanwhile misses it.
    pub async fn send(mut self, said: &Result<String, String>) {
        let line = match said {
            Ok(said) => said.clone(),
            Err(problem) => format!("error: {problem}"),
        };
        let _ = self.0.write_all(line.as_bytes()).await;
    }
}
