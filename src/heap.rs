//! The allocator of the crate: the system's, with huge pages asked for under large arrays.
//!
//! A tile moves tens of gigabytes through arrays that are made, filled once and dropped. With pages of 4 kB their first
//! touch costs more than many a kernel that fills them (a third of the whole run's processor time); pages of 2 MB cost a
//! hundredth of the faults. Nothing else changes: memory still comes from and goes back to the system.

use std::alloc::{GlobalAlloc, Layout, System};

/// Arrays from this size on ask for huge pages \[bytes\].
const LARGE: usize = 4 << 20;

/// See the module.
pub struct Heap;

#[global_allocator]
static HEAP: Heap = Heap;

// SAFETY: every call goes to `System` with the arguments unchanged; the advice touches no content.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        advised(unsafe { System.alloc(layout) }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // The system zeroes large arrays by handing out fresh pages, which are touched later.
        advised(unsafe { System.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        unsafe { System.dealloc(start, layout) }
    }

    unsafe fn realloc(&self, start: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let moved = unsafe { System.realloc(start, layout, size) };
        if size > layout.size() {
            advised(moved, size)
        } else {
            moved
        }
    }
}

/// Advise huge pages under the whole ones of a large array. A refusal (another kernel, no such pages) costs speed only.
#[cfg(target_os = "linux")]
fn advised(start: *mut u8, size: usize) -> *mut u8 {
    const HUGE: usize = 2 << 20;
    if size >= LARGE && !start.is_null() {
        let first = (start as usize).next_multiple_of(HUGE);
        let end = (start as usize + size) / HUGE * HUGE;
        if end > first {
            // SAFETY: the pages lie within the array.
            unsafe { libc::madvise(first as *mut libc::c_void, end - first, libc::MADV_HUGEPAGE) };
        }
    }
    start
}

#[cfg(not(target_os = "linux"))]
fn advised(start: *mut u8, _size: usize) -> *mut u8 {
    start
}

#[cfg(test)]
mod tests {
    #[test]
    fn large_arrays_are_zeroed_grow_and_keep_their_content() {
        let mut array = vec![0u32; 3 << 20];
        assert!(array.iter().all(|v| *v == 0));
        array.iter_mut().zip(0..).for_each(|(v, i)| *v = i);
        array.extend(0..9 << 20);
        assert!(array[..3 << 20].iter().zip(0u32..).all(|(v, i)| *v == i));
        array.truncate(5);
        array.shrink_to_fit();
        assert_eq!(array, [0, 1, 2, 3, 4]);
    }
}
