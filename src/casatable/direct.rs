//! Large writes past the page cache.
//!
//! A column of a full-size Measurement Set is 1.4 GB that nobody reads before it is on the disk. Through the page cache it
//! costs about a CPU-second a gigabyte (fresh pages, a copy, write-back) and leaves everything to the final fsync; O_DIRECT costs
//! a tenth of that. What is not aligned to a block, and what the file system does not take, goes the common way.

use std::alloc::{alloc_zeroed, dealloc, Layout};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Mutex;

/// Alignment of offsets, lengths and memory: at least the logical block of every disk in use \[bytes\].
const BLOCK: usize = 4096;
/// Bytes of one write.
const PIECE_BYTES: usize = 4 << 20;
/// Writes below this are not worth it \[bytes\].
const LEAST_BYTES: usize = 1 << 20;
/// Writes under way at one time: enough to keep a disk busy.
const THREADS: usize = 2;

/// The second, unbuffered descriptor of a file.
#[derive(Debug)]
pub(super) struct Direct {
    file: File,
    refused: AtomicBool,
    bounce: Mutex<Vec<Aligned>>,
}

/// Memory at a multiple of [`BLOCK`].
#[derive(Debug)]
struct Aligned(*mut u8);

// SAFETY: plain owned memory.
unsafe impl Send for Aligned {}

impl Aligned {
    fn layout() -> Option<Layout> {
        Layout::from_size_align(PIECE_BYTES, BLOCK).ok()
    }

    fn new() -> Option<Self> {
        // SAFETY: the layout has a size.
        let memory = unsafe { alloc_zeroed(Self::layout()?) };
        (!memory.is_null()).then_some(Self(memory))
    }

    fn filled(&mut self, from: &[u8]) -> &[u8] {
        // SAFETY: the memory holds PIECE_BYTES, and no piece is longer.
        let memory = unsafe { std::slice::from_raw_parts_mut(self.0, PIECE_BYTES) };
        memory[..from.len()].copy_from_slice(from);
        &memory[..from.len()]
    }
}

impl Drop for Aligned {
    fn drop(&mut self) {
        if let Some(layout) = Self::layout() {
            // SAFETY: allocated with this layout, freed once.
            unsafe { dealloc(self.0, layout) };
        }
    }
}

impl Direct {
    /// `None` where the file system has no such writes.
    pub(super) fn open(path: &Path) -> Option<Self> {
        let file = OpenOptions::new().write(true).custom_flags(libc::O_DIRECT).open(path).ok()?;
        Some(Self { file, refused: AtomicBool::new(false), bounce: Mutex::new(Vec::new()) })
    }

    /// The part of `offset..offset + bytes` that can be written by [`Direct::write`], relative to `offset`.
    pub(super) fn span(&self, offset: u64, bytes: usize) -> Option<(usize, usize)> {
        let start = (offset.next_multiple_of(BLOCK as u64) - offset) as usize;
        let end = ((offset + bytes as u64) / BLOCK as u64 * BLOCK as u64).saturating_sub(offset) as usize;
        let worth = end.saturating_sub(start) >= LEAST_BYTES && !self.refused.load(Ordering::Relaxed);
        worth.then_some((start, end))
    }

    /// Write whole blocks; `false` when the file system refuses this kind of writing after all (nothing is lost: write again
    /// the common way).
    pub(super) fn write(&self, bytes: &[u8], offset: u64) -> io::Result<bool> {
        let share = bytes.len().div_ceil(THREADS).next_multiple_of(PIECE_BYTES);
        let outcome = std::thread::scope(|scope| {
            let parts: Vec<_> = bytes
                .chunks(share)
                .enumerate()
                .map(|(i, part)| scope.spawn(move || self.write_part(part, offset + (i * share) as u64)))
                .collect();
            parts
                .into_iter()
                .try_for_each(|part| part.join().unwrap_or_else(|_| Err(io::Error::other("a panic"))))
        });
        match outcome {
            Ok(()) => Ok(true),
            Err(e) if matches!(e.raw_os_error(), Some(libc::EINVAL | libc::EOPNOTSUPP)) => {
                self.refused.store(true, Ordering::Relaxed);
                Ok(false)
            }
            Err(e) => Err(e),
        }
    }

    fn write_part(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let aligned = bytes.as_ptr().align_offset(BLOCK) == 0;
        let mut bounce = if aligned { None } else { Some(self.borrow()?) };
        let mut outcome = Ok(());
        for (i, piece) in bytes.chunks(PIECE_BYTES).enumerate() {
            let at = offset + (i * PIECE_BYTES) as u64;
            let piece = match &mut bounce {
                Some(memory) => memory.filled(piece),
                None => piece,
            };
            outcome = self.write_piece(piece, at);
            if outcome.is_err() {
                break;
            }
        }
        if let (Some(memory), Ok(mut pool)) = (bounce, self.bounce.lock()) {
            pool.push(memory);
        }
        outcome
    }

    /// As `write_all_at`; a short write goes on at a block.
    fn write_piece(&self, piece: &[u8], offset: u64) -> io::Result<()> {
        let mut done = 0;
        while done < piece.len() {
            match self.file.write_at(&piece[done..], offset + done as u64) {
                Ok(n) if n >= BLOCK || done + n == piece.len() => {
                    done += if done + n == piece.len() { n } else { n / BLOCK * BLOCK };
                }
                Ok(_) => return Err(io::Error::from_raw_os_error(libc::ENOSPC)),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    fn borrow(&self) -> io::Result<Aligned> {
        let pooled = self.bounce.lock().ok().and_then(|mut pool| pool.pop());
        pooled.or_else(Aligned::new).ok_or_else(|| io::ErrorKind::OutOfMemory.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_at_any_offset() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        let bytes: Vec<u8> =
            (0..9_000_001_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        for offset in [0_u64, 1, 4095, 4096, 8 << 20] {
            let file = File::create(&path).unwrap();
            file.set_len(offset + bytes.len() as u64).unwrap();
            let Some(direct) = Direct::open(&path) else { return };
            let (start, end) = direct.span(offset, bytes.len()).unwrap();
            assert!(start < BLOCK && bytes.len() - end < BLOCK);
            file.write_all_at(&bytes[..start], offset).unwrap();
            if !direct.write(&bytes[start..end], offset + start as u64).unwrap() {
                return;
            }
            file.write_all_at(&bytes[end..], offset + end as u64).unwrap();
            let read = std::fs::read(&path).unwrap();
            assert!(read[offset as usize..] == bytes[..] && read[..offset as usize].iter().all(|b| *b == 0));
        }
    }
}
