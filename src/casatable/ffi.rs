//! The C interface of `glue.cc`, and the one mutex under which it is called.

use std::ffi::{c_char, c_int, c_void, CStr, CString};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Opaque table of the glue.
#[repr(C)]
pub(super) struct CtTable {
    _private: [u8; 0],
}

/// Opaque table description of the glue.
#[repr(C)]
pub(super) struct CtSpec {
    _private: [u8; 0],
}

/// Description of a column.
#[repr(C)]
#[derive(Default)]
pub(super) struct CtColumn {
    pub data_type: c_int,
    pub scalar: c_int,
    pub ndim: c_int,
    pub fixed: c_int,
    pub shape: [u64; 8],
}

pub(super) type TextCallback = extern "C" fn(*mut c_void, *const c_char, u64);
pub(super) type NameCallback = extern "C" fn(*mut c_void, *const c_char, u64, c_int);
pub(super) type NumberCallback = extern "C" fn(*mut c_void, f64);

pub(super) const MESSAGE: usize = 1024;
pub(super) type Message = [c_char; MESSAGE];

extern "C" {
    pub(super) fn ct_open(
        path: *const c_char,
        rw: c_int,
        lock: c_int,
        out: *mut *mut CtTable,
        err: *mut c_char,
    ) -> c_int;
    pub(super) fn ct_close(t: *mut CtTable, err: *mut c_char) -> c_int;
    pub(super) fn ct_lock(
        t: *mut CtTable,
        write: c_int,
        attempts: u32,
        got: *mut c_int,
        err: *mut c_char,
    ) -> c_int;
    pub(super) fn ct_flush(t: *mut CtTable, err: *mut c_char) -> c_int;
    pub(super) fn ct_nrow(t: *mut CtTable, out: *mut u64, err: *mut c_char) -> c_int;
    pub(super) fn ct_add_rows(t: *mut CtTable, n: u64, err: *mut c_char) -> c_int;
    pub(super) fn ct_info(
        t: *mut CtTable,
        kind: *const c_char,
        sub: *const c_char,
        err: *mut c_char,
    ) -> c_int;
    pub(super) fn ct_info_type(
        t: *mut CtTable,
        ctx: *mut c_void,
        cb: TextCallback,
        err: *mut c_char,
    ) -> c_int;
    pub(super) fn ct_columns(t: *mut CtTable, ctx: *mut c_void, cb: TextCallback, err: *mut c_char) -> c_int;
    pub(super) fn ct_column(
        t: *mut CtTable,
        name: *const c_char,
        out: *mut CtColumn,
        err: *mut c_char,
    ) -> c_int;
    pub(super) fn ct_manager(
        t: *mut CtTable,
        name: *const c_char,
        ctx: *mut c_void,
        cb: TextCallback,
        sequence: *mut i64,
        shared: *mut i64,
        err: *mut c_char,
    ) -> c_int;
    pub(super) fn ct_tiles(
        t: *mut CtTable,
        name: *const c_char,
        cubes: *mut c_int,
        ndim: *mut c_int,
        cube: *mut u64,
        tile: *mut u64,
        big: *mut c_int,
        err: *mut c_char,
    ) -> c_int;
    pub(super) fn ct_cell_shape(
        t: *mut CtTable,
        name: *const c_char,
        row: u64,
        ndim: *mut c_int,
        shape: *mut u64,
        err: *mut c_char,
    ) -> c_int;
    pub(super) fn ct_get(
        t: *mut CtTable,
        name: *const c_char,
        start: u64,
        n: u64,
        data_type: c_int,
        out: *mut c_void,
        count: u64,
        err: *mut c_char,
    ) -> c_int;
    pub(super) fn ct_get_rows(
        t: *mut CtTable,
        name: *const c_char,
        rows: *const u64,
        n: u64,
        data_type: c_int,
        out: *mut c_void,
        count: u64,
        err: *mut c_char,
    ) -> c_int;
    pub(super) fn ct_put(
        t: *mut CtTable,
        name: *const c_char,
        start: u64,
        n: u64,
        data_type: c_int,
        ndim: c_int,
        shape: *const u64,
        data: *const c_void,
        err: *mut c_char,
    ) -> c_int;
    pub(super) fn ct_put_rows(
        t: *mut CtTable,
        name: *const c_char,
        rows: *const u64,
        n: u64,
        data_type: c_int,
        ndim: c_int,
        shape: *const u64,
        data: *const c_void,
        err: *mut c_char,
    ) -> c_int;
    pub(super) fn ct_get_text(
        t: *mut CtTable,
        name: *const c_char,
        start: u64,
        n: u64,
        ctx: *mut c_void,
        cb: TextCallback,
        err: *mut c_char,
    ) -> c_int;
    pub(super) fn ct_put_text(
        t: *mut CtTable,
        name: *const c_char,
        row: u64,
        ndim: c_int,
        shape: *const u64,
        texts: *const *const c_char,
        err: *mut c_char,
    ) -> c_int;
    pub(super) fn ct_remove_column(t: *mut CtTable, name: *const c_char, err: *mut c_char) -> c_int;
    pub(super) fn ct_rename_column(
        t: *mut CtTable,
        from: *const c_char,
        to: *const c_char,
        err: *mut c_char,
    ) -> c_int;
    pub(super) fn ct_spec_new() -> *mut CtSpec;
    pub(super) fn ct_spec_free(spec: *mut CtSpec);
    pub(super) fn ct_spec_column(
        spec: *mut CtSpec,
        name: *const c_char,
        comment: *const c_char,
        data_type: c_int,
        ndim: c_int,
        shape: *const u64,
        direct: c_int,
        err: *mut c_char,
    ) -> c_int;
    pub(super) fn ct_spec_bind(
        spec: *mut CtSpec,
        column: *const c_char,
        kind: c_int,
        manager: *const c_char,
        ndim: c_int,
        tile: *const u64,
        err: *mut c_char,
    ) -> c_int;
    pub(super) fn ct_create(
        path: *const c_char,
        spec: *mut CtSpec,
        rows: u64,
        out: *mut *mut CtTable,
        err: *mut c_char,
    ) -> c_int;
    pub(super) fn ct_add_column(t: *mut CtTable, spec: *mut CtSpec, err: *mut c_char) -> c_int;
    pub(super) fn ct_keywords(
        t: *mut CtTable,
        column: *const c_char,
        ctx: *mut c_void,
        cb: NameCallback,
        err: *mut c_char,
    ) -> c_int;
    pub(super) fn ct_keyword_text(
        t: *mut CtTable,
        column: *const c_char,
        name: *const c_char,
        found: *mut c_int,
        ctx: *mut c_void,
        cb: TextCallback,
        err: *mut c_char,
    ) -> c_int;
    pub(super) fn ct_keyword_numbers(
        t: *mut CtTable,
        column: *const c_char,
        name: *const c_char,
        found: *mut c_int,
        ctx: *mut c_void,
        cb: NumberCallback,
        err: *mut c_char,
    ) -> c_int;
    pub(super) fn ct_put_keyword_text(
        t: *mut CtTable,
        column: *const c_char,
        name: *const c_char,
        scalar: c_int,
        n: u64,
        texts: *const *const c_char,
        err: *mut c_char,
    ) -> c_int;
    pub(super) fn ct_put_keyword_numbers(
        t: *mut CtTable,
        column: *const c_char,
        name: *const c_char,
        data_type: c_int,
        n: u64,
        values: *const f64,
        err: *mut c_char,
    ) -> c_int;
    pub(super) fn ct_put_keyword_table(
        t: *mut CtTable,
        column: *const c_char,
        name: *const c_char,
        sub: *mut CtTable,
        err: *mut c_char,
    ) -> c_int;
    pub(super) fn ct_remove_keyword(
        t: *mut CtTable,
        column: *const c_char,
        name: *const c_char,
        err: *mut c_char,
    ) -> c_int;
}

