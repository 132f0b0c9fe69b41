"""The chart of a symbol in a real browser: lines, keys, picture, address, and new candles without a reload."""

import json
import time
from pathlib import Path

import pytest

sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect
pytestmark = pytest.mark.service

T0 = 1_763_640_000_000
PATH = "/s/EDGEUSDT?horizon=1h"
LINES = "&indicators=sma_20,sma_50,ema_26,bollinger_20,rsi"
PNG = b"\x89PNG\r\n\x1a\n"
MAX_PAGE_BYTES = 130_000
OUTSIDE = """() => {
    const box = document.querySelector(".sy-chart").getBoundingClientRect();
    const parts = document.querySelectorAll(".chart-tools a, .chart-tools button, #legend span, .key > span");
    const seen = [...parts].filter((part) => part.checkVisibility());
    return seen.filter((part) => part.getBoundingClientRect().right > box.right).map((part) => part.textContent);
}"""

ASKED = "performance.getEntriesByType('resource').filter(({ name }) => name.includes('/candles/')).length"
# A close that comes while the chart is made behind the drawing.
EARLY_CLOSE = """new MutationObserver((_, watcher) => {
    if (!document.querySelector("#chart .unready")) return;
    watcher.disconnect();
    window.isCovered = document.querySelector("#chart .plot").checkVisibility();
    document.dispatchEvent(new CustomEvent("parts", { detail: document }));
}).observe(document, { attributes: true, childList: true, subtree: true });"""


def until(page, condition):
    """Return once it holds; the page's policy forbids `wait_for_function` to look a second time."""
    deadline = time.monotonic() + 30
    while not page.evaluate(condition):
        assert time.monotonic() < deadline, condition
        page.wait_for_timeout(50)


