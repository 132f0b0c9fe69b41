"""Children: kept alive while they are wanted, ended in order, never outliving their parent."""

import contextlib
import ctypes
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

logger = logging.getLogger(__name__)

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
_PR_SET_PDEATHSIG = 1
_LOWER_PRIORITY = 10
_OWN_SESSION = Path("/proc/self/autogroup")
# A child that is killed again and again is still back within 5 s: this wait and its own start.
_FIRST_WAIT_SECONDS = 0.2
_LONGEST_WAIT_SECONDS = 2.0
_HEALTHY_AFTER_SECONDS = 10.0
# Looked up here, not between fork and exec, where another thread may have held the loader's lock.
_PRCTL = ctypes.CDLL(None).prctl if sys.platform == "linux" else None


def die_with_parent() -> None:
    """Have the kernel kill this process when the thread that started it ends, even by kill -9 (Linux; else nothing)."""
    if _PRCTL is not None:
        _PRCTL(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def lower_priority() -> None:
    """Let every other process of the machine go first; for short-lived children.

    Where Linux shares processors out among sessions, niceness counts only within one: the session steps back as well,
    when it is this process's own.
    """
    with contextlib.suppress(OSError):
        os.nice(_LOWER_PRIORITY)
    if os.getsid(0) == os.getpid():
        with contextlib.suppress(OSError):
            _OWN_SESSION.write_text(str(_LOWER_PRIORITY))


def cap_threads(environ: Mapping[str, str], threads: int) -> dict[str, str]:
    """Return the environment with numeric libraries held to `threads` threads each."""
    return {**environ, **dict.fromkeys(THREAD_VARIABLES, str(threads))}


def end(child: subprocess.Popen[bytes], patience_seconds: float = 5.0) -> None:
    """Ask a child to end and wait for it; kill it when it has not after so long."""
    child.terminate()
    try:
        child.wait(patience_seconds)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def start(argv: Sequence[str], environ: Mapping[str, str] | None, log: Path | None) -> subprocess.Popen[bytes]:
    """Start a child in a session of its own that the kernel kills with this process.

    Output is appended to `log`, or goes where ours goes. The kernel watches the thread that calls this: one that
    ends before the process does takes the child with it.
    A Ctrl-C reaches this process only: it ends its children in order.
    """
    parent = os.getpid()

    def prepare() -> None:
        die_with_parent()
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)

    with log.open("ab") if log else contextlib.nullcontext() as output:
        return subprocess.Popen(
            list(argv),
            env=None if environ is None else dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if log else None,
            start_new_session=True,
            preexec_fn=prepare,
        )


class Child:
    """A process that is wanted: when it dies, `tend` brings it back, waiting longer each time."""

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        environ: Mapping[str, str] | None = None,
        log: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Describe the child; `environ` None means ours, `log` None means our output."""
        self.name = name
        self.restarts = 0
        self.exit_code: int | None = None  # of the last death
        self._argv = argv
        self._environ = environ
        self._log = log
        self._clock = clock
        self._process: subprocess.Popen[bytes] | None = None
        self._is_wanted = False
        self._born = 0.0
        self._wait_seconds = _FIRST_WAIT_SECONDS
        self._due: float | None = None

    @property
    def pid(self) -> int | None:
        """Return the process id; None while it is not running."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start it and want it from now on; OSError when the program cannot be started."""
        self._is_wanted = True
        self._launch()

    def tend(self) -> bool:
        """Notice a death, bring the child back when its wait is over; call it often. Return whether it runs."""
        if self._process is not None and self._has_died(self._process):
            self._bury(self._process)
        if self._due is not None and self._is_wanted and self._clock() >= self._due:
            self._revive()
        return self._process is not None

    def ask_to_stop(self) -> None:
        """Send SIGTERM and do not want it any more."""
        self._is_wanted = False
        self._due = None
        if self._process is not None:
            self._process.terminate()

    def terminate(self, timeout_seconds: float) -> None:
        """End it: SIGTERM, and SIGKILL for it and all it started when it has not left in time."""
        terminate_all([self], timeout_seconds)

    def leaves_within(self, timeout_seconds: float) -> bool:
        """Wait for its end; return whether it is gone."""
        if self._process is not None:
            try:
                self.exit_code = self._process.wait(max(0.0, timeout_seconds))
            except subprocess.TimeoutExpired:
                return False
            self._process = None
        return True

    def kill(self) -> None:
        """End it and everything in its session at once, and do not want it any more."""
        self._is_wanted = False
        self._due = None
        if self._process is not None:
            _kill_group(self._process.pid)
            self.exit_code = self._process.wait()
            self._process = None

    def _launch(self) -> None:
        self._process = start(self._argv, self._environ, self._log)
        self._born = self._clock()
        self._due = None

    def _revive(self) -> None:
        try:
            self._launch()
        except OSError as error:
            logger.error("child cannot be started name=%s error=%s", self.name, error)
            self._plan()
        else:
            self.restarts += 1
            logger.info("child restarted name=%s pid=%s restarts=%d", self.name, self.pid, self.restarts)

    def _bury(self, process: subprocess.Popen[bytes]) -> None:
        _kill_group(process.pid)  # what it started may still hold its port
        self.exit_code = process.wait()
        self._process = None
        if not self._is_wanted:
            return
        if self._clock() - self._born >= _HEALTHY_AFTER_SECONDS:
            self._wait_seconds = _FIRST_WAIT_SECONDS
        logger.warning(
            "child died name=%s exit_code=%s wait_seconds=%.1f", self.name, self.exit_code, self._wait_seconds
        )
        self._plan()

    def _plan(self) -> None:
        self._due = self._clock() + self._wait_seconds
        self._wait_seconds = min(2 * self._wait_seconds, _LONGEST_WAIT_SECONDS)

    @staticmethod
    def _has_died(process: subprocess.Popen[bytes]) -> bool:
        """Look without collecting the exit code, so that its group can still be named safely."""
        if process.returncode is not None:
            return True
        return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None


def terminate_all(children: Iterable[Child], timeout_seconds: float) -> None:
    """End all of them together within the time: ask first, then kill what is left."""
    asked = list(children)
    for child in asked:
        child.ask_to_stop()
    deadline = time.monotonic() + timeout_seconds
    for child in asked:
        if not child.leaves_within(deadline - time.monotonic()):
            logger.warning("child killed name=%s timeout_seconds=%.1f", child.name, timeout_seconds)
            child.kill()


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
