"""kill -9 and failing system calls: the finished Measurement Set or nothing, and the next run succeeds."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from dsa110_contimg import _core
from support.uvh5_groups import write_group

KILLS = 100

#: One process a kill would spend its time importing: this one forks a fresh child for every attempt, which then
#: converts (the core is not used before the fork).
_SERVER = """
import os, signal, sys, time
from dsa110_contimg import _core
files, out = sys.argv[2:], sys.argv[1]
for line in sys.stdin:
    delay = float(line)
    child = os.fork()
    if child == 0:
        try:
            _core.ms.convert(files, out, expected_subbands=len(files), overwrite=True)
        except BaseException as error:
            print(error, file=sys.stderr)
            os._exit(1)
        os._exit(0)
    time.sleep(delay)
    os.kill(child, signal.SIGKILL)
    print(os.waitpid(child, 0)[1], flush=True)
"""

_SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static long count, target = -2;
static int fails(int fd)
{
    char link[64], path[4096];
    if (target == -2) target = getenv("FAIL_AT") ? atol(getenv("FAIL_AT")) : -1;
    if (fd >= 0) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t n = readlink(link, path, sizeof path - 1);
        if (n < 0) return 0;
        path[n] = 0;
        if (!strstr(path, getenv("FAIL_BELOW"))) return 0;
    }
    long now = __atomic_add_fetch(&count, 1, __ATOMIC_SEQ_CST);
    if (now != target) return 0;
    errno = fd >= 0 ? ENOSPC : EIO;
    return 1;
}
#define REAL(type, name) ((type)dlsym(RTLD_NEXT, name))
ssize_t write(int fd, const void *b, size_t n)
{ return fails(fd) ? -1 : REAL(ssize_t (*)(int, const void *, size_t), "write")(fd, b, n); }
ssize_t pwrite(int fd, const void *b, size_t n, off_t o)
{ return fails(fd) ? -1 : REAL(ssize_t (*)(int, const void *, size_t, off_t), "pwrite")(fd, b, n, o); }
ssize_t pwrite64(int fd, const void *b, size_t n, off64_t o)
{ return fails(fd) ? -1 : REAL(ssize_t (*)(int, const void *, size_t, off64_t), "pwrite64")(fd, b, n, o); }
int fsync(int fd) { return fails(fd) ? -1 : REAL(int (*)(int), "fsync")(fd); }
int rename(const char *a, const char *b)
{ return strstr(b, getenv("FAIL_BELOW")) && fails(-1) ? -1 : REAL(int (*)(const char *, const char *), "rename")(a, b); }
__attribute__((destructor)) static void report(void)
{ if (getenv("FAIL_COUNT")) { FILE *f = fopen(getenv("FAIL_COUNT"), "w"); if (f) { fprintf(f, "%ld", count); fclose(f); } } }
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_group(tmp_path_factory.mktemp("group"), subbands=range(2), channels=4, times=2)


def convert_here(files: list[Path], out: Path) -> None:
    _core.ms.convert(files, out, expected_subbands=len(files), overwrite=True)


@pytest.mark.slow
def test_killed_at_any_moment(files: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "ms" / "x.ms"
    timing = tmp_path / "ms" / "timing.ms"
    started = time.monotonic()
    convert_here(files, timing)
    whole = time.monotonic() - started
    shutil.rmtree(timing)
    rng = random.Random(1)  # noqa: S311 - moments of kills, no secrets
    with subprocess.Popen(
        [sys.executable, "-c", _SERVER, str(out), *map(str, files)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        killed = 0
        for _ in range(KILLS):
            if out.exists() and rng.random() < 0.5:
                shutil.rmtree(out)
            server.stdin.write(f"{rng.uniform(0.0, 1.3 * whole)}\n")
            server.stdin.flush()
            killed += int(server.stdout.readline()) == signal.SIGKILL
            visible = [p.name for p in out.parent.iterdir() if not p.name.startswith(".")]
            assert visible in ([], ["x.ms"])
            if visible:
                assert _core.ms.verify(out)["ok"]
        server.stdin.close()
        assert server.wait() == 0
    # Most children must have been caught at work, or the test shows nothing.
    assert killed > KILLS // 4
    convert_here(files, out)
    assert [p.name for p in out.parent.iterdir()] == ["x.ms"]
    assert _core.ms.verify(out)["ok"]


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    folder = tmp_path_factory.mktemp("shim")
    (folder / "shim.c").write_text(_SHIM)
    library = folder / "shim.so"
    command = [compiler, "-O1", "-shared", "-fPIC", "-o", str(library), str(folder / "shim.c"), "-ldl"]
    subprocess.run(command, check=True)
    return library


def run_with_fault(
    shim: Path, files: list[Path], out: Path, fail_at: int, count: Path
) -> subprocess.CompletedProcess[str]:
    code = textwrap.dedent("""
        import sys
        from dsa110_contimg import _core
        try:
            _core.ms.convert(sys.argv[2:], sys.argv[1], expected_subbands=len(sys.argv) - 2)
        except (OSError, _core.ContimgError) as error:
            sys.exit(f"refused: {error}")
    """)
    below = str(out.parent)
    environment = os.environ | {
        "LD_PRELOAD": str(shim),
        "FAIL_AT": str(fail_at),
        "FAIL_BELOW": below,
        "FAIL_COUNT": str(count),
    }
    command = [sys.executable, "-c", code, str(out), *map(str, files)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_every_kind_of_failing_call(shim: Path, files: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "ms-out" / "x.ms"
    out.parent.mkdir()
    counter = tmp_path / "count"
    assert run_with_fault(shim, files, out, -1, counter).returncode == 0
    total = int(counter.read_text())
    shutil.rmtree(out)
    assert total > 100, "the shim saw no calls"
    # All would take minutes: spread evenly, and the last ones (sync, rename) one by one.
    points = sorted({*range(1, total, max(1, total // 24)), *range(total - 5, total + 1)})
    wrong = []
    for point in points:
        done = run_with_fault(shim, files, out, point, counter)
        left = [p.name for p in out.parent.iterdir()]
        if done.returncode == 0:
            # casacore may swallow a failure in a file that holds nothing but locks; then all must be sound.
            if left != ["x.ms"] or not _core.ms.verify(out)["ok"]:
                wrong.append((point, "accepted", left))
            shutil.rmtree(out, ignore_errors=True)
        elif left or "refused: " not in done.stderr:
            wrong.append((point, done.returncode, left, done.stderr[-300:]))
            shutil.rmtree(out, ignore_errors=True)
    assert not wrong, wrong
