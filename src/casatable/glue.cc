// C interface to casacore tables for `src/casatable`: what the safe wrapper needs and nothing more.
//
// Array shapes cross in C order (slowest axis first), without the row axis; casacore's are reversed here.
// Every function returns 0 on success, or 1 with a message in `err` (1024 bytes).

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <unistd.h>

#include <casacore/casa/IO/AipsIO.h>
#include <casacore/casa/IO/MemoryIO.h>
#include <casacore/tables/DataMan/IncrementalStMan.h>
#include <casacore/tables/DataMan/StandardStMan.h>
#include <casacore/tables/DataMan/TiledColumnStMan.h>
#include <casacore/tables/DataMan/TiledShapeStMan.h>
#include <casacore/tables/DataMan/TSMCube.h>
#include <casacore/tables/DataMan/TSMFile.h>
#include <casacore/tables/Tables.h>
#include <casacore/tables/Tables/RefRows.h>
#include <casacore/tables/Tables/TableAttr.h>
#include <casacore/tables/Tables/TableColumn.h>
#include <casacore/tables/Tables/TableInfo.h>

namespace casacore {
AipsIO &operator<<(AipsIO &, const IPosition &); // defined in IPositionIO.cc, whose header rubbl does not export
}

using namespace casacore;

struct CtTable {
    Table table;
    /// Whether this handle was opened for writing; casacore lets all handles of one table write when one does.
    bool writable;
};

struct CtSpec {
    TableDesc desc;
    struct Binding {
        String column;
        std::shared_ptr<DataManager> manager;
    };
    std::vector<Binding> bindings;
};

typedef void (*TextCallback)(void *ctx, const char *text, uint64_t length);
typedef void (*NameCallback)(void *ctx, const char *text, uint64_t length, int type);

struct CtColumn {
    int type;      // casacore DataType of one element
    int scalar;    // 1 for a scalar column
    int ndim;      // of a cell, -1 when free
    int fixed;     // 1 when all cells have `shape`
    uint64_t shape[8];
};

static int fail(char *err, const char *what)
{
    std::strncpy(err, what, 1023);
    err[1023] = '\0';
    return 1;
}

// casacore flushes its buffers in destructors and throws there when a write fails, which ends the process. The linker
// therefore sends its write() and pwrite() here (--wrap, see build.rs): within `guarded` a failed write is remembered and
// casacore goes on as if it had succeeded; `guarded` then reports it. Elsewhere these are the plain calls.
static thread_local int guard_depth = 0;
static thread_local int write_errno = 0;
// The last handle of a table, when it is one for reading, shall not write what the writer's close has written already.
static thread_local bool discard_writes = false;

#if CONTIMG_WRAP_WRITES
extern "C" {
// Weak: a program linked without --wrap (a doctest) still links, and never comes here.
ssize_t __real_write(int fd, const void *data, size_t n) __attribute__((weak));
ssize_t __real_pwrite(int fd, const void *data, size_t n, off_t at) __attribute__((weak));
ssize_t __real_pwrite64(int fd, const void *data, size_t n, off64_t at) __attribute__((weak));
int __real_rename(const char *from, const char *to) __attribute__((weak));
int __real_fsync(int fd) __attribute__((weak));
}

/// Writes all of `n` bytes by `part(done)`, or remembers why not; says that all were written.
template <typename F>
static ssize_t write_all(size_t n, F part)
{
    size_t done = discard_writes ? n : 0;
    while (done < n) {
        const ssize_t got = part(done);
        if (got > 0) {
            done += size_t(got);
        } else if (got == 0 || errno != EINTR) {
            if (write_errno == 0) write_errno = got == 0 ? ENOSPC : errno;
            break;
        }
    }
    return ssize_t(n);
}

