"""The pages in a real browser: wide figures fit, no part needs JavaScript, and all is alive."""

import re
import time

import pytest

from market.predictions import Origin
from tests.web.browser_page import FLAGS, misfits
from web.formats import signed_percent
from web.live import MAX_STREAMS

expect = pytest.importorskip("playwright.sync_api").expect
pytestmark = pytest.mark.service

T0 = 1_763_640_000_000
PHONE = (390, 844)
SIZES = [(1366, 900), PHONE]
PATHS = ("/?horizon=1h", "/s/EDGEUSDT?horizon=1h")
CUT_CALLS = """() => {
    const box = document.querySelector(".tape ol").getBoundingClientRect();
    return [...document.querySelectorAll(".tape li")].filter((call) => {
        const { bottom, right } = call.getBoundingClientRect();
        return bottom > box.bottom + 2 || right > box.right + 1;
    }).map((call) => call.title);
}"""
HEARS_STATUS = "new Promise((go) => document.addEventListener('status', () => go(), { once: true }))"
LIT = re.compile(r"\bflash\b")
# The light lasts 900 ms, which a busy machine may need between two looks.
NOTE_LIGHT = """() => { new MutationObserver(() => {
    const isLit = document.querySelector("#r-BTCUSDT .c-verdict")?.classList.contains("flash");
    if (isLit) document.documentElement.dataset.wasLit = "yes";
}).observe(document.getElementById("board"), { attributeFilter: ["class"], subtree: true }); }"""
# The first formatter of a page costs as much as its other scripts together.
COUNT_FORMATTERS = """window.made = 0;
Intl.DateTimeFormat = new Proxy(Intl.DateTimeFormat, {
    construct: (kind, given) => { window.made += 1; return new kind(...given); },
    apply: (kind, _, given) => { window.made += 1; return kind(...given); },
});"""

KEEP_STREAMS = """window.streams = [];
window.EventSource = new Proxy(EventSource, {
    construct: (kind, given) => { const stream = new kind(...given); window.streams.push(stream); return stream; },
});
addEventListener("pageshow", (event) => { if (event.persisted) document.documentElement.dataset.restored = ""; });"""


@pytest.mark.parametrize("is_local", [False, True])
@pytest.mark.parametrize("path", PATHS)
def test_a_page_makes_no_formatter_it_does_not_need(chromium, served, path, is_local):
    page = chromium.new_page(timezone_id="Asia/Tokyo")
    page.add_init_script(COUNT_FORMATTERS)
    page.goto(served.url + path, wait_until="load")
    if is_local:
        page.keyboard.press("z")
        expect(page.locator("#clock")).to_contain_text("Tokyo time")
    clock = page.locator("#clock-text")
    if page.locator("script[src*='chart.js']").count():
        expect(page.locator("#picture")).to_be_visible()
    page.evaluate("document.getElementById('clock-text').textContent = ''")

    expect(clock).to_have_text(re.compile(r"^\d\d:\d\d:\d\d$"))
    assert page.evaluate("window.made") == is_local
    page.close()


def test_wide_figures_are_not_clipped_on_a_phone(open_page, served):
    house = served.house
    made_ms = T0 - 3_600_000 - house.length_ms
    house.add_candle("WIDEUSDT", made_ms, 100.0)
    house.add_candle("WIDEUSDT", T0 - house.length_ms, 70.0)
    house.symbols = (*house.symbols, "WIDEUSDT")
    house.publish(house.prediction("WIDEUSDT", "1h", made_ms, 0.1))
    house.ledger.score(T0)
    house.beat()

    page = open_page("/s/WIDEUSDT?horizon=1h", PHONE)

    expect(page.locator("#scored")).to_contain_text("+2\u202f976.0")
    assert misfits(page) == {}


def test_the_time_of_a_scored_row_stands_in_one_line_on_a_phone(open_page, served):
    house = served.house
    calls = [(5, 0.55), (6, 0.7), (7, 0.3)]
    made = [(T0 - hours * 3_600_000 - house.length_ms, up) for hours, up in calls]
    house.add_candles(120, "MIXEDUSDT")
    rows = [house.prediction("MIXEDUSDT", "1h", open_ms, up, origin=Origin.REPLAYED) for open_ms, up in made]
    house.ledger.add_replayed(rows, [])
    house.ledger.score(T0)
    house.symbols = (*house.symbols, "MIXEDUSDT")
    house.beat()

    page = open_page("/s/MIXEDUSDT?horizon=1h", PHONE)

    times = page.locator("#scored .c-made a")
    assert times.evaluate_all("all => all.map((one) => one.getClientRects().length)") == [1, 1, 1]
    assert misfits(page) == {}


