"""Every route, every method, everything that is wrong: always an answer, never a trace, always the headers."""

import csv
import io
import logging
import random
import re

import pytest

from config import CHECKOUT, Config
from tests.web.test_csrf import token_of
from web.answers import csv_answer
from web.csrf import FIELD
from web.security import HEADERS
from web.site import create_site

METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "BREW")
HOSTILE = [
    "../../etc/passwd",
    "..%2f..%2fetc%2fpasswd",
    "%2e%2e/%2e%2e",
    "%00",
    "%0d%0aX-Evil:%201",
    "' OR 1=1 --",
    "<script>alert(1)</script>",
    "{{7*7}}",
    "${jndi:ldap://x}",
    "%ff%fe",
    "=1+1",
    "٣",
    "NaN",
    "-1",
    "9" * 400,
    "A" * 2_000,
    "",
    " ",
    "\u202e",
]
HEADER_SETS = [
    {},
    {"Accept": "application/xml"},
    {"Accept-Encoding": "identity;q=0, *;q=0"},
    {"If-None-Match": '"' + "x" * 500},
    {"Range": "bytes=9-1"},
    {"Cookie": "candela-8000-theme=<script>; candela-form=\u00e9; candela-8000-session=a.b.c"},
    {"Last-Event-ID": "٣"},
    {"Content-Type": "application/json"},
    {"X-Forwarded-Proto": "https"},
    {"Authorization": "Basic !!!"},
]
BODIES = [
    b"",
    b"{",
    b"null",
    b"[1]",
    b'{"paths": null}',
    b'{"paths": [1, {}, null]}',
    b'{"paths": ["//evil.example/api/v1/status", "/api/v1/../../etc", "http://evil.example/"]}',
    b'{"a": ' + b"[" * 20_000,
    b'{"a": 1e999999, "b": ' + b"9" * 5_000 + b"}",
    b'{"a": "\xff\xfe", "a": "\\ud800"}',
    b"\xff" * 1_000,
    b"token=" + b"%" * 1_000,
    b"&".join([b"token=1"] * 5_000),
]
CANARY = "canary-4f1c-secret"
FORMULAS = ("=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1")


def routes(site):
    """Return the pattern of each address, but for the stream, which never ends."""
    return sorted({rule.rule for rule in site.url_map.iter_rules() if not rule.rule.endswith("/stream")})


def filled(pattern, value):
    return re.sub(r"<[^>]+>", lambda _: value, pattern)


def faults(answer):
    """Return what is wrong with an answer, whatever was asked."""
    text = answer.get_data(as_text=True)
    missing = [name for name, value in HEADERS.items() if answer.headers.get(name) != value]
    told = [word for word in ("Traceback", str(CHECKOUT), "site-packages", CANARY) if word in text]
    broken = ["5xx"] if answer.status_code >= 500 and answer.status_code != 503 else []
    return [*missing, *told, *broken]


def test_every_route_stands_every_method_and_hostile_input(lively, caplog):
    caplog.set_level(logging.WARNING)
    client, chance = lively.site.test_client(), random.Random(1)
    found = {}

    for pattern in routes(lively.site):
        for method in METHODS:
            for value in chance.sample(HOSTILE, 4):
                query = {chance.choice(["symbol", "limit", "cursor", "fields", "horizon", "x"]): chance.choice(HOSTILE)}
                headers = chance.choice(HEADER_SETS)
                path = filled(pattern, value)
                answer = client.open(path or "/", method=method, query_string=query, headers=headers)
                if wrong := faults(answer):
                    found[method, path, str(query)] = (answer.status_code, wrong)

    assert found == {}
    assert "Traceback" not in caplog.text
    assert lively.get("/healthz").status_code == 200


def test_every_form_stands_hostile_fields(lively):
    client, chance = lively.site.test_client(), random.Random(2)
    token = token_of(client)
    found = {}

    for path in {rule.rule for rule in lively.site.url_map.iter_rules() if "POST" in rule.methods}:
        for value in HOSTILE:
            fields = dict.fromkeys(("model", "horizon", "show", "next", "order", "password"), value)
            answer = client.post(path, data={FIELD: token, **fields}, headers=chance.choice(HEADER_SETS[:2]))
            place = answer.headers.get("Location", "/")
            if (wrong := faults(answer)) or not place.startswith("/") or place.startswith("//"):
                found[path, value] = (answer.status_code, wrong, place)

    assert found == {}


def test_every_route_that_takes_a_body_stands_a_broken_one(lively):
    client, found = lively.site.test_client(), {}

    for path in {rule.rule for rule in lively.site.url_map.iter_rules() if "POST" in rule.methods}:
        for body in BODIES:
            for kind in ("application/json", "application/x-www-form-urlencoded", "text/plain; charset=nope", "?/?"):
                answer = client.post(path, data=body, content_type=kind)
                if (wrong := faults(answer)) or answer.status_code < 400:
                    found[path, body[:40], kind] = (answer.status_code, wrong)

    assert found == {}


def test_each_problem_of_the_api_carries_an_id_that_is_in_the_log(lively, caplog):
    caplog.set_level(logging.INFO)

    answers = [lively.get(f"/api/v1/{path}") for path in ("nope", "ledger?limit=0", "candles/NOPE", "predictions/x")]

    assert all(f"id={answer.json['id']}" in caplog.text for answer in answers)
    assert len({answer.json["id"] for answer in answers}) == len(answers)


def test_no_answer_of_any_route_holds_the_password_or_a_path_of_the_server(lively, caplog):
    caplog.set_level(logging.DEBUG)
    config = Config(INSTANCE_DIR=lively.folder, SAVED_MODELS_DIR=lively.folder / "models", PASSWORD=CANARY)
    site = create_site(lively.stores, config)
    client = site.test_client()
    secrets = (CANARY, str(lively.folder), str(CHECKOUT))

    texts = {}
    for pattern in routes(site):
        for value in ("BTCUSDT", "nope"):
            for login in (("", CANARY), None):
                texts[pattern, value, login] = client.get(filled(pattern, value), auth=login).get_data(as_text=True)
    site.extensions["stores"] = None
    texts["broken"] = client.get("/system", auth=("", CANARY)).text
    site.extensions["live"].close()

    assert {place for place, text in texts.items() if any(secret in text for secret in secrets)} == set()
    assert CANARY not in caplog.text
    assert CANARY not in repr(config)


@pytest.mark.parametrize("text", FORMULAS)
def test_no_spreadsheet_runs_a_cell_of_a_csv(lively, text):
    with lively.site.test_request_context():
        body = csv_answer([{"name": text, "number": -1.5}], ["name", "number"], "x").get_data(as_text=True)

    name, number = list(csv.reader(io.StringIO(body, newline="")))[1]
    assert (name, number) == (f"'{text}", "-1.5")


def test_every_csv_of_the_site_is_made_by_the_one_that_escapes():
    writers = [
        path.name
        for path in (CHECKOUT / "web").glob("**/*.py")
        if re.search(r"\bcsv\.(?:D|w)", path.read_text("utf-8"))
    ]

    assert writers == ["answers.py"]


@pytest.mark.parametrize(
    "path", ["/console", "/?__debugger__=yes&cmd=resource&f=debugger.js", "/_debug", "/.git/config"]
)
def test_there_is_no_debugger_and_no_hidden_file(lively, path):
    answer = lively.get(path)

    assert "debugger" not in answer.text.lower().replace("__debugger__", "")
    assert answer.status_code in (200, 404)
    assert not lively.site.debug