extern "C" {
ssize_t __wrap_write(int fd, const void *data, size_t n)
{
    if (guard_depth == 0) return __real_write(fd, data, n);
    return write_all(n, [=](size_t at) { return __real_write(fd, static_cast<const char *>(data) + at, n - at); });
}

ssize_t __wrap_pwrite(int fd, const void *data, size_t n, off_t to)
{
    if (guard_depth == 0) return __real_pwrite(fd, data, n, to);
    return write_all(n, [=](size_t at) {
        return __real_pwrite(fd, static_cast<const char *>(data) + at, n - at, to + off_t(at));
    });
}

ssize_t __wrap_pwrite64(int fd, const void *data, size_t n, off64_t to)
{
    if (guard_depth == 0) return __real_pwrite64(fd, data, n, to);
    return write_all(n, [=](size_t at) {
        return __real_pwrite64(fd, static_cast<const char *>(data) + at, n - at, to + off64_t(at));
    });
}

/// casacore does not look at what fsync returns, and the kernel tells of a failure once.
int __wrap_fsync(int fd)
{
    const int status = __real_fsync(fd);
    if (status != 0 && guard_depth > 0 && write_errno == 0) write_errno = errno;
    return status;
}

/// casacore writes `table.dat_tmp` and renames it: not when its writing failed.
int __wrap_rename(const char *from, const char *to)
{
    if (guard_depth > 0 && (write_errno != 0 || discard_writes)) return ::unlink(from);
    const int status = __real_rename(from, to);
    if (status != 0 && guard_depth > 0 && write_errno == 0) write_errno = errno;
    return status;
}
}
#endif

/// Runs `body`; a C++ exception becomes a message, and so does a write that failed on the way.
template <typename F>
static int guarded(char *err, F body)
{
    int status = 0;
    if (guard_depth++ == 0) write_errno = 0;
    try {
        body();
    } catch (const std::exception &e) {
        status = fail(err, e.what());
    } catch (...) {
        status = fail(err, "casacore threw an unknown exception");
    }
    if (--guard_depth == 0 && write_errno != 0) {
        const std::string why = std::string("writing failed: ") + strerror(write_errno);
        write_errno = 0;
        return fail(err, why.c_str());
    }
    return status;
}

static IPosition to_casa(int ndim, const uint64_t *shape)
{
    IPosition out(ndim);
    for (int i = 0; i < ndim; i++) out[i] = shape[ndim - 1 - i];
    return out;
}

static void from_casa(const IPosition &in, uint64_t *shape)
{
    const int n = in.nelements();
    if (n > 8) throw std::runtime_error("more than 8 array axes");
    for (int i = 0; i < n; i++) shape[n - 1 - i] = in[i];
}

static Slicer row_slice(uint64_t start, uint64_t n)
{
    return Slicer(IPosition(1, start), IPosition(1, n));
}

static TableLock lock_option(int mode)
{
    return TableLock(mode == 0 ? TableLock::NoLocking : TableLock::UserLocking);
}

#define FOR_ALL_TYPES(DO)          \
    DO(TpBool, Bool)               \
    DO(TpUChar, uChar)             \
    DO(TpShort, Short)             \
    DO(TpInt, Int)                 \
    DO(TpUInt, uInt)               \
    DO(TpInt64, Int64)             \
    DO(TpFloat, Float)             \
    DO(TpDouble, Double)           \
    DO(TpComplex, Complex)         \
    DO(TpDComplex, DComplex)

/// A TiledColumnStMan whose new rows are a hole in its file instead of zeros that are written one by one.
///
/// casacore initialises every tile of a new hypercube when it flushes. Here the cube learns its new shape through
/// TSMCube::resync, the door for "another process has extended the file", and the file is extended by truncate().
/// On disk (and to everybody who opens the table later) it is a plain TiledColumnStMan.
class SparseColumnStMan : public TiledColumnStMan {
public:
    SparseColumnStMan(const String &name, const IPosition &tile) : TiledColumnStMan(name, tile), tile_(tile) {}

