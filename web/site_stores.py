"""Find the stores, the settings and the live streams of the site that serves this request."""

from typing import cast

from flask import current_app

from config import Config
from web.described import DescribedApi
from web.kept_answers import KeptAnswers
from web.latency import Latencies
from web.live import Live
from web.own_use import OwnUse, Used
from web.stores import Stores


def stores() -> Stores:
    """Return what this site reads."""
    return cast("Stores", current_app.extensions["stores"])


def settings() -> Config:
    """Return the settings this site was made with."""
    return cast("Config", current_app.extensions["settings"])


def described_api() -> DescribedApi:
    """Return the API this site serves, which can describe itself."""
    return cast("DescribedApi", current_app.extensions["api"])


def live() -> Live:
    """Return the fan-out of the event stream."""
    return cast("Live", current_app.extensions["live"])


def kept_answers() -> KeptAnswers:
    """Return the cache of whole answers."""
    return cast("KeptAnswers", current_app.extensions["kept_answers"])


def latencies() -> Latencies:
    """Return how long this process's answers took."""
    return cast("Latencies", current_app.extensions["latencies"])


def used() -> Used:
    """Return what this process uses now."""
    return cast("OwnUse", current_app.extensions["own_use"]).look()
