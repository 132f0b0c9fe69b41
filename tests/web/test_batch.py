"""Several questions in one call are answered as if each had been asked alone."""

import pytest
from flask import request, request_started
from werkzeug.wrappers import Request

from config import Config
from web.batch import MAX_PATHS, ask_all
from web.site import create_site

BATCH = "/api/v1/batch"


def ask(house, *paths, **options):
    return house.site.test_client().post(BATCH, json={"paths": list(paths)}, **options)


def test_each_answer_is_the_one_of_its_path(lively):
    paths = ["/api/v1/predictions?limit=2", "/api/v1/skill.csv?by=horizon", "/api/v1/candles/NOPE", "/api/v1/chain"]
    alone = [lively.get(path) for path in paths]

    items = ask(lively, *paths).json["items"]

    assert [item["path"] for item in items] == paths
    assert [item["status"] for item in items] == [200, 200, 404, 200]
    assert [items[at]["body"] for at in (0, 1, 3)] == [alone[0].json, alone[1].text, alone[3].json]
    assert {**items[2]["body"], "id": None} == {**alone[2].json, "id": None}
    assert items[0]["headers"]["ETag"] == alone[0].headers["ETag"]


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/healthz",
        "/api/v1/batch",
        "/api/v1/stream",
        "/api/v1/stream?since=1",
        "/api/v1/../../",
        "/api/v1/str%65am",
        "/api/v1//stream",
        "/api/v1/status\n",
        "http://127.0.0.1/api/v1/status",
        "//evil.example/api/v1/status",
        "/api/v1/status#x",
        "/api/v1/sta tus",
        "",
        7,
    ],
)
def test_only_paths_of_the_api_are_asked(lively, path):
    answer = ask(lively, "/api/v1/status", path)

    assert (answer.status_code, answer.json["field"]) == (400, "paths")
    assert "paths[1]" in answer.json["detail"]


@pytest.mark.parametrize("count", [0, MAX_PATHS + 1])
def test_a_batch_has_one_to_twenty_questions(lively, count):
    answer = ask(lively, *["/api/v1/chain"] * count)

    assert (answer.status_code, answer.json["field"]) == (400, "paths")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"[" * 60_000, b"\xff", b'{"paths": 1}', b'{"path": []}', b"null"])
def test_a_body_that_is_none_is_refused(lively, body):
    answer = lively.site.test_client().post(BATCH, data=body, content_type="application/json")

    assert (answer.status_code, answer.mimetype) == (400, "application/problem+json")


def test_a_form_of_another_page_cannot_ask(lively):
    client = lively.site.test_client()

    plain = client.post(BATCH, data='{"paths": ["/api/v1/chain"]}', content_type="text/plain")
    foreign = client.post(BATCH, json={"paths": ["/api/v1/chain"]}, headers={"Origin": "http://evil.example"})

    assert (plain.status_code, foreign.status_code) == (400, 403)


def test_what_is_too_much_in_all_is_left_out(lively, monkeypatch):
    monkeypatch.setattr("web.batch.MAX_BATCH_BYTES", len(lively.get("/api/v1/ledger").data) + 100)

    items = ask(lively, "/api/v1/ledger", "/api/v1/ledger", "/api/v1/healthy").json["items"]

    assert [item["status"] for item in items] == [200, 413, 413]
    assert items[1]["body"] is None


def test_what_was_read_of_too_large_an_answer_counts_and_nothing_is_asked_after_it(lively, monkeypatch):
    monkeypatch.setattr("web.batch.MAX_BATCH_BYTES", len(lively.get("/api/v1/ledger/all.json").data) - 1)
    asked = []

    with request_started.connected_to(lambda site: asked.append(request.path), lively.site):
        items = ask(lively, "/api/v1/chain", *["/api/v1/ledger/all.json"] * 2, "/api/v1/chain").json["items"]

    assert [item["status"] for item in items] == [200, 413, 413, 413]
    assert asked == [BATCH, "/api/v1/chain", "/api/v1/ledger/all.json"]


def test_the_password_of_the_asker_is_needed_and_passed_on(lively):
    config = Config(INSTANCE_DIR=lively.folder, SAVED_MODELS_DIR=lively.folder / "models", PASSWORD="a long one")
    client = create_site(lively.stores, config).test_client()

    without = client.post(BATCH, json={"paths": ["/api/v1/chain"]})
    given = client.post(BATCH, json={"paths": ["/api/v1/chain"]}, auth=("me", "a long one"))

    assert without.status_code == 401
    assert [item["status"] for item in given.json["items"]] == [200]


def test_one_failing_answer_is_an_item_of_its_own(lively):
    def site(environ, start_response):
        start_response("500 INTERNAL SERVER ERROR", [("Content-Type", "application/problem+json")])
        return [b'{"status":500}']

    (item,) = ask_all(site, Request({"HTTP_HOST": "localhost"}), ["/api/v1/status"])

    assert item["status"] == 500
