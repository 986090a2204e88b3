//! The record of which step flagged each sample, as files that numpy reads.

use std::fs;
use std::io::Write;
use std::path::Path;

use ndarray::Array3;

use crate::error::Error;

/// Write one window's record: format 1.0 of numpy's files, little-endian u16 in C order; a reader finds the old file or the new.
pub(super) fn write(directory: &Path, spw: usize, bits_rfp: &Array3<u16>) -> Result<(), Error> {
    let os = |doing: &'static str| {
        move |source| Error::from(crate::ms::Error::Os { path: directory.to_path_buf(), doing, source })
    };
    fs::create_dir_all(directory).map_err(os("create"))?;
    let (nr, nf, np) = bits_rfp.dim();
    let mut header = format!("{{'descr': '<u2', 'fortran_order': False, 'shape': ({nr}, {nf}, {np}), }}");
    // Magic, version, length and header fill a multiple of 64 bytes, with a line end.
    while (10 + header.len() + 1) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(bits_rfp.iter().flat_map(|b| b.to_le_bytes()));
    let staged = directory.join(format!(".bits.spw{spw:02}.{}.partial", std::process::id()));
    let mut file = fs::File::create(&staged).map_err(os("write to"))?;
    file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(os("write to"))?;
    fs::rename(&staged, directory.join(format!("bits.spw{spw:02}.npy"))).map_err(os("rename in"))
}
