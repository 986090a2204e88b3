//! Products that appear whole or not at all: written in a hidden directory, synced, renamed.

use std::ffi::{CString, OsStr};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use super::error::Error;

/// Ending of the hidden directories in which products are written.
const ENDING: &str = ".partial";
const COPY_BYTES: usize = 8 << 20;
/// Files whose sync is waited for at one time.
const SYNC_THREADS: usize = 8;

/// A directory-like product (a Measurement Set, a calibration table) being written aside. Dropped without
/// [`Staged::commit`] it leaves nothing behind; after a `kill -9` the hidden directory stays until the next attempt.
#[derive(Debug)]
pub struct Staged {
    destination: PathBuf,
    overwrite: bool,
    /// Where the product is written.
    work: Container,
    /// Beside the destination, when `work` is on another file system.
    landing: Option<Container>,
}

/// A hidden directory, locked while its owner lives.
#[derive(Debug)]
struct Container {
    path: PathBuf,
    /// The lock tells the living from the dead, whatever their process numbers.
    _lock: File,
}

impl Container {
    fn create(parent: &Path, name: &OsStr) -> Result<Self, Error> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.subsec_nanos());
        let serial = COUNT.fetch_add(1, Ordering::Relaxed);
        let tag = format!(".{}-{serial}-{nanos:08x}{ENDING}", std::process::id());
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(name);
        hidden.push(tag);
        let path = parent.join(hidden);
        fs::create_dir(&path).map_err(|e| Error::os(&path, "create the staging directory", e))?;
        let lock = File::open(&path).and_then(|f| lock(&f).map(|_| f));
        match lock {
            Ok(lock) => Ok(Self { path, _lock: lock }),
            Err(e) => {
                let _ = fs::remove_dir(&path);
                Err(Error::os(&path, "lock the staging directory", e))
            }
        }
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        if let Err(e) = fs::remove_dir_all(&self.path) {
            log::warn!("{}: cannot remove the staging directory: {e}", self.path.display());
        }
    }
}

/// Advisory lock on an open directory; an error when somebody else has it.
fn lock(file: &File) -> io::Result<()> {
    // SAFETY: the descriptor is open.
    if unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

impl Staged {
    /// Prepare to write `destination`; with `scratch` (a directory, for instance on a tmpfs) the writing happens there and
    /// the product is copied, holes kept, on commit. What dead processes left of earlier attempts is removed.
    ///
    /// # Errors
    /// [`Error::Exists`] without `overwrite`, [`Error::Os`].
    pub fn begin(destination: &Path, overwrite: bool, scratch: Option<&Path>) -> Result<Self, Error> {
        let name = destination.file_name().ok_or_else(|| {
            Error::content(destination, "destination", "a path with a name", destination.display())
        })?;
        let parent = parent_of(destination);
        fs::create_dir_all(&parent).map_err(|e| Error::os(&parent, "create the directory", e))?;
        remove_stale(&parent, name);
        if !overwrite && destination.symlink_metadata().is_ok() {
            return Err(exists(destination));
        }
        let (work, landing) = match scratch {
            Some(dir) => {
                fs::create_dir_all(dir).map_err(|e| Error::os(dir, "create the scratch directory", e))?;
                remove_stale(dir, name);
                let landing = Container::create(&parent, name)?;
                (Container::create(dir, name)?, Some(landing))
            }
            None => (Container::create(&parent, name)?, None),
        };
        Ok(Self { destination: destination.to_path_buf(), overwrite, work, landing })
    }

    /// Where to write the product (nothing is there yet).
    pub fn path(&self) -> PathBuf {
        self.work.path.join(self.name())
    }

    fn name(&self) -> &OsStr {
        self.destination.file_name().unwrap_or_else(|| OsStr::new("product"))
    }

    /// Sync everything and move the product into its place.
    ///
    /// # Errors
    /// [`Error::Os`]; then nothing new is at the destination.
    pub fn commit(self) -> Result<(), Error> {
        let mut product = self.path();
        if let Some(landing) = &self.landing {
            let there = landing.path.join(self.name());
            copy_tree(&product, &there)?;
            product = there;
        }
        refuse_cut_descriptions(&product)?;
        sync_tree(&product)?;
        let container = product.parent().unwrap_or(Path::new(".")).to_path_buf();
        sync_directory(&container)?;
        let parent = parent_of(&self.destination);
        let present = self.destination.symlink_metadata().is_ok();
        if present && !self.overwrite {
            return Err(exists(&self.destination));
        }
        rename(&product, &self.destination, present)
            .map_err(|e| Error::os(&self.destination, "rename the product into place", e))?;
        if let Err(error) = sync_directory(&parent) {
            // Nobody shall take for durable what may not be: back with it, and the old one returns.
            let _ = rename(&self.destination, &product, present);
            return Err(error);
        }
        Ok(())
    }
}

fn exists(path: &Path) -> Error {
    let found = if path.is_dir() { "directory" } else { "file" };
    Error::Exists { path: path.to_path_buf(), found: found.into() }
}

fn parent_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(p) if !p.as_os_str().is_empty() => p.to_path_buf(),
        _ => PathBuf::from("."),
    }
}

