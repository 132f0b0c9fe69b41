"""Every setting once: name, type, allowed values, default, meaning.

The environment (CANDELA_<NAME>) wins over INSTANCE_DIR/config.toml (<NAME> = value), which wins over the default.
A relative path counts from where it is given: the current directory, the folder of config.toml, or this checkout.
"""

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, get_type_hints

from market.errors import ConfigError
from market.intervals import DAY_MS, INTERVAL_MS, duration_ms
from market.intervals import interval_ms as length_of
from market.predictions import round_trip_cost_bps
from utils.logs import LOGS_FOLDER
from utils.setting_values import (
    Reader,
    choice,
    folder,
    folder_with,
    host,
    host_names,
    is_loopback,
    number,
    root_url,
    truth,
    unset,
    whole,
    words,
)

PREFIX = "CANDELA_"
FILE_NAME = "config.toml"
OPTIMIZED_FILE = "optimized.json"  # in INSTANCE_DIR: what the startup optimizer did
CHECKOUT = Path(__file__).resolve().parent
MAX_TOP = 1_000
_SYMBOL = re.compile(r"[A-Z0-9]{2,20}")
_TOP = re.compile(r"top:([1-9][0-9]{0,3})")
_MAX_HORIZON_MS = 365 * DAY_MS
_EMBEDDED = "this version keeps everything in its own embedded store"


def _symbols(text: str) -> str:
    """Take `top:N` or a comma list of symbols without duplicates."""
    top = _TOP.fullmatch(text)
    names = _split(text)
    is_list = all(_SYMBOL.fullmatch(name) for name in names) and len(set(names)) == len(names)
    if not (top and int(top[1]) <= MAX_TOP) and not is_list:
        raise ValueError(text)
    return text


def _horizons(text: str) -> str:
    """Take a comma list of spans of time, each once."""
    try:
        lengths_ms = [duration_ms(name) for name in _split(text)]
    except ConfigError as error:
        raise ValueError(text) from error
    if len(set(lengths_ms)) != len(lengths_ms) or max(lengths_ms) > _MAX_HORIZON_MS:
        raise ValueError(text)
    return text


_ANY_SYMBOLS = Reader(
    f"top:N with N up to {MAX_TOP}, or a comma list such as BTCUSDT,ETHUSDT without duplicates", _symbols
)
_ANY_HORIZONS = Reader("a comma list of spans such as 1h,4h,1d, each once and at most 365d", _horizons)


