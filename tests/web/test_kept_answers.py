"""A finished answer is given again as it is until something it shows has changed."""

import re
import threading

import pytest

from web.kept_answers import MAX_BYTES, KeptAnswers

LIST = "/api/v1/predictions"


def kept(house):
    return house.site.extensions["kept_answers"].stats()


@pytest.mark.parametrize(
    "path", ["/", "/s/BTCUSDT", "/record", LIST, f"{LIST}.csv", "/api/v1/symbols", "/api/v1/chain"]
)
def test_the_second_time_it_is_the_same_without_asking_the_site(lively, path):
    first = lively.get(path)
    again = lively.get(path)

    assert kept(lively).hits == 1
    assert (again.data, dict(again.headers)) == (first.data, dict(first.headers))


@pytest.mark.parametrize("encoding", ["zstd", "br", "gzip"])
def test_a_kept_answer_is_kept_compressed(lively, encoding):
    headers = {"Accept-Encoding": encoding}
    first = lively.get("/", headers=headers)
    again = lively.get("/", headers=headers)
    plain = lively.get("/")

    assert again.headers["Content-Encoding"] == encoding
    assert again.data == first.data
    assert "Content-Encoding" not in plain.headers


def test_who_has_it_is_told_so_without_asking_the_site(lively):
    tag = lively.get("/").headers["ETag"]

    answer = lively.get("/", headers={"If-None-Match": tag})

    assert (answer.status_code, answer.data, answer.headers["ETag"]) == (304, b"", tag)
    assert "Content-Security-Policy" in answer.headers
    assert "Content-Type" not in answer.headers
    assert kept(lively).hits == 1


def test_a_list_of_the_ledger_stays_over_a_heartbeat_and_goes_with_the_version(lively):
    lively.get(LIST)
    lively.now_s += 1
    lively.beat()
    lively.get(LIST)
    over_a_heartbeat = kept(lively).hits

    lively.publish(lively.prediction("BTCUSDT", "1h", 1_763_640_000_000, 0.66))

    assert over_a_heartbeat == 1
    assert 0.66 in [row["probability_up"] for row in lively.items(LIST)]


def test_a_page_goes_with_the_heartbeat(lively):
    lively.get("/?horizon=1h")
    lively.states["EDGEUSDT"] = "gapped"
    lively.beat()

    assert 'data-state="gapped"' in lively.get("/?horizon=1h").text


def test_who_has_the_page_of_this_moment_is_told_so_until_the_market_goes_on(lively):
    tag = lively.get("/").headers["ETag"]
    same_moment = lively.get("/", headers={"If-None-Match": tag})
    lively.now_s += 1
    lively.market_ms += 60_000
    lively.beat()

    next_moment = lively.get("/", headers={"If-None-Match": tag})

    assert (same_moment.status_code, next_moment.status_code) == (304, 200)
    assert next_moment.headers["ETag"] != tag


def test_a_page_goes_with_a_commit(lively):
    before = lively.items("/api/v1/gaps")

    lively.add_gap("BTCUSDT")

    assert (len(before), len(lively.items("/api/v1/gaps"))) == (0, 1)


def test_a_page_without_an_engine_grows_old_in_words(lively):
    lively.get("/")
    lively.now_s += 3

    page = lively.get("/").text

    assert "The engine is offline" in page
    assert re.search(r'data-age="3\.0"', page)


def test_a_list_found_unchanged_is_kept_on(lively):
    path = "/api/v1/candles/BTCUSDT"
    tag = lively.get(path).headers["ETag"]
    lively.now_s += 1

    answers = [lively.get(path, headers={"If-None-Match": tag}).status_code for _ in range(3)]

    assert answers == [304, 304, 304]
    assert kept(lively).hits == 2


@pytest.mark.parametrize(
    "other",
    [{"Cookie": "candela-8000-theme=dark"}, {"Host": "other.example"}, {"Authorization": "Basic Og=="}],
)
def test_who_asks_otherwise_gets_an_answer_of_his_own(lively, other):
    lively.get("/")

    answer = lively.site.test_client(use_cookies=False).get("/", headers=other)

    assert kept(lively).hits == 0
    assert ('data-theme="dark"' in answer.text) == ("Cookie" in other)


def test_a_page_with_a_form_is_for_its_visitor_only(lively):
    first, other = lively.site.test_client(), lively.site.test_client()
    tokens = [re.search(r'name="token" value="(\w+)"', client.get("/models").text)[1] for client in (first, other)]

    first.get("/models")

    assert tokens[0] != tokens[1]
    assert kept(lively).hits == 0


@pytest.mark.parametrize("path", ["/nope", "/api/v1/ledger?limit=9999", "/healthz", "/api/v1/status"])
def test_errors_and_signs_of_life_are_never_kept(lively, path):
    for _ in range(2):
        lively.get(path)

    assert (kept(lively).hits, kept(lively).answers) == (0, 0)


def test_there_is_a_limit_and_the_oldest_goes_first(lively):
    cache = KeptAnswers(_page, lively.site.extensions["kept_answers"]._watch)
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/"}
    for number in range(20):
        list(cache({**environ, "QUERY_STRING": str(number)}, lambda *_: None))

    stats = cache.stats()
    assert stats.size_bytes <= MAX_BYTES
    assert stats.answers + stats.evictions == 20
    assert stats.evictions > 0


def _page(environ, start_response):
    environ["candela.keep"] = lambda now, then: True
    start_response("200 OK", [("ETag", '"one"')])
    return [b"x" * 900_000]


@pytest.mark.parametrize("is_old", [True, False])
def test_many_who_ask_at_once_have_an_answer_made_once(lively, is_old):
    made, bodies = [], []
    is_asked = threading.Event()
    may_answer = threading.Event()

    def page(environ, start_response):
        environ["candela.keep"] = lambda now, then: now.mono_s == then.mono_s
        made.append(environ)
        is_asked.set()
        may_answer.wait(10)
        start_response("200 OK", [("ETag", f'"{len(made)}"')])
        return [b"page"]

    cache = KeptAnswers(page, lively.site.extensions["kept_answers"]._watch)

    def ask():
        bodies.append(b"".join(cache({"REQUEST_METHOD": "GET", "PATH_INFO": "/"}, lambda *_: None)))

    if is_old:
        may_answer.set()
        ask()
        may_answer.clear()
        is_asked.clear()
        lively.now_s += 1
    askers = [threading.Thread(target=ask) for _ in range(8)]
    for asker in askers:
        asker.start()
    assert is_asked.wait(10)
    may_answer.set()
    for asker in askers:
        asker.join(10)

    assert bodies == [b"page"] * (8 + is_old)
    assert len(made) == 1 + is_old


def test_who_asks_for_what_is_not_kept_waits_for_nobody_twice(lively):
    asked = []

    def page(environ, start_response):
        asked.append(environ)
        start_response("200 OK", [])
        return [b"sign of life"]

    cache = KeptAnswers(page, lively.site.extensions["kept_answers"]._watch)
    ask = lambda: list(cache({"REQUEST_METHOD": "GET", "PATH_INFO": "/healthz"}, lambda *_: None))  # noqa: E731
    askers = [threading.Thread(target=ask) for _ in range(8)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join(10)

    assert len(asked) == 8
    assert cache.stats().answers == 0


def test_an_answer_that_is_none_any_more_is_forgotten(lively):
    lively.get("/s/BTCUSDT")
    lively.symbols = ("EDGEUSDT",)
    lively.beat()

    answer = lively.get("/s/BTCUSDT")

    assert (answer.status_code, kept(lively).answers) == (404, 0)
