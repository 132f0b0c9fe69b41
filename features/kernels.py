"""Compile a loop over candles, and keep its machine code on disk.

The loop becomes a real file, because numba keeps machine code on disk only for functions of files, and only looks at
that file's time: so everything the loop calls is hashed into the file's name.
"""

import contextlib
import importlib.util
import os
import stat
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from features.loop_source import NO_FORMULAS, Formulas, write_loop
from utils.file_operations import ensure_writable, write_atomically

FOLDER = Path(__file__).parent / "_compiled"
_PACKAGE = "features._compiled"
_NAME_DIGITS = 16
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Kernel:
    """A compiled loop: `run(states, indexes, numbers, values, rows)` writes row i from candle i of symbol indexes[i].

    states: (symbols, state_size), zeros for a symbol without history; numbers: (n,) int64, how many candles fit between
    1970 and each; values: (n, 5) open, high, low, close, volume; rows: (n, columns). Indexes are not checked.
    """

    columns: tuple[str, ...]
    state_size: int
    warmup: int  # candles until every column is there
    run: Any
    seconds: float  # what loading or compiling took
    is_from_disk: bool  # nothing had to be compiled

    def run_history(self, numbers: npt.NDArray[np.int64], candles: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the rows of one symbol's whole history, from a fresh state; `candles` as `values`."""
        rows = np.empty((len(candles), len(self.columns)))
        self.run(np.zeros((1, self.state_size)), np.zeros(len(candles), dtype=np.int64), numbers, candles, rows)
        return rows


def load(name: str, columns: Formulas, shared: Formulas = NO_FORMULAS, folder: Path = FOLDER) -> Kernel:
    """Return the loop that computes `columns` (see `write_loop`), compiled now or found on disk.

    Machine code of an earlier state of the rules under the same `name` is deleted. Where `folder` cannot be written, a
    private temporary one serves.
    """
    with _lock:
        started = time.perf_counter()
        source = write_loop(columns, shared)
        stem = f"{name}_{source.fingerprint()[:_NAME_DIGITS]}"
        module = sys.modules.get(f"{_PACKAGE}.{stem}") or _import(stem, _keep(folder, name, stem, source.text))
        seconds = time.perf_counter() - started
        is_from_disk = not module.run.stats.cache_misses
        return Kernel(tuple(columns), source.state_size, source.warmup, module.run, seconds, is_from_disk)


def _keep(folder: Path, name: str, stem: str, text: str) -> Path:
    folder = _writable(folder)
    path = folder / f"{stem}.py"
    if not path.exists():
        write_atomically(path, text.encode())
        # The name holds the content, so the time may be fixed: two processes that write it at once do not make the
        # machine code of each other look old.
        os.utime(path, (1.0, 1.0))
    pattern = f"{name}_{'[0-9a-f]' * _NAME_DIGITS}*"
    for old in (*folder.glob(pattern), *(folder / "__pycache__").glob(pattern)):
        if not old.name.startswith(stem):
            old.unlink(missing_ok=True)
    return path


def _import(stem: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"{_PACKAGE}.{stem}", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[spec.name]
        raise
    return module


def _writable(folder: Path) -> Path:
    try:
        ensure_writable(folder)
    except OSError:
        return _private_folder()
    return folder


@cache
def _private_folder() -> Path:
    """Return a folder of this user only: machine code of strangers must never be loaded."""
    folder = Path(tempfile.gettempdir()) / f"candela-kernels-{os.getuid()}"
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    facts = folder.lstat()
    if stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.getuid() and not facts.st_mode & 0o077:
        return folder
    return Path(tempfile.mkdtemp(prefix="candela-kernels-"))