/// Rename, exchanging the two when the target exists (so that one of them is there at every moment).
fn rename(from: &Path, to: &Path, exchange: bool) -> io::Result<()> {
    if !exchange {
        return fs::rename(from, to);
    }
    let (a, b) = (CString::new(from.as_os_str().as_bytes())?, CString::new(to.as_os_str().as_bytes())?);
    // SAFETY: both are zero-terminated paths.
    let status = unsafe {
        libc::renameat2(libc::AT_FDCWD, a.as_ptr(), libc::AT_FDCWD, b.as_ptr(), libc::RENAME_EXCHANGE)
    };
    if status == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Remove hidden directories of `name` whose owners are dead.
fn remove_stale(parent: &Path, name: &OsStr) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    let mut prefix = b".".to_vec();
    prefix.extend_from_slice(name.as_bytes());
    prefix.push(b'.');
    for entry in entries.flatten() {
        let file_name = entry.file_name();
        let bytes = file_name.as_bytes();
        if !bytes.starts_with(&prefix) || !bytes.ends_with(ENDING.as_bytes()) {
            continue;
        }
        let path = entry.path();
        let Ok(directory) = File::open(&path) else { continue };
        if lock(&directory).is_ok() {
            log::info!("{}: removing what an interrupted attempt left", path.display());
            let _ = fs::remove_dir_all(&path);
        }
    }
}

fn entries(directory: &Path) -> Result<Vec<PathBuf>, Error> {
    let list = fs::read_dir(directory).map_err(|e| Error::os(directory, "list", e))?;
    list.map(|e| e.map(|e| e.path()).map_err(|e| Error::os(directory, "list", e))).collect()
}

/// casacore writes `table.info` through a stream whose failure it does not look at; what it left then is cut short.
fn refuse_cut_descriptions(directory: &Path) -> Result<(), Error> {
    for entry in entries(directory)? {
        if entry.is_dir() {
            refuse_cut_descriptions(&entry)?;
        } else if entry.file_name() == Some(OsStr::new("table.info"))
            && !fs::read_to_string(&entry)
                .map_err(|e| Error::os(&entry, "read back", e))?
                .contains("SubType =")
        {
            let source = io::ErrorKind::WriteZero.into();
            return Err(Error::os(&entry, "write the description of the table", source));
        }
    }
    Ok(())
}

/// fsync every file and directory below `path`, and `path`.
///
/// # Errors
/// [`Error::Os`] with the path that failed.
pub fn sync_tree(path: &Path) -> Result<(), Error> {
    let (mut files, mut directories) = (Vec::new(), vec![path.to_path_buf()]);
    let mut next = 0;
    while next < directories.len() {
        for entry in entries(&directories[next])? {
            if entry.is_dir() { &mut directories } else { &mut files }.push(entry);
        }
        next += 1;
    }
    in_parallel(&files, sync_file)?;
    // What is within before what it is in.
    directories.reverse();
    in_parallel(&directories, sync_directory)
}

