"""Start Candela: `python app.py` supervises the engine, the web server and, when used, the simulated exchange.

`gunicorn app:app` serves the pages alone.
"""

import argparse
import json
import logging
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from config import Config, config_or_exit

if TYPE_CHECKING:
    from flask import Flask

    from engine.source import Source
    from utils.processes import Child

logger = logging.getLogger("candela")

WEB_THREADS = 64  # a reader of the event stream holds one for as long as the page is open
# One pool of memory for all threads, what is large goes back at once, and no threads of numpy's own beside ours.
LEAN = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": "65536",
    "MALLOC_TRIM_THRESHOLD_": "65536",
    "OPENBLAS_NUM_THREADS": "1",
}
STOP_SECONDS = 8.0
REFUSED = 2  # exit code of a program that does not start with these settings
_POLL_SECONDS = 0.1
_WELCOME_SECONDS = 10.0  # the address is told when data flow, or after so long
RETRY_BINANCE_SECONDS = 60.0


def create_app(config: Config | None = None) -> "Flask":
    """Return the web application over the state in INSTANCE_DIR; it needs no running engine."""
    from web.site import create_site
    from web.stores import Stores

    settings = config or config_or_exit()
    return create_site(Stores(settings.INSTANCE_DIR, settings.SAVED_MODELS_DIR), settings)


def __getattr__(name: str) -> Any:
    # gunicorn app:app asks for the application; importing this module must not make one
    if name == "app":
        from utils.logs import set_up_logging

        settings = config_or_exit()
        set_up_logging(settings.LOG_LEVEL, is_json=False, secrets=settings.secrets, kept=settings.log_file("web"))
        return create_app(settings)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class Supervisor:
    """Keeps the children alive until it is told to stop."""

    def __init__(
        self,
        config: Config,
        say: Callable[[str], None],
        *,
        retry_seconds: float = RETRY_BINANCE_SECONDS,
        is_json: bool = False,
    ) -> None:
        """Run the house of `config`; `say` tells a person what happens; Binance is asked for again every so often."""
        self._config = config
        self._retry_seconds = retry_seconds
        self._engine_options = ["--json"] if is_json else []
        self._say = say
        self._children: dict[str, Child] = {}
        self._exit_code: int | None = None
        self._next_probe_s = 0.0

    def run(self) -> int:
        """Start everything, keep it running, stop it in order; return the exit code."""
        from engine.source import choose_source

        def stop(number: int, _: FrameType | None) -> None:
            self._exit_code = 130 if number == signal.SIGINT else 0

        for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(name, stop)
        try:
            self._start_web()
            source = choose_source(self._config, self._say)
            self._start_source(source)
            if self._config.MARKET == "auto" and source.market == "simulated":
                self._next_probe_s = time.monotonic() + self._retry_seconds
            welcome_at_s = time.monotonic() + _WELCOME_SECONDS
            while self._exit_code is None:
                time.sleep(_POLL_SECONDS)
                self._tend()
                self._retry_binance()
                if welcome_at_s and (time.monotonic() >= welcome_at_s or self._is_live()):
                    welcome_at_s = 0.0
                    self._say(self._welcome(source))
        finally:
            self._stop(list(reversed(self._children)))
        return self._exit_code

    def _start_source(self, source: "Source") -> None:
        """Start the engine on `source`, after the simulated exchange if that is the source."""
        from engine.source import engine_command, simulator_command

        if source.market == "simulated":
            port = int(source.rest_url.rsplit(":", 1)[1])
            log = self._config.INSTANCE_DIR / "run" / "simulator.log"
            self._start("simulator", simulator_command(self._config, port), log)
        self._start("engine", [*engine_command(source), *self._engine_options])

    def _start_web(self) -> None:
        threads = ["--worker-class", "web.worker.PatientWorker", "--workers", "1", "--threads", str(WEB_THREADS)]
        length = ["--limit-request-line", "8190", "--limit-request-fields", "64", "--limit-request-field_size", "8190"]
        bind = ["--bind", f"{_url_host(self._config.HOST)}:{self._config.PORT}", "--no-control-socket"]
        quiet = ["--log-level", "warning", "--graceful-timeout", "3", "--keep-alive", "20"]
        self._start(
            "web", [sys.executable, "-m", "gunicorn", *threads, *length, *bind, *quiet, "app:app"], environ=LEAN
        )

    def _start(
        self, name: str, command: list[str], log: Path | None = None, environ: dict[str, str] | None = None
    ) -> None:
        from engine.source import house_environment
        from utils.processes import Child

        if log is not None:
            log.parent.mkdir(parents=True, exist_ok=True)
        child = Child(name, command, house_environment() | (environ or {}), log)
        self._children[name] = child
        child.start()

    def _tend(self) -> None:
        for name, child in self._children.items():
            # One that has run before was not refused for its settings: the disk may be full for a while.
            if not child.tend() and child.exit_code == REFUSED and not child.restarts:
                logger.error("%s refuses to start; see the line above", name)
                self._exit_code = REFUSED

    def _retry_binance(self) -> None:
        if not self._next_probe_s or time.monotonic() < self._next_probe_s:
            return
        from engine.source import binance_answers, binance_source

        self._next_probe_s = time.monotonic() + self._retry_seconds
        if not binance_answers(self._config):
            return
        self._next_probe_s = 0.0
        self._say("Binance answers: changing from the simulated market to Binance")
        self._stop(["engine", "simulator"])
        self._start_source(binance_source(self._config))

    def _stop(self, names: list[str]) -> None:
        from utils.processes import terminate_all

        terminate_all([self._children.pop(name) for name in names if name in self._children], STOP_SECONDS)

    def _is_live(self) -> bool:
        """Return whether this engine's heartbeat says that data flow."""
        try:
            beat = json.loads((self._config.INSTANCE_DIR / "run" / "engine.json").read_bytes())
            return bool(beat["pid"] == self._children["engine"].pid and beat["feed"]["state"] == "live")
        except (OSError, ValueError, KeyError):
            return False

    def _welcome(self, source: "Source") -> str:
        market = "Binance" if source.market == "binance" else f"simulated market at {source.speed:g}x"
        address = f"http://{_url_host(self._config.HOST)}:{self._config.PORT}"
        return f"Candela is at {address} ({market}). Open it in a browser; Ctrl-C stops it."


