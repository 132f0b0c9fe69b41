"""Everything the pages and the API read, never written: the engine's state, the market's database, the model cards."""

import re
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import numpy as np
from sqlalchemy import Engine
from sqlalchemy.exc import DatabaseError

from data.foreign_store import ORIGIN, is_foreign
from data.ledger_rows import Row
from data.model_seal import KEY_FILE
from data.model_store import ModelStore
from data.prediction_store import NO_CHAIN
from data.segments import sealed_bytes
from market.errors import SourceUnavailable
from market.intervals import interval_ms
from utils.data_cache import DataCache
from utils.mailbox import LETTERS_FOLDER, Mailbox
from utils.times import iso_utc
from web.heartbeat import Heartbeat, HeartbeatFile, SymbolState
from web.longer_candles import LongerCandles, no_candles
from web.venue import Venue, open_venue

T = TypeVar("T")
HEARTBEAT_NAME = "engine.json"
VENUE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_MAX_SKILLS = 128
SKILL_AGE_SECONDS = 10.0
WEEK_MS = 7 * 86_400_000
RECORD_AGE_SECONDS = 60.0


class Stores:
    """The read-only view of one instance. Before the engine has ever run it answers with nothing."""

    def __init__(
        self, instance_dir: Path, saved_models_dir: Path, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Read the state in `instance_dir`; nothing is opened before it is asked for."""
        self.run_dir = instance_dir / "run"
        self.live_dir = self.run_dir / "live"  # the engine sends its events to the sockets in it
        self.instance_dir = instance_dir
        self.mailbox = Mailbox(self.run_dir / LETTERS_FOLDER)  # what a person asks of the engine
        self._models = ModelStore(saved_models_dir, instance_dir / KEY_FILE)
        self._monotonic = monotonic
        self._heartbeat = HeartbeatFile(self.run_dir / HEARTBEAT_NAME, Heartbeat())
        self._venues: dict[tuple[str, ...], Venue] = {}
        ages_s = {"scores": SKILL_AGE_SECONDS, "record": RECORD_AGE_SECONDS}
        self.caches = {name: DataCache(age_s, _MAX_SKILLS) for name, age_s in ages_s.items()}
        self._closes: dict[str, tuple[int | None, list[float]]] = {}
        self._closes_key: tuple[Any, ...] = ()
        self._lock = Lock()

    def expect(self, interval: str, horizons: Sequence[str], market: str | None) -> None:
        """Believe this of the engine until it has written its first heartbeat."""
        before = Heartbeat(interval=interval, horizons=tuple(horizons), market=market)
        self._heartbeat = HeartbeatFile(self.run_dir / HEARTBEAT_NAME, before)

    def close(self) -> None:
        """Let go of the databases."""
        with self._lock:
            for venue in self._venues.values():
                venue.engine.dispose()
            self._venues.clear()

    # the engine

    def heartbeat(self) -> Heartbeat:
        """Return what the engine last said."""
        return self._heartbeat.read(self._monotonic())

    def mono_s(self) -> float:
        """Return the monotonic clock the heartbeat's times are read against."""
        return self._monotonic()

    def market_ms(self) -> int:
        """Return the market's time now."""
        return self.heartbeat().market_now_ms(self._monotonic())

    def status(self) -> dict[str, Any]:
        """Return the state of the house: market, clock, feed, symbols, engine."""
        beat, now_s = self.heartbeat(), self._monotonic()
        is_alive = beat.is_alive(now_s)
        feed = beat.feed
        return {
            "market": beat.market,
            "server_time": iso_utc(beat.market_now_ms(now_s)),
            "version": self.version(),
            "interval": beat.interval,
            "horizons": list(beat.horizons),
            "feed": {
                "state": beat.feed_state(now_s),
                "last_message_age_s": _age_s(now_s, feed.last_message_mono_s),
                "reconnects": feed.reconnects,
                "gaps_found": feed.gaps_found,
                "gaps_repaired": feed.gaps_repaired,
                "rejected_rows": feed.rejected_rows,
                "weight_used_1m": feed.weight_used_1m,
                "weight_limit_1m": feed.weight_limit_1m,
                "renewals": feed.renewals,
                "lag_s": feed.lag_s,
                "conflated": feed.conflated,
            },
            "symbols": [
                {
                    "symbol": entry.symbol,
                    "state": beat.symbol_state(entry, now_s),
                    "last_candle_open": _iso_or_none(entry.last_candle_open_ms),
                    "data_age_s": _age_s(now_s, entry.last_message_mono_s),
                }
                for entry in beat.symbols
            ],
            "engine": {
                "alive": is_alive,
                "pid": beat.pid,
                "uptime_s": _age_s(now_s, beat.started_mono_s) if is_alive else None,
                "rss_mb": beat.rss_mb,
            },
        }

    def symbols(self) -> list[SymbolState]:
        """Return the symbols the engine follows, as it last described them."""
        return list(self.heartbeat().symbols)

    def symbol(self, name: str) -> SymbolState | None:
        """Return one symbol, or None when the engine does not follow it."""
        return next((entry for entry in self.heartbeat().symbols if entry.symbol == name), None)

    # the ledger

    def stamp(self) -> str:
        """Return a word that changes whenever the ledger does, also when the market is another one."""
        beat = self.heartbeat()
        return f"{beat.venue}-{beat.interval}-{self.version()}"

    def version(self) -> int:
        """Return the ledger's version; 0 while there is none."""
        return self._read(lambda venue: venue.predictions.version(), 0)

    def latest(self, symbol: str | None = None, horizon: str | None = None) -> list[Row]:
        """Return the newest prediction of each symbol and horizon, by symbol, then length of horizon."""
        return self._read(lambda venue: venue.predictions.latest(symbol, horizon), [])

    def ledger(self, **wanted: Any) -> tuple[list[Row], str | None]:
        """Return ledger rows, newest first, and the cursor of the page after them (`PredictionStore.ledger`).

        Imported signals are asked for by their origin or model, and are in no other list.
        """
        nothing: tuple[list[Row], str | None] = ([], None)
        if is_foreign(wanted):
            return self._read(lambda venue: venue.foreign.ledger(**wanted), nothing)
        return self._read(lambda venue: venue.predictions.ledger(**wanted), nothing)

    def row(self, id_: str) -> Row | None:
        """Return one ledger row with its inputs and what explains it, or one imported signal."""

        def load(venue: Venue) -> Row | None:
            row = venue.predictions.row(id_)
            return venue.foreign.row(id_) if row is None else {**row, **venue.explanations.of(row)}

        return self._read(load, None)

    def chain(self) -> dict[str, Any]:
        """Return the newest link of the chain over the ledger's rows: how many there are, and its hash."""
        return self._read(lambda venue: venue.predictions.chain(), NO_CHAIN)

    def last_called(self, limit: int, origin: str, horizon: str | None = None) -> list[Row]:
        """Return the calls (up or down) of one origin that were resolved last, newest outcome first."""
        return self._read(lambda venue: venue.predictions.last_called(limit, origin, horizon), [])

    def last_scored(self, limit: int, symbol: str, horizon: str) -> list[Row]:
        """Return the rows of a symbol that were scored last, newest outcome first."""
        return self._read(lambda venue: venue.predictions.last_scored(limit, symbol, horizon), [])

    def skill(self, **wanted: str | None) -> list[dict[str, Any]]:
        """Return scores (`SkillStore.skill`) as the ledger stands now; of imported signals as for `ledger`."""
        key = (self.stamp(), *sorted(wanted.items()))
        return self.caches["scores"].get_or_compute(key, lambda: self._scores(wanted))

    def recent_skill(self, **wanted: str | None) -> list[dict[str, Any]]:
        """Return scores that may be up to `SKILL_AGE_SECONDS` old: resampling all symbols is too much for each page."""
        return self.caches["scores"].get_or_compute(self._market_key("recent", wanted), lambda: self._scores(wanted))

    def week_skill(self, horizon: str) -> list[dict[str, Any]]:
        """Return the scores of a horizon, all symbols together, over the last seven days; as old as recent ones."""
        since_ms = self.market_ms() - WEEK_MS
        return self.caches["scores"].get_or_compute(
            self._market_key("week", {"horizon": horizon}),
            lambda: self._read(lambda venue: venue.skills.recent(horizon, since_ms), []),
        )

    def settled_skill(self, **wanted: str | None) -> list[dict[str, Any]]:
        """Return scores that may be up to `RECORD_AGE_SECONDS` old: the record shows hundreds, each resampled."""
        return self.caches["record"].get_or_compute(self._market_key("settled", wanted), lambda: self._scores(wanted))

    # candles

    def gaps(self, **wanted: Any) -> tuple[list[dict[str, Any]], str | None]:
        """Return the gaps of the feed, newest first, and the cursor of the page after them (`GapStore.newest`)."""
        nothing: tuple[list[dict[str, Any]], str | None] = ([], None)
        horizons = self.heartbeat().horizons
        return self._read(lambda venue: venue.gaps.newest(horizons, **wanted), nothing)

    def candles(self, symbol: str, interval: str, start_ms: int | None, end_ms: int | None, limit: int) -> np.ndarray:
        """Return closed candles, oldest first: the oldest `limit` from `start_ms`, or else the newest ones."""
        base = self.heartbeat().interval
        if interval == base:
            return self._read(lambda venue: venue.candles.load(symbol, start_ms, end_ms, limit), no_candles())
        span = LongerCandles(interval_ms(base), interval_ms(interval), limit)

        def load(venue: Venue) -> np.ndarray:
            if start_ms is None:
                return span.newest(venue.candles, symbol, end_ms)
            return span.oldest(venue.candles, symbol, start_ms, end_ms)

        return self._read(load, no_candles())

    def last_closes(self, count: int) -> dict[str, list[float]]:
        """Return the newest `count` closes of each symbol, oldest first.

        Kept by symbol until its next candle closes, one entry a symbol; another market clears them.
        """
        beat = self.heartbeat()
        key = (beat.venue, beat.interval, count)
        with self._lock:
            if key != self._closes_key:
                self._closes, self._closes_key = {}, key
            shelf = self._closes
        for entry in beat.symbols:
            if entry.symbol not in shelf or shelf[entry.symbol][0] != entry.last_candle_open_ms:
                table = self.candles(entry.symbol, beat.interval, None, None, count)
                shelf[entry.symbol] = (entry.last_candle_open_ms, table["close"].tolist())
        return {entry.symbol: shelf[entry.symbol][1] for entry in beat.symbols}

    # models

    def models(self) -> list[dict[str, Any]]:
        """Return the model cards of this market, refused files among them."""
        beat = self.heartbeat()
        return self._models.cards(beat.venue, beat.models.definition)

    def ask(self, question: Callable[[Engine, str], T], empty: T) -> T:
        """Return the answer of a store made over this database and base interval; `empty` while there is none."""
        return self._read(lambda venue: question(venue.engine, self.heartbeat().interval), empty)

    # the disk

    def disk_bytes(self) -> tuple[int, int]:
        """Return the size of this market's database with its log and sealed months, and what is free beside it."""
        database = self.instance_dir / f"{self.heartbeat().venue}.db"
        files = [database, database.with_name(f"{database.name}-wal")]
        used_bytes = sum(file.stat().st_size for file in files if file.is_file()) + sealed_bytes(database)[1]
        return used_bytes, shutil.disk_usage(self.instance_dir).free if self.instance_dir.is_dir() else 0

    # private

    def _scores(self, wanted: Mapping[str, str | None]) -> list[dict[str, Any]]:
        asked = {**wanted, "origin": ORIGIN} if is_foreign(wanted) else wanted
        return self._read(lambda venue: venue.skills.skill(**asked), [])

    def _market_key(self, name: str, wanted: Mapping[str, str | None]) -> tuple[Any, ...]:
        beat = self.heartbeat()
        return (name, beat.venue, beat.interval, *sorted(wanted.items()))

    def _read(self, question: Callable[[Venue], T], empty: T) -> T:
        """Return the answer of the current market's database, or `empty` while the engine has not made it."""
        venue = self._venue()
        if venue is None:
            return empty
        try:
            return question(venue)
        except SourceUnavailable:
            return empty
        except DatabaseError as error:
            raise SourceUnavailable(f"the database cannot be read now: {error.orig}") from error

    def _venue(self) -> Venue | None:
        beat = self.heartbeat()
        if beat.venue is None or beat.market is None or not VENUE_NAME.fullmatch(beat.venue):
            return None
        key = (beat.venue, beat.market, beat.interval)
        with self._lock:
            if key not in self._venues:
                self._venues[key] = open_venue(self.instance_dir / f"{beat.venue}.db", beat.market, beat.interval)
            return self._venues[key]


def _age_s(now_s: float, then_s: float | None) -> float | None:
    return None if then_s is None else round(max(0.0, now_s - then_s), 3)


def _iso_or_none(time_ms: int | None) -> str | None:
    return None if time_ms is None else iso_utc(time_ms)
