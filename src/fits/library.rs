//! The few calls of cfitsio that are used, on files held in memory. The only `unsafe` of this room.

use std::ffi::{c_char, c_int, c_void, CStr, CString};
use std::ptr;

use fitsio::sys;

use super::{Card, Error, Value};

const IMAGE_HDU: c_int = 0;
const TFLOAT: c_int = 42;
const READONLY: c_int = 0;
/// Most characters of a text that are read.
const LONGEST_TEXT: usize = 4096;
const FLEN_STATUS: usize = 31;
/// Most axes of an image that is looked at.
const MAX_AXES: usize = 9;

fn check(status: c_int, doing: &str) -> Result<(), Error> {
    if status == 0 {
        return Ok(());
    }
    let mut text = [0 as c_char; FLEN_STATUS];
    // SAFETY: the library writes at most FLEN_STATUS bytes with the final zero; ffcmsg takes nothing.
    let text = unsafe {
        sys::ffgerr(status, text.as_mut_ptr());
        sys::ffcmsg();
        CStr::from_ptr(text.as_ptr()).to_string_lossy().into_owned()
    };
    Err(Error::Library { doing: doing.to_owned(), text, status })
}

/// Text for the library: printable ASCII without a zero byte, anything else replaced by `?`.
fn ascii(text: &str) -> CString {
    let bytes: Vec<u8> =
        text.chars().map(|c| if (' '..='~').contains(&c) { c as u8 } else { b'?' }).collect();
    CString::new(bytes).unwrap_or_default()
}

/// A FITS file in the caller's memory, open for reading, at an image HDU.
pub(super) struct Reader<'a> {
    file: *mut sys::fitsfile,
    // The library keeps pointers to these two, so they must not move.
    _place: Box<(*mut c_void, usize)>,
    _bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self, Error> {
        let mut place = Box::new((bytes.as_ptr() as *mut c_void, bytes.len()));
        let mut file = ptr::null_mut();
        let mut status = 0;
        let place_ptr: *mut (*mut c_void, usize) = &mut *place;
        // SAFETY: READONLY with no reallocation: the library only reads `bytes`, which outlives it; the two words it
        // points to live in a box that is freed after the file is closed.
        unsafe {
            sys::ffomem(
                &mut file,
                c"memory".as_ptr(),
                READONLY,
                &raw mut (*place_ptr).0,
                &raw mut (*place_ptr).1,
                0,
                None,
                &mut status,
            );
        }
        check(status, "open")?;
        Ok(Self { file, _place: place, _bytes: bytes })
    }

    /// Go to HDU `number` (from 1); whether it is an image.
    pub(super) fn go_to(&mut self, number: usize) -> Result<bool, Error> {
        let (mut kind, mut status) = (0, 0);
        // SAFETY: an open file and pointers to locals.
        unsafe { sys::ffmahd(self.file, number as c_int, &mut kind, &mut status) };
        check(status, "move to an HDU")?;
        Ok(kind == IMAGE_HDU)
    }

    /// Number of HDUs.
    pub(super) fn hdus(&mut self) -> Result<usize, Error> {
        let (mut count, mut status) = (0, 0);
        // SAFETY: an open file and pointers to locals.
        unsafe { sys::ffthdu(self.file, &mut count, &mut status) };
        check(status, "count HDUs")?;
        Ok(count.max(0) as usize)
    }

    /// `NAXISn` of the present HDU, first axis first.
    pub(super) fn shape(&mut self) -> Result<Vec<u64>, Error> {
        let mut axes = [0 as sys::LONGLONG; MAX_AXES];
        let (mut count, mut status) = (0, 0);
        // SAFETY: an open file; `axes` has room for MAX_AXES numbers and the library is told so.
        unsafe {
            sys::ffgidm(self.file, &mut count, &mut status);
            sys::ffgiszll(self.file, MAX_AXES as c_int, axes.as_mut_ptr(), &mut status);
        }
        check(status, "read the size of the image")?;
        Ok(axes.iter().take(count.max(0) as usize).map(|n| (*n).max(0) as u64).collect())
    }

    /// Bits per pixel (negative: floating point).
    pub(super) fn bitpix(&mut self) -> Result<i32, Error> {
        let (mut bitpix, mut status) = (0, 0);
        // SAFETY: an open file and pointers to locals.
        unsafe { sys::ffgidt(self.file, &mut bitpix, &mut status) };
        check(status, "read BITPIX")?;
        Ok(bitpix)
    }

    /// Byte at which the data of the present HDU begin.
    pub(super) fn data_start(&mut self) -> Result<u64, Error> {
        let (mut head, mut data, mut end, mut status) = (0, 0, 0, 0);
        // SAFETY: an open file and pointers to locals.
        unsafe { sys::ffghadll(self.file, &mut head, &mut data, &mut end, &mut status) };
        check(status, "find the data")?;
        Ok(data.max(0) as u64)
    }

    /// A numeric keyword.
    pub(super) fn number(&mut self, keyword: &str) -> Option<f64> {
        let key = ascii(keyword);
        let (mut value, mut status) = (0.0, 0);
        // SAFETY: an open file, a terminated string and pointers to locals; no comment is asked for.
        unsafe {
            sys::ffgkyd(self.file, key.as_ptr(), &mut value, ptr::null_mut(), &mut status);
            sys::ffcmsg();
        }
        (status == 0).then_some(value)
    }

    /// A text keyword, its continuations included.
    pub(super) fn text(&mut self, keyword: &str) -> Option<String> {
        let key = ascii(keyword);
        let mut value = [0 as c_char; LONGEST_TEXT + 1];
        let (mut length, mut status) = (0, 0);
        // SAFETY: as above; the library writes at most LONGEST_TEXT characters and the final zero.
        unsafe {
            sys::ffgsky(
                self.file,
                key.as_ptr(),
                1,
                LONGEST_TEXT as c_int,
                value.as_mut_ptr(),
                &mut length,
                ptr::null_mut(),
                &mut status,
            );
            sys::ffcmsg();
            (status == 0).then(|| CStr::from_ptr(value.as_ptr()).to_string_lossy().trim_end().to_owned())
        }
    }

    /// The first `count` pixels; blanks become NaN, BSCALE and BZERO are applied.
    pub(super) fn pixels(&mut self, axes: usize, count: usize) -> Result<Vec<f32>, Error> {
        let mut data = vec![0f32; count];
        let mut first = [1 as sys::LONGLONG; MAX_AXES];
        let mut blank = f32::NAN;
        let (mut any, mut status) = (0, 0);
        if axes > MAX_AXES {
            return check(320, "read the pixels").map(|()| data);
        }
        // SAFETY: `data` has room for `count` floats, `first` for all axes.
        unsafe {
            sys::ffgpxvll(
                self.file,
                TFLOAT,
                first.as_mut_ptr(),
                count as sys::LONGLONG,
                (&raw mut blank).cast(),
                data.as_mut_ptr().cast(),
                &mut any,
                &mut status,
            );
        }
        check(status, "read the pixels")?;
        Ok(data)
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        let mut status = 0;
        // SAFETY: the file is open and closed once; memory of the caller is kept by the library.
        unsafe {
            sys::ffclos(self.file, &mut status);
            sys::ffcmsg();
        }
    }
}