@pytest.mark.parametrize("width", [360, 390, 768, 1024, 1366])
def test_long_names_of_models_and_symbols_are_not_clipped(open_page, served, width):
    house = served.house
    made_ms = T0 - 3_600_000 - house.length_ms
    house.add_candle("1000000MOGUSDT", made_ms, 100.0)
    house.add_candle("1000000MOGUSDT", T0 - house.length_ms, 170.0)
    house.candles.settle()
    long = {"model": "hist_gradient_boosting-1h-0123456789ab-w2", "origin": Origin.REPLAYED}
    house.ledger.add_replayed([house.prediction("1000000MOGUSDT", "1h", made_ms, 0.4, **long)], [])
    house.ledger.score(T0)

    page = open_page("/record?horizon=1h")
    page.set_viewport_size({"width": width, "height": 900})

    expect(page.locator("#models")).to_contain_text("hist_gradient_boosting-1h-0123456789ab-w2")
    assert misfits(page) == {}


@pytest.mark.parametrize("width", [390, 768, 1024, 1366, 1600])
def test_all_calls_of_the_tape_are_seen(open_page, width):
    page = open_page("/?horizon=1h")
    page.set_viewport_size({"width": width, "height": 844})

    assert page.locator(".tape li").count() == 10
    assert page.evaluate(CUT_CALLS) == []


def test_a_price_changes_without_a_reload(open_page, send):
    page = open_page("/?horizon=1h")

    send(page, "price", 1, items=[{"symbol": "BTCUSDT", "price": 9876.5, "change_24h_percent": 3.5, "data_age_s": 0.1}])

    expect(page.locator("#r-BTCUSDT .c-price")).to_have_text("9\u202f876.50")
    expect(page.locator("#r-BTCUSDT .c-change")).to_have_text("+3.50%")


@pytest.mark.parametrize("change", [-0.004, -0.001, 0.0, 0.001, -0.006, -12.5])
def test_a_change_that_comes_later_is_written_as_the_server_writes_it(open_page, send, change):
    page = open_page("/?horizon=1h")

    send(page, "price", 1, items=[{"symbol": "BTCUSDT", "price": 9, "change_24h_percent": change, "data_age_s": 0.1}])

    expect(page.locator("#r-BTCUSDT .c-price")).to_have_text("9.00")
    assert page.locator("#r-BTCUSDT .c-change").text_content() == signed_percent(change / 100, 2)


def test_only_a_price_that_rested_is_lit_when_it_moves(open_page, send, served):
    page = open_page("/healthz")
    page.clock.install(time=0)
    page.clock.pause_at(1_000)
    page.goto(served.url + "/?horizon=1h")
    price = page.locator("#r-BTCUSDT .c-price")

    send(page, "price", 1, items=[{"symbol": "BTCUSDT", "price": 1.5, "change_24h_percent": 1, "data_age_s": 0}])
    expect(price).to_have_text("1.50")
    page.clock.run_for(100)
    expect(price).not_to_have_class(LIT)

    page.clock.run_for(11_000)
    deadline = time.monotonic() + 10
    while price.text_content() != "2\u202f547.61":  # it heard nothing for so long that it looks at all rows again
        assert time.monotonic() < deadline, price.text_content()
        page.clock.run_for(500)  # faster than its server speaks, however slow the machine is
    send(page, "price", 1, items=[{"symbol": "BTCUSDT", "price": 2.5, "change_24h_percent": 1, "data_age_s": 0}])
    expect(price).to_have_text("2.50")
    page.clock.run_for(100)
    expect(price).to_have_class(LIT)
    page.clock.run_for(1_000)
    expect(price).not_to_have_class(LIT)


def test_a_prediction_replaces_the_cells_of_its_row(open_page, send, served):
    page = open_page("/?horizon=1h")
    house = served.house
    house.market_ms = T0 + house.length_ms
    published = house.publish(house.prediction("BTCUSDT", "1h", T0, up=0.9))
    house.beat()

    send(page, "prediction", published.version, version=published.version, items=published.rows)

    expect(page.locator("#r-BTCUSDT .c-verdict")).to_have_text("up")
    expect(page.locator("#r-BTCUSDT .c-prob b")).to_have_text("90.0%")
    expect(page.locator("#board tbody tr").first).to_have_attribute("id", "r-BTCUSDT")
    assert page.complaints == []


def test_a_close_leaves_alone_what_it_does_not_change(open_page, send, served):
    page = open_page("/?horizon=1h")
    page.evaluate("window.old = document.querySelector('#r-BTCUSDT .c-sym .star')")
    page.evaluate(NOTE_LIGHT)
    page.locator("#r-BTCUSDT .sym a:not(.star)").focus()
    house = served.house
    house.add_candle("BTCUSDT", T0, 2_600.0)
    house.market_ms = T0 + house.length_ms
    published = house.publish(house.prediction("BTCUSDT", "1h", T0, up=0.9))
    house.beat()

    send(page, "prediction", published.version, version=published.version, items=published.rows)

    expect(page.locator("#r-BTCUSDT .c-prob b")).to_have_text("90.0%")
    assert page.evaluate("window.old.isConnected")
    expect(page.locator("#r-BTCUSDT .sym a:not(.star)")).to_be_focused()
    expect(page.locator("html")).to_have_attribute("data-was-lit", "yes")
    assert page.complaints == []


