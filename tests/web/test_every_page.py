"""Every page of the running product in a browser, both themes, wide and narrow, with and without JavaScript.

Pictures of all of them are left in screenshots/ for a person to look at.
"""

import shutil
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest

from config import CHECKOUT
from engine.source import free_port
from tests.house_process import HouseProcess
from tests.web.browser_page import barriers, misfits, watch

expect = pytest.importorskip("playwright.sync_api").expect
pytestmark = [pytest.mark.service, pytest.mark.slow]

PASSWORD = "open, sesame"
CANDLE_MS = 300_000  # closes every five seconds: pages are alive, and still long enough to be looked at
MARKET = {"INTERVAL": "5m", "HORIZONS": "1h,4h", "HISTORY_DAYS": 10}  # where EDGEUSDT gives calls to look at
PATIENCE_MS = 120_000  # a busy machine takes longer; a green run does not wait for it
PICTURES = CHECKOUT / "screenshots"
LINES = "sma_20,sma_50,ema_26,bollinger_20,rsi"
PATHS = {
    "board": "/",
    "board_narrowed": "/?horizon=1h&show=watched&sort=-up&filter=usdt",
    "symbol": "/s/BTCUSDT",
    "symbol_lines": f"/s/EDGEUSDT?horizon=1h&indicators={LINES}",
    "record": "/record?horizon=1h&origin=replayed",
    "record_narrowed": "/record?horizon=1h&origin=replayed&symbol=EDGEUSDT&state=all",
    "record_empty": "/record?horizon=1h&origin=imported",
    "models": "/models?horizon=1h",
    "system": "/system",
    "settings": "/settings",
    "docs": "/docs",
    "prediction_open": "/predictions/{open}",
    "prediction_scored": "/predictions/{scored}",
    "login": "/login",
    "logout": "/login",
    "unknown": "/s/NOPE",
}
WIDE, NARROW = 1366, 390
ALSO = (1920, 768, 683, 360)  # 683: what is left of 1366 at a zoom of 200%


@pytest.fixture(scope="module")
def product(tmp_path_factory, chromium):
    """Return the address of the product, a session in it, and the rows it has; it asks for its password."""
    shutil.rmtree(PICTURES, ignore_errors=True)
    folder, port = tmp_path_factory.mktemp("product"), free_port()
    with HouseProcess(folder, port, PASSWORD=PASSWORD, **MARKET) as house:
        house.wait_for("prediction", 300, lambda: house.get("/readyz"))
        context = chromium.new_context(base_url=f"http://127.0.0.1:{port}")
        page = context.new_page()
        page.goto("/login")
        page.get_by_label("Password").fill(PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url("**/")

        def items(path):
            return context.request.get(f"/api/v1/{path}").json()["items"]

        def foretold():
            return [row for row in items("predictions?horizon=4h") if row["probability_up"] is not None]

        house.wait_for("prediction of the second horizon", 300, foretold)
        house.wait_for("scored row", 120, lambda: items("ledger?horizon=1h&origin=replayed&state=scored&limit=1"))
        rows = {"open": items("ledger?horizon=4h&state=open&limit=1")[0]["id"]}
        rows["scored"] = items("ledger?horizon=1h&origin=replayed&state=scored&limit=1")[0]["id"]
        watched = {
            "name": f"candela-{port}-watch",
            "value": "BTCUSDT.EDGEUSDT.WALKUSDT",
            "url": f"http://127.0.0.1:{port}",
        }
        context.add_cookies([watched])
        yield SimpleNamespace(url=f"http://127.0.0.1:{port}", session=context.storage_state(), rows=rows, house=house)
        context.close()


@pytest.fixture
def visit(chromium, product):
    """Return a function that opens one of the pages as a person who has logged in."""
    contexts = []

    def visit_one(name, width=WIDE, **options):
        session = None if name == "login" else product.session
        contexts.append(chromium.new_context(storage_state=session, **options))
        contexts[-1].set_default_timeout(PATIENCE_MS)
        page = watch(contexts[-1].new_page())
        widen(page, width)
        page.goto(product.url + PATHS[name].format(**product.rows), wait_until="load")
        return page

    yield visit_one
    for context in contexts:
        context.close()


def widen(page, width):
    """Make the window so wide."""
    page.set_viewport_size({"width": width, "height": 900})


def picture(page, name):
    """Keep the whole page for a person to look at, in a window so high that its bars are where they belong."""
    width, height = page.viewport_size["width"], page.evaluate("document.documentElement.scrollHeight")
    page.set_viewport_size({"width": width, "height": max(900, height)})
    page.screenshot(path=PICTURES / f"{name}.png")
    widen(page, width)


def complaints(page, name):
    """Return what the browser said, but for the 404 of the page that is not there."""
    return [text for text in page.complaints if name != "unknown" or "status of 404" not in text]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", PATHS)
def test_a_page_fits_keeps_nobody_out_and_is_quiet(visit, product, name, theme):
    widths = (WIDE, NARROW) if theme == "light" else (NARROW, WIDE)  # each page begins once at each of them
    page = visit(name, widths[0], color_scheme=theme)
    if page.locator("script[src*='chart.js']").count():
        page.wait_for_selector("#chart canvas")
    for width in widths:
        widen(page, width)
        picture(page, f"{name}-{width}-{theme}")
        assert barriers(page) == [], width
        assert misfits(page) == {}, width

    for width in ALSO if theme == "dark" else ():  # themes differ in colour, not in size
        widen(page, width)
        assert misfits(page) == {}, width
    assert complaints(page, name) == []
    assert {urlsplit(url).netloc for url in page.asked} == {urlsplit(product.url).netloc}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_settings_and_the_keys_over_a_page_fit_and_keep_nobody_out(visit, theme):
    page = visit("board", color_scheme=theme)

    for kind, open_it in (("drawer", lambda: page.click("#settings")), ("help", lambda: page.keyboard.press("?"))):
        open_it()
        page.locator(f"dialog.{kind}").wait_for()
        for width in (WIDE, NARROW):
            widen(page, width)
            page.screenshot(path=PICTURES / f"{kind}-{width}-{theme}.png")
            assert barriers(page) == [], (kind, width)
            assert misfits(page) == {}, (kind, width)
        page.keyboard.press("Escape")
    assert page.complaints == []


@pytest.mark.parametrize("name", PATHS)
def test_a_page_is_whole_without_javascript(visit, name):
    page = visit(name, NARROW, java_script_enabled=False)

    picture(page, f"{name}-{NARROW}-without-javascript")
    assert page.locator("h1").count() == 1
    assert misfits(page) == {}
    widen(page, WIDE)
    assert misfits(page) == {}
    assert complaints(page, name) == []


def test_a_close_is_seen_within_one_candle(visit):
    page = visit("board")
    page.evaluate("window.isTheSame = true")
    close = page.locator("#c-close")
    for _ in range(5):  # a busy machine may show two closes at once
        before = close.get_attribute("data-close")
        expect(close).not_to_have_attribute("data-close", before, timeout=PATIENCE_MS)
        if is_next := int(close.get_attribute("data-close")) == int(before) + CANDLE_MS:
            break

    assert is_next
    assert page.evaluate("window.isTheSame")