    DataManager *clone() const override { return new SparseColumnStMan(dataManagerName(), tile_); }

private:
    void addRow64(rownr_t n) override
    {
        TSMCube *cube = cubeSet_p[0];
        IPosition shape = cube->cubeShape();
        const IPosition tile = cube->tileShape();
        const uInt last = shape.nelements() - 1;
        shape[last] += n;
        uInt64 tiles = 1;
        for (uInt i = 0; i <= last; i++) tiles *= (shape[i] + tile[i] - 1) / tile[i];
        MemoryIO memory;
        {
            AipsIO out(&memory);
            out.putstart("cube", 1);
            out << uInt(1) << cube->valueRecord() << True << uInt(last + 1) << shape << tile;
            out << Int(fileSet_p[0]->sequenceNumber()) << uInt(0);
            out.putend();
        }
        memory.seek(Int64(0), ByteIO::Begin);
        AipsIO in(&memory);
        in.getstart("cube");
        cube->resync(in);
        in.getend();
        const Int64 bytes = Int64(tiles) * cube->bucketSize();
        fileSet_p[0]->extend(bytes - fileSet_p[0]->length());
        const String file = fileName() + "_TSM0";
        if (::truncate(file.c_str(), bytes) != 0) throw std::runtime_error("cannot extend " + file + ": " + strerror(errno));
        nrrow_p += n;
        setDataChanged();
    }

    IPosition tile_;
};

// ---------------------------------------------------------------------------------------------- reading and writing

template <typename T>
static void get_range(const Table &t, const String &name, uint64_t start, uint64_t n, void *out, uint64_t count)
{
    if (t.tableDesc().columnDesc(name).isScalar()) {
        if (count != n) throw std::runtime_error("scalar column: buffer does not hold one value a row");
        Vector<T> view(IPosition(1, n), static_cast<T *>(out), SHARE);
        ScalarColumn<T>(t, name).getColumnRange(row_slice(start, n), view);
        return;
    }
    ArrayColumn<T> column(t, name);
    IPosition shape = column.shape(start);
    shape.append(IPosition(1, n));
    if (uint64_t(shape.product()) != count) throw std::runtime_error("buffer does not fit the shape of the cells");
    Array<T> view(shape, static_cast<T *>(out), SHARE);
    column.getColumnRange(row_slice(start, n), view);
}

template <typename T>
static void get_rows(const Table &t, const String &name, const uint64_t *rows, uint64_t n, void *out, uint64_t count)
{
    Vector<rownr_t> index(n);
    for (uint64_t i = 0; i < n; i++) index[i] = rows[i];
    if (t.tableDesc().columnDesc(name).isScalar()) {
        if (count != n) throw std::runtime_error("scalar column: buffer does not hold one value a row");
        Vector<T> view(IPosition(1, n), static_cast<T *>(out), SHARE);
        ScalarColumn<T>(t, name).getColumnCells(RefRows(index), view);
        return;
    }
    ArrayColumn<T> column(t, name);
    IPosition shape = column.shape(rows[0]);
    shape.append(IPosition(1, n));
    if (uint64_t(shape.product()) != count) throw std::runtime_error("buffer does not fit the shape of the cells");
    Array<T> view(shape, static_cast<T *>(out), SHARE);
    column.getColumnCells(RefRows(index), view);
}

template <typename T>
static void put_range(Table &t, const String &name, uint64_t start, uint64_t n, int ndim, const uint64_t *shape,
                      const void *data)
{
    T *values = const_cast<T *>(static_cast<const T *>(data));
    if (t.tableDesc().columnDesc(name).isScalar()) {
        Vector<T> view(IPosition(1, n), values, SHARE);
        ScalarColumn<T>(t, name).putColumnRange(row_slice(start, n), view);
        return;
    }
    IPosition full = to_casa(ndim, shape);
    full.append(IPosition(1, n));
    Array<T> view(full, values, SHARE);
    ArrayColumn<T>(t, name).putColumnRange(row_slice(start, n), view);
}

