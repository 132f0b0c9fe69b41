"""How the house is, table by table: the same rows as on the page `/system`."""

from dataclasses import asdict
from typing import Any

from marshmallow import Schema, fields

from utils.log_tail import LEVELS, newest_lines
from utils.logs import LOGS_FOLDER
from utils.times import iso_utc
from web.api import nouns
from web.arguments import MAX_LIMIT, Arguments, WholeNumber, choice, word
from web.described import ApiBlueprint, Shown
from web.site_stores import kept_answers, latencies, settings, stores
from web.system_rows import cache_rows, jobs, preparation, setting_rows
from web.tables import Item, Page, table

LINES = 100

api = nouns.add("system")(ApiBlueprint("system_tables", __name__, description="How the house is"))

_LATENCY: Item = {
    "endpoint": "board.index",
    "count": 1204,
    "p50_ms": 5.62,
    "p95_ms": 9.09,
    "p99_ms": 14.7,
    "max_ms": 21.5,
}
_CACHE: Item = {
    "name": "answers",
    "process": "web server",
    "hits": 91204,
    "misses": 1833,
    "evictions": 0,
    "entries": 42,
    "max_entries": None,
    "bytes": 512000,
    "max_bytes": 8000000,
    "emptied_age_s": None,
    "emptied_entries": None,
    "emptied_bytes": None,
}
_JOB: Item = {
    "name": "training",
    "state": "running",
    "step": "training 4h",
    "done": 3.0,
    "total": 12.0,
    "eta_s": 40.0,
    "failure": None,
}
_SETTING: Item = {"name": "PORT", "value": "8100", "origin": "config.toml"}
_STEP: Item = {
    "step": "candle history",
    "cold_seconds": 21.4,
    "warm_seconds": 0.3,
    "saved_seconds": 21.1,
    "what_there_is": "50 symbols, 864,000 new candles",
}
_LINE: Item = {
    "time": "2026-01-31T12:00:04.120Z",
    "level": "WARNING",
    "process": "engine",
    "name": "data.stream_connection",
    "message": "stream lost connection=1 reason='no message for 5 s'",
    "why": None,
}


class LatencySchema(Schema):
    """How long an endpoint took over the last five minutes, until its answers began."""

    endpoint = fields.String()
    count = fields.Integer()
    p50_ms = fields.Float(metadata={"description": "at most 10 % too high, as all of these"})
    p95_ms = fields.Float()
    p99_ms = fields.Float()
    max_ms = fields.Float()


class CacheSchema(Schema):
    """A cache since the start of its process."""

    name = fields.String()
    process = fields.String(metadata={"description": "where it lives: web server or engine"})
    hits = fields.Integer()
    misses = fields.Integer()
    evictions = fields.Integer()
    entries = fields.Integer()
    max_entries = fields.Integer(allow_none=True, metadata={"description": "null where bytes are limited"})
    bytes = fields.Integer(metadata={"description": "about what its entries take in memory"})
    max_bytes = fields.Integer(allow_none=True)
    emptied_age_s = fields.Float(allow_none=True, metadata={"description": "since it was emptied last"})
    emptied_entries = fields.Integer(allow_none=True)
    emptied_bytes = fields.Integer(allow_none=True)


class JobSchema(Schema):
    """Long work of the engine."""

    name = fields.String()
    state = fields.String(metadata={"description": "running, idle or failed"})
    step = fields.String(allow_none=True)
    done = fields.Float(allow_none=True)
    total = fields.Float(allow_none=True)
    eta_s = fields.Float(allow_none=True)
    failure = fields.String(allow_none=True, metadata={"description": "of the last run"})


class SettingSchema(Schema):
    """A setting in effect."""

    name = fields.String()
    value = fields.String(allow_none=True, metadata={"description": "of a secret only whether it is set"})
    origin = fields.String(metadata={"description": "default, config.toml, environment or program"})


class StepSchema(Schema):
    """A step of the last preparation."""

    step = fields.String()
    cold_seconds = fields.Float(metadata={"description": "the first time"})
    warm_seconds = fields.Float(metadata={"description": "again, right after it"})
    saved_seconds = fields.Float(metadata={"description": "what a start does not have to wait for"})
    what_there_is = fields.String()


class LineSchema(Schema):
    """A line of the log."""

    time = fields.DateTime(metadata={"description": "this machine's clock"})
    level = fields.String()
    process = fields.String()
    name = fields.String(metadata={"description": "the module that speaks"})
    message = fields.String()
    why = fields.String(allow_none=True, metadata={"description": "the last line of an error's trace"})


class LogArguments(Arguments):
    """Which lines."""

    level = choice("the lowest level; INFO by default", *LEVELS)
    word = word("a part of the line, such as the id of an error", r".{1,100}", "1 to 100 letters")
    limit = WholeNumber("rows of one answer", 1, MAX_LIMIT, LINES)


@table(api, "/system/latency", Arguments, LatencySchema, shown=Shown(_LATENCY))
def latency(_: dict[str, Any]) -> Page:
    """List how long each endpoint of this web server took over the last five minutes."""
    return Page([asdict(one) for one in latencies().recent()])


@table(api, "/system/caches", Arguments, CacheSchema, shown=Shown(_CACHE))
def caches(_: dict[str, Any]) -> Page:
    """List the caches of the web server and of the engine."""
    return Page([one.row for one in cache_rows(stores(), kept_answers())])


@table(api, "/system/jobs", Arguments, JobSchema, shown=Shown(_JOB))
def running_jobs(_: dict[str, Any]) -> Page:
    """List the engine's long work: what runs, how far it is, how the last run failed."""
    beat = stores().heartbeat()
    return Page([one.row for one in jobs(beat, beat.is_alive(stores().mono_s()))])


@table(api, "/system/settings", Arguments, SettingSchema, shown=Shown(_SETTING))
def effective_settings(_: dict[str, Any]) -> Page:
    """List every setting in effect and where it was given."""
    return Page(setting_rows(settings()))


@table(api, "/system/startup", Arguments, StepSchema, shown=Shown(_STEP))
def startup(_: dict[str, Any]) -> Page:
    """List what the startup optimizer did last, and how long each step takes from then on."""
    return Page(preparation(stores().instance_dir)[1])


@table(api, "/system/log", LogArguments, LineSchema, shown=Shown(_LINE, {"level": "WARNING"}))
def log(asked: dict[str, Any]) -> Page:
    """List the newest lines of the log of all processes, newest first; secrets are masked."""
    folder = stores().instance_dir / LOGS_FOLDER
    lines = newest_lines(folder, asked["level"] or "INFO", asked["word"] or "", asked["limit"])
    return Page([_line(asdict(one)) for one in lines])


def _line(told: Item) -> Item:
    return {"time": iso_utc(told.pop("time_ms")), **told}
