//! The allocator of the crate: the system's, which during a long call keeps large arrays for the next of their size.
//!
//! A tile moves tens of gigabytes through arrays that are made, filled once and dropped. The system takes them back at once and
//! hands out fresh pages for the next, and the faults at their first touch are a quarter of an imaging run's processor time. While
//! a [`Keep`] lives, freed arrays wait here, at most [`LIMIT`] bytes of them, and the next array of about their size takes one;
//! with the last [`Keep`] they go back to the system. (Huge pages were tried: under memory pressure the kernel spends more on
//! finding them than they save.)

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
#[cfg(target_os = "linux")]
use std::sync::Mutex;

/// Arrays from this size on are kept \[bytes\].
const LARGE: usize = 1 << 20;
/// Most bytes that wait.
pub const LIMIT: usize = 768 << 20;
/// Largest array that waits; larger ones are few and would push out all others.
#[cfg(target_os = "linux")]
const LARGEST: usize = LIMIT / 2;
/// Larger arrays of zeros come fresh from the system, which zeroes pages when they are touched, by the thread that does.
#[cfg(target_os = "linux")]
const LARGEST_ZEROED: usize = 64 << 20;
/// Most arrays that wait.
#[cfg(target_os = "linux")]
const SLOTS: usize = 64;

static KEEPERS: AtomicUsize = AtomicUsize::new(0);

/// While it lives, freed arrays wait for the next of their size.
#[derive(Debug)]
pub struct Keep(());

impl Keep {
    /// Begin to keep arrays.
    #[must_use]
    pub fn new() -> Self {
        KEEPERS.fetch_add(1, Ordering::AcqRel);
        Self(())
    }
}

impl Default for Keep {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Keep {
    fn drop(&mut self) {
        if KEEPERS.fetch_sub(1, Ordering::AcqRel) == 1 {
            store::release();
        }
    }
}

/// See the module.
#[derive(Debug)]
pub struct Heap;

#[global_allocator]
static HEAP: Heap = Heap;

/// Whether an array may wait: large, and of an alignment that every system allocation has.
fn is_kept(layout: Layout) -> bool {
    layout.size() >= LARGE && layout.align() <= 16
}

// SAFETY: what is handed out comes from `System`, or is an array of at least the size asked for that `dealloc` received and
// that nobody else holds. On Linux `System` is the C library's malloc and free for these alignments, which need no size to
// free an array, so that an array may be freed under another layout than it was made with.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if is_kept(layout) {
            if let Some(start) = store::take(layout.size()) {
                return start;
            }
        }
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if is_kept(layout) {
            if let Some(start) = store::take_for_zeros(layout.size()) {
                unsafe { start.write_bytes(0, layout.size()) };
                return start;
            }
        }
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        if !(is_kept(layout) && store::give(start)) {
            unsafe { System.dealloc(start, layout) }
        }
    }

    unsafe fn realloc(&self, start: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        unsafe { System.realloc(start, layout, size) }
    }
}

#[cfg(target_os = "linux")]
mod store {
    use super::{AtomicUsize, Mutex, Ordering, KEEPERS, LARGEST, LARGEST_ZEROED, LIMIT, SLOTS};

    /// Arrays that wait, the oldest first: address and usable size.
    struct Store {
        blocks: [(usize, usize); SLOTS],
        count: usize,
        bytes: usize,
    }

    static STORE: Mutex<Store> = Mutex::new(Store { blocks: [(0, 0); SLOTS], count: 0, bytes: 0 });
    /// Arrays that wait, for a look without the lock.
    static WAITING: AtomicUsize = AtomicUsize::new(0);

    impl Store {
        fn remove(&mut self, index: usize) -> (usize, usize) {
            let block = self.blocks[index];
            self.blocks.copy_within(index + 1..self.count, index);
            self.count -= 1;
            self.bytes -= block.1;
            WAITING.store(self.count, Ordering::Release);
            block
        }

        fn push(&mut self, block: (usize, usize)) {
            self.blocks[self.count] = block;
            self.count += 1;
            self.bytes += block.1;
            WAITING.store(self.count, Ordering::Release);
        }
    }

    /// The smallest array that holds `size` bytes and wastes at most a quarter of them.
    pub(super) fn take(size: usize) -> Option<*mut u8> {
        if WAITING.load(Ordering::Acquire) == 0 {
            return None;
        }
        let mut store = STORE.try_lock().ok()?;
        let fits = |usable: usize| usable >= size && usable <= size + size / 4;
        let best =
            (0..store.count).filter(|i| fits(store.blocks[*i].1)).min_by_key(|i| store.blocks[*i].1)?;
        Some(store.remove(best).0 as *mut u8)
    }

    pub(super) fn take_for_zeros(size: usize) -> Option<*mut u8> {
        if size > LARGEST_ZEROED {
            return None;
        }
        take(size)
    }

    /// Keep an array; `false` leaves it to the caller.
    pub(super) fn give(start: *mut u8) -> bool {
        if KEEPERS.load(Ordering::Acquire) == 0 {
            return false;
        }
        // SAFETY: `start` is a live allocation of the C library.
        let usable = unsafe { libc::malloc_usable_size(start.cast()) };
        if usable > LARGEST {
            return false;
        }
        let Ok(mut store) = STORE.try_lock() else { return false };
        while store.count == SLOTS || store.bytes + usable > LIMIT {
            let (oldest, _) = store.remove(0);
            // SAFETY: the store held it, and nobody else does.
            unsafe { libc::free(oldest as *mut libc::c_void) };
        }
        store.push((start as usize, usable));
        true
    }

    /// Everything back to the system.
    pub(super) fn release() {
        let Ok(mut store) = STORE.lock() else { return };
        while store.count > 0 {
            let (oldest, _) = store.remove(0);
            // SAFETY: as above.
            unsafe { libc::free(oldest as *mut libc::c_void) };
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod store {
    pub(super) fn take(_size: usize) -> Option<*mut u8> {
        None
    }

    pub(super) fn take_for_zeros(_size: usize) -> Option<*mut u8> {
        None
    }

    pub(super) fn give(_start: *mut u8) -> bool {
        false
    }

    pub(super) fn release() {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_are_zeroed_grow_and_are_nobody_elses() {
        let keep = Keep::new();
        for round in 0..8u32 {
            let fresh = vec![0u32; 1 << 19];
            assert!(fresh.iter().all(|v| *v == 0), "round {round}");
            let arrays: Vec<Vec<u32>> =
                (0..70).map(|k| vec![k + round; (1 << 18) + 977 * k as usize]).collect();
            assert!(arrays.iter().zip(round..).all(|(a, v)| a.iter().all(|w| *w == v)));
            let mut grown = arrays[3].clone();
            grown.extend_from_slice(&arrays[4]);
            assert!(grown.ends_with(&arrays[4]) && grown.starts_with(&arrays[3]));
        }
        let threads: Vec<_> = (0..4u8)
            .map(|k| {
                std::thread::spawn(move || {
                    (0..50).all(|_| {
                        vec![k; 3 << 20].iter().all(|v| *v == k) && vec![0u8; 3 << 20].iter().all(|v| *v == 0)
                    })
                })
            })
            .collect();
        assert!(threads.into_iter().all(|t| t.join().unwrap()));
        drop(keep);
    }
}
