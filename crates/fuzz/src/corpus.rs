//! The inputs that are kept: for each target the few that together reach all that was ever reached, in one file, and
//! everything that was ever found, each in a file with a name.
//!
//! `corpus/TARGET.pack` is a row of inputs, each after its length in 32 bits; `regressions/TARGET/` has the findings.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::Target;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Where the corpus of a target is kept.
pub fn pack_path(target: &Target) -> PathBuf {
    root().join("corpus").join(format!("{}.pack", target.name))
}

/// The kept corpus of a target; empty if there is none yet.
pub fn kept(target: &Target) -> io::Result<Vec<Vec<u8>>> {
    match fs::read(pack_path(target)) {
        Ok(pack) => unpack(&pack).ok_or_else(|| io::Error::other("a pack ends within an input")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// What was found in a target and mended: name and input.
pub fn regressions(target: &Target) -> io::Result<Vec<(String, Vec<u8>)>> {
    let dir = root().join("regressions").join(target.name);
    if !dir.exists() {
        return Ok(Vec::new());
    }
    inputs_in(&dir)
}

/// The files of a folder by name, with their content.
pub fn inputs_in(dir: &Path) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        found.push((entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path())?));
    }
    found.sort();
    Ok(found)
}

/// Writes everything that a run begins with into a folder of files, as the engine wants it.
pub fn lay_out(target: &Target, dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    let regressions = regressions(target)?.into_iter().map(|(_, input)| input);
    for (number, input) in (target.seeds)().into_iter().chain(kept(target)?).chain(regressions).enumerate() {
        fs::write(dir.join(format!("{number:06}")), input)?;
    }
    Ok(())
}

/// What a pack may have, so that all of them stay below a megabyte.
const PACK_BYTES_MAX: usize = 96 * 1024;

/// Makes the files in `dir` the kept corpus of a target, the shortest first, as many as a pack takes. Returns how many
/// there are, and their bytes.
pub fn keep(target: &Target, dir: &Path) -> io::Result<(usize, usize)> {
    let mut inputs: Vec<_> = inputs_in(dir)?.into_iter().map(|(_, input)| input).collect();
    inputs.sort_by_key(|input| (input.len(), input.clone()));
    let mut bytes = 0;
    let fits = inputs.iter().take_while(|input| {
        bytes += 4 + input.len();
        bytes <= PACK_BYTES_MAX
    });
    let count = fits.count();
    inputs.truncate(count);
    let path = pack_path(target);
    fs::create_dir_all(path.parent().unwrap_or(root()))?;
    let pack = pack(&inputs);
    fs::write(path, &pack)?;
    Ok((inputs.len(), pack.len()))
}

fn pack(inputs: &[Vec<u8>]) -> Vec<u8> {
    let mut pack = Vec::new();
    for input in inputs {
        let len = u32::try_from(input.len()).expect("an input has some kilobytes");
        pack.extend_from_slice(&len.to_be_bytes());
        pack.extend_from_slice(input);
    }
    pack
}

fn unpack(mut pack: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut inputs = Vec::new();
    while !pack.is_empty() {
        let (len, rest) = pack.split_first_chunk()?;
        let (input, rest) = rest.split_at_checked(u32::from_be_bytes(*len) as usize)?;
        inputs.push(input.to_vec());
        pack = rest;
    }
    Some(inputs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pack_gives_back_what_was_put_in() {
        let inputs = vec![vec![], vec![1, 2, 3], vec![0; 300]];
        assert_eq!(unpack(&pack(&inputs)), Some(inputs));
        assert_eq!(unpack(&[0, 0, 0, 2, 1]), None);
    }
}