@dataclass(frozen=True)
class Config:
    """The settings of one start. docs/settings.md explains them at length."""

    HOST: Annotated[str, host()] = "127.0.0.1"  # address the web server listens on; other than loopback needs PASSWORD
    PORT: Annotated[int, whole(1, 65_535)] = 8_000  # port the web server listens on
    INSTANCE_DIR: Annotated[Path, folder()] = CHECKOUT / "instance"  # every byte of run-time state
    MARKET: Annotated[str, choice(("auto", "binance", "simulated"))] = "auto"  # auto: binance if it answers within 3 s
    BINANCE_REST_URL: Annotated[str, root_url("https", "http")] = "https://data-api.binance.vision"  # REST root
    BINANCE_STREAM_URL: Annotated[str, root_url("wss", "ws")] = "wss://data-stream.binance.vision"  # stream root
    SYMBOLS: Annotated[str, _ANY_SYMBOLS] = "top:50"  # comma list, or top:N by quote volume
    INTERVAL: Annotated[str, choice(INTERVAL_MS)] = "5m"  # base candle
    HORIZONS: Annotated[str, _ANY_HORIZONS] = "1h,4h,1d"  # how far ahead is predicted; multiples of INTERVAL
    HISTORY_DAYS: Annotated[int, whole(1, 1_000)] = 60  # market days fetched back per symbol
    FEE_BPS: Annotated[float, number(0, 10_000)] = 10.0  # trading fee of one side, in basis points
    SLIPPAGE_BPS: Annotated[float, number(0, 10_000)] = 2.0  # price lost on one side, in basis points
    SIMULATOR_SPEED: Annotated[float, number(1, 3_600)] = 60.0  # market seconds per second
    SIMULATOR_SEED: Annotated[int, whole(0, 2**63 - 1)] = 1  # the same seed makes the same market
    SIMULATOR_REPLAY: Annotated[Path | None, folder_with(("*.csv", "*.csv.gz"), "kline CSV files")] = None  # replayed
    ENABLE_MODEL_CACHING: Annotated[bool, truth()] = True  # keep loaded models in memory
    ENABLE_DATA_CACHING: Annotated[bool, truth()] = True  # keep fetched and processed data in memory
    CACHE_TTL_SECONDS: Annotated[float, number(0.001, 31_536_000)] = 300.0  # how long cached data stay fresh
    MAX_CACHE_SIZE: Annotated[int, whole(1, 1_000_000)] = 100  # entries of each cache
    MODEL_LOAD_TIMEOUT: Annotated[float, number(0.001, 3_600)] = 30.0  # seconds one load of a model may take
    ENABLE_MODEL_PRELOADING: Annotated[bool, truth()] = True  # load the serving models at start, not on first use
    BATCH_SIZE: Annotated[int, whole(1, 4_096)] = 32  # rows a model scores in one piece
    MAX_WORKERS: Annotated[int, whole(1, 64)] = 4  # requests in flight and threads of background work
    ENABLE_MEMORY_MONITORING: Annotated[bool, truth()] = True  # watch the machine's memory
    MAX_MEMORY_USAGE_PERCENT: Annotated[int, whole(1, 100)] = 80  # above this the caches are emptied
    ENABLE_PERFORMANCE_LOGGING: Annotated[bool, truth()] = True  # time functions and log a summary
    LOG_LEVEL: Annotated[str, choice(("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"))] = "INFO"  # least level logged
    SAVED_MODELS_DIR: Annotated[Path, folder()] = CHECKOUT / "saved_models"  # where model artefacts lie
    PASSWORD: Annotated[str | None, words()] = field(default=None, repr=False)  # turns the login on
    ALLOWED_HOSTS: Annotated[str | None, host_names()] = None  # names under which a proxy serves the board
    DATABASE_URL: Annotated[str | None, unset(_EMBEDDED)] = field(default=None, repr=False)  # scale-out: ledger
    REDIS_URL: Annotated[str | None, unset(_EMBEDDED)] = field(default=None, repr=False)  # scale-out: cache
    DASK_ADDRESS: Annotated[str | None, unset(_EMBEDDED)] = field(default=None, repr=False)  # scale-out: workers
    origins: Mapping[str, str] = field(default_factory=dict, compare=False)  # where what is no default was given

    @property
    def interval_ms(self) -> int:
        """Return the length of the base candle."""
        return length_of(self.INTERVAL)

    @property
    def horizons(self) -> list[str]:
        """Return the horizons in the order and spelling they were given."""
        return _split(self.HORIZONS)

    @property
    def horizon_ms(self) -> dict[str, int]:
        """Return the length of each horizon."""
        return {name: duration_ms(name) for name in self.horizons}

    @property
    def symbols(self) -> list[str]:
        """Return the symbols asked for by name; empty when the busiest are asked for."""
        return [] if self.top else _split(self.SYMBOLS)

    @property
    def top(self) -> int | None:
        """Return how many of the busiest symbols are asked for; None when they are named."""
        match = _TOP.fullmatch(self.SYMBOLS)
        return int(match[1]) if match else None

    @property
    def allowed_hosts(self) -> list[str]:
        """Return the names a proxy serves the board under, in small letters."""
        return _split(self.ALLOWED_HOSTS.lower()) if self.ALLOWED_HOSTS else []

    @property
    def secrets(self) -> list[str]:
        """Return the values that no log and no answer may hold."""
        return [value for name in sorted(SECRET_NAMES) if (value := getattr(self, name)) is not None]

    def log_file(self, process: str) -> Path:
        """Return the file that keeps the newest log lines of a process."""
        return self.INSTANCE_DIR / LOGS_FOLDER / f"{process}.log"

    @property
    def cost_bps(self) -> float:
        """Return what entering and leaving costs."""
        return round_trip_cost_bps(self.FEE_BPS, self.SLIPPAGE_BPS)


NAMES = tuple(entry.name for entry in fields(Config) if entry.name.isupper())
SECRET_NAMES = frozenset(entry.name for entry in fields(Config) if not entry.repr)
_OPTIONAL = frozenset(entry.name for entry in fields(Config) if entry.default is None)


@dataclass(frozen=True, slots=True)
class _Given:
    """One value as somebody wrote it: under which label, and where its relative path would begin."""

    label: str
    text: str
    base: Path


