//! A directory that appears whole or not at all.

use std::ffi::CString;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::Error;

/// A directory under construction beside its destination; removed when dropped before [`Stage::publish`].
pub(super) struct Stage {
    path: PathBuf,
    published: bool,
}

fn os(path: &Path, doing: &'static str) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_path_buf();
    move |source| Error::Os { path, doing, source }
}

impl Stage {
    /// A name beside `destination` where nothing is yet.
    pub fn new(destination: &Path) -> Result<Self, Error> {
        let parent = parent(destination);
        if !parent.is_dir() {
            return Err(Error::NotACalTable {
                path: destination.to_path_buf(),
                expected: "an existing parent directory".into(),
                found: format!("no directory {}", parent.display()),
            });
        }
        let name = destination.file_name().unwrap_or_default().to_string_lossy().into_owned();
        for attempt in 0..1000 {
            let path = parent.join(format!(".{name}.{}-{attempt}.partial", std::process::id()));
            if path.symlink_metadata().is_err() {
                return Ok(Self { path, published: false });
            }
        }
        Err(Error::NotACalTable {
            path: parent.to_path_buf(),
            expected: "a free temporary name".into(),
            found: "1000 leftovers".into(),
        })
    }

    /// Where to write.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Sync everything and rename; what was at `destination` is exchanged in one step and then removed.
    pub fn publish(mut self, destination: &Path) -> Result<(), Error> {
        sync_tree(&self.path)?;
        if destination.symlink_metadata().is_ok() {
            exchange(&self.path, destination)?;
            // What is now under the temporary name is the old table.
            fs::remove_dir_all(&self.path).map_err(os(&self.path, "remove the replaced table"))?;
        } else {
            fs::rename(&self.path, destination).map_err(os(destination, "rename"))?;
        }
        self.published = true;
        File::open(parent(destination))
            .and_then(|d| d.sync_all())
            .map_err(os(destination, "sync the parent directory"))
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if !self.published && self.path.exists() {
            if let Err(error) = fs::remove_dir_all(&self.path) {
                log::warn!("{}: cannot remove: {error}", self.path.display());
            }
        }
    }
}

fn parent(path: &Path) -> PathBuf {
    path.parent().filter(|p| !p.as_os_str().is_empty()).map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

fn sync_tree(dir: &Path) -> Result<(), Error> {
    for entry in fs::read_dir(dir).map_err(os(dir, "list"))? {
        let path = entry.map_err(os(dir, "list"))?.path();
        if path.is_dir() {
            sync_tree(&path)?;
        } else {
            File::open(&path).and_then(|f| f.sync_all()).map_err(os(&path, "sync"))?;
        }
    }
    File::open(dir).and_then(|d| d.sync_all()).map_err(os(dir, "sync"))
}

/// Swap two directories in one step; file systems without that get two renames.
fn exchange(a: &Path, b: &Path) -> Result<(), Error> {
    let text = |p: &Path| CString::new(p.as_os_str().as_bytes()).map_err(|e| os(p, "name")(e.into()));
    let (from, to) = (text(a)?, text(b)?);
    // SAFETY: both paths are NUL-terminated and outlive the call.
    let done = unsafe {
        libc::renameat2(libc::AT_FDCWD, from.as_ptr(), libc::AT_FDCWD, to.as_ptr(), libc::RENAME_EXCHANGE)
    };
    if done == 0 {
        return Ok(());
    }
    let aside = a.with_extension("replaced");
    fs::rename(b, &aside).map_err(os(b, "move the old table aside"))?;
    fs::rename(a, b).map_err(os(b, "rename"))?;
    fs::rename(&aside, a).map_err(os(&aside, "rename"))
}