/// casacore tables share caches and lock files between handles and are not thread-safe: one call at a time.
/// Bulk data does not pass through here (see `tiles.rs`), so this costs no parallelism where it matters.
static CASACORE: Mutex<()> = Mutex::new(());

fn serial() -> MutexGuard<'static, ()> {
    CASACORE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Run one call of the glue under the mutex; its message on failure.
pub(super) fn call(body: impl FnOnce(*mut c_char) -> c_int) -> Result<(), String> {
    let mut message: Message = [0; MESSAGE];
    let guard = serial();
    let status = body(message.as_mut_ptr());
    drop(guard);
    if status == 0 {
        return Ok(());
    }
    // SAFETY: the glue terminates its message with a zero byte within the buffer.
    let text = unsafe { CStr::from_ptr(message.as_ptr()) };
    Err(text.to_string_lossy().into_owned())
}

/// A C string; inner zero bytes end it.
pub(super) fn c_text(text: &str) -> CString {
    let clean: Vec<u8> = text.bytes().take_while(|b| *b != 0).collect();
    CString::new(clean).unwrap_or_default()
}

/// Appends to the `Vec<String>` behind `ctx`.
pub(super) extern "C" fn push_text(ctx: *mut c_void, text: *const c_char, length: u64) {
    // SAFETY: callers pass a live `Vec<String>` and the glue a buffer of `length` bytes.
    let (list, bytes) = unsafe {
        (&mut *ctx.cast::<Vec<String>>(), std::slice::from_raw_parts(text.cast::<u8>(), length as usize))
    };
    list.push(String::from_utf8_lossy(bytes).into_owned());
}

/// Appends to the `Vec<(String, i32)>` behind `ctx`.
pub(super) extern "C" fn push_name(ctx: *mut c_void, text: *const c_char, length: u64, kind: c_int) {
    // SAFETY: as in `push_text`.
    let (list, bytes) = unsafe {
        (
            &mut *ctx.cast::<Vec<(String, i32)>>(),
            std::slice::from_raw_parts(text.cast::<u8>(), length as usize),
        )
    };
    list.push((String::from_utf8_lossy(bytes).into_owned(), kind));
}

/// Appends to the `Vec<f64>` behind `ctx`.
pub(super) extern "C" fn push_number(ctx: *mut c_void, value: f64) {
    // SAFETY: callers pass a live `Vec<f64>`.
    unsafe { (*ctx.cast::<Vec<f64>>()).push(value) };
}