@pytest.fixture
def open_chart(chromium, served):
    """Return a function that opens a page of a symbol and waits for its chart, if the library is there."""
    contexts = []

    def open_one(path=PATH, width=1366, theme="dark", wait=True, javascript=True, script=""):
        context = chromium.new_context(
            viewport={"width": width, "height": 900}, color_scheme=theme, java_script_enabled=javascript
        )
        contexts.append(context)
        page = context.new_page()
        page.complaints, page.bodies = [], []
        page.on("console", lambda message: page.complaints.append(message.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on("request", lambda request: page.bodies.append(request.url))
        page.add_init_script(script)
        page.goto(served.url + path, wait_until="load")
        if wait and not page.locator("script[src*='chart.js']").count():
            pytest.skip("needs the chart library: python download_assets.py")
        if wait:
            expect(page.locator("#picture")).to_be_visible()
        return page

    yield open_one
    for context in contexts:
        context.close()


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("width", [360, 390, 768, 1366, 1920])
def test_all_lines_are_drawn_without_a_complaint_or_a_part_outside(open_chart, width, theme):
    page = open_chart(PATH + LINES, width, theme)

    expect(page.locator("#legend [data-key=rsi] b")).to_have_text(page.locator("#candles tr td").nth(11).text_content())
    assert page.complaints == []
    assert page.evaluate(OUTSIDE) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", [360, 1366])
def test_without_javascript_the_chosen_lines_are_in_the_drawing(open_chart, width):
    page = open_chart(PATH + LINES, width, wait=False, javascript=False)

    assert page.locator("#chart .plot .ln").count() == 6
    assert page.locator("#picture, #copy").evaluate_all("all => all.every((one) => one.hidden)")
    assert page.locator(".toggle[aria-current]").count() == 5


def test_numbers_choose_the_candle_length_but_not_while_typing(open_chart):
    page = open_chart(PATH + "&indicators=rsi")

    page.evaluate(
        "document.querySelector('main').append(Object.assign(document.createElement('input'), {id: 'typed'}))"
    )
    page.fill("#typed", "")
    page.keyboard.press("3")
    assert page.input_value("#typed") == "3"
    page.locator("#typed").blur()
    page.keyboard.press("2")

    page.wait_for_url("**/s/EDGEUSDT?horizon=1h&interval=15m&indicators=rsi")
    expect(page.locator("#lengths [aria-current]")).to_have_text("15\u00a0m")


def test_keys_move_and_zoom_the_chart(open_chart, served):
    served.house.add_candles(400, "LONGUSDT")
    served.house.symbols = (*served.house.symbols, "LONGUSDT")
    served.house.beat()
    page = open_chart("/s/LONGUSDT?horizon=1h")
    page.locator("#chart").focus()
    views = []

    for key in ("0", "ArrowLeft", "+", "-", "Home", "End"):
        page.keyboard.press(key)
        views.append(page.locator("#chart-view").text_content())

    first, left, near, far, home, end = views
    assert first == "19 Nov, 23:45 UTC to 20 Nov, 12:10 UTC"
    assert [view.partition(",")[2][:6] for view in (left, near, far)] == [" 22:30", " 01:00", " 22:30"]
    assert home.startswith("19 Nov, 02:40 UTC to ")
    assert end.endswith(" to 20 Nov, 12:10 UTC")
    assert page.complaints == []


@pytest.mark.parametrize(
    ("horizon", "interval", "end"),
    [("1h", "5m", "13:15"), ("1h", "4h", "16:00"), ("4h", "5m", "16:30")],  # due at 13:00 and 16:00, and three steps
)
def test_a_forecast_ends_when_it_is_due_whatever_the_candles(open_chart, served, horizon, interval, end):
    served.house.publish(served.house.prediction("EDGEUSDT", "4h", up=0.7))
    served.house.beat()
    page = open_chart(f"/s/EDGEUSDT?horizon={horizon}&interval={interval}", 390)

    page.locator("#chart").focus()
    page.keyboard.press("End")

    assert page.locator("#chart-view").text_content().endswith(f" to 20 Nov, {end} UTC")
    assert page.complaints == []


def test_in_a_window_of_another_width_the_chart_is_as_if_it_had_begun_there(open_chart, served):
    served.house.add_candles(400, "LONGUSDT")
    served.house.symbols = (*served.house.symbols, "LONGUSDT")
    served.house.beat()
    path = "/s/LONGUSDT?horizon=1h"
    turned, narrow = open_chart(path, 1366), open_chart(path, 390)

    turned.set_viewport_size({"width": 390, "height": 900})
    until(turned, "document.getElementById('chart').clientWidth < 390")
    turned.evaluate("new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)))")

    for page in (turned, narrow):
        page.locator("#chart").focus()
        page.keyboard.press("ArrowLeft")
    assert turned.locator("#chart-view").text_content() == narrow.locator("#chart-view").text_content()


def test_a_moved_chart_keeps_its_view_in_a_window_of_another_width(open_chart, served):
    served.house.add_candles(400, "LONGUSDT")
    served.house.symbols = (*served.house.symbols, "LONGUSDT")
    served.house.beat()
    page = open_chart("/s/LONGUSDT?horizon=1h")
    page.locator("#chart").focus()
    page.keyboard.press("Home")
    before = page.locator("#chart-view").text_content()

    page.set_viewport_size({"width": 800, "height": 900})
    until(page, "document.getElementById('chart').clientWidth < 800")
    page.evaluate("new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)))")

    page.keyboard.press("Home")
    assert page.locator("#chart-view").text_content() == before


def test_the_chart_is_saved_as_a_picture_that_names_its_time(open_chart):
    page = open_chart(PATH + "&indicators=ema_26")

    with page.expect_download() as saved:
        page.click("#picture")

    assert saved.value.suggested_filename == "EDGEUSDT-5m-2025-11-20-12-00.png"
    assert Path(saved.value.path()).read_bytes().startswith(PNG)
    assert page.complaints == []


def test_the_copied_address_holds_the_whole_view(open_chart, served):
    page = open_chart("/s/EDGEUSDT?indicators=rsi")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])

    page.click("#copy")

    expect(page.locator("#copy")).to_have_text("Copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == f"{served.url}/s/EDGEUSDT?indicators=rsi&horizon=4h&interval=5m"


def test_a_new_candle_comes_into_the_chart_and_its_table_without_a_reload(open_chart, served):
    page = open_chart(PATH + "&indicators=sma_20")
    expect(page.locator("#legend [data-key=time]")).to_have_text("20 Nov, 11:55 UTC")
    page.evaluate("window.isTheSame = true")
    house = served.house
    house.add_candle("EDGEUSDT", T0, 104.25)
    house.market_ms = T0 + house.length_ms
    published = house.publish(house.prediction("EDGEUSDT", "1h", T0, up=0.8))
    house.beat()

    message = {"event": "prediction", "version": published.version}
    message["data"] = {"version": published.version, "items": published.rows}
    deadline = time.monotonic() + 10
    while not served.postman.send(json.dumps(message).encode()):
        assert time.monotonic() < deadline, "no page listens"
        page.wait_for_timeout(50)

    expect(page.locator("#legend [data-key=time]")).to_have_text("20 Nov, 12:00 UTC")
    expect(page.locator("#legend [data-key=close] b")).to_have_text("104.25")
    expect(page.locator("#candles tr").first).to_contain_text("104.25")
    assert page.evaluate("window.isTheSame")
    assert page.complaints == []


def test_a_close_before_the_chart_is_ready_is_not_missed(open_chart):
    page = open_chart(script=EARLY_CLOSE)

    assert page.evaluate("window.isCovered")
    until(page, f"{ASKED} >= 2")  # more where the page looked again for a reason of its own
    expect(page.locator("#chart .unready, #chart .plot")).to_have_count(0)
    assert page.complaints == []


def test_a_hole_is_named_by_the_chart(open_chart, served):
    house = served.house
    house.add_candles(60, "HOLEUSDT", T0 - 20 * house.length_ms)
    house.add_candles(15, "HOLEUSDT", T0 - house.length_ms)
    house.symbols = (*house.symbols, "HOLEUSDT")
    house.beat()

    assert open_chart("/s/HOLEUSDT?horizon=1h").locator("#gaps-key").is_visible()
    assert not open_chart().locator("#gaps-key").is_visible()


def test_the_page_with_its_chart_is_light_on_the_wire(open_chart, served):
    page = open_chart(PATH + LINES)

    paths = {url.removeprefix(served.url) for url in page.bodies if "/stream" not in url}
    sizes = {path: len(served.house.get(path, headers={"Accept-Encoding": "br"}).data) for path in paths}
    assert sum(sizes.values()) <= MAX_PAGE_BYTES, sizes
