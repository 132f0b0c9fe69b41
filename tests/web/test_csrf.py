"""Only our own pages may ask for a change."""

import re

import pytest

from web.csrf import COOKIE, FIELD

READING = {"GET", "HEAD", "OPTIONS"}


def token_of(client, path="/models"):
    """Return the token of a form of the page; the client keeps its cookie."""
    return re.search(rf'name="{FIELD}" value="([0-9a-f]+)"', client.get(path).text)[1]


def changing_routes(site):
    """Return path and method of every route that is no mere reading, nor a question that is too long for an address."""
    return [
        (re.sub(r"<[^>]+>", "x", rule.rule), method)
        for rule in site.url_map.iter_rules()
        for method in rule.methods - READING
        if rule.endpoint != "batch.batch"
    ]


def test_every_route_that_changes_something_refuses_who_has_no_token(lively):
    routes = changing_routes(lively.site)

    answers = {
        (path, method): lively.site.test_client().open(path, method=method).status_code for path, method in routes
    }

    assert len(routes) >= 4
    assert set(answers.values()) == {403}


def test_a_form_of_our_page_is_accepted(lively):
    client = lively.site.test_client()

    answer = client.post("/models/cancel", data={FIELD: token_of(client)})

    assert answer.status_code == 303
    assert lively.stores.mailbox.waiting() == [{"order": "cancel"}]


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Origin": "http://localhost:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_another_site_is_refused_even_with_a_token(lively, headers):
    client = lively.site.test_client()
    token = token_of(client)

    answer = client.post("/models/cancel", data={FIELD: token}, headers=headers)

    assert answer.status_code == 403
    assert lively.stores.mailbox.waiting() == []


def test_our_own_origin_is_accepted(lively):
    client = lively.site.test_client()
    headers = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}

    assert client.post("/models/cancel", data={FIELD: token_of(client)}, headers=headers).status_code == 303


def test_the_token_of_one_visitor_is_none_of_another(lively):
    one, other = lively.site.test_client(), lively.site.test_client()
    token_of(other)

    answer = other.post("/models/cancel", data={FIELD: token_of(one)})

    assert answer.status_code == 403
    assert "load it again" in answer.text


@pytest.mark.parametrize("visitor", ["", "0", "é" * 32, "0" * 31, "g" * 32])
def test_a_made_up_cookie_is_no_visitor(lively, visitor):
    client = lively.site.test_client()
    client.set_cookie(COOKIE, visitor)

    assert client.post("/models/cancel", data={FIELD: ""}).status_code == 403


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(lively):
    cookie = lively.get("/models").headers["Set-Cookie"]

    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie


def test_a_page_without_a_form_sets_no_cookie(lively):
    assert "Set-Cookie" not in lively.get("/").headers


def test_a_path_that_does_not_exist_is_still_not_found(lively):
    assert lively.site.test_client().post("/nowhere").status_code == 404
    assert lively.site.test_client().post("/").status_code == 405
