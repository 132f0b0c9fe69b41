"""Test the stored candles of a market, or a folder of kline CSV files, for leaks: `python -m engine.leaks`."""

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from backtesting.leak_tests import LEAK, TESTS, Case, LeakResult, leak_tests
from backtesting.masked_future import Tables
from config import Config, config_or_exit
from data.candle_store import CandleStore
from data.candle_tables import CandleTables, read_folder
from data.database import open_database
from engine.history import TrainingSpan, training_span, warm_up_ms
from engine.trainer import MAX_REPLAYED_SHARE, build_panel, spare_threads, training_settings
from market.errors import ConfigError, MarketError
from models.panel import Panel
from utils.file_operations import write_atomically
from utils.logs import set_up_logging
from utils.processes import lower_priority
from utils.shell import Shell


class Report:
    """What is known so far, in a file that a page can read at any moment."""

    def __init__(self, path: Path, venue: str, interval: str, total: int) -> None:
        """Expect `total` results."""
        self._path = path
        self._started_s = time.monotonic()
        self._state: dict[str, Any] = {"state": "running", "venue": venue, "interval": interval, "total": total}
        self._results: list[LeakResult] = []
        self._write()

    @property
    def has_leak(self) -> bool:
        """Return whether a test found something."""
        return any(result.verdict == LEAK for result in self._results)

    def add(self, result: LeakResult) -> int:
        """Keep one more result; return how many there are."""
        self._results.append(result)
        self._write()
        return len(self._results)

    def end(self) -> None:
        """Tell that all tests are done."""
        self._state["state"] = "done"
        self._write()

    def _write(self) -> None:
        done, passed_s = len(self._results), time.monotonic() - self._started_s
        eta_s = round(passed_s / done * (self._state["total"] - done), 1) if done else None
        results = [asdict(result) for result in self._results]
        state = {**self._state, "done": done, "eta_s": eta_s, "has_leak": self.has_leak, "results": results}
        write_atomically(self._path, json.dumps(state).encode())


def case_of(config: Config, tables: Tables) -> Case:
    """Return how the house trains on these candles, up to the newest of them."""
    market_ms = max(CandleTables(tables).newest().values()) + config.interval_ms
    span = training_span(config, market_ms)
    candles = (span.cut_ms - span.start_ms) // config.interval_ms
    settings = training_settings(config, int(MAX_REPLAYED_SHARE * candles), spare_threads())
    horizons = [(name, length_ms // config.interval_ms) for name, length_ms in config.horizon_ms.items()]
    return Case(tables, _builder(config, span), config.INTERVAL, horizons, settings, config.cost_bps)


def _builder(config: Config, span: TrainingSpan) -> Callable[[Tables], Panel]:
    return lambda tables: build_panel(config, CandleTables(tables), span)


def _tables_of(config: Config, folder: Path) -> Tables:
    return read_folder(folder, config.INTERVAL)


def stored_tables(config: Config, venue: str) -> Tables:
    """Return the candles of HISTORY_DAYS that the database of `venue` holds; ConfigError when it holds none."""
    path = config.INSTANCE_DIR / f"{venue}.db"
    if not path.is_file():
        there = ", ".join(known_venues(config)) or "none"
        raise ConfigError(f"{path} does not exist; markets with candles: {there}")
    engine = open_database(path, is_read_only=True)
    store = CandleStore(engine, config.INTERVAL)
    newest = store.newest()
    if not newest:
        raise ConfigError(f"{path} holds no candles of {config.INTERVAL}; run python startup_optimizer.py first")
    span = training_span(config, max(newest.values()) + config.interval_ms)
    tables = {symbol: store.load(symbol, span.start_ms - warm_up_ms(config), span.cut_ms) for symbol in sorted(newest)}
    engine.dispose()
    return {symbol: table for symbol, table in tables.items() if len(table)}


def known_venues(config: Config) -> list[str]:
    """Return the markets this instance has a database of."""
    return sorted(path.stem for path in config.INSTANCE_DIR.glob("*.db"))


def main(arguments: list[str] | None = None) -> int:
    """Run all tests; exit code 0 all at chance, 1 a leak or no way to tell, 2 wrong settings, 130 interrupted."""
    options = _parser().parse_args(arguments)
    config = config_or_exit()
    set_up_logging("WARNING", options.json, config.secrets, config.log_file("leaks"))
    lower_priority()
    shell = Shell(options.json)
    try:
        return _run(config, options, shell)
    except ConfigError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 2
    except (MarketError, OSError) as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    except KeyboardInterrupt:
        return 130


def _run(config: Config, options: argparse.Namespace, shell: Shell) -> int:
    if options.folder is not None:
        venue, tables = options.folder.name, _tables_of(config, options.folder)
    else:
        venue = options.venue or _only_venue(config)
        tables = stored_tables(config, venue)
    case = case_of(config, tables)
    total = len(TESTS) * len(case.horizons)
    report = Report(options.json_file or config.INSTANCE_DIR / f"{venue}.leaks.json", venue, config.INTERVAL, total)
    shell.say("start", f"{len(tables)} symbols of {venue}, {config.INTERVAL} candles, {total} tests")
    with shell.step("leak tests") as update:
        for result in leak_tests(case):
            update(report.add(result), total)
            shell.say("result", result.sentence, **asdict(result))
    report.end()
    text = "Something leaks: see above." if report.has_leak else "Nothing leaks, as far as these candles can tell."
    shell.say("done", text, has_leak=report.has_leak)
    return int(report.has_leak)


def _only_venue(config: Config) -> str:
    venues = known_venues(config)
    if len(venues) != 1:
        there = f"it has {', '.join(venues)}" if venues else "it has none: run python startup_optimizer.py first"
        raise ConfigError(f"name one market of {config.INSTANCE_DIR} with --venue; {there}")
    return venues[0]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m engine.leaks",
        description="Train on labels that cannot be known and on a future of noise: all skill must fall to chance.",
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--venue", help="the market, as its database in INSTANCE_DIR is named (default: the only one)")
    where.add_argument("--folder", type=Path, help="test the kline CSV files of a folder instead")
    parser.add_argument("--json-file", type=Path, metavar="FILE", help="default: <venue>.leaks.json in INSTANCE_DIR")
    parser.add_argument("--json", action="store_true", help="write JSON lines")
    return parser


if __name__ == "__main__":
    sys.exit(main())
