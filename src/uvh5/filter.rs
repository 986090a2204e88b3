//! The filters of HDF5 that we undo ourselves, on many threads: shuffle, deflate and h5py's LZF.

use std::io::Read;

/// One step of a dataset's pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Bytes of equal significance stored together.
    Shuffle,
    /// zlib.
    Deflate,
    /// Filter 32000, registered by h5py.
    Lzf,
}

/// Undo `steps` (in the order they were applied) but those that `skipped` has a bit for. `item` is the element's size and
/// `bytes` the size of the whole chunk, which the result must have.
pub(super) fn undo(
    steps: &[Step],
    skipped: u32,
    item: usize,
    bytes: usize,
    stored: &[u8],
) -> Result<Vec<u8>, String> {
    let mut data = stored.to_vec();
    for (position, step) in steps.iter().enumerate().rev() {
        if position < 32 && skipped & (1 << position) != 0 {
            continue;
        }
        data = match step {
            Step::Shuffle => unshuffle(&data, item),
            Step::Deflate => inflate(&data, bytes)?,
            Step::Lzf => unlzf(&data, bytes)?,
        };
    }
    if data.len() == bytes {
        Ok(data)
    } else {
        Err(format!("{} bytes", data.len()))
    }
}

fn unshuffle(data: &[u8], item: usize) -> Vec<u8> {
    if item < 2 {
        return data.to_vec();
    }
    let count = data.len() / item;
    let mut out = vec![0u8; data.len()];
    for (byte, plane) in data[..count * item].chunks_exact(count.max(1)).enumerate() {
        for (element, &value) in out.chunks_exact_mut(item).zip(plane) {
            element[byte] = value;
        }
    }
    // A tail shorter than an element is stored as it is.
    out[count * item..].copy_from_slice(&data[count * item..]);
    out
}

fn inflate(data: &[u8], bytes: usize) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(bytes);
    flate2::read::ZlibDecoder::new(data)
        .take(bytes as u64 + 1)
        .read_to_end(&mut out)
        .map_err(|e| format!("a damaged deflate stream ({e})"))?;
    if out.len() > bytes {
        return Err(format!("a deflate stream of more than {bytes} bytes"));
    }
    Ok(out)
}

/// LZF: a control byte below 32 announces a literal run of that many bytes plus one, any other a back reference.
fn unlzf(data: &[u8], bytes: usize) -> Result<Vec<u8>, String> {
    let damaged = || "a damaged LZF stream".to_owned();
    let mut out: Vec<u8> = Vec::with_capacity(bytes);
    let mut at = 0;
    while at < data.len() {
        let control = usize::from(data[at]);
        at += 1;
        if control < 32 {
            let run = data.get(at..at + control + 1).ok_or_else(damaged)?;
            out.extend_from_slice(run);
            at += control + 1;
        } else {
            let mut length = control >> 5;
            if length == 7 {
                length += usize::from(*data.get(at).ok_or_else(damaged)?);
                at += 1;
            }
            let low = usize::from(*data.get(at).ok_or_else(damaged)?);
            at += 1;
            let back = ((control & 31) << 8) + low + 1;
            let from = out.len().checked_sub(back).ok_or_else(damaged)?;
            // A reference may overlap what it makes, so byte by byte.
            for at in from..from + length + 2 {
                out.push(out[at]);
            }
        }
        if out.len() > bytes {
            return Err(format!("an LZF stream of more than {bytes} bytes"));
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shuffle_is_undone() {
        // Elements 0x0201, 0x0403, 0x0605, little-endian, then a tail byte.
        assert_eq!(unshuffle(&[1, 3, 5, 2, 4, 6, 9], 2), [1, 2, 3, 4, 5, 6, 9]);
        assert_eq!(unshuffle(&[], 8), Vec::<u8>::new());
    }

    #[test]
    fn lzf_literals_and_overlapping_references() {
        // "ab" then five more bytes copied from two back.
        assert_eq!(unlzf(&[1, b'a', b'b', 3 << 5, 1], 7).unwrap(), b"abababa");
        assert!(unlzf(&[3 << 5, 9], 7).is_err());
        assert!(unlzf(&[5, b'a'], 7).is_err());
        assert!(unlzf(&[1, b'a', b'b', 7 << 5, 255, 1], 7).is_err());
    }

    #[test]
    fn a_deflate_bomb_stops_at_the_chunk_size() {
        use std::io::Write;
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(&vec![0u8; 1 << 20]).unwrap();
        let bomb = encoder.finish().unwrap();
        assert!(undo(&[Step::Deflate], 0, 1, 1000, &bomb).unwrap_err().contains("more than"));
        assert_eq!(undo(&[Step::Deflate], 0, 1, 1 << 20, &bomb).unwrap().len(), 1 << 20);
        assert!(undo(&[Step::Deflate], 1, 1, 1 << 20, &bomb).is_err());
    }
}
