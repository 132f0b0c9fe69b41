"""Answer with a page: rendered, tagged by its content, kept here until the next heartbeat."""

from collections.abc import Sequence
from typing import Any

from flask import Response, render_template, request

from web.answers import digest, tagged
from web.kept_answers import keep_for_moment
from web.preferences import preferences
from web.problems import refuse_argument
from web.site_stores import stores


def page_answer(template: str, **context: Any) -> Response:
    """Render a template; 304 when the browser has exactly this page."""
    body = render_template(template, **context).encode()
    answer = Response(body, mimetype="text/html")
    answer.vary.add("Cookie")
    keep_for_moment()
    return tagged(answer, digest(body))


def asked_word(name: str, allowed: list[str], default: str) -> str:
    """Return one word of the address, or answer 400 when it is none of `allowed`."""
    value = request.args.get(name) or default
    if value not in allowed and value:
        refuse_argument(name, value, allowed)
    return value


def asked_words(name: str, allowed: Sequence[str]) -> list[str]:
    """Return the words of a comma list of the address, or answer 400 when one is none of `allowed`."""
    words = [word for word in request.args.get(name, "").split(",") if word]
    for word in words:
        if word not in allowed:
            refuse_argument(name, word, list(allowed))
    return words


def asked_horizon() -> str:
    """Return the horizon of the address, by default the one this reader wants first; empty while there is none."""
    return asked_word("horizon", list(stores().heartbeat().horizons), default_horizon())


def default_horizon() -> str:
    """Return the horizon that is shown when none is asked for: the reader's own, else the second one there is."""
    names = stores().heartbeat().horizons
    chosen = preferences().horizon
    if chosen in names:
        return chosen
    return names[min(1, len(names) - 1)] if names else ""