template <typename T>
static void put_rows(Table &t, const String &name, const uint64_t *rows, uint64_t n, int ndim, const uint64_t *shape,
                     const void *data)
{
    T *values = const_cast<T *>(static_cast<const T *>(data));
    Vector<rownr_t> index(n);
    for (uint64_t i = 0; i < n; i++) index[i] = rows[i];
    if (t.tableDesc().columnDesc(name).isScalar()) {
        Vector<T> view(IPosition(1, n), values, SHARE);
        ScalarColumn<T>(t, name).putColumnCells(RefRows(index), view);
        return;
    }
    IPosition full = to_casa(ndim, shape);
    full.append(IPosition(1, n));
    Array<T> view(full, values, SHARE);
    ArrayColumn<T>(t, name).putColumnCells(RefRows(index), view);
}

template <typename T>
static void add_column(TableDesc &desc, const String &name, const String &comment, int ndim, const uint64_t *shape,
                       bool direct)
{
    if (ndim == 0) {
        desc.addColumn(ScalarColumnDesc<T>(name, comment));
    } else if (shape) {
        int option = ColumnDesc::FixedShape | (direct ? int(ColumnDesc::Direct) : 0);
        desc.addColumn(ArrayColumnDesc<T>(name, comment, to_casa(ndim, shape), option));
    } else {
        desc.addColumn(ArrayColumnDesc<T>(name, comment, ndim));
    }
}

// ---------------------------------------------------------------------------------------------- keywords

/// The record that holds the last part of a dotted name; made on the way when `create`.
static TableRecord &keyword_record(Table &t, const char *column)
{
    if (column[0] == '\0') return t.rwKeywordSet();
    TableColumn c(t, column);
    return c.rwKeywordSet();
}

static const TableRecord &keyword_record_ro(const Table &t, const char *column)
{
    if (column[0] == '\0') return t.keywordSet();
    return TableColumn(t, column).keywordSet();
}

template <typename V>
static void define_nested(TableRecord &record, const std::string &name, const V &value)
{
    const size_t dot = name.find('.');
    if (dot == std::string::npos) {
        if (record.isDefined(name)) record.removeField(RecordFieldId(name));
        record.define(name, value);
        return;
    }
    const std::string head = name.substr(0, dot);
    TableRecord sub;
    if (record.isDefined(head)) sub = record.asRecord(head);
    define_nested(sub, name.substr(dot + 1), value);
    record.defineRecord(head, sub);
}

/// The record and field of a dotted name; false when absent.
static bool find_nested(const TableRecord &record, const std::string &name, TableRecord &holder, std::string &field)
{
    const size_t dot = name.find('.');
    if (dot == std::string::npos) {
        if (!record.isDefined(name)) return false;
        holder = record;
        field = name;
        return true;
    }
    const std::string head = name.substr(0, dot);
    if (!record.isDefined(head) || record.dataType(head) != TpRecord) return false;
    return find_nested(TableRecord(record.asRecord(head)), name.substr(dot + 1), holder, field);
}

