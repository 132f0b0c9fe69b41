"""How the house is: feed, gaps, engine, symbols, how long things take, what it was told and what it says."""

import logging
import re

from flask import Blueprint, Response, current_app, redirect, request, url_for
from werkzeug.routing import Rule
from werkzeug.wrappers import Response as AnyResponse

from utils.log_tail import LEVELS, newest_lines
from utils.logs import LOGS_FOLDER
from web.page_answers import asked_word, page_answer
from web.problems import ProblemError, refuse_argument
from web.site_stores import kept_answers, latencies, settings, stores, used
from web.system import WebServer, make_system
from web.system_rows import ANSWERS
from web.views import pages

logger = logging.getLogger(__name__)

LINES = 50
MAX_WORD_LETTERS = 100
_CONVERTER = re.compile(r"<[^:<>]+:")  # how a part of an address is read is of no interest to people
_ENGINE_CACHES = ("data", "models")

page = pages.add("system", "System", order=9)(Blueprint("system", __name__))


@page.get("/system")
def index() -> Response:
    """Show what the engine last said of itself, with its age, and what this process knows of itself."""
    word, level = request.args.get("log", ""), asked_word("level", list(LEVELS), "INFO")
    if len(word) > MAX_WORD_LETTERS:
        refuse_argument("log", word, f"at most {MAX_WORD_LETTERS} letters of a line or the id of an error")
    addresses = {rule.endpoint: _address(rule) for rule in current_app.url_map.iter_rules()}
    web = WebServer(kept_answers(), latencies(), used(), addresses, settings())
    lines = newest_lines(stores().instance_dir / LOGS_FOLDER, level, word, LINES)
    sheet = make_system(stores(), web)
    return page_answer("system.html", sheet=sheet, lines=lines, word=word, level=level, levels=LEVELS[1:4])


@page.post("/system/empty")
def empty() -> AnyResponse:
    """Empty one cache: of this process at once, of the engine by asking it; the page then says what went."""
    name = request.form.get("cache", "")
    own = {ANSWERS: kept_answers().clear} | {one: cache.clear for one, cache in stores().caches.items()}
    if name in own:
        emptied = own[name]()
        logger.info("cache emptied name=%s entries=%d bytes=%d", name, emptied.entries, emptied.size_bytes)
    elif name not in _ENGINE_CACHES:
        refuse_argument("cache", name, [*own, *_ENGINE_CACHES])
    elif not stores().heartbeat().is_alive(stores().mono_s()):
        raise ProblemError(503, "engine_offline", f"the engine is offline, and its cache {name} is empty with it")
    elif not stores().mailbox.put({"order": "empty", "cache": name}):
        raise ProblemError(503, "engine_busy", "the engine has not taken the last orders yet; try again soon")
    return redirect(url_for("system.index", _anchor="caches"), 303)


def _address(rule: Rule) -> str:
    """Return the path of an endpoint as people read it, after its method if it cannot be looked at."""
    methods = rule.methods or {"GET"}
    return ("" if "GET" in methods else "POST ") + _CONVERTER.sub("<", rule.rule)
