"""What a reader chooses is kept in cookies, and every page keeps to it."""

import re

import pytest

from config import Config
from web.csrf import FIELD
from web.site import create_site

PAGES = ("/", "/s/BTCUSDT", "/record", "/models", "/system", "/settings")


def choose(client, path="/settings", **choices):
    """Fill in the form of the settings page and send it, as a browser without JavaScript does."""
    token = re.search(rf'name="{FIELD}" value="([0-9a-f]+)"', client.get("/settings").text)[1]
    return client.post(path, data={FIELD: token, **choices})


def root(page):
    return re.search(r"<html[^>]*>", page)[0]


@pytest.mark.parametrize("path", PAGES)
def test_every_page_leads_to_the_settings_and_wears_what_was_chosen(lively, path):
    client = lively.site.test_client()
    choose(client, theme="light", direction="mono", density="compact", zone="Asia/Tokyo")

    page = client.get(path).text

    assert 'href="/settings"' in page
    assert root(page) == (
        '<html lang="en" data-theme="light" data-direction="mono" data-density="compact" data-zone="Asia/Tokyo">'
    )


def test_a_default_is_forgotten_and_every_cookie_is_lax(lively):
    client = lively.site.test_client()

    chosen = choose(client, theme="dark").headers.getlist("Set-Cookie")
    choose(client)

    assert all("SameSite=Lax" in cookie for cookie in chosen)
    assert root(client.get("/").text) == '<html lang="en">'


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("theme", "pink"),
        ("direction", '"><script>'),
        ("zone", "Nowhere/Atall"),
        ("zone", "../../etc"),
        ("horizon", "9h"),
    ],
)
def test_a_choice_that_means_nothing_is_refused_and_as_a_cookie_passed_over(lively, name, value):
    client = lively.site.test_client()

    refused = choose(client, **{name: value})
    client.set_cookie(f"candela-8000-{name}", value)
    page = client.get("/")

    assert refused.status_code == 400
    assert "allowed:" in refused.text
    assert page.status_code == 200
    assert root(page.text) == '<html lang="en">'


@pytest.mark.parametrize("path", ["/", "/s/EDGEUSDT?horizon=1h", "/record?horizon=1h", "/system"])
def test_times_are_those_of_the_zone_and_say_so(lively, path):
    lively.add_gap()
    client = lively.site.test_client()
    before = client.get(path).text
    choose(client, zone="Asia/Tokyo")

    page = client.get(path).text

    assert ">12:00:00</span> UTC" in before
    assert ">21:00:00</span> Tokyo time" in page
    assert "All times Tokyo time" in page
    assert not re.search(r"\bUTC\b", re.sub(r"Week, UTC", "", page))


def test_the_horizon_shown_first_is_the_readers_own_until_it_is_gone(lively):
    client = lively.site.test_client()
    choose(client, horizon="1h")

    assert '<a href="?horizon=1h" aria-current="true">' in client.get("/").text
    assert '<a href="?horizon=4h" aria-current="true">' in client.get("/?horizon=4h").text
    client.set_cookie("candela-8000-horizon", "3d")
    assert '<a href="?horizon=4h" aria-current="true">' in client.get("/").text


@pytest.mark.parametrize(
    ("back", "leads_to"),
    [
        ("/s/BTCUSDT?horizon=1h", "/s/BTCUSDT?horizon=1h"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example/", "/"),
        ("/\r\nX: y", "/"),
    ],
)
def test_the_form_leads_back_to_a_page_of_ours_only(lively, back, leads_to):
    answer = choose(lively.site.test_client(), back=back)

    assert answer.status_code == 303
    assert answer.headers["Location"] == leads_to


def test_the_form_remembers_where_its_reader_came_from(lively):
    ours = lively.get("/settings", headers={"Referer": "http://localhost/record?horizon=1h"}).text
    foreign = [
        lively.get("/settings", headers={"Referer": place}).text for place in ("http://evil.example/record", "http://[")
    ]

    assert 'name="back" value="/record?horizon=1h"' in ours
    assert all('name="back" value="/"' in page for page in foreign)


def test_the_watchlist_is_kept_and_holds_followed_symbols_only(lively):
    client = lively.site.test_client()

    answer = choose(client, "/settings/watch", symbol=["EDGEUSDT", "NOPEUSDT"], back="/?show=watched")

    assert answer.headers["Location"] == "/?show=watched"
    assert client.get_cookie("candela-8000-watch").value == "EDGEUSDT"
    assert re.search(r'value="EDGEUSDT" checked', client.get("/settings").text)


@pytest.mark.parametrize("fee", ["7.125", "99.1234", "0.0025", "0"])
def test_a_fee_is_shown_with_all_its_decimals_so_that_saving_another_choice_keeps_it(lively, fee):
    client = lively.site.test_client()
    choose(client, fee=fee)
    shown = re.search(r'name="fee"[^>]* value="([^"]*)"', client.get("/settings").text)[1]

    choose(client, theme="dark", fee=shown)

    assert shown == fee
    assert client.get_cookie("candela-8000-fee").value == fee


def test_the_fee_of_the_board_is_shown_with_all_its_decimals(lively):
    site = create_site(lively.stores, Config(INSTANCE_DIR=lively.folder, FEE_BPS=7.125))

    assert 'placeholder="7.125, as this board is set"' in site.test_client().get("/settings").text