extern "C" {

// ---------------------------------------------------------------------------------------------- tables

int ct_open(const char *path, int writable, int locking, CtTable **out, char *err)
{
    return guarded(err, [&] { *out = new CtTable{Table(path, lock_option(locking), writable ? Table::Update : Table::Old), writable != 0}; });
}

/// Closes (and flushes) a table; errors while flushing are reported, not swallowed by the destructor.
int ct_close(CtTable *t, char *err)
{
    std::unique_ptr<CtTable> owned(t);
    discard_writes = !owned->writable;
    const int status = guarded(err, [&] {
        if (owned->writable) {
            owned->table.flush();
            owned->table.flushTableInfo();
        }
        owned.reset();
    });
    discard_writes = false;
    return status;
}

int ct_lock(CtTable *t, int write, unsigned attempts, int *got, char *err)
{
    return guarded(err, [&] { *got = t->table.lock(bool(write), attempts) ? 1 : 0; });
}

int ct_flush(CtTable *t, char *err) { return guarded(err, [&] { t->table.flush(); }); }

int ct_nrow(CtTable *t, uint64_t *out, char *err) { return guarded(err, [&] { *out = t->table.nrow(); }); }

int ct_add_rows(CtTable *t, uint64_t n, char *err) { return guarded(err, [&] { t->table.addRow(n); }); }

int ct_info(CtTable *t, const char *type, const char *subtype, char *err)
{
    return guarded(err, [&] { t->table.tableInfo().setType(type); t->table.tableInfo().setSubType(subtype); t->table.flushTableInfo(); });
}

int ct_info_type(CtTable *t, void *ctx, TextCallback callback, char *err)
{
    return guarded(err, [&] { const String type = t->table.tableInfo().type(); callback(ctx, type.data(), type.size()); });
}

int ct_columns(CtTable *t, void *ctx, TextCallback callback, char *err)
{
    return guarded(err, [&] {const Vector<String> names = t->table.tableDesc().columnNames();
            for (size_t i = 0; i < names.size(); i++) callback(ctx, names[i].data(), names[i].size());
    });
}

int ct_column(CtTable *t, const char *name, CtColumn *out, char *err)
{
    return guarded(err, [&] {const ColumnDesc &c = t->table.tableDesc().columnDesc(name);
            out->type = c.dataType();
            out->scalar = c.isScalar();
            out->ndim = c.isScalar() ? 0 : c.ndim();
            if (!c.isScalar() && out->ndim == 0) out->ndim = -1;
            out->fixed = !c.isScalar() && (c.options() & ColumnDesc::FixedShape);
            if (out->fixed) { from_casa(c.shape(), out->shape); out->ndim = c.shape().nelements(); }
    });
}

/// Type and sequence number of the data manager of a column, and the number of columns it holds.
int ct_manager(CtTable *t, const char *name, void *ctx, TextCallback type, int64_t *sequence, int64_t *shared, char *err)
{
    return guarded(err, [&] {
        const Record all = t->table.dataManagerInfo();
        *sequence = -1;
        for (uInt i = 0; i < all.nfields(); i++) {
            const Record &one = all.subRecord(i);
            const Vector<String> columns(one.asArrayString("COLUMNS"));
            for (size_t k = 0; k < columns.size(); k++) {
                if (columns[k] != name) continue;
                const String kind = one.asString("TYPE");
                *shared = columns.size();
                if (one.isDefined("SEQNR")) *sequence = one.asuInt("SEQNR");
                type(ctx, kind.data(), kind.size());
                return;
            }
        }
    });
}

/// Hypercube and tile shapes (C order, row axis first) of a tiled column with one hypercube; `cubes` is their number.
int ct_tiles(CtTable *t, const char *name, int *cubes, int *ndim, uint64_t *cube, uint64_t *tile, int *big, char *err)
{
    return guarded(err, [&] {
        *cubes = 0;
        const Record all = t->table.dataManagerInfo();
        *big = t->table.endianFormat() == Table::BigEndian ? 1 : 0;
        for (uInt i = 0; i < all.nfields(); i++) {
            const Record &one = all.subRecord(i);
            const Vector<String> columns(one.asArrayString("COLUMNS"));
            if (columns.size() != 1 || columns[0] != name || !one.isDefined("SPEC")) continue;
            const Record &spec = one.subRecord("SPEC");
            if (!spec.isDefined("HYPERCUBES")) continue;
            const Record &list = spec.subRecord("HYPERCUBES");
            *cubes = list.nfields();
            if (*cubes < 1) continue;
            const Record &first = list.subRecord(*cubes - 1);
            IPosition c(first.toArrayInt("CubeShape"));
            IPosition s(first.toArrayInt("TileShape"));
            *ndim = c.nelements();
            from_casa(c, cube);
            from_casa(s, tile);
        }
    });
}

/// Shape of one cell; `ndim` is -1 when the cell is undefined.
int ct_cell_shape(CtTable *t, const char *name, uint64_t row, int *ndim, uint64_t *shape, char *err)
{
    return guarded(err, [&] {TableColumn c(t->table, name);
            if (c.columnDesc().isScalar()) { *ndim = 0; return; }
            if (!c.isDefined(row)) { *ndim = -1; return; }
            const IPosition s = c.shape(row);
            from_casa(s, shape);
            *ndim = s.nelements();
    });
}

int ct_get(CtTable *t, const char *name, uint64_t start, uint64_t n, int type, void *out, uint64_t count, char *err)
{
    return guarded(err, [&] {
        if (n == 0) return;
        switch (type) {
#define CASE(TAG, TYPE) case TAG: get_range<TYPE>(t->table, name, start, n, out, count); break;
            FOR_ALL_TYPES(CASE)
#undef CASE
            default: throw std::runtime_error("unsupported element type");
        }
    });
}

int ct_get_rows(CtTable *t, const char *name, const uint64_t *rows, uint64_t n, int type, void *out, uint64_t count,
                char *err)
{
    return guarded(err, [&] {
        if (n == 0) return;
        switch (type) {
#define CASE(TAG, TYPE) case TAG: get_rows<TYPE>(t->table, name, rows, n, out, count); break;
            FOR_ALL_TYPES(CASE)
#undef CASE
            default: throw std::runtime_error("unsupported element type");
        }
    });
}

int ct_put(CtTable *t, const char *name, uint64_t start, uint64_t n, int type, int ndim, const uint64_t *shape,
           const void *data, char *err)
{
    return guarded(err, [&] {
        if (n == 0) return;
        switch (type) {
#define CASE(TAG, TYPE) case TAG: put_range<TYPE>(t->table, name, start, n, ndim, shape, data); break;
            FOR_ALL_TYPES(CASE)
#undef CASE
            default: throw std::runtime_error("unsupported element type");
        }
    });
}

int ct_put_rows(CtTable *t, const char *name, const uint64_t *rows, uint64_t n, int type, int ndim,
                const uint64_t *shape, const void *data, char *err)
{
    return guarded(err, [&] {
        if (n == 0) return;
        switch (type) {
#define CASE(TAG, TYPE) case TAG: put_rows<TYPE>(t->table, name, rows, n, ndim, shape, data); break;
            FOR_ALL_TYPES(CASE)
#undef CASE
            default: throw std::runtime_error("unsupported element type");
        }
    });
}

/// Strings of a scalar column, or the elements of one array cell when `n` is 1, in C order.
int ct_get_text(CtTable *t, const char *name, uint64_t start, uint64_t n, void *ctx, TextCallback callback, char *err)
{
    return guarded(err, [&] {
        if (t->table.tableDesc().columnDesc(name).isScalar()) {
            ScalarColumn<String> column(t->table, name);
            for (uint64_t row = start; row < start + n; row++) {
                const String s = column(row);
                callback(ctx, s.data(), s.size());
            }
        } else {
            ArrayColumn<String> column(t->table, name);
            for (uint64_t row = start; row < start + n; row++) {
                if (!column.isDefined(row)) continue;
                const Array<String> cell = column(row);
                for (Array<String>::const_iterator i = cell.begin(); i != cell.end(); ++i) callback(ctx, i->data(), i->size());
            }
        }
    });
}

/// One string cell (`ndim` 0), or one string array cell.
int ct_put_text(CtTable *t, const char *name, uint64_t row, int ndim, const uint64_t *shape, const char *const *texts,
                char *err)
{
    return guarded(err, [&] {
        if (ndim == 0) {
            ScalarColumn<String>(t->table, name).put(row, String(texts[0]));
        } else {
            Array<String> cell(to_casa(ndim, shape));
            uint64_t k = 0;
            for (Array<String>::iterator i = cell.begin(); i != cell.end(); ++i) *i = String(texts[k++]);
            ArrayColumn<String>(t->table, name).put(row, cell);
        }
    });
}

int ct_remove_column(CtTable *t, const char *name, char *err) { return guarded(err, [&] { t->table.removeColumn(name); }); }

int ct_rename_column(CtTable *t, const char *from, const char *to, char *err)
{
    return guarded(err, [&] { t->table.renameColumn(to, from); });
}

// ---------------------------------------------------------------------------------------------- creation

CtSpec *ct_spec_new() { return new CtSpec; }
void ct_spec_free(CtSpec *spec) { delete spec; }

/// `ndim` 0: scalar; -1: array of any shape; `shape` NULL: free shape of `ndim` axes.
int ct_spec_column(CtSpec *spec, const char *name, const char *comment, int type, int ndim, const uint64_t *shape,
                   int direct, char *err)
{
    return guarded(err, [&] {
        switch (type) {
#define CASE(TAG, TYPE) case TAG: add_column<TYPE>(spec->desc, name, comment, ndim, shape, direct); break;
            FOR_ALL_TYPES(CASE)
            CASE(TpString, String)
#undef CASE
            default: throw std::runtime_error("unsupported element type");
        }
    });
}

/// Storage manager of a column: 0 standard, 1 incremental, 2 tiled with cells of one shape, 3 tiled with free shapes.
/// Columns bound with one `manager` name share it. `tile` holds `ndim + 1` lengths, rows first (tiled ones only).
int ct_spec_bind(CtSpec *spec, const char *column, int kind, const char *manager, int ndim, const uint64_t *tile,
                 char *err)
{
    return guarded(err, [&] {
        for (const auto &b : spec->bindings) {
            if (b.manager->dataManagerName() == String(manager)) {
                spec->bindings.push_back({String(column), b.manager});
                return;
            }
        }
        std::shared_ptr<DataManager> dm;
        switch (kind) {
            case 0: dm.reset(new StandardStMan(manager, 32768)); break;
            case 1: dm.reset(new IncrementalStMan(manager, 32768, False)); break;
            case 2: dm.reset(new SparseColumnStMan(manager, to_casa(ndim + 1, tile))); break;
            case 3: dm.reset(new TiledShapeStMan(manager, to_casa(ndim + 1, tile))); break;
            default: throw std::runtime_error("unknown storage manager kind");
        }
        spec->bindings.push_back({String(column), dm});
    });
}

/// A new table, locked for writing. Rows of tiled columns (one cell shape) that are never written are holes in the file.
int ct_create(const char *path, CtSpec *spec, uint64_t nrow, CtTable **out, char *err)
{
    return guarded(err, [&] {
        SetupNewTable setup(path, spec->desc, Table::NewNoReplace, StorageOption(StorageOption::SepFile));
        std::vector<String> done;
        for (const auto &b : spec->bindings) setup.bindColumn(b.column, *b.manager);
        *out = new CtTable{Table(setup, TableLock(TableLock::UserLocking), nrow, False, Table::LittleEndian), true};
        (*out)->table.lock(True, 1);
    });
}

/// Adds the (single) column of `spec` with its storage manager to an existing table.
int ct_add_column(CtTable *t, CtSpec *spec, char *err)
{
    return guarded(err, [&] {
        const ColumnDesc &c = spec->desc.columnDesc(0);
        if (spec->bindings.empty()) t->table.addColumn(c);
        else t->table.addColumn(c, *spec->bindings[0].manager);
    });
}

// ---------------------------------------------------------------------------------------------- keywords

int ct_keywords(CtTable *t, const char *column, void *ctx, NameCallback callback, char *err)
{
    return guarded(err, [&] {const TableRecord record = keyword_record_ro(t->table, column);
            for (uInt i = 0; i < record.nfields(); i++) {
                const String name = record.name(i);
                callback(ctx, name.data(), name.size(), record.dataType(i));
            }
    });
}

/// Texts of a keyword: string, strings, or the path of a subtable; `found` 0 when absent.
int ct_keyword_text(CtTable *t, const char *column, const char *name, int *found, void *ctx, TextCallback callback,
                    char *err)
{
    return guarded(err, [&] {
        TableRecord holder; std::string field;
        *found = find_nested(keyword_record_ro(t->table, column), name, holder, field);
        if (!*found) return;
        switch (holder.dataType(field)) {
            case TpString: { const String s = holder.asString(field); callback(ctx, s.data(), s.size()); break; }
            case TpArrayString: {
                const Array<String> a = holder.asArrayString(field);
                for (Array<String>::const_iterator i = a.begin(); i != a.end(); ++i) callback(ctx, i->data(), i->size());
                break;
            }
            case TpTable: { const String s = holder.tableAttributes(field).name(); callback(ctx, s.data(), s.size()); break; }
            default: throw std::runtime_error(std::string("keyword ") + name + " holds no text");
        }
    });
}

typedef void (*NumberCallback)(void *ctx, double value);

/// Numbers (any numeric or boolean type) of a keyword.
int ct_keyword_numbers(CtTable *t, const char *column, const char *name, int *found, void *ctx, NumberCallback callback,
                       char *err)
{
    return guarded(err, [&] {
        TableRecord holder; std::string field;
        *found = find_nested(keyword_record_ro(t->table, column), name, holder, field);
        if (!*found) return;
        if (holder.dataType(field) == TpBool) { callback(ctx, holder.asBool(field) ? 1.0 : 0.0); return; }
        const Array<Double> a = holder.toArrayDouble(field);
        for (Array<Double>::const_iterator i = a.begin(); i != a.end(); ++i) callback(ctx, *i);
    });
}

int ct_put_keyword_text(CtTable *t, const char *column, const char *name, int scalar, uint64_t n,
                        const char *const *texts, char *err)
{
    return guarded(err, [&] {
        TableRecord &record = keyword_record(t->table, column);
        if (scalar) { define_nested(record, name, String(texts[0])); return; }
        Vector<String> v(n);
        for (uint64_t i = 0; i < n; i++) v[i] = String(texts[i]);
        define_nested(record, name, Array<String>(v));
    });
}

/// `type`: TpBool, TpInt or TpDouble scalars; TpArrayInt or TpArrayDouble vectors.
int ct_put_keyword_numbers(CtTable *t, const char *column, const char *name, int type, uint64_t n, const double *values,
                           char *err)
{
    return guarded(err, [&] {
        TableRecord &record = keyword_record(t->table, column);
        switch (type) {
            case TpBool: define_nested(record, name, Bool(values[0] != 0)); break;
            case TpInt: define_nested(record, name, Int(values[0])); break;
            case TpFloat: define_nested(record, name, Float(values[0])); break;
            case TpDouble: define_nested(record, name, Double(values[0])); break;
            case TpArrayInt: {
                Vector<Int> v(n);
                for (uint64_t i = 0; i < n; i++) v[i] = Int(values[i]);
                define_nested(record, name, Array<Int>(v));
                break;
            }
            case TpArrayDouble: {
                Vector<Double> v(n);
                for (uint64_t i = 0; i < n; i++) v[i] = values[i];
                define_nested(record, name, Array<Double>(v));
                break;
            }
            default: throw std::runtime_error("unsupported keyword type");
        }
    });
}

int ct_put_keyword_table(CtTable *t, const char *column, const char *name, CtTable *sub, char *err)
{
    return guarded(err, [&] { keyword_record(t->table, column).defineTable(name, sub->table); });
}

int ct_remove_keyword(CtTable *t, const char *column, const char *name, char *err)
{
    return guarded(err, [&] {TableRecord &record = keyword_record(t->table, column);
            if (record.isDefined(name)) record.removeField(RecordFieldId(name));
    });
}

} // extern "C"
