//! Files that people write, which are small: a device that somebody names may have no end.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// The most that is read.
const BYTES_MAX: u64 = 4 << 20;

/// Reads a file, if it is no larger than what people keep in one.
pub fn read_small(path: &Path) -> io::Result<Vec<u8>> {
    read_of(File::open(path)?)
}

fn read_of(file: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(BYTES_MAX + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > BYTES_MAX {
        true => {
            Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it has more than {BYTES_MAX} bytes")))
        }
        false => Ok(bytes),
    }
}

/// The same, if it is text.
pub fn read_small_text(path: &Path) -> io::Result<String> {
    String::from_utf8(read_small(path)?).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_end_is_not_read_to_its_end() {
        let error = read_of(io::repeat(b'x')).expect_err("it has no end");
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(read_of(&b"a=b"[..]).expect("it is small"), b"a=b");
    }
}