def load_config(environ: Mapping[str, str] | None = None) -> Config:
    """Return the settings of `environ` (this process's when None) and config.toml; one ConfigError names all faults."""
    faults: list[str] = []
    from_environ = _from_environ(os.environ if environ is None else environ, faults)
    instance = _values({name: from_environ[name] for name in from_environ if name == "INSTANCE_DIR"}, [])
    path = Path(str(instance.get("INSTANCE_DIR", Config.INSTANCE_DIR))) / FILE_NAME
    given = _from_file(path, faults) | from_environ
    values = _values(given, faults)
    origins = {name: "environment" if name in from_environ else FILE_NAME for name in values}
    config = Config(**values, origins=origins)  # type: ignore[arg-type]
    faults += _conflicts(config, refused=given.keys() - values.keys())
    if faults:
        heading = "1 setting is wrong:" if len(faults) == 1 else f"{len(faults)} settings are wrong:"
        raise ConfigError("\n  ".join([heading, *faults]))
    return config


def config_or_exit() -> Config:
    """Return the settings, or print every fault and leave with exit code 2."""
    try:
        return load_config()
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(2) from None


def child_environment(changes: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return this process's environment with `changes`, for a child process."""
    return {**os.environ, **(changes or {})}


def _from_environ(environ: Mapping[str, str], faults: list[str]) -> dict[str, _Given]:
    given = {}
    for label, text in environ.items():
        if not label.startswith(PREFIX):
            continue
        name = label.removeprefix(PREFIX)
        if name not in NAMES:
            faults.append(_unknown(label, name, PREFIX))
        elif text or name not in _OPTIONAL:
            given[name] = _Given(label, text, Path.cwd())
    return given


def _from_file(path: Path, faults: list[str]) -> dict[str, _Given]:
    if not path.exists():
        return {}
    import tomllib

    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        faults.append(f"{path} cannot be read: {error}")
        return {}
    given = {}
    for name, value in table.items():
        if name not in NAMES:
            faults.append(f"{_unknown(name, name, '')} (in {path})")
        elif name == "INSTANCE_DIR":
            faults.append(f"INSTANCE_DIR in {path} has no effect: this file is found through {PREFIX}INSTANCE_DIR")
        else:
            given[name] = _Given(f"{name} in {path}", _as_text(value), path.parent)
    return given


def _values(given: Mapping[str, _Given], faults: list[str]) -> dict[str, object]:
    """Return what could be read; the rest is added to `faults`."""
    values = {}
    for name, kind in get_type_hints(Config, include_extras=True).items():
        if name not in given:
            continue
        reader: Reader = kind.__metadata__[0]
        entry = given[name]
        try:
            values[name] = reader.read(_complete(entry) if reader.is_path else entry.text)
        except (ValueError, OSError):
            faults.append(f"{entry.label}: {_shown(name, entry.text)} is refused; allowed is {reader.allowed}")
    return values


def _conflicts(config: Config, refused: set[str]) -> list[str]:
    """Return what is wrong between settings that are right by themselves."""
    faults = []
    if not is_loopback(config.HOST) and config.PASSWORD is None and not refused & {"HOST", "PASSWORD"}:
        faults.append(f"HOST: {config.HOST!r} can be reached from other machines; set PASSWORD, or use 127.0.0.1")
    if not refused & {"INTERVAL", "HORIZONS"}:
        odd = [name for name, length_ms in config.horizon_ms.items() if length_ms % config.interval_ms]
        if odd:
            faults.append(
                f"HORIZONS: {config.HORIZONS!r} is refused; each must be a multiple of INTERVAL"
                f" {config.INTERVAL}, and {', '.join(odd)} is not"
            )
    return faults


def _unknown(label: str, name: str, prefix: str) -> str:
    import difflib

    near = difflib.get_close_matches(name.upper(), NAMES, n=1)
    hint = f"did you mean {prefix}{near[0]}?" if near else "docs/settings.md lists them all"
    return f"{label} is no setting of Candela; {hint}"


def _complete(entry: _Given) -> str:
    if not entry.text or "\0" in entry.text:
        raise ValueError(entry.text)
    return os.path.normpath(entry.base / Path(entry.text).expanduser())


def _as_text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _shown(name: str, text: str) -> str:
    """Return the value as an error may show it: secrets and credentials masked, long ones cut."""
    if name in SECRET_NAMES:
        return "***"
    return repr(re.sub(r"//[^/@]*@", "//***@", text)[:80])


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")]
