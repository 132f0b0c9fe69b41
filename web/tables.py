"""Serve one table of the API in all its forms: JSON, CSV, a page at a time, 304 when unchanged."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from flask import Response, request
from marshmallow import Schema, fields

from market.errors import ConfigError
from market.intervals import INTERVAL_MS, duration_ms, interval_ms
from web.answers import as_file, csv_answer, csv_bytes, is_known, json_answer, not_modified
from web.arguments import Arguments, FieldList
from web.cursors import checked, signed
from web.described import ApiBlueprint, Shown, route
from web.kept_answers import keep_for_moment, keep_for_version
from web.problems import ProblemError, refuse_argument
from web.site_stores import stores

Item = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows of a table and where to go on."""

    items: list[Item]
    next_cursor: str | None = None


def table(
    blueprint: ApiBlueprint,
    path: str,
    arguments: type[Arguments],
    item: type[Schema],
    version: Callable[[], str] | None = None,
    shown: Shown | None = None,
) -> Callable[[Callable[..., Page]], Callable[..., Response]]:
    """Return a decorator that serves a reader's `Page` at `path` and, as files, at `path`.csv and `path`.json.

    The reader gets the checked arguments as one dict, then the parts of the path. `item` names the columns, which
    `fields=` chooses from. Cursors are signed on their way out and checked on their way back.
    `shown` has one item as its example. `version` tells when the answer changes, without reading it; by default the
    content itself tells.
    """
    columns = tuple(item._declared_fields)
    asks = type(f"{item.__name__}Arguments", (arguments,), {"columns": FieldList(columns)})

    def decorate(read: Callable[..., Page]) -> Callable[..., Response]:
        name = read.__name__

        def answer(asked: dict[str, Any], parts: dict[str, str], is_csv: bool) -> Response:
            keep_for_version() if version else keep_for_moment()
            kept = asked.pop("columns")
            if "cursor" in asked:
                asked["cursor"] = checked(asked["cursor"], name)
            tag = version() if version else None
            if tag and is_known(tag):
                return not_modified(tag)
            page = read(asked, **parts)
            next_cursor = signed(page.next_cursor, name)
            if not is_csv:
                items = [_only(row, kept) for row in page.items] if kept else page.items
                return json_answer({"items": items, "next_cursor": next_cursor}, tag)
            return _with_next(csv_answer(page.items, kept or columns, name, tag), next_cursor)

        @wraps(read)
        def as_json(asked: dict[str, Any], **parts: str) -> Response:
            return answer(asked, parts, is_csv=False)

        @wraps(read)
        def as_csv(asked: dict[str, Any], **parts: str) -> Response:
            return answer(asked, parts, is_csv=True)

        @wraps(read)
        def as_json_file(asked: dict[str, Any], **parts: str) -> Response:
            return as_file(answer(asked, parts, is_csv=False), f"{name}.json")

        listing = Schema.from_dict(
            {"items": fields.List(fields.Nested(item)), "next_cursor": fields.String(allow_none=True)},
            name=f"{name.title()}ListSchema",
        )
        one = shown or Shown()
        items = [one.answer] if one.answer else []
        as_list = replace(one, answer={"items": items, "next_cursor": None})
        as_lines = replace(
            one, answer=csv_bytes([list(one.answer or columns), *(row.values() for row in items)]).decode()
        )
        route(blueprint, path, asks, listing, name=name, shown=as_list, is_tagged=True)(as_json)
        route(
            blueprint, f"{path}.csv", asks, media_type="text/csv", name=f"{name}_csv", shown=as_lines, is_tagged=True
        )(as_csv)
        route(blueprint, f"{path}.json", asks, listing, name=f"{name}_json", shown=as_list, is_tagged=True)(
            as_json_file
        )
        return as_json

    return decorate


def check_symbol(name: str | None) -> str | None:
    """Return the symbol when the engine follows it, or knows none yet; else answer 404 with the nearest names."""
    known = [entry.symbol for entry in stores().symbols()]
    if name is None or name in known or not known:
        return name
    near = nearest(name, known)
    hint = f"; nearest: {', '.join(near)}" if near else ""
    raise ProblemError(
        404, "unknown_symbol", f"{name[:40]!r} is not followed here{hint}", field="symbol", allowed=known
    )


def check_horizon(name: str | None) -> str | None:
    """Return the horizon when predictions are made for it; else answer 400 with those there are."""
    known = list(stores().heartbeat().horizons)
    if name is not None and name not in known:
        refuse_argument("horizon", name, known)
    return name


def check_interval(name: str | None) -> str:
    """Return the interval, the base one by default; answer 400 when it cannot be made of base candles."""
    base = stores().heartbeat().interval
    interval = name or base
    if INTERVAL_MS[interval] % interval_ms(base):
        made = [other for other, length_ms in INTERVAL_MS.items() if length_ms % interval_ms(base) == 0]
        refuse_argument("interval", interval, made)
    return interval


def nearest(name: str, known: Sequence[str]) -> list[str]:
    """Return up to three known symbols that look most like `name`."""
    import difflib

    return difflib.get_close_matches(name.upper(), known, n=3, cutoff=0.5)


def horizon_order(name: str) -> int:
    """Return the length of a horizon, to sort by; 0 when it is none."""
    try:
        return duration_ms(name)
    except ConfigError:
        return 0


def _only(row: Item, columns: Sequence[str]) -> Item:
    return {name: row[name] for name in columns if name in row}


def _with_next(answer: Response, cursor: str | None) -> Response:
    if cursor:
        query = urlencode({**request.args.to_dict(), "cursor": cursor})
        answer.headers["Link"] = f'<{request.path}?{query}>; rel="next"'
    return answer