def test_rows_that_find_their_place_after_the_page_was_looked_at_are_shown_too(open_page, send, served):
    page = open_page("/?horizon=1h")
    house = served.house
    house.market_ms = T0 + house.length_ms
    published = house.ledger.publish([house.prediction("BTCUSDT", "1h", T0, up=0.9)])
    with page.expect_response(lambda answer: answer.request.resource_type == "fetch"):
        send(page, "prediction", published.version, version=published.version, items=published.rows)

    house.ledger.settle()
    house.beat()

    expect(page.locator("#r-BTCUSDT .c-prob b")).to_have_text("90.0%")
    expect(page.locator("#c-close")).to_have_attribute("data-close", str(house.market_ms))


def test_a_feed_that_falls_silent_is_told_without_a_reload(open_page, served):
    page = open_page("/")
    expect(page.locator("#notice")).to_have_text("")

    served.house.beat(feed={"state": "stale"})

    expect(page.locator("#notice")).to_contain_text("The feed is stale.", timeout=10_000)
    expect(page.locator("#r-BTCUSDT .c-prob")).to_have_text("–")


def test_a_feed_that_falls_behind_is_told_until_it_has_caught_up(open_page, served):
    page = open_page("/")
    expect(page.locator("#notice")).to_have_text("")

    served.house.beat(feed={"lag_s": 3.2})
    expect(page.locator("#notice")).to_contain_text("behind by 3.2 s", timeout=10_000)
    served.house.beat()

    expect(page.locator("#notice")).to_have_text("", timeout=10_000)


@pytest.mark.parametrize("path", ["/?horizon=1h", "/record?horizon=1h"])
def test_a_page_begins_anew_when_the_market_is_another_one(open_page, served, path):
    page = open_page(path)
    expect(page.locator(".foot")).to_contain_text("Simulated market: Binance did not answer and is asked again.")
    page.evaluate("window.isTheSame = true")
    page.evaluate(HEARS_STATUS)  # of the market as it was

    served.house.venue = "binance-1"
    served.house.beat(market="binance")

    expect(page.locator("#source")).to_contain_text("Binance", timeout=10_000)
    expect(page.locator(".foot")).not_to_contain_text("imulated")
    assert page.evaluate("window.isTheSame") is None
    assert page.complaints == []


def test_a_page_begins_anew_when_the_market_changes_before_it_listens(chromium, served):
    def change(route):
        served.house.venue = "binance-1"
        served.house.beat(market="binance")
        route.continue_()

    page = chromium.new_page()
    page.route("**/api/v1/stream*", change, times=1)
    page.goto(served.url + "/?horizon=1h")

    expect(page.locator("#source")).to_contain_text("Binance", timeout=10_000)
    page.close()


def test_the_system_page_follows_without_a_reload(open_page, served):
    page = open_page("/system")
    expect(page.locator("#feed")).to_contain_text("Gaps found, repaired0, 0")
    page.evaluate("window.isTheSame = true")

    served.house.add_gap("EDGEUSDT", is_repaired=False)
    served.house.states["BTCUSDT"] = "gapped"
    served.house.beat(feed={"gaps_found": 1})

    expect(page.locator("#gaps tbody tr")).to_contain_text("EDGEUSDT", timeout=10_000)
    expect(page.locator("#troubled tbody tr")).to_contain_text("BTCUSDT", timeout=10_000)
    expect(page.locator("#verdict")).to_contain_text("Healthy, with two remarks.", timeout=10_000)
    assert page.evaluate("window.isTheSame")
    assert page.complaints == []


def test_reasons_that_are_written_after_a_look_come_by_themselves(open_page, served):
    house = served.house
    house.publish(house.prediction("BTCUSDT", "1h", T0, 0.52))
    house.market_ms = T0 + house.length_ms
    house.beat()
    page = open_page("/s/BTCUSDT?horizon=1h")
    expect(page.locator("#side")).to_contain_text("Its reasons are being written.")

    house.explain("BTCUSDT", "1h", open_ms=T0)

    expect(page.locator("#side")).to_contain_text("Gains against losses", timeout=10_000)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_the_system_page_is_whole_without_javascript(open_page, size):
    page = open_page("/system", size, javascript=False)

    assert page.locator("#verdict", has_text="Healthy.").is_visible()
    assert page.locator("#ages li").count() == 3


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_the_record_is_whole_and_filtered_without_javascript(open_page, served, size):
    served.house.lengthen()
    page = open_page("/record?horizon=1h", size, javascript=False)
    assert page.locator("#finding", has_text="best baseline").is_visible()
    assert page.locator("#reliability .plot").is_visible()

    page.fill("#symbol", "DOGEUSDT")
    page.locator("form").get_by_text("Show").click()

    expect(page.locator("#rows tbody tr")).to_have_count(8)
    assert "symbol=DOGEUSDT" in page.url
    assert page.complaints == []


