import re
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from config import Config
from tests.web.test_csrf import changing_routes, token_of
from web.csrf import FIELD
from web.guesses import MAX_FAILURES, WINDOW_SECONDS, Guess, Guesses
from web.login import OPEN_ENDPOINTS, local_place
from web.sessions import COOKIE, KEY_FILE, Sessions
from web.site import create_site
from web.stores import Stores

PASSWORD = "sésame, open"
PAGE = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}


def make_site(folder, **settings):
    return create_site(Stores(folder, folder), Config(INSTANCE_DIR=folder, PASSWORD=PASSWORD, **settings))


@pytest.fixture
def site(tmp_path):
    return make_site(tmp_path)


@pytest.fixture
def locked(site):
    return site.test_client()


def log_in(client, password=PASSWORD, place="/", **options):
    data = {FIELD: token_of(client, "/login"), "password": password, "next": place}
    return client.post("/login", data=data, **options)


def test_no_route_answers_without_the_password_but_those_that_tell_nothing(site):
    closed = {rule.endpoint for rule in site.url_map.iter_rules()} - OPEN_ENDPOINTS

    answers = {
        rule.endpoint: site.test_client().get(re.sub(r"<[^>]+>", "x", rule.rule)).status_code
        for rule in site.url_map.iter_rules()
        if rule.endpoint in closed and "GET" in rule.methods
    }

    assert len(answers) > 15
    assert set(answers.values()) == {401}


def test_two_instances_on_one_host_leave_each_others_cookies_alone(tmp_path):
    one, other = (make_site(tmp_path / name, PORT=port) for name, port in (("one", 8000), ("other", 8001)))
    browser = one.test_client()
    log_in(browser)
    browser.application = other
    assert browser.get("/system", headers=PAGE).status_code == 401
    log_in(browser)

    browser.application = one

    assert browser.get("/system", headers=PAGE).status_code == 200


def test_a_program_is_asked_for_http_basic_and_a_browser_is_shown_the_form(locked):
    program, script, person = (
        locked.get("/api/v1/status"),
        locked.get("/api/v1/status", headers={"Referer": "http://localhost/"}),
        locked.get("/", headers=PAGE),
    )

    assert program.headers["WWW-Authenticate"].startswith("Basic")
    assert (script.status_code, "WWW-Authenticate" in script.headers) == (401, False)
    assert (person.status_code, "WWW-Authenticate" in person.headers) == (401, False)
    assert 'type="password"' in person.text


def test_search_engines_are_told_what_the_form_is_and_not_to_list_it(locked):
    page = locked.get("/login").text

    assert '<meta name="robots" content="noindex">' in page
    assert '<meta name="description" content="' in page


@pytest.mark.parametrize("headers", [{}, PAGE])
def test_who_does_not_know_the_password_learns_nothing_of_the_market(locked, headers):
    page = locked.get("/", headers=headers).text

    assert "asks for its password" in page
    assert not any(word in page for word in ("data-feed", "data-market-ms", "Simulated", "Starting"))


def test_a_refused_form_tells_strangers_nothing_either(locked):
    page = locked.post("/login", data={"password": PASSWORD}).text

    assert not any(word in page for word in ("data-feed", "data-market-ms", "Simulated", "Starting"))


@pytest.mark.parametrize("given", ["", "sesame, open", f"{PASSWORD} ", PASSWORD.upper()])
def test_a_wrong_password_is_refused(locked, given):
    assert locked.get("/", auth=("me", given)).status_code == 401


def test_the_password_opens_everything_to_a_program(locked):
    assert locked.get("/", auth=("anybody", PASSWORD)).status_code == 200
    assert locked.get("/api/v1/status", auth=("", PASSWORD)).status_code == 200


def test_logging_in_leads_back_to_where_one_wanted_to_go(locked):
    form = locked.get("/system?x=1", headers=PAGE).text
    place = re.search(r'name="next" value="([^"]+)"', form)[1]

    answer = log_in(locked, place=place)

    assert (answer.status_code, answer.headers["Location"]) == (303, "/system?x=1")
    assert locked.get("/system").status_code == 200


def test_the_cookie_is_closed_to_scripts_and_other_sites_and_safe_over_https(locked):
    plain = log_in(locked).headers["Set-Cookie"]
    safe = locked.post(
        "/login",
        data={FIELD: token_of(locked, "/login"), "password": PASSWORD},
        base_url="https://localhost",
        headers={"Cookie": f"candela-form={locked.get_cookie('candela-form').value}"},
    ).headers["Set-Cookie"]

    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(plain.split("; "))
    assert "Secure" not in plain
    assert "Secure" in safe.split("; ")


