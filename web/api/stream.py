"""The event stream: prediction, price and status events as they happen."""

import re
from typing import Any

from flask import Response, request

from web.api import nouns
from web.arguments import Arguments, WholeNumber
from web.described import ApiBlueprint, Shown, route
from web.examples import EVENTS
from web.live import StreamsFullError
from web.problems import ProblemError
from web.site_stores import live

_MAX_VERSION = 2**62
_VERSION = re.compile(r"[0-9]{1,19}")

api = nouns.add("stream")(ApiBlueprint("stream", __name__, description="What happens"))


class StreamArguments(Arguments):
    """Where to go on."""

    since = WholeNumber("the version after which predictions are sent first", 0, _MAX_VERSION)


@route(api, "/stream", StreamArguments, media_type="text/event-stream", problems=(400, 503), shown=Shown(EVENTS))
def stream(asked: dict[str, Any]) -> Response:
    """Send events until the reader leaves; Last-Event-ID, a version, tells what it has seen."""
    try:
        frames = live().open(_seen(request.headers.get("Last-Event-ID"), asked["since"]))
    except StreamsFullError:
        raise ProblemError(
            503, "too_many_streams", "all streams are taken; poll instead", {"Retry-After": "15"}
        ) from None
    answer = Response(frames, mimetype="text/event-stream")
    answer.cache_control.no_store = True
    answer.headers["X-Accel-Buffering"] = "no"
    return answer


def _seen(header: str | None, since: int | None) -> int | None:
    """Return the version the reader has seen; an id that is none of ours means it has seen nothing."""
    if header is None:
        return since
    is_ours = _VERSION.fullmatch(header) and int(header) <= _MAX_VERSION
    return int(header) if is_ours else -1
