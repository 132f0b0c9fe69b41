import re
from html.parser import HTMLParser

import pytest

from web.security import HEADERS

PATHS = [
    "/",
    "/system",
    "/models",
    "/s/BTCUSDT",
    "/s/NOPE",
    "/nope",
    "/healthz",
    "/api/v1/status",
    "/api/v1/nope",
    "/static/css/styles.css",
]


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_carries_the_headers(lively, path):
    answer = lively.get(path)

    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS


def test_nothing_inline_or_foreign_is_allowed(lively):
    policy = lively.get("/").headers["Content-Security-Policy"]

    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


class Inline(HTMLParser):
    """Collects what a page says in itself instead of in a file, and what it fetches from elsewhere."""

    def __init__(self):
        super().__init__()
        self.found, self._within = [], None

    def handle_starttag(self, tag, attributes):
        names = dict(attributes)
        self.found += [f"{tag} {name}" for name in names if name == "style" or name.startswith("on")]
        self.found += ["style"] if tag == "style" else []
        fetched = [
            names.get("src"),
            names.get("href") if tag in ("link", "use", "image") else None,
            names.get("action"),
        ]
        self.found += [f"{tag} {place}" for place in fetched if place and not place.startswith(("/", "#"))]
        self.found += [
            f"{tag} {place}" for place in names.values() if place and re.match(r"\s*(javascript|data):", place)
        ]
        self._within = tag

    def handle_data(self, text):
        if self._within == "script" and text.strip():
            self.found.append(f"script {text[:40]}")

    def handle_endtag(self, tag):
        self._within = None


def pages_of(site):
    """Return an address of each page."""
    rules = [rule for rule in site.url_map.iter_rules() if "GET" in rule.methods and rule.endpoint.endswith(".index")]
    return [re.sub(r"<[^>]+>", "BTCUSDT", rule.rule) for rule in rules]


def test_no_page_has_inline_code_or_style_or_fetches_from_elsewhere(lively):
    found = {}
    for path in [*pages_of(lively.site), "/s/NOPE", "/nope"]:
        reader = Inline()
        reader.feed(lively.get(path).text)
        found[path] = reader.found

    assert len(found) >= 7
    assert {path: what for path, what in found.items() if what} == {}


def test_an_answer_that_is_not_modified_carries_the_headers(lively):
    tag = lively.get("/api/v1/ledger").headers["ETag"]

    answer = lively.get("/api/v1/ledger", headers={"If-None-Match": tag})

    assert answer.status_code == 304
    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS


def test_the_event_stream_carries_the_headers(lively):
    answer = lively.get("/api/v1/stream", buffered=False)
    answer.close()

    assert answer.status_code == 200
    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS


def test_what_a_visitor_types_is_only_text(lively):
    page = lively.get("/?filter=<script>alert(1)</script>").text

    assert "<script>alert" not in page