def test_a_page_that_lost_its_server_says_so(open_page, served):
    page = open_page("/")

    served.house.site.extensions["live"].close()

    expect(page.locator("#lost")).to_be_visible(timeout=20_000)
    expect(page.locator("#lost")).to_contain_text("Reconnecting")


def test_a_page_without_a_place_in_the_stream_asks_again_instead(open_page, served):
    taken = [served.house.site.extensions["live"].open(None) for _ in range(MAX_STREAMS)]
    page = open_page("/?horizon=1h")
    page.clock.install()
    page.reload()
    served.house.states["BTCUSDT"] = "gapped"
    served.house.beat()

    page.clock.fast_forward(5_500)
    expect(page.locator("#r-BTCUSDT")).to_have_attribute("data-state", "gapped")
    page.clock.fast_forward(5_500)

    expect(page.locator("#lost")).to_be_hidden()
    assert len(taken) == MAX_STREAMS


def test_a_page_that_the_back_button_restores_has_one_stream(chromium, served, require_program):
    path = require_program("chromium", "apt-get install chromium")
    kept = {"args": FLAGS, "ignore_default_args": ["--disable-back-forward-cache"]}
    browser = chromium.browser_type.launch(executable_path=path, **kept)
    page = browser.new_page()
    page.add_init_script(KEEP_STREAMS)
    page.goto(served.url + "/?horizon=1h", wait_until="load")
    page.evaluate(HEARS_STATUS)
    page.goto(served.url + "/docs")

    page.evaluate("setTimeout(() => history.back())")
    expect(page.locator("html[data-restored]")).to_be_attached()

    assert page.evaluate("window.streams.map((stream) => stream.readyState < EventSource.CLOSED)") == [False, True]
    browser.close()


def test_the_keyboard_filters_and_changes_the_theme(open_page):
    page = open_page("/?horizon=1h")
    expect(page.locator("#theme")).to_be_visible()

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

    expect(page.locator("#r-EDGEUSDT")).to_be_visible()
    expect(page.locator("#board tbody tr:visible")).to_have_count(1)


@pytest.mark.parametrize("choice", ["#head .c-price a", "#show a >> nth=1", "nav[aria-label=Horizon] a >> nth=1"])
def test_another_board_keeps_the_filter_of_the_address(open_page, choice):
    page = open_page("/healthz")
    with page.expect_response(
        lambda answer: answer.request.resource_type == "fetch"
    ):  # of all rows, without the filter
        page.goto(page.url.replace("/healthz", "/?horizon=1h&filter=doge"))
    expect(page.locator("#board tbody tr")).to_have_count(3)

    page.click(choice)

    expect(page.locator("#filter")).to_have_value("doge")
    assert "filter=doge" in page.url


def test_another_board_keeps_the_filter_that_was_typed_until_it_is_emptied(open_page):
    page = open_page("/?horizon=1h")
    link = page.locator("nav[aria-label=Horizon] a").last
    plain = link.get_attribute("href")

    page.fill("#filter", "a&b")
    assert link.get_attribute("href") == f"{plain}&filter=a%26b"
    page.fill("#filter", "")
    assert link.get_attribute("href") == plain


def test_a_filtered_board_without_a_row_says_why_there_is_none(open_page):
    page = open_page("/?horizon=4h&filter=btc&show=signals")

    expect(page.locator("#board tbody")).to_contain_text("No signal now")
    expect(page.locator("#board tbody")).not_to_contain_text("contains")


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("path", PATHS)
def test_pages_are_whole_without_javascript(open_page, path, size):
    page = open_page(path, size, javascript=False)

    assert page.locator("text=71.0%").first.is_visible()
    assert page.complaints == []
    if path.startswith("/s/"):
        assert page.locator("#chart .plot").is_visible()


def test_the_chart_takes_the_place_of_the_drawing(open_page):
    page = open_page(PATHS[1])
    if not page.locator("script[src*='chart.js']").count():
        pytest.skip("needs the chart library: python download_assets.py")

    expect(page.locator("#chart canvas").first).to_be_visible()
    expect(page.locator("#chart .plot")).to_have_count(0)
    assert page.complaints == []