def main(arguments: list[str] | None = None) -> int:
    """Run the house and return its exit code: 0 stopped, 1 failed, 2 refused to start, 130 Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python app.py", description="Run Candela: engine, web server and simulator.")
    parser.add_argument("--json", action="store_true", help="say and log what happens as JSON lines")
    options = parser.parse_args(arguments)
    config = config_or_exit()
    from utils.logs import set_up_logging

    set_up_logging(config.LOG_LEVEL, options.json, config.secrets, config.log_file("supervisor"))

    def say(text: str) -> None:
        print(json.dumps({"message": text}) if options.json else text, flush=True)

    from utils.file_operations import ensure_writable, sweep_temporaries
    from utils.instance_lock import AlreadyHeldError, InstanceLock
    from utils.ports import port_refusal

    try:
        ensure_writable(config.INSTANCE_DIR / "run")
        ensure_writable(config.SAVED_MODELS_DIR)
        sweep_temporaries(config.INSTANCE_DIR / "run")
        with InstanceLock(config.INSTANCE_DIR / "candela.lock"):
            refusal = port_refusal(config.HOST, config.PORT)
            if refusal is None:
                return Supervisor(config, say, is_json=options.json).run()
    except AlreadyHeldError as error:
        refusal = str(error)
    except OSError as error:
        refusal = f"{error}; let CANDELA_INSTANCE_DIR and CANDELA_SAVED_MODELS_DIR name folders of your own"
    print(refusal, file=sys.stderr)
    return REFUSED


def _url_host(host: str) -> str:
    return f"[{host}]" if ":" in host else host


if __name__ == "__main__":
    sys.exit(main())