/// Many small waits for the disk cost hardly more than one when they wait together.
fn in_parallel(paths: &[PathBuf], sync: impl Fn(&Path) -> Result<(), Error> + Sync) -> Result<(), Error> {
    let next = AtomicUsize::new(0);
    let work = || -> Result<(), Error> {
        while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
            sync(path)?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..SYNC_THREADS.min(paths.len())).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

/// fsync a file.
///
/// # Errors
/// [`Error::Os`].
pub fn sync_file(path: &Path) -> Result<(), Error> {
    let file = OpenOptions::new().read(true).open(path).map_err(|e| Error::os(path, "open to sync", e))?;
    file.sync_all().map_err(|e| Error::os(path, "sync", e))
}

/// fsync a directory.
///
/// # Errors
/// [`Error::Os`].
pub fn sync_directory(path: &Path) -> Result<(), Error> {
    File::open(path).and_then(|f| f.sync_all()).map_err(|e| Error::os(path, "sync the directory", e))
}

/// Copy a directory with its files; holes stay holes.
///
/// # Errors
/// [`Error::Os`].
pub fn copy_tree(from: &Path, to: &Path) -> Result<(), Error> {
    fs::create_dir(to).map_err(|e| Error::os(to, "create the directory", e))?;
    for entry in entries(from)? {
        let target = to.join(entry.file_name().unwrap_or_default());
        if entry.is_dir() {
            copy_tree(&entry, &target)?;
        } else {
            copy_sparse(&entry, &target)?;
        }
    }
    Ok(())
}

/// Copy a file; holes stay holes.
///
/// # Errors
/// [`Error::Os`].
pub fn copy_sparse(from: &Path, to: &Path) -> Result<(), Error> {
    let mut source = File::open(from).map_err(|e| Error::os(from, "open", e))?;
    let mut target = File::create(to).map_err(|e| Error::os(to, "create", e))?;
    let length = source.metadata().map_err(|e| Error::os(from, "look at it", e))?.size();
    target.set_len(length).map_err(|e| Error::os(to, "extend", e))?;
    let mut buffer = vec![0; COPY_BYTES.min(length as usize + 1)];
    for (start, end) in data_extents(&source, length) {
        seek(&source, start).and_then(|_| seek(&target, start)).map_err(|e| Error::os(from, "seek", e))?;
        let mut left = (end - start) as usize;
        while left > 0 {
            let want = left.min(buffer.len());
            let got = source.read(&mut buffer[..want]).map_err(|e| Error::os(from, "read", e))?;
            if got == 0 {
                return Err(Error::os(from, "read", io::ErrorKind::UnexpectedEof.into()));
            }
            target.write_all(&buffer[..got]).map_err(|e| Error::os(to, "write", e))?;
            left -= got;
        }
    }
    Ok(())
}

fn seek(file: &File, to: u64) -> io::Result<()> {
    use std::io::Seek;
    let mut file = file;
    file.seek(io::SeekFrom::Start(to)).map(|_| ())
}

/// Stretches of a file that hold data; the whole file where the file system does not tell.
pub fn data_extents(file: &File, length: u64) -> Vec<(u64, u64)> {
    let find = |from: u64, what: i32| -> Result<u64, i32> {
        // SAFETY: the descriptor is open.
        let at = unsafe { libc::lseek(file.as_raw_fd(), from as i64, what) };
        u64::try_from(at).map_err(|_| io::Error::last_os_error().raw_os_error().unwrap_or(0))
    };
    let mut extents = Vec::new();
    let mut at = 0;
    while at < length {
        let start = match find(at, libc::SEEK_DATA) {
            Ok(start) => start,
            Err(libc::ENXIO) => break,
            Err(_) => return vec![(0, length)],
        };
        let end = find(start, libc::SEEK_HOLE).unwrap_or(length).min(length);
        extents.push((start, end));
        at = end.max(start + 1);
    }
    extents
}

/// Bytes that an unprivileged process may still write on the file system of `path`.
///
/// # Errors
/// [`Error::Os`].
pub fn free_bytes(path: &Path) -> Result<u64, Error> {
    let name =
        CString::new(path.as_os_str().as_bytes()).map_err(|e| Error::os(path, "look at it", e.into()))?;
    // SAFETY: statvfs is plain data that the call fills.
    let mut info: libc::statvfs = unsafe { std::mem::zeroed() };
    // SAFETY: `name` is zero-terminated and `info` lives.
    if unsafe { libc::statvfs(name.as_ptr(), &mut info) } != 0 {
        return Err(Error::os(path, "ask for the free space", io::Error::last_os_error()));
    }
    Ok(info.f_bavail.saturating_mul(info.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let mut list: Vec<String> =
            fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        list.sort();
        list
    }

    fn fill(staged: &Staged, text: &str) {
        fs::create_dir(staged.path()).unwrap();
        fs::write(staged.path().join("a"), text).unwrap();
    }

    #[test]
    fn appears_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("x.ms");
        let staged = Staged::begin(&out, false, None).unwrap();
        fill(&staged, "one");
        assert!(!out.exists());
        drop(staged);
        assert!(names(dir.path()).is_empty());
        let staged = Staged::begin(&out, false, None).unwrap();
        fill(&staged, "two");
        staged.commit().unwrap();
        assert_eq!(names(dir.path()), ["x.ms"]);
        assert!(matches!(Staged::begin(&out, false, None), Err(Error::Exists { .. })));
        let staged = Staged::begin(&out, true, None).unwrap();
        fill(&staged, "three");
        staged.commit().unwrap();
        assert_eq!(fs::read_to_string(out.join("a")).unwrap(), "three");
        assert_eq!(names(dir.path()), ["x.ms"]);
    }

    #[test]
    fn only_the_dead_are_swept() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("x.ms");
        let living = Staged::begin(&out, false, None).unwrap();
        let dead = dir.path().join(".x.ms.999999-0-00000000.partial");
        fs::create_dir(&dead).unwrap();
        let other = dir.path().join(".y.ms.999999-0-00000000.partial");
        fs::create_dir(&other).unwrap();
        let second = Staged::begin(&out, false, None).unwrap();
        assert!(!dead.exists() && other.exists() && living.work.path.exists());
        drop((living, second));
    }

    #[test]
    fn scratch_is_copied_with_its_holes() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("x.ms");
        let staged = Staged::begin(&out, false, Some(&dir.path().join("scratch"))).unwrap();
        fill(&staged, "data");
        let big = File::create(staged.path().join("hole")).unwrap();
        big.set_len(64 << 20).unwrap();
        staged.commit().unwrap();
        let copied = fs::metadata(out.join("hole")).unwrap();
        assert_eq!(copied.len(), 64 << 20);
        assert!(copied.blocks() < 100 && names(&dir.path().join("scratch")).is_empty());
    }
}
