"""Score somebody else's signals: read a CSV file of them into the record, beside our own rows and never among them.

`python import_signals.py FILE [--source NAME] [--venue VENUE] [--json]`
"""

import argparse
import json
import sys
from pathlib import Path

from config import Config, config_or_exit
from market.errors import ConfigError, MarketError
from utils.shell import Shell

_PROBLEMS_SHOWN = 20
_NAMED = 3  # lines named as examples


def main(arguments: list[str] | None = None) -> int:
    """Import one file; exit code 0 done, 1 not possible now, 2 file or settings refused, 130 interrupted."""
    options = _parser().parse_args(arguments)
    config = config_or_exit()
    shell = Shell(options.json)
    try:
        return _import(options.file, options.source, venue_of(config, options.venue), config, shell)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    except MarketError as error:
        print(f"{error}; nothing was imported", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def venue_of(config: Config, asked: str | None) -> str:
    """Return the market whose candles the signals are scored by: the one asked for, or that of the last engine."""
    venues = sorted(path.stem for path in config.INSTANCE_DIR.glob("*.db"))
    if asked is not None and asked in venues:
        return asked
    names = ", ".join(venues) or "none yet: start Candela once"
    if asked is not None:
        raise ConfigError(f"--venue {asked!r} has no database in {config.INSTANCE_DIR}; there is {names}")
    try:
        last = json.loads((config.INSTANCE_DIR / "run" / "engine.json").read_bytes()).get("venue")
    except (OSError, ValueError, AttributeError):
        last = None
    if last in venues:
        return str(last)
    if len(venues) != 1:
        raise ConfigError(f"which market's candles? name it with --venue; there is {names}")
    return venues[0]


def _import(path: Path, source: str | None, venue: str, config: Config, shell: Shell) -> int:
    from data.database import open_database
    from data.foreign_store import ForeignStore, Kept
    from data.signal_file import SOURCE, read_signals

    if source is not None and not SOURCE.fullmatch(source):
        raise ConfigError(f"--source {source[:40]!r} is no name: letters, digits, . - _ and at most 40 of them")
    file = read_signals(path, source, config.INTERVAL, config.horizons)
    if file.problems:
        _tell_problems(path, file.problems)
        return 2
    engine = open_database(config.INSTANCE_DIR / f"{venue}.db")
    try:
        market = "simulated" if venue.startswith("simulated") else "binance"
        kept: Kept = ForeignStore(engine, market, config.INTERVAL).keep(file.signals, config.cost_bps)
    finally:
        engine.dispose()
    known = f", {kept.known} were there before" if kept.known else ""
    shell.say(
        "imported",
        f"{kept.added} of {len(file.signals)} signals added to {venue}{known}; {kept.scored} rows scored",
        venue=venue,
        added=kept.added,
        known=kept.known,
        differing=len(kept.differing),
        without_candle=len(kept.without_candle),
        scored=kept.scored,
    )
    for signals, what in (
        (kept.differing, "said otherwise before, and stay as they were first imported"),
        (kept.without_candle, "left out, their candle is not kept; import the file again when it is"),
    ):
        if signals:
            lines = ", ".join(str(signal.line) for signal in signals[:_NAMED])
            more = " ..." if len(signals) > _NAMED else ""
            shell.say("note", f"{len(signals)} signals {what} (line {lines}{more})")
    return 0


def _tell_problems(path: Path, problems: list[str]) -> None:
    for problem in problems[:_PROBLEMS_SHOWN]:
        print(problem, file=sys.stderr)
    more = len(problems) - _PROBLEMS_SHOWN
    if more > 0:
        print(f"and {more} more", file=sys.stderr)
    print(
        f"{path.name}: {len(problems)} problem{'s' if len(problems) > 1 else ''}, nothing was imported", file=sys.stderr
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python import_signals.py", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", type=Path, help="CSV file; docs/signals.md names the columns")
    parser.add_argument("--source", help="whose signals they are, when the file has no column of that name")
    parser.add_argument("--venue", help="the market they are about, such as binance or simulated-1")
    parser.add_argument("--json", action="store_true", help="write JSON lines")
    return parser


if __name__ == "__main__":
    sys.exit(main())
