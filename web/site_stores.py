"""Find the stores, the settings and the live streams of the site that serves this request."""

from typing import cast

from flask import current_app

from config import Config
from web.described import DescribedApi
from web.kept_answers import KeptStats
from web.live import Live
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


def kept_answers() -> KeptStats:
    """Return how the cache of whole answers does."""
    return cast("KeptStats", current_app.extensions["kept_answers"].stats())