def test_a_wrong_password_on_the_page_says_so_and_opens_nothing(locked):
    answer = log_in(locked, "nothing")

    assert (answer.status_code, "That is not the password." in answer.text) == (401, True)
    assert COOKIE not in answer.headers.get("Set-Cookie", "")


def test_logging_in_needs_a_form_of_our_own(locked):
    assert locked.post("/login", data={"password": PASSWORD}).status_code == 403


def test_every_route_that_changes_something_refuses_who_has_no_token(locked, site):
    log_in(locked)

    answers = {(path, method): locked.open(path, method=method).status_code for path, method in changing_routes(site)}

    assert {("/login", "POST"), ("/logout", "POST")} <= answers.keys()
    assert set(answers.values()) == {403}


def test_logging_out_ends_every_session(locked, site):
    other = site.test_client()
    log_in(locked)
    log_in(other)

    answer = locked.post("/logout", data={FIELD: token_of(locked, "/login")})

    assert answer.status_code == 303
    assert [client.get("/system").status_code for client in (locked, other)] == [401, 401]


def test_logging_out_ends_the_streams_that_are_open(lively):
    config = Config(INSTANCE_DIR=lively.folder, SAVED_MODELS_DIR=lively.folder / "models", PASSWORD=PASSWORD)
    site = create_site(lively.stores, config)
    client = site.test_client()
    log_in(client)
    stream = client.get("/api/v1/stream")
    frames = iter(stream.response)
    begun = [next(frames) for _ in range(2)]

    client.post("/logout", data={FIELD: token_of(client, "/login")})
    rest = next(frames, None)

    stream.close()
    site.extensions["live"].close()
    assert b"event: status" in begun[1]
    assert rest is None


def test_logging_out_ends_what_was_kept_for_the_session_too(lively):
    config = Config(INSTANCE_DIR=lively.folder, SAVED_MODELS_DIR=lively.folder / "models", PASSWORD=PASSWORD)
    site = create_site(lively.stores, config)
    one, other = site.test_client(), site.test_client()
    log_in(one)
    log_in(other)
    before = [other.get("/api/v1/predictions").status_code for _ in range(2)]
    was_kept = site.extensions["kept_answers"].stats().hits

    one.post("/logout", data={FIELD: token_of(one, "/login")})

    assert (before, was_kept) == ([200, 200], 1)
    assert other.get("/api/v1/predictions").status_code == 401


def test_another_password_ends_the_sessions_of_the_old_one(tmp_path):
    cookie = Sessions(tmp_path, PASSWORD).open()

    assert Sessions(tmp_path, PASSWORD).is_open(cookie)
    assert not Sessions(tmp_path, "another").is_open(cookie)


def test_a_session_of_another_instance_or_a_changed_one_is_none(tmp_path):
    cookie = Sessions(tmp_path / "one", PASSWORD).open()
    here = Sessions(tmp_path / "two", PASSWORD)
    here.open()

    assert not here.is_open(cookie)
    assert not any(here.is_open(text) for text in ("", "x", "a.b.c", f"{cookie}x", "é.é.é", "\0"))


def test_the_secret_of_sessions_is_its_owners_alone(tmp_path):
    Sessions(tmp_path, PASSWORD).open()

    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600


def test_the_sixth_guess_is_not_looked_at(locked):
    guesses = [locked.get("/", auth=("me", f"guess {n}")).status_code for n in range(MAX_FAILURES)]

    right_but_late = locked.get("/api/v1/status", auth=("me", PASSWORD))

    assert guesses == [401] * MAX_FAILURES
    assert right_but_late.status_code == 429
    assert 0 < int(right_but_late.headers["Retry-After"]) <= WINDOW_SECONDS
    assert log_in(locked).status_code == 429


def test_a_kept_answer_does_not_tell_who_must_wait_which_password_is_right(lively):
    config = Config(INSTANCE_DIR=lively.folder, SAVED_MODELS_DIR=lively.folder / "models", PASSWORD=PASSWORD)
    client = create_site(lively.stores, config).test_client()
    before = [client.get("/api/v1/chain", auth=("me", PASSWORD)).status_code for _ in range(2)]
    for n in range(MAX_FAILURES):
        client.get("/api/v1/chain", auth=("me", f"guess {n}"))

    after = client.get("/api/v1/chain", auth=("me", PASSWORD)).status_code

    assert (before, after) == ([200, 200], 429)


