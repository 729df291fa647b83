//! The file in which profiles are kept.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use kernel::option::nearest;
use serde_json::{Map, Value, json};

use crate::command::Failure;
use crate::command::files::read_small_text;
use crate::command::tree::variable;

/// How long is waited for others that change profiles, which takes them a moment.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the file of profiles holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Kept {
    pub current: Option<String>,
    pub profiles: BTreeMap<String, Address>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    pub bootstrap: String,
    pub color: Option<String>,
}

impl Address {
    pub fn json(&self) -> Value {
        json!({ "bootstrap": self.bootstrap, "color": self.color })
    }
}

impl Kept {
    /// Where profiles are kept: RIVERRUN_PROFILES, or riverrun/profiles.json among the user's configuration.
    fn path() -> Option<PathBuf> {
        let variable = |name: &str| variable(name).map(PathBuf::from);
        variable("RIVERRUN_PROFILES").or_else(|| {
            let directory = variable("XDG_CONFIG_HOME").or_else(|| Some(variable("HOME")?.join(".config")));
            Some(directory?.join("riverrun").join("profiles.json"))
        })
    }

    pub fn read() -> Result<Kept, Failure> {
        let Some(path) = Kept::path() else {
            return Ok(Kept::default());
        };
        let text = match read_file(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Kept::default()),
            Err(error) => {
                return Err(Failure::failed(format!("cannot read {}: {error}", path.display()))
                    .next("make it readable, or name another file in RIVERRUN_PROFILES"));
            }
        };
        Kept::parse(&text).ok_or_else(|| {
            Failure::failed(format!("{} is not a file of profiles", path.display()))
                .next("mend it, or remove it and create the profiles again")
        })
    }

    fn parse(text: &str) -> Option<Kept> {
        let value: Value = serde_json::from_str(text).ok()?;
        let address = |(name, address): (&String, &Value)| {
            let text = |key: &str| address.get(key).and_then(Value::as_str).map(str::to_owned);
            Some((name.clone(), Address { bootstrap: text("bootstrap")?, color: text("color") }))
        };
        let profiles: Option<BTreeMap<_, _>> =
            value.get("profiles")?.as_object()?.iter().map(address).collect();
        let current = value.get("current").and_then(Value::as_str).map(str::to_owned);
        Some(Kept { current, profiles: profiles? })
    }

    pub fn json(&self) -> Value {
        let address = |(name, address): (&String, &Address)| (name.clone(), address.json());
        let profiles: Map<String, Value> = self.profiles.iter().map(address).collect();
        json!({ "current": self.current, "profiles": profiles })
    }

    /// Keeps others from changing profiles until it is dropped, so that what they and this one write is not lost.
    pub fn lock() -> Result<File, Failure> {
        let path = Kept::target()?;
        let directory = match path.parent() {
            Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
            Some(parent) => parent,
            None => Path::new("."),
        };
        let failed = |error| unwritable(directory, error);
        std::fs::create_dir_all(directory).map_err(failed)?;
        let opened = File::open(directory).map_err(failed)?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            match opened.try_lock() {
                Ok(()) => return Ok(opened),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(Failure::failed(format!(
                        "{} is locked by another program",
                        directory.display()
                    ))
                    .next("end the other command that changes profiles, and try again"));
                }
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
        }
    }

    /// Where the file is to be: where a link leads, if it is one.
    fn target() -> Result<PathBuf, Failure> {
        let Some(path) = Kept::path() else {
            return Err(Failure::failed("there is no place to keep profiles")
                .next("set HOME, or name a file in RIVERRUN_PROFILES"));
        };
        if let Ok(target) = std::fs::canonicalize(&path) {
            return Ok(target);
        }
        Ok(match std::fs::read_link(&path) {
            Ok(target) => path.parent().map_or_else(|| target.clone(), |parent| parent.join(&target)),
            Err(_) => path,
        })
    }

    /// Writes the file beside the old one and puts it in its place. Whoever writes holds the lock.
    pub fn write(&self) -> Result<(), Failure> {
        let path = Kept::target()?;
        let beside = path.with_extension(format!("json.{}", std::process::id()));
        let written = std::fs::write(&beside, format!("{:#}\n", self.json()))
            .and_then(|()| std::fs::rename(&beside, &path));
        written.map_err(|error| {
            // What is there of it is of no use to anybody.
            let _ = std::fs::remove_file(&beside);
            unwritable(&path, error)
        })
    }

    pub fn find(&self, name: &str) -> Result<&Address, Failure> {
        self.profiles.get(name).ok_or_else(|| {
            let next = match nearest(name, self.profiles.keys().map(String::as_str)) {
                Some(near) => format!("did you mean {near}? `riverrun profile list` shows all"),
                None => "`riverrun profile list` shows those that are there".to_owned(),
            };
            Failure::not_there(format!("there is no profile {name:?}")).next(next)
        })
    }
}

/// Reads the file of profiles. What is no file cannot be written anew either.
fn read_file(path: &Path) -> io::Result<String> {
    match std::fs::metadata(path)?.is_file() {
        true => read_small_text(path),
        false => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file")),
    }
}

fn unwritable(path: &Path, error: io::Error) -> Failure {
    Failure::failed(format!("cannot write {}: {error}", path.display()))
        .next("make its directory writable, or name another file in RIVERRUN_PROFILES")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_back() {
        let address = |bootstrap: &str, color: Option<&str>| Address {
            bootstrap: bootstrap.to_owned(),
            color: color.map(str::to_owned),
        };
        let profiles =
            [("a".to_owned(), address("h:1", Some("red"))), ("b".to_owned(), address("h:2", None))];
        let kept = Kept { current: Some("b".to_owned()), profiles: profiles.into() };
        assert_eq!(Kept::parse(&kept.json().to_string()), Some(kept));
        assert_eq!(Kept::parse("[]"), None);
        assert_eq!(Kept::parse(r#"{"profiles":{"a":{}}}"#), None);
    }
}
