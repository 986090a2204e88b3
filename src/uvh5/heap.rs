//! Text of variable length, read from HDF5's global heap by ourselves.
//!
//! The library walks a damaged heap without end (an object that claims no size is met again and again), so the few
//! variable-length texts of a header do not go through it. Layout: HDF5 File Format Specification, sections III.E
//! ("Global Heap") and IV.B ("Variable-length"): an element is `length u32, heap address u64, object index u32`, and a heap is
//! `"GCOL", version 1, 3 reserved, size u64` followed by objects `index u16, references u16, 4 reserved, size u64, data`,
//! each padded to 8 bytes.

use std::fs::File;
use std::os::unix::fs::FileExt;

/// Bytes of one element in the dataset.
pub(super) const ELEMENT: usize = 16;
/// Largest heap that is looked at \[bytes\].
const LARGEST_HEAP: u64 = 64 << 20;
const HEAP_HEAD: usize = 16;
const OBJECT_HEAD: usize = 16;

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// The texts of `count` elements that lie at `offset` of the file, or what is wrong with them.
pub(super) fn texts(file: &File, bytes: u64, offset: u64, count: usize) -> Result<Vec<String>, String> {
    let size = count.checked_mul(ELEMENT).ok_or("too many texts")?;
    let elements = fetch(file, bytes, offset, size as u64)?;
    elements
        .chunks_exact(ELEMENT)
        .map(|element| text(file, bytes, element).unwrap_or_else(|| Err(damaged())))
        .collect()
}

/// `None` when a number lies outside what was read.
fn text(file: &File, bytes: u64, element: &[u8]) -> Option<Result<String, String>> {
    let (length, address, index) = (u32_at(element, 0)?, u64_at(element, 4)?, u32_at(element, 12)?);
    if length == 0 {
        return Some(Ok(String::new()));
    }
    let head = match fetch(file, bytes, address, HEAP_HEAD as u64) {
        Ok(head) => head,
        Err(error) => return Some(Err(error)),
    };
    let size = u64_at(&head, 8)?;
    if head[..5] != *b"GCOL\x01" || size > LARGEST_HEAP {
        return Some(Err(damaged()));
    }
    let heap = match fetch(file, bytes, address, size) {
        Ok(heap) => heap,
        Err(error) => return Some(Err(error)),
    };
    let mut at = HEAP_HEAD;
    while at + OBJECT_HEAD <= heap.len() {
        let number = u32::from(u16::from_le_bytes([heap[at], heap[at + 1]]));
        let size = usize::try_from(u64_at(&heap, at + 8)?).ok()?;
        if number == 0 {
            // Free space ends a heap.
            return None;
        }
        let data = at + OBJECT_HEAD;
        if number == index {
            let text = heap.get(data..data.checked_add(size)?)?;
            let text = text.get(..length as usize)?;
            return Some(Ok(String::from_utf8_lossy(text).into_owned()));
        }
        at = data.checked_add(size.checked_next_multiple_of(8)?)?;
    }
    None
}

fn fetch(file: &File, bytes: u64, offset: u64, size: u64) -> Result<Vec<u8>, String> {
    if offset.checked_add(size).is_none_or(|end| end > bytes) {
        return Err(format!("text at {offset} of a file of {bytes} bytes"));
    }
    let mut buffer = vec![0; size as usize];
    file.read_exact_at(&mut buffer, offset).map_err(|e| e.to_string())?;
    Ok(buffer)
}

fn damaged() -> String {
    "a damaged heap of texts".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    /// A file with one element at 0 and a heap at 16 that holds "skip" and "HADEC".
    fn file(edit: impl Fn(&mut Vec<u8>)) -> Result<Vec<String>, String> {
        let mut bytes = Vec::new();
        bytes.extend(5u32.to_le_bytes());
        bytes.extend(16u64.to_le_bytes());
        bytes.extend(2u32.to_le_bytes());
        bytes.extend(b"GCOL\x01\0\0\0");
        bytes.extend(64u64.to_le_bytes());
        for (index, text) in [(1u16, b"skip\0\0\0\0"), (2, b"HADEC\0\0\0")] {
            bytes.extend(index.to_le_bytes());
            bytes.extend([0; 6]);
            bytes.extend((5u64 - u64::from(index == 1)).to_le_bytes());
            bytes.extend(text);
        }
        edit(&mut bytes);
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        texts(&file, bytes.len() as u64, 0, 1)
    }

    #[test]
    fn a_text_is_found_among_others_and_damage_ends() {
        assert_eq!(file(|_| ()).unwrap(), ["HADEC"]);
        assert_eq!(file(|b| b[0] = 0).unwrap(), [""]);
        // Wrong length, address, index, signature, heap size, an object of no size, an object of no end.
        for (at, value) in [(0, 200), (5, 9), (12, 9), (16, 0), (24, 255), (40, 0), (47, 255), (32, 0)] {
            let outcome = file(|b| b[at] = value);
            assert!(outcome.is_err() || at == 40, "{at}: {outcome:?}");
        }
    }
}