def test_who_has_a_session_is_not_locked_out_by_the_guesses_of_others(locked, site):
    log_in(locked)
    for n in range(MAX_FAILURES + 1):
        site.test_client().get("/", auth=("me", f"guess {n}"))

    assert locked.get("/system").status_code == 200


def test_guesses_are_counted_by_client_and_forgotten_in_time():
    now_s = 0.0
    guesses = Guesses(PASSWORD, lambda: now_s)
    for _ in range(MAX_FAILURES):
        guesses.judge("wrong", "2001:db8::1")

    assert guesses.judge(PASSWORD, "2001:db8::ffff") is Guess.REFUSED
    assert guesses.judge(PASSWORD, "192.0.2.1") is Guess.RIGHT
    now_s = WINDOW_SECONDS
    assert guesses.judge(PASSWORD, "2001:db8::1") is Guess.RIGHT


def test_visitors_of_ipv4_are_counted_one_by_one_where_the_socket_is_one_of_ipv6():
    guesses = Guesses(PASSWORD)
    for _ in range(MAX_FAILURES):
        guesses.judge("wrong", "::ffff:192.0.2.1")

    waits = [guesses.wait_seconds(client) > 0 for client in ("192.0.2.1", "::ffff:192.0.2.2", "::1")]

    assert waits == [True, False, False]


def test_many_guesses_at_once_are_no_more_than_one_after_another():
    guesses = Guesses(PASSWORD)

    with ThreadPoolExecutor(16) as threads:
        found = list(threads.map(lambda n: guesses.judge(f"guess {n}", "192.0.2.1"), range(32)))

    assert found.count(Guess.WRONG) == MAX_FAILURES
    assert found.count(Guess.REFUSED) == 32 - MAX_FAILURES


def test_the_clients_that_are_remembered_are_bounded(monkeypatch):
    monkeypatch.setattr("web.guesses.MAX_CLIENTS", 2)
    guesses = Guesses(PASSWORD)
    for client in ("192.0.2.1", "192.0.2.2", "192.0.2.3"):
        for _ in range(MAX_FAILURES):
            guesses.judge("wrong", client)

    waits = [guesses.wait_seconds(f"192.0.2.{n}") > 0 for n in (1, 2, 3)]

    assert waits == [False, True, True]


def test_a_visitor_cannot_choose_whom_the_guesses_count_for(locked):
    codes = [
        locked.get("/", auth=("me", "guess"), headers={"X-Forwarded-For": f"192.0.2.{n}"}).status_code
        for n in range(MAX_FAILURES + 1)
    ]

    assert codes[-1] == 429


@pytest.mark.parametrize("proxy", ["127.0.0.1", "::ffff:127.0.0.1"])
def test_behind_a_proxy_the_guesses_count_for_the_one_who_guesses(tmp_path, proxy):
    client = make_site(tmp_path, ALLOWED_HOSTS="board.example.org").test_client()

    def ask(visitor, password):
        headers = {"Host": "board.example.org", "X-Forwarded-For": f"203.0.113.9, {visitor}"}
        environ = {"REMOTE_ADDR": proxy}
        return client.get("/", auth=("me", password), headers=headers, environ_overrides=environ).status_code

    codes = [ask("192.0.2.1", "guess") for _ in range(MAX_FAILURES + 1)]

    assert codes[-1] == 429
    assert ask("192.0.2.2", PASSWORD) == 200


@pytest.mark.parametrize(
    "text",
    [
        "//evil.example",
        "/\\evil.example",
        "https://evil.example",
        "https:evil",
        "/\t/evil",
        "evil",
        "",
        "/a\r\nX: y",
        None,
        "/" + "a" * 600,
        "\\/evil",
        "/é",
    ],
)
def test_only_places_of_this_site_are_gone_to(text):
    assert local_place(text) == "/"


def test_a_place_of_this_site_is_kept():
    assert local_place("/s/BTCUSDT?horizon=1h&interval=5m") == "/s/BTCUSDT?horizon=1h&interval=5m"


def test_health_is_told_to_everybody(locked):
    assert locked.get("/healthz").status_code == 200


def test_no_shared_cache_may_keep_what_is_behind_the_login(locked):
    log_in(locked)

    assert "private" in locked.get("/").headers["Cache-Control"]


def test_without_a_password_everybody_may_look(tmp_path):
    site = create_site(Stores(tmp_path, tmp_path), Config(INSTANCE_DIR=tmp_path))

    assert site.test_client().get("/").status_code == 200
    assert "Log out" not in site.test_client().get("/").text
