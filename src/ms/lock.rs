//! One step at a time on a Measurement Set.
//!
//! The lock is the system's (`flock`) on the directory itself: it needs no file, holds between processes and between threads, and goes
//! with its owner, however that ends. casacore's own lock on top keeps CASA away while columns are written.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use super::error::Error;
use crate::control::Control;

/// Between two attempts: short enough for a person and for cancellation.
const PAUSE: Duration = Duration::from_millis(50);

/// The right to work on one Measurement Set, until dropped.
#[derive(Debug)]
pub struct MsLock {
    _directory: File,
}

impl MsLock {
    /// Take it, waiting up to `wait` (with a message) for whoever has it.
    ///
    /// A file system without such locks is worked on without one, with a warning.
    ///
    /// # Errors
    /// [`Error::Busy`] after the wait, [`Error::Os`] when there is no such directory, cancellation.
    pub fn take(path: impl AsRef<Path>, wait: Duration, control: &Control) -> Result<Option<Self>, Error> {
        let path = path.as_ref();
        let directory = File::open(path).map_err(|e| Error::os(path, "open", e))?;
        let started = Instant::now();
        let mut told = false;
        loop {
            match try_lock(&directory) {
                Ok(true) => return Ok(Some(Self { _directory: directory })),
                Ok(false) => {}
                Err(e) => {
                    log::warn!(
                        "{}: worked on without a lock, which this file system refuses ({e})",
                        path.display()
                    );
                    return Ok(None);
                }
            }
            if started.elapsed() >= wait {
                let waited_s = started.elapsed().as_secs_f64();
                return Err(Error::Busy { path: path.to_path_buf(), holder: holder(&directory), waited_s });
            }
            if !told {
                log::warn!(
                    "{}: in use by {}; waiting up to {:.0} s",
                    path.display(),
                    holder(&directory),
                    wait.as_secs_f64()
                );
                told = true;
            }
            control.check()?;
            std::thread::sleep(PAUSE);
        }
    }
}

/// `false` when somebody else has the lock.
fn try_lock(directory: &File) -> io::Result<bool> {
    // SAFETY: the descriptor is open.
    if unsafe { libc::flock(directory.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } == 0 {
        return Ok(true);
    }
    let e = io::Error::last_os_error();
    match e.kind() {
        io::ErrorKind::WouldBlock => Ok(false),
        io::ErrorKind::Interrupted => Ok(false),
        _ => Err(e),
    }
}

/// Who has the lock, as far as the system tells.
fn holder(directory: &File) -> String {
    let unknown = || "another process".to_owned();
    let Ok(inode) = directory.metadata().map(|m| m.ino()) else { return unknown() };
    let Ok(locks) = std::fs::read_to_string("/proc/locks") else { return unknown() };
    let ending = format!(":{inode}");
    // "7: FLOCK  ADVISORY  WRITE 1234 fd:00:5678 0 EOF"; waiting ones have an arrow in the second place.
    let pid = locks.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let mine = words.get(1) == Some(&"FLOCK") && words.get(5).is_some_and(|w| w.ends_with(&ending));
        mine.then(|| words.get(4).and_then(|w| w.parse::<i64>().ok())).flatten()
    });
    match pid {
        Some(pid) if pid == i64::from(std::process::id()) => "another thread of this process".into(),
        Some(pid) if pid > 0 => format!("process {pid}"),
        _ => unknown(),
    }
}
