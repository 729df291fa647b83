//! A disk whose power can be cut: a sparse file, with ext4 on it, mounted by a loop device.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Mutex;

use crate::test::process::{exists, succeed};

/// `EXT4_IOC_SHUTDOWN` without a flush of the journal: from then on nothing reaches the device.
///
/// The broker is stopped in the same moment, as it would be without power: a sync that is under way may return as if it had
/// succeeded, once the transaction that it waits for was given up, and an acknowledgement of that would come from beyond.
const SHUT_DOWN: &str = "
import fcntl, os, signal, struct, sys
disk = os.open(sys.argv[1], os.O_RDONLY)
if len(sys.argv) > 2:
    os.kill(int(sys.argv[2]), signal.SIGSTOP)
fcntl.ioctl(disk, 0x8004587D, struct.pack('I', 2))";

/// Outlives whoever holds the other end of its input, whatever ended that one, and takes away what was mounted. It is told the
/// broker's process id, as the disk cannot be taken away while somebody uses it.
const GUARD: &str = r#"
trap '' INT TERM HUP QUIT
mount=$1 image=$2 pid=0
while read -r told; do pid=$told; done
if [ "$pid" -gt 0 ]; then kill -9 "$pid" 2>/dev/null; fi
tries=0
while mountpoint -q "$mount" && [ "$tries" -lt 100 ]; do
    umount "$mount" 2>/dev/null || sleep 0.1
    tries=$((tries + 1))
done
if mountpoint -q "$mount"; then umount -l "$mount"; fi
for device in $(losetup -n -O NAME -j "$image"); do losetup -d "$device"; done
rm -f "$image"
"#;

/// The broker's disk: it is at `DIR/disk`, and `DIR/data`, the log directory, leads into it.
pub struct CutDisk {
    image: PathBuf,
    mount: PathBuf,
    guard: Child,
    told: Mutex<Option<ChildStdin>>,
}

/// Whether this machine lets us do it, or what is missing.
pub fn possible() -> Result<(), String> {
    let id = Command::new("id").arg("-u").output().map_err(|error| format!("id: {error}"))?;
    if id.stdout.trim_ascii() != b"0" {
        return Err("it needs root, to mount a disk of its own".to_owned());
    }
    let programs = ["mkfs.ext4", "mount", "umount", "mountpoint", "losetup", "python3"];
    if let Some(missing) = programs.iter().find(|program| !exists(program)) {
        return Err(format!("{missing} is not installed"));
    }
    let free = Command::new("losetup").arg("-f").output().map_err(|error| format!("losetup: {error}"))?;
    if !Path::new("/dev/loop-control").exists() || !free.status.success() {
        return Err("there is no free loop device".to_owned());
    }
    // A container may have the devices and not the right to mount; a small disk tells.
    let dir = std::env::temp_dir().join(format!("riverrun-powercut-{}", std::process::id()));
    fs::create_dir_all(&dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    let tried = CutDisk::create(&dir, 32).and_then(|disk| {
        disk.cut(None)?;
        disk.mount_again()
    });
    let _ = fs::remove_dir_all(&dir);
    tried.map_err(|problem| format!("this machine does not let us: {problem}"))
}

impl CutDisk {
    pub fn create(dir: &Path, mib: u64) -> Result<Self, String> {
        let dir = dir.canonicalize().map_err(|error| format!("{}: {error}", dir.display()))?;
        let (image, mount) = (dir.join("disk.img"), dir.join("disk"));
        let io = |error: std::io::Error| format!("{}: {error}", image.display());
        File::create(&image).and_then(|file| file.set_len(mib << 20)).map_err(io)?;
        fs::create_dir_all(&mount).map_err(io)?;
        let mut mkfs = Command::new("mkfs.ext4");
        succeed(mkfs.args(["-q", "-F"]).arg(&image), "making a file system")?;
        let mut guard = Command::new("sh")
            .args(["-c", GUARD, "guard"])
            .args([&mount, &image])
            .stdin(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cannot start sh: {error}"))?;
        let told = Mutex::new(guard.stdin.take());
        let disk = Self { image, mount, guard, told };
        disk.mount_again()?;
        // The directory is there before the broker is, and survives; all that it puts there is its own concern.
        let data = disk.mount.join("data");
        fs::create_dir(&data).map_err(|error| format!("{}: {error}", data.display()))?;
        std::os::unix::fs::symlink(&data, dir.join("data")).map_err(|error| format!("data: {error}"))?;
        succeed(Command::new("sync").arg("-f").arg(&disk.mount), "writing the empty disk")?;
        Ok(disk)
    }

    /// Whom to end before the disk is taken away, should this process be ended.
    pub fn guard_process(&self, pid: Option<u32>) {
        if let Ok(mut told) = self.told.lock()
            && let Some(pipe) = told.as_mut()
        {
            // Without its guard the disk would stay, and the run still be right.
            let _ = writeln!(pipe, "{}", pid.unwrap_or(0));
        }
    }

    /// From this moment nothing that is not on the device reaches it, and the process says nothing more.
    pub fn cut(&self, process: Option<u32>) -> Result<(), String> {
        let mut cut = Command::new("python3");
        cut.args(["-S", "-c", SHUT_DOWN]).arg(&self.mount).args(process.map(|pid| pid.to_string()));
        succeed(&mut cut, "shutting the disk down")
    }

    /// Takes the disk away, with all that was only in memory, and mounts what is left.
    pub fn mount_again(&self) -> Result<(), String> {
        if Command::new("mountpoint").arg("-q").arg(&self.mount).status().is_ok_and(|status| status.success())
        {
            succeed(Command::new("umount").arg(&self.mount), "taking the disk away")?;
        }
        let mut mount = Command::new("mount");
        succeed(mount.args(["-o", "loop"]).arg(&self.image).arg(&self.mount), "mounting the disk")
    }
}

impl Drop for CutDisk {
    fn drop(&mut self) {
        if let Ok(mut told) = self.told.lock() {
            *told = None;
        }
        let _ = self.guard.wait();
    }
}
