"""System calls that fail when a test says so, through a preloaded library."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import pytest

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

static long count, target = -1;
static char failed[4096];
const char *fault_path(void) { return failed; }
static int with = ENOSPC;
static const char *below = "";
void fault_arm(const char *where, long at, int error) { below = where; with = error; count = 0; target = at; }
long fault_count(void) { return count; }
static int fails(int fd)
{
    char link[64], path[4096];
    if (!*below) return 0;
    if (fd >= 0) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t n = readlink(link, path, sizeof path - 1);
        if (n < 0) return 0;
        path[n] = 0;
        if (!strstr(path, below)) return 0;
    }
    long now = __atomic_add_fetch(&count, 1, __ATOMIC_SEQ_CST);
    if (now != target) return 0;
    if (fd >= 0) strcpy(failed, path);
    errno = with;
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
{ return *below && strstr(b, below) && fails(-1) ? -1 : REAL(int (*)(const char *, const char *), "rename")(a, b); }
"""

_SERVER = """
import ctypes, json, os, signal, sys, time
from dsa110_contimg import _core
#STEP#
shim = ctypes.CDLL(sys.argv[1])
shim.fault_count.restype = ctypes.c_long
shim.fault_path.restype = ctypes.c_char_p
below = sys.argv[2].encode()
for line in sys.stdin:
    order = json.loads(line)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        shim.fault_arm(ctypes.c_char_p(below), ctypes.c_long(order["fail_at"]), ctypes.c_int(order["error"]))
        code, message = 0, ""
        try:
            step(*sys.argv[3:])
        except (OSError, _core.ContimgError) as error:
            code, message = 3, str(error)
        except BaseException as error:
            code, message = 4, repr(error)
        count = shim.fault_count()
        failed = shim.fault_path().decode()
        os.write(writer, json.dumps({"message": message, "count": count, "failed": failed}).encode())
        os._exit(code)
    os.close(writer)
    if order["kill_after_s"] is not None:
        time.sleep(order["kill_after_s"])
        os.kill(child, signal.SIGKILL)
    text = b""
    while part := os.read(reader, 65536):
        text += part
    os.close(reader)
    status = os.waitpid(child, 0)[1]
    report = json.loads(text) if text else {"message": "", "count": 0}
    report["exit"] = os.WEXITSTATUS(status) if os.WIFEXITED(status) else None
    report["signal"] = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
    print(json.dumps(report), flush=True)
"""


def build_shim(folder: Path) -> Path:
    """Compile the library; skips the test where there is no C compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    (folder / "shim.c").write_text(_SHIM)
    library = folder / "shim.so"
    command = [compiler, "-O1", "-shared", "-fPIC", "-o", str(library), str(folder / "shim.c"), "-ldl"]
    subprocess.run(command, check=True)
    return library


class FaultServer:
    """Runs one step again and again, each time in a child forked from a process that has already imported the package.

    Parameters
    ----------
    shim : Path
        What `build_shim` made.
    step : str
        Python source that defines ``step(*arguments)``; it may raise ContimgError or OSError.
    arguments : sequence
        Given to the step as text.
    below : Path
        Calls on paths that contain this are counted and may fail.
    """

    def __init__(self, shim: Path, step: str, arguments: Sequence[object], below: Path) -> None:
        code = _SERVER.replace("#STEP#", textwrap.dedent(step))
        command = [sys.executable, "-c", code, str(shim), str(below), *map(str, arguments)]
        environment = os.environ | {"LD_PRELOAD": str(shim)}
        self._process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def run(self, *, fail_at: int = -1, error: int = errno.ENOSPC, kill_after_s: float | None = None) -> dict[str, Any]:
        """One attempt; call number `fail_at` fails with `error`, or the child is killed after a while.

        Returns ``exit`` (0 done, 3 refused; None after a signal), ``signal``, ``message``, ``count`` (calls seen) and
        ``failed`` (the path whose call failed).
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        order = {"fail_at": fail_at, "error": error, "kill_after_s": kill_after_s}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        found: dict[str, Any] = json.loads(self._process.stdout.readline())
        return found
