"""The tables of the system page, as it and the API show them: caches, jobs, settings, the last preparation."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from config import CHECKOUT, NAMES, OPTIMIZED_FILE, SECRET_NAMES, Config
from utils.times import parse_utc
from web.heartbeat import Cache, Heartbeat, Training
from web.kept_answers import MAX_BYTES, KeptAnswers
from web.stores import Stores

ANSWERS = "answers"
ENGINE, WEB = "engine", "web server"
_STEP_KEYS = ("step", "cold_seconds", "warm_seconds", "saved_seconds", "what_there_is")

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class CacheRow:
    """One cache and the process it lives in."""

    name: str
    process: str
    cache: Cache
    emptied_age_s: float | None

    @property
    def row(self) -> Row:
        """Return it as the API tells it."""
        one = self.cache
        return {
            "name": self.name,
            "process": self.process,
            "hits": one.hits,
            "misses": one.misses,
            "evictions": one.evictions,
            "entries": one.size,
            "max_entries": one.max_size,
            "bytes": one.size_bytes,
            "max_bytes": one.max_bytes,
            "emptied_age_s": self.emptied_age_s,
            "emptied_entries": one.emptied and one.emptied.entries,
            "emptied_bytes": one.emptied and one.emptied.size_bytes,
        }


def cache_rows(stores: Stores, answers: KeptAnswers) -> list[CacheRow]:
    """Return the caches of this process, then those of the engine as it last told of them."""
    kept = answers.stats()
    own = {
        ANSWERS: Cache(
            kept.hits, kept.misses, kept.answers, None, kept.evictions, kept.size_bytes, MAX_BYTES, kept.emptied
        ),
        **{name: msgspec.convert(cache.get_stats(), Cache) for name, cache in stores.caches.items()},
    }
    engines = stores.heartbeat().performance.caches
    found = [(name, WEB, cache) for name, cache in own.items()] + [(name, ENGINE, one) for name, one in engines.items()]
    now_s = stores.mono_s()
    return [
        CacheRow(name, process, cache, max(0.0, now_s - cache.emptied.mono_s) if cache.emptied else None)
        for name, process, cache in found
    ]


@dataclass(frozen=True, slots=True)
class Job:
    """Long work of the engine: `state` is running, idle or failed, `progress` is there while it runs."""

    name: str
    state: str
    progress: Training | None
    failure: str | None

    @property
    def row(self) -> Row:
        """Return it as the API tells it."""
        now = self.progress or Training()
        told = {"step": now.step, "done": now.done, "total": now.total, "eta_s": now.eta_s}
        return {"name": self.name, "state": self.state, **told, "failure": self.failure}


def jobs(beat: Heartbeat, is_alive: bool) -> list[Job]:
    """Return the jobs the engine does beside following the market; a dead one does none."""
    found = [
        _job("training", beat.training, beat.models.training_failure, is_alive),
        _job("leak tests", beat.models.leaks, beat.models.leaks_failure, is_alive),
    ]
    if beat.market == "binance":
        sealing = Training() if beat.sealing.is_running else None
        found.append(_job("sealing of old months", sealing, beat.sealing.failure, is_alive))
    return found


def _job(name: str, progress: Training | None, failure: str | None, is_alive: bool) -> Job:
    running = progress if is_alive else None
    state = "running" if running is not None else "failed" if failure else "idle"
    return Job(name, state, running, failure)


def setting_rows(config: Config) -> list[Row]:
    """Return every setting as it is in effect, and where it was given; of a secret only whether there is one."""
    return [
        {"name": name, "value": _shown(name, getattr(config, name)), "origin": _origin(config, name)} for name in NAMES
    ]


def _shown(name: str, value: object) -> str | None:
    if value is None:
        return None
    if name in SECRET_NAMES:
        return "set, not shown"
    if isinstance(value, Path):  # no answer holds a path of the server
        return str(value.relative_to(CHECKOUT)) if value.is_relative_to(CHECKOUT) else f"…/{value.name}"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def _origin(config: Config, name: str) -> str:
    is_default = getattr(config, name) == getattr(Config, name)
    return config.origins.get(name, "default" if is_default else "program")


def preparation(instance_dir: Path) -> tuple[int | None, list[Row]]:
    """Return when `startup_optimizer.py` ended last, and what each of its steps took; nothing before the first time."""
    try:
        found = json.loads((instance_dir / OPTIMIZED_FILE).read_bytes())
        return parse_utc(found["finished_at"]), [{key: one[key] for key in _STEP_KEYS} for one in found["steps"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None, []
