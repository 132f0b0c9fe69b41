"""Make the next start instant: verify assets, compile kernels, back-fill, train, warm the caches; tell what each saved.

`python startup_optimizer.py [--if-needed] [--json]`
"""

import argparse
import hashlib
import json
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from itertools import chain
from typing import TYPE_CHECKING, Any

from config import CHECKOUT, OPTIMIZED_FILE, Config, config_or_exit
from market.errors import MarketError
from utils.file_operations import ensure_writable, write_atomically
from utils.instance_lock import AlreadyHeldError, InstanceLock
from utils.shell import Shell
from utils.times import iso_utc

if TYPE_CHECKING:
    from data.model_store import ModelStore
    from engine.source import Source

logger = logging.getLogger("candela")

# What is compiled, in two processes side by side.
_KERNELS = (("features.feature_engineering",), ("models.forest", "models.reference"))
_COMPILE = "import importlib, sys; [importlib.import_module(name).compile_kernels() for name in sys.argv[1:]]"
_SIMULATOR_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Step:
    """What one step took the first time in this run, and again right after it."""

    name: str
    cold_seconds: float
    warm_seconds: float
    found: str

    @property
    def row(self) -> dict[str, str | float]:
        """Return the step as one row of a table, with what the next start does not have to wait for."""
        saved = max(0.0, self.cold_seconds - self.warm_seconds)
        return {
            "step": self.name,
            "cold_seconds": self.cold_seconds,
            "warm_seconds": self.warm_seconds,
            "saved_seconds": saved,
            "what_there_is": self.found,
        }


class Optimizer:
    """The steps, in the order a start needs them."""

    def __init__(self, config: Config, shell: Shell, horizons: Sequence[str]) -> None:
        """Prepare the instance of `config`, with models for `horizons`."""
        self._config = config
        self._shell = shell
        self._horizons = horizons
        self.steps: list[Step] = []

    def run(self) -> None:
        """Do every step; MarketError when the exchange or the settings do not allow it."""
        from engine.source import choose_source
        from features.feature_engineering import definition_hash

        compiling = [_python("-c", _COMPILE, *names) for names in _KERNELS]
        started = time.monotonic()
        self._assets()
        source = choose_source(self._config, lambda text: self._shell.say("note", text))
        with _exchange(self._config, source):
            market_ms = self._history(source)
        self._kernels(compiling, started)
        self._models(source, market_ms)
        self._caches(source)
        done = {
            "made_for": _fingerprint(self._config, source.venue),
            "definition": definition_hash(),
            "finished_at": iso_utc(time.time_ns() // 1_000_000),
            "steps": [step.row for step in self.steps],
        }
        write_atomically(self._config.INSTANCE_DIR / OPTIMIZED_FILE, json.dumps(done).encode())

    def _assets(self) -> None:
        with self._shell.step("front-end assets"):
            cold, text = _timed(lambda: _run_json("download_assets.py", "--json"))
            warm, _ = _timed(lambda: _run_json("download_assets.py", "--json", "--check"))
        self.steps.append(Step("front-end assets", cold, warm, text))

    def _kernels(self, compiling: list[subprocess.Popen[bytes]], started: float) -> None:
        with self._shell.step("compiled kernels"):
            codes = [child.wait() for child in compiling]
            if any(codes):
                raise MarketError("the kernels do not compile; see the lines above")
            cold = time.monotonic() - started
            warm, _ = _timed(lambda: [import_module(name).compile_kernels() for name in chain(*_KERNELS)])
        self.steps.append(Step("compiled kernels", cold, warm, "loaded from disk by every process"))

    def _history(self, source: "Source") -> int:
        from data.binance_rest import BinanceRest
        from data.candle_store import CandleStore
        from data.damage import heal
        from data.database import open_database
        from data.symbol_choice import select_symbols
        from engine.history import fetch_history

        with self._shell.step("candle history") as update:
            rest = BinanceRest(source.rest_url)
            market_ms = rest.server_time_ms()
            symbols = [symbol.name for symbol in select_symbols(rest, self._config.SYMBOLS)]
            path = self._config.INSTANCE_DIR / f"{source.venue}.db"
            heal(path, threading.TIMEOUT_MAX)  # the whole file: nobody waits for a heartbeat yet
            store = CandleStore(open_database(path), self._config.INTERVAL)
            cold, filled = _timed(lambda: fetch_history(self._config, rest, store, symbols, market_ms, update))
            warm, _ = _timed(lambda: fetch_history(self._config, rest, store, symbols, market_ms, update))
            rest.close()
        found = f"{len(symbols)} symbols, {filled.candles:,} new candles"
        self.steps.append(Step("candle history", cold, warm, found))
        return market_ms

    def _models(self, source: "Source", market_ms: int) -> None:
        from engine.source import first_trainer_command, work_environment
        from engine.training_job import TrainingJob
        from features.feature_engineering import definition_hash

        with self._shell.step("models") as update:
            started = time.monotonic()
            served = _served(self._config, source.venue, definition_hash())
            if missing := [name for name in self._horizons if name not in served]:
                job = TrainingJob(self._config.INSTANCE_DIR / "run", work_environment())
                job.start(first_trainer_command(source, market_ms, missing))
                while job.is_running:
                    time.sleep(0.1)
                    progress = job.progress() or {}
                    update(progress.get("done") or 0, progress.get("total"))
                    job.poll(lambda: None)
                if job.failure:
                    self._shell.say("note", f"Not all horizons could be trained: {job.failure}")
            cold = time.monotonic() - started
            warm, served = _timed(lambda: _served(self._config, source.venue, definition_hash()))
        later = set(self._config.horizons).difference(served, self._horizons)
        left = "; the engine trains the others" if later else ""
        found = f"{len(served)} of {len(self._config.horizons)} horizons: {', '.join(served) or 'none yet'}{left}"
        self.steps.append(Step("models", cold, warm, found))

    def _caches(self, source: "Source") -> None:
        from features.feature_engineering import definition_hash

        store = _model_store(self._config)
        served = _served(self._config, source.venue, definition_hash())

        def load() -> None:
            for name in served.values():
                store.cached(name)

        with self._shell.step("model cache"):
            cold, _ = _timed(load)
            warm, _ = _timed(load)
        self.steps.append(Step("model cache", cold, warm, f"{len(served)} models, answers as saved"))


def is_needed(config: Config) -> bool:
    """Return whether something a start waits for is missing, from files alone."""
    try:
        stamp = json.loads((config.INSTANCE_DIR / OPTIMIZED_FILE).read_text())
        made_for, rules = stamp["made_for"], stamp["definition"]
        is_other = made_for != _fingerprint(config, made_for["venue"])
        return is_other or not _served(config, made_for["venue"], rules)
    except (OSError, ValueError, KeyError, TypeError):
        return True


def _served(config: Config, venue: str, rules: str) -> dict[str, str]:
    """Return the sound model of each horizon that has one, for features made by `rules`."""
    from features.feature_engineering import COLUMNS

    store = _model_store(config)
    newest = {name: store.newest(venue, config.INTERVAL, name, COLUMNS, rules) for name in config.horizons}
    return {name: model for name, model in newest.items() if model is not None}


def _model_store(config: Config) -> "ModelStore":
    from data.model_seal import KEY_FILE
    from data.model_store import ModelStore

    return ModelStore(config.SAVED_MODELS_DIR, config.INSTANCE_DIR / KEY_FILE)


def _fingerprint(config: Config, venue: str) -> dict[str, Any]:
    names = ("MARKET", "SYMBOLS", "INTERVAL", "HORIZONS", "HISTORY_DAYS", "SIMULATOR_SEED", "BINANCE_REST_URL")
    settings = {name: str(getattr(config, name)) for name in names}
    sources = sorted((CHECKOUT / "features").rglob("*.py"))
    code = hashlib.sha256(b"".join(path.read_bytes() for path in sources if path.parent.name != "_compiled"))
    versions = {"python": sys.version.split()[0], "features": code.hexdigest()}
    return {"venue": venue, "replay": str(config.SIMULATOR_REPLAY), **versions, **settings}


@contextmanager
def _exchange(config: Config, source: "Source") -> Iterator[None]:
    """Run the simulated exchange while the body needs it."""
    from engine.source import simulator_command
    from utils.ports import port_refusal
    from utils.processes import Child

    if source.market == "binance":
        yield
        return
    port = int(source.rest_url.rsplit(":", 1)[1])
    log = config.INSTANCE_DIR / "run" / "simulator.log"
    child = Child("simulator", simulator_command(config, port), _environment(), log)
    child.start()
    try:
        deadline = time.monotonic() + _SIMULATOR_SECONDS
        while port_refusal("127.0.0.1", port) is None:
            if not child.tend() or time.monotonic() > deadline:
                raise MarketError(f"the simulated exchange does not start; {log} tells why")
            time.sleep(0.05)
        yield
    finally:
        child.terminate(5)


def _environment() -> dict[str, str]:
    from engine.source import house_environment

    return house_environment()


def _python(*arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, *arguments], cwd=CHECKOUT)