/// A new FITS file in memory.
pub(super) struct Writer {
    file: *mut sys::fitsfile,
    place: Box<(*mut c_void, usize)>,
}

impl Writer {
    /// A primary image of 32-bit floats.
    pub(super) fn image(axes: &[usize]) -> Result<Self, Error> {
        const BLOCK: usize = 2880;
        let bytes = axes.iter().product::<usize>() * 4;
        let mut place = Box::new((ptr::null_mut(), 0));
        let mut file = ptr::null_mut();
        let mut status = 0;
        let mut naxes: Vec<sys::LONGLONG> = axes.iter().map(|n| *n as sys::LONGLONG).collect();
        let place_ptr: *mut (*mut c_void, usize) = &mut *place;
        // SAFETY: the library allocates and grows the memory with libc's realloc, and keeps pointers to the boxed words.
        unsafe {
            sys::ffimem(
                &mut file,
                &raw mut (*place_ptr).0,
                &raw mut (*place_ptr).1,
                bytes + 16 * BLOCK,
                Some(libc::realloc),
                &mut status,
            );
        }
        check(status, "create")?;
        let writer = Self { file, place };
        // SAFETY: an open file; `naxes` has as many numbers as told.
        unsafe {
            sys::ffcrimll(file, -32, naxes.len() as c_int, naxes.as_mut_ptr(), &mut status);
        }
        check(status, "create the image")?;
        Ok(writer)
    }

    pub(super) fn card(&mut self, card: &Card) -> Result<(), Error> {
        let (key, comment) = (ascii(&card.keyword), ascii(&card.comment));
        let (k, c) = (key.as_ptr(), comment.as_ptr());
        let mut status = 0;
        // SAFETY: an open file and terminated strings that live through the calls.
        unsafe {
            match &card.value {
                Value::Text(v) if v.len() > 60 => {
                    sys::ffpkls(self.file, k, ascii(v).as_ptr(), c, &mut status)
                }
                Value::Text(v) => sys::ffpkys(self.file, k, ascii(v).as_ptr(), c, &mut status),
                // 15 decimals of an exponent: all digits of a double.
                Value::Real(v) if v.is_finite() => sys::ffpkyd(self.file, k, *v, -15, c, &mut status),
                Value::Real(_) => 0,
                Value::Integer(v) => sys::ffpkyj(self.file, k, *v, c, &mut status),
                Value::Logical(v) => sys::ffpkyl(self.file, k, c_int::from(*v), c, &mut status),
                Value::History(v) => sys::ffphis(self.file, ascii(v).as_ptr(), &mut status),
            };
        }
        check(status, &format!("write keyword {}", card.keyword))
    }

    /// The blocks before the pixels.
    pub(super) fn header(&mut self) -> Result<Vec<u8>, Error> {
        let (mut head, mut data, mut end, mut status) = (0, 0, 0, 0);
        // SAFETY: an open file and pointers to locals.
        unsafe {
            sys::ffflus(self.file, &mut status);
            sys::ffghadll(self.file, &mut head, &mut data, &mut end, &mut status);
        }
        check(status, "flush")?;
        let length = (data.max(0) as usize).min(self.place.1);
        if self.place.0.is_null() {
            return Ok(Vec::new());
        }
        // SAFETY: the library's buffer holds at least `length` written bytes and is not touched while they are copied.
        Ok(unsafe { std::slice::from_raw_parts(self.place.0.cast::<u8>(), length) }.to_vec())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let mut status = 0;
        // SAFETY: closed once; the memory came from libc's realloc and is ours after the close.
        unsafe {
            sys::ffclos(self.file, &mut status);
            sys::ffcmsg();
            libc::free(self.place.0);
        }
    }
}
