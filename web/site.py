"""Put the site together: pages, API, stream, static files, errors, compression, security headers."""

import logging
from pathlib import Path
from types import TracebackType

from flask import Flask, request
from flask_compress import Compress

from config import Config
from web import assets, csrf, formats, hosts, latency, limits, login, problems, security, shell
from web.answers import StrictJson
from web.api import PREFIX, nouns
from web.described import describe_api
from web.freshness import Watch
from web.health import health
from web.kept_answers import KeptAnswers
from web.kept_templates import KeptTemplates
from web.live import Live
from web.metrics import metrics
from web.own_use import OwnUse
from web.problems import error_id
from web.stores import Stores
from web.views import pages

logger = logging.getLogger(__name__)

ROOT = Path(__file__).resolve().parents[1]


class Site(Flask):
    """Flask with strict JSON and one log line an error, which carries the id the reader sees."""

    json_provider_class = StrictJson

    def log_exception(self, exc_info: tuple[type, BaseException, TracebackType] | tuple[None, None, None]) -> None:
        """Log an unexpected exception under its id."""
        logger.error("request failed id=%s path=%s", error_id(), request.path, exc_info=exc_info)


def create_site(stores: Stores, config: Config) -> Flask:
    """Return the web application over `stores`; it starts no thread and opens no file before it is asked."""
    market = None if config.MARKET == "auto" else config.MARKET
    stores.expect(config.INTERVAL, config.horizons, market)
    site = Site("candela", root_path=str(ROOT), static_folder=None, template_folder="templates")
    site.jinja_env.bytecode_cache = KeptTemplates(ROOT / "templates" / "__pycache__")
    site.extensions.update(stores=stores, settings=config, live=Live(stores))
    site.config.update(
        COMPRESS_ALGORITHM=["zstd", "br", "gzip"],
        COMPRESS_ZSTD_LEVEL=6,
        COMPRESS_BR_LEVEL=5,
        COMPRESS_MIMETYPES=["text/html", "text/csv", "application/json", "application/problem+json"],
        COMPRESS_STREAMS=False,
    )
    latency.register(site)
    security.register(site)
    hosts.register(site, config)
    limits.register(site)
    login.register(site, config)
    csrf.register(site, config.INSTANCE_DIR)
    Compress(site)
    site.extensions["api"] = describe_api(site, [nouns[name] for name in nouns], PREFIX)
    problems.register(site)
    formats.register(site)
    for name in pages:
        site.register_blueprint(pages[name].blueprint)
    site.register_blueprint(assets.assets)
    site.register_blueprint(health)
    site.register_blueprint(metrics)
    shell.register(site)
    kept_answers = KeptAnswers(site.wsgi_app, Watch(stores), lambda environ: login.may_have(site, environ))
    site.extensions.update(kept_answers=kept_answers, latencies=latency.Latencies(), own_use=OwnUse())
    site.wsgi_app = latency.timed(kept_answers, site.extensions["latencies"])  # type: ignore[assignment]
    return site