def _run_json(script: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, script, *arguments], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    return str(json.loads(lines[-1]).get("message", "")) if lines else done.stderr.strip()[-200:]


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    started = time.monotonic()
    result = work()
    return time.monotonic() - started, result


def main(arguments: list[str] | None = None) -> int:
    """Prepare the next start; exit code 0 done, 1 not possible now, 2 wrong settings, 130 interrupted."""
    parser = argparse.ArgumentParser(prog="python startup_optimizer.py", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--if-needed",
        action="store_true",
        help="do only what a start waits for: often nothing, and never more than one model",
    )
    parser.add_argument("--json", action="store_true", help="write JSON lines")
    options = parser.parse_args(arguments)
    config = config_or_exit()
    logging.basicConfig(level="WARNING", format="%(levelname)s %(name)s %(message)s")
    if options.if_needed and not is_needed(config):
        return 0
    shell = Shell(options.json)
    optimizer = Optimizer(config, shell, config.horizons[:1] if options.if_needed else config.horizons)
    try:
        ensure_writable(config.INSTANCE_DIR / "run")
        ensure_writable(config.SAVED_MODELS_DIR)
        with InstanceLock(config.INSTANCE_DIR / "candela.lock"):
            optimizer.run()
    except AlreadyHeldError as error:
        print(error, file=sys.stderr)
        return 2
    except OSError as error:
        print(
            f"{error}; let CANDELA_INSTANCE_DIR and CANDELA_SAVED_MODELS_DIR name folders of your own", file=sys.stderr
        )
        return 2
    except MarketError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    shell.table("What each step took, and takes from now on", [step.row for step in optimizer.steps])
    return 0


if __name__ == "__main__":
    sys.exit(main())
