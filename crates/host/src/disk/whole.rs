//! A sync of a whole file system, for those of which it is known what that does.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use kernel::port::disk::Whole;
use rustix::fs::{fstatfs, syncfs};

/// Since this release of Linux a sync of a file system fails if a write did that the system made by itself before.
const TELLS_OF_FAILED_WRITES: (u32, u32) = (5, 8);

/// The file systems whose sync covers data and names and waits for the disk: ext4, XFS, Btrfs. Others pass on less of it,
/// such as those that a process or another machine serves.
const COVERING: [u64; 3] = [0xEF53, 0x5846_5342, 0x9123_683E];

/// A folder, open since before anything was written that is to be covered: failures are told from then on.
#[derive(Debug)]
pub struct OpenFolder(File);

/// Nothing where a sync of the whole cannot be relied on.
pub fn open(dir: &Path) -> io::Result<Option<OpenFolder>> {
    let system = rustix::system::uname();
    if release(system.release().to_str().unwrap_or_default()) < Some(TELLS_OF_FAILED_WRITES) {
        return Ok(None);
    }
    let folder = File::open(dir)?;
    let kind = fstatfs(&folder)?.f_type;
    let covered = u64::try_from(kind).is_ok_and(|kind| COVERING.contains(&kind));
    Ok(covered.then_some(OpenFolder(folder)))
}

/// The first two numbers of a release such as `6.1.0-18-amd64`.
fn release(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split(|other: char| !other.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

impl Whole for OpenFolder {
    fn covers(&self, dir: &Path) -> bool {
        let device = |metadata: std::fs::Metadata| metadata.dev();
        let own = self.0.metadata().map(device).ok();
        own.is_some() && own == std::fs::metadata(dir).map(device).ok()
    }

    fn sync(&self) -> io::Result<()> {
        syncfs(&self.0)?;
        // Where ext4 has no journal, blocks with names and sizes are written after the disk was told to flush.
        self.0.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_compared_by_their_numbers() {
        assert_eq!(release("6.1.0-18-amd64"), Some((6, 1)));
        assert_eq!(release("5.10-rc1"), Some((5, 10)));
        assert!(release("5.4.0") < Some(TELLS_OF_FAILED_WRITES));
        assert!(release("5.10.0") > Some(TELLS_OF_FAILED_WRITES));
        assert!(release("unknown") < Some(TELLS_OF_FAILED_WRITES));
    }
}
