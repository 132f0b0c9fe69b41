"""The pages in a real browser: nothing on the console, nothing clipped, nothing foreign, and alive."""

import json
import time
from urllib.parse import urlsplit

import pytest

pytestmark = pytest.mark.service

T0 = 1_763_640_000_000
SIZES = {"desktop": (1366, 900), "phone": (390, 844)}
PATHS = ("/?horizon=1h", "/s/EDGEUSDT?horizon=1h")
CLIPPED = """() => [...document.querySelectorAll("table")].filter((table) => table.offsetParent).flatMap((table) => {
    const box = table.closest(".scroll, .card").getBoundingClientRect();
    return [...table.rows].flatMap((row) => [...row.cells].slice(-1))
        .filter((cell) => cell.offsetParent && !cell.closest(".scroll") && cell.getBoundingClientRect().right > box.right + 0.5)
        .map((cell) => cell.textContent);
})"""
SMALL = """() => [...document.querySelectorAll(".seg a, .btn, .field input")].filter((one) => one.offsetParent)
    .filter((one) => one.getBoundingClientRect().height < 40).map((one) => one.outerHTML)"""


@pytest.fixture
def open_page(chromium, served):
    """Return a function that opens a page and collects what the browser complains about."""
    contexts = []

    def open_one(path, size="desktop", theme="dark", javascript=True):
        width, height = SIZES[size]
        context = chromium.new_context(
            viewport={"width": width, "height": height}, color_scheme=theme, java_script_enabled=javascript
        )
        contexts.append(context)
        page = context.new_page()
        page.complaints, page.asked = [], []
        page.on("console", lambda message: page.complaints.append(message.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on("request", lambda request: page.asked.append(request.url))
        page.goto(served.url + path, wait_until="load")
        return page

    yield open_one
    for context in contexts:
        context.close()


@pytest.fixture
def send(served):
    """Return a function that sends an event as the engine does, once a page listens."""

    def send_one(page, name, version, **data):
        message = json.dumps({"event": name, "version": version, "data": data}).encode()
        deadline = time.monotonic() + 10
        while not served.postman.send(message):
            assert time.monotonic() < deadline, "no page listens"
            page.wait_for_timeout(50)

    return send_one


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("path", [*PATHS, "/s/NOPE"])
def test_nothing_is_clipped_foreign_or_complained_about(open_page, served, path, size, theme):
    page = open_page(path, size, theme)
    page.wait_for_function("document.getElementById('theme').hidden === false")
    page.wait_for_timeout(300)

    expected = ["the server responded with a status of 404"] if "NOPE" in path else []
    assert [text for text in page.complaints if not any(known in text for known in expected)] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size][0]
    assert page.evaluate(CLIPPED) == []
    assert {urlsplit(url).netloc for url in page.asked} == {urlsplit(served.url).netloc}


def test_fingers_find_their_targets(open_page):
    assert open_page("/", "phone").evaluate(SMALL) == []


def test_a_price_changes_without_a_reload(open_page, send):
    page = open_page("/?horizon=1h")

    send(page, "price", 1, items=[{"symbol": "BTCUSDT", "price": 9876.5, "change_24h_percent": 3.5, "data_age_s": 0.1}])

    page.wait_for_function("document.querySelector('#r-BTCUSDT .c-price').textContent === '9\u202f876.50'")
    assert page.inner_text("#r-BTCUSDT .c-change") == "+3.50%"


def test_a_prediction_replaces_the_cells_of_its_row(open_page, send, served):
    page = open_page("/?horizon=1h")
    house = served.house
    house.market_ms = T0 + house.length_ms
    published = house.publish(house.prediction("BTCUSDT", "1h", T0, up=0.9))
    house.beat()

    send(page, "prediction", published.version, version=published.version, items=published.rows)

    page.wait_for_function("document.querySelector('#r-BTCUSDT .c-verdict').textContent.trim() === 'up'")
    assert page.inner_text("#r-BTCUSDT .c-prob b") == "90.0%"
    page.wait_for_function("document.querySelector('#board tbody tr').id === 'r-BTCUSDT'")
    assert page.complaints == []


def test_a_feed_that_falls_silent_is_told_without_a_reload(open_page, served):
    page = open_page("/")
    page.wait_for_function("!document.getElementById('notice').textContent.trim()")

    served.house.beat(feed={"state": "stale"})

    page.wait_for_selector("text=The feed is stale.", timeout=10_000)
    assert page.locator("#r-BTCUSDT").inner_text().count("–") >= 2


def test_a_page_that_lost_its_server_says_so(open_page, served):
    page = open_page("/")
    page.evaluate("window.keep = 1")
    page.wait_for_timeout(500)

    served.house.site.extensions["live"].close()

    page.wait_for_selector("#lost:not([hidden])", timeout=15_000)
    assert "Reconnecting" in page.inner_text("#lost")


def test_the_keyboard_filters_and_changes_the_theme(open_page):
    page = open_page("/?horizon=1h")
    page.wait_for_function("document.getElementById('theme').hidden === false")

    page.keyboard.press("/")
    page.keyboard.type("doge")
    visible = page.locator("#board tbody tr:visible")
    assert [row.get_attribute("id") for row in visible.all()] == ["r-DOGEUSDT"]

    page.keyboard.press("Escape")
    page.keyboard.press("t")
    assert page.get_attribute("html", "data-theme") == "light"
    page.reload()
    assert page.get_attribute("html", "data-theme") == "light"


def test_a_filter_of_the_address_can_be_changed(open_page):
    page = open_page("/?horizon=1h&filter=doge")

    page.fill("#filter", "edge")

    page.wait_for_selector("#r-EDGEUSDT")
    assert [row.get_attribute("id") for row in page.locator("#board tbody tr:visible").all()] == ["r-EDGEUSDT"]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("path", PATHS)
def test_pages_are_whole_without_javascript(open_page, path, size):
    page = open_page(path, size, javascript=False)

    assert page.locator("text=71.0%").first.is_visible()
    assert page.complaints == []
    if path.startswith("/s/"):
        assert page.locator("#chart .plot").is_visible()


def test_the_chart_takes_the_place_of_the_drawing(open_page, served):
    if not (served.house.site.root_path and (page := open_page(PATHS[1])).locator("script[src*='chart.js']").count()):
        pytest.skip("needs the chart library: python download_assets.py")

    page.wait_for_selector("#chart canvas")

    assert page.locator("#chart .plot").count() == 0
    assert page.complaints == []
