"""What the API takes in its query string and bodies; anything else is refused with the field and what it takes."""

import re
from typing import Any

import msgspec
from flask import Request
from marshmallow import RAISE, Schema, ValidationError, fields, missing, post_load, validate
from webargs.flaskparser import FlaskParser

from market.candles import LAST_VALID_MS
from market.intervals import INTERVAL_MS
from utils.times import parse_utc
from web.problems import ProblemError

MAX_LIMIT = 500
DEFAULT_LIMIT = 100
SYMBOL = r"\w{1,32}"
_TIME = r"^([0-9]{1,13}|[0-9]{4}-?[0-9W].*)$"  # any form of ISO-8601, or milliseconds
_PLAIN_NUMBER = re.compile(r"[0-9]{1,19}")


class WholeNumber(fields.Integer):
    """A whole number in plain digits from `low` to `high`; more is refused, not cut."""

    def __init__(self, what: str, low: int, high: int, default: int | None = None) -> None:
        """Describe the number as `what`; stand for `default` when it is not given."""
        super().__init__(
            load_default=missing if default is None else default,
            validate=validate.Range(low, high),
            metadata={"x-allowed": f"{low} to {high}", "description": what},
        )

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if not _PLAIN_NUMBER.fullmatch(str(value)):
            raise ValidationError("not a whole number")
        return super()._deserialize(value, attr, data, **kwargs)


class Moment(fields.String):
    """A time: ISO-8601 or whole milliseconds since 1970."""

    def __init__(self, what: str) -> None:
        """Describe the time as `what`."""
        super().__init__(
            metadata={
                "x-allowed": "ISO-8601 such as 2026-01-31T12:00:00Z, or milliseconds",
                "description": what,
                "pattern": _TIME,
            }
        )

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        try:
            time_ms = parse_utc(text.replace(" ", "+") if "T" in text else text)  # a bare + in a query is a space
        except (ValueError, OverflowError) as error:
            raise ValidationError("not a time") from error
        if not 0 <= time_ms <= LAST_VALID_MS:
            raise ValidationError("not a time between 1970 and 2100")
        return time_ms


class FieldList(fields.String):
    """A comma list of the keys to keep."""

    def __init__(self, allowed: tuple[str, ...]) -> None:
        """Allow these keys."""
        super().__init__(
            data_key="fields",
            metadata={
                "x-allowed": list(allowed),
                "description": "comma list of the keys to answer with",
                "pattern": f"^({'|'.join(allowed)})(,({'|'.join(allowed)}))*$",
            },
        )
        self._names = allowed

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        names = super()._deserialize(value, attr, data, **kwargs).split(",")
        unknown = [name for name in names if name not in self._names]
        if unknown:
            raise ValidationError(f"there is no {unknown[0][:80]!r}")
        return tuple(dict.fromkeys(names))


def word(what: str, pattern: str, allowed: str) -> fields.String:
    """Return a field that takes one word of this pattern."""
    form = re.compile(pattern)

    def check(text: str) -> None:
        if not form.fullmatch(text):
            raise ValidationError("not in that form")

    # The description's readers know no \Z, and Python's $ would let a line end pass.
    return fields.String(
        validate=check,
        metadata={"x-allowed": allowed, "description": what, "pattern": f"^{pattern}$"},
    )


def horizon_word() -> fields.String:
    """Return a field that takes one horizon."""
    return word("one horizon", r"[0-9]{1,7}[smhdw]", "one of the horizons of /api/v1/status")


def choice(what: str, *options: str) -> fields.String:
    """Return a field that takes one of these words."""
    return fields.String(
        validate=validate.OneOf(options, error="not one of them"),
        metadata={"x-allowed": list(options), "description": what},
    )


class Arguments(Schema):
    """No arguments at all; the others start from here."""

    class Meta:
        """Refuse what is not listed."""

        unknown = RAISE

    @post_load
    def _whole(self, asked: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Return a value for every argument: None for what was not asked for."""
        return {name: asked.get(name) for name in self.fields}


class ChoiceArguments(Arguments):
    """Which rows: of a symbol, of a horizon."""

    symbol = word("one symbol", SYMBOL, "a symbol such as BTCUSDT")
    horizon = horizon_word()


class ListArguments(Arguments):
    """How many rows, and from where on."""

    limit = WholeNumber("rows of one answer", 1, MAX_LIMIT, DEFAULT_LIMIT)
    cursor = word("next_cursor of the page before", r"[\w.~-]{1,120}", "next_cursor of the page before")


class PageArguments(ChoiceArguments, ListArguments):
    """Which predictions, how many of them, and from where on."""


class GapArguments(ListArguments):
    """Which gaps, how many of them, and from where on."""

    symbol = word("one symbol", SYMBOL, "a symbol such as BTCUSDT")


class CandleArguments(Arguments):
    """Which candles."""

    interval = choice("length of a candle, a multiple of the base interval; the base interval by default", *INTERVAL_MS)
    start = Moment("earliest open time, inclusive: then the oldest rows from there")
    end = Moment("open time to stop before")
    limit = WholeNumber("rows of one answer", 1, MAX_LIMIT, MAX_LIMIT)


class IndicatorArguments(Arguments):
    """Which lines of which candles."""

    interval = choice("length of a candle, a multiple of the base interval; the base interval by default", *INTERVAL_MS)
    end = Moment("open time to stop before")
    limit = WholeNumber("rows of one answer", 1, MAX_LIMIT, MAX_LIMIT)


class ArgumentsParser(FlaskParser):
    """Reads the query or the body; what is unknown or given twice is refused."""

    DEFAULT_UNKNOWN_BY_LOCATION = {**FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION, "query": RAISE}
    DEFAULT_VALIDATION_STATUS = 400

    def load_querystring(self, req: Request, schema: Schema) -> Any:
        """Return the query; an argument given twice is refused rather than guessed at."""
        for name, values in req.args.lists():
            if len(values) > 1:
                raise ValidationError({name: ["given more than once"]})
        return super().load_querystring(req, schema)

    def load_json(self, req: Request, schema: Schema) -> Any:
        """Return the JSON body; a body of another kind has no fields, and what cannot be read is refused."""
        if not req.is_json:
            return {}
        try:
            return msgspec.json.decode(req.get_data())
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ProblemError(
                400, "bad_body", "the body is refused: it is no JSON", allowed="a JSON object"
            ) from error
