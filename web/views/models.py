"""The models: who speaks for a horizon, who is on trial, and the buttons that change it."""

from flask import Blueprint, Response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from web.model_sheet import make_models
from web.page_answers import asked_horizon, page_answer
from web.problems import ProblemError
from web.site_stores import stores
from web.views import pages

page = pages.add("models", "Models", order=3)(Blueprint("models", __name__))


@page.get("/models")
def index() -> Response:
    """Show the models of one horizon with what was decided about them."""
    return page_answer("models.html", sheet=make_models(stores(), asked_horizon()))


@page.post("/models/retrain")
def retrain() -> AnyResponse:
    """Ask the engine for a training now."""
    return _ask({"order": "retrain", "horizon": request.form.get("horizon", "")})


@page.post("/models/cancel")
def cancel() -> AnyResponse:
    """Ask the engine to end what it trains."""
    return _ask({"order": "cancel"})


@page.post("/models/promote")
def promote() -> AnyResponse:
    """Ask the engine to let a model speak from now on; a roll-back and an undo are the same with the one before."""
    return _ask({"order": "promote", "model": request.form.get("model", "")})


@page.post("/models/leaks")
def leaks() -> AnyResponse:
    """Ask the engine to run the leak tests."""
    return _ask({"order": "leaks"})


def _ask(letter: dict[str, str]) -> AnyResponse:
    """Leave an order for the engine and show the page again, which says that it was asked for."""
    asked = {name: value[:100] for name, value in letter.items()}
    if not stores().heartbeat().is_alive(stores().mono_s()):
        raise ProblemError(503, "engine_offline", "the engine is offline, so nothing was asked of it; try again soon")
    if not stores().mailbox.put(asked):
        raise ProblemError(503, "engine_busy", "the engine has not taken the last orders yet; try again soon")
    return redirect(url_for("models.index", horizon=request.form.get("show") or None), 303)
