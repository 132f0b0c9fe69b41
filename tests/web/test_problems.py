import logging
import re

import pytest

API = "/api/v1"
REFUSED = [
    ("ledger?limit=501", "limit"),
    ("ledger?limit=0", "limit"),
    ("ledger?limit=-1", "limit"),
    ("ledger?limit=1.5", "limit"),
    ("ledger?limit=1e2", "limit"),
    ("ledger?limit=", "limit"),
    ("ledger?limit=%D9%A1", "limit"),
    ("ledger?limit=5&limit=6", "limit"),
    ("ledger?horizon=7h", "horizon"),
    ("ledger?horizon=soon", "horizon"),
    ("ledger?state=done", "state"),
    ("ledger?origin=", "origin"),
    ("ledger?cursor=zz.zz", "cursor"),
    ("ledger?cursor=%00", "cursor"),
    ("predictions?cursor=nowhere", "cursor"),
    ("predictions?fields=price,nope", "fields"),
    ("predictions?fields=", "fields"),
    ("skill?by=symbol", "by"),
    ("skill?model=../../etc", "model"),
    ("candles/BTCUSDT?interval=7m", "interval"),
    ("candles/BTCUSDT?interval=1m", "interval"),
    ("candles/BTCUSDT?start=yesterday", "start"),
    ("candles/BTCUSDT?end=99999999999999999", "end"),
    ("candles/BTCUSDT?end=-5", "end"),
    ("candles/BTCUSDT?limit=501", "limit"),
    ("stream?since=-1", "since"),
    ("stream?since=%D9%A1", "since"),
    ("stream?since=+1", "since"),
    ("stream?since=9999999999999999999", "since"),
    ("skill?model=x%0A", "model"),
    ("status?verbose=1", "verbose"),
    ("symbols?limit=5", "limit"),
    ("predictions/some-id?fields=id", "fields"),
    ("models.csv?x=1", "x"),
]


@pytest.mark.parametrize(("path", "field"), REFUSED)
def test_a_bad_argument_is_named_with_what_is_allowed(lively, path, field):
    answer = lively.get(f"{API}/{path}")

    problem = answer.json
    assert answer.status_code == 400
    assert answer.mimetype == "application/problem+json"
    assert {"type", "title", "status", "detail", "code", "field", "allowed", "id"} == set(problem)
    assert (problem["status"], problem["field"]) == (400, field)


@pytest.mark.parametrize("path", ["candles/NOPEUSDT", "ledger?symbol=NOPEUSDT", "skill?symbol=btcusdt"])
def test_an_unknown_symbol_is_not_found(lively, path):
    answer = lively.get(f"{API}/{path}")

    assert (answer.status_code, answer.json["code"]) == (404, "unknown_symbol")
    assert "BTCUSDT" in answer.json["allowed"]


@pytest.mark.parametrize("id_", ["nope", "simulated-1-ffffffffff", "simulated-1-%00", "binance-0000000001"])
def test_an_unknown_prediction_is_not_found(lively, id_):
    answer = lively.get(f"{API}/predictions/{id_}")

    assert (answer.status_code, answer.json["code"]) == (404, "unknown_prediction")


def test_an_unknown_path_of_the_api_is_a_problem(lively):
    answer = lively.get(f"{API}/nope")

    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")


def test_another_method_is_told_which_ones_there_are(lively):
    answer = lively.site.test_client().post(f"{API}/status")

    assert (answer.status_code, answer.json["code"]) == (405, "method_not_allowed")
    assert "GET" in answer.headers["Allow"]


def test_a_page_that_is_not_there_leads_back_and_its_id_is_in_the_log(lively, caplog):
    caplog.set_level(logging.INFO)

    answer = lively.get("/nothing/here")

    error_id = re.search(r'error id <a class="mono" href="/system\?log=\w+#log">(\w+)<', answer.text)[1]
    assert answer.status_code == 404
    assert 'href="/"' in answer.text
    assert f"id={error_id}" in caplog.text


@pytest.mark.parametrize("path", ["/", "/api/v1/skill"])
def test_an_unexpected_failure_shows_an_id_and_no_traceback(lively, caplog, path):
    lively.site.extensions["stores"] = None

    answer = lively.get(path)

    assert answer.status_code == 500
    assert "Traceback" not in answer.text
    assert re.search(r"request failed id=(\w+)", caplog.text)[1] in answer.text


def test_a_database_that_cannot_be_read_is_a_503(lively):
    lively.stores.close()
    for path in lively.folder.glob("simulated-1.db*"):
        path.write_bytes(b"this is no database, it is only a text" * 100)

    answer = lively.get(f"{API}/ledger")

    assert (answer.status_code, answer.json["code"]) == (503, "unavailable")
    assert lively.get("/healthz").status_code == 200
    assert lively.get("/").status_code == 503
