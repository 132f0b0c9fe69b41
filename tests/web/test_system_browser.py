"""The system page in a real browser: whole at every width, alive, and its buttons work without JavaScript."""

import logging

import pytest

from utils.logs import LOGS_FOLDER, KeptLog

expect = pytest.importorskip("playwright.sync_api").expect
pytestmark = pytest.mark.service

WIDTHS = {"desktop": 1366, "phone": 390}
CLIPPED = """() => [...document.querySelectorAll("table")].filter((table) => table.offsetParent).flatMap((table) => {
    const right = table.closest(".card").getBoundingClientRect().right + 0.5;
    return [...table.querySelectorAll("th, td")].filter((cell) => cell.getBoundingClientRect().right > right)
        .map((cell) => cell.textContent);
})"""
SIDEWAYS = "() => document.documentElement.scrollWidth - innerWidth"
PERFORMANCE = {
    "processor_share": 0.031,
    "functions": {"publish": {"count": 12_004, "p50_ms": 3.1, "p95_ms": 8.0, "p99_ms": 15.5, "max_ms": 30.0}},
    "caches": {
        "models": {"hits": 91_234_567, "misses": 1, "size": 2, "max_size": 100, "evictions": 0, "size_bytes": 1_234_567}
    },
}


@pytest.fixture
def logger(lively):
    kept = KeptLog(lively.folder / LOGS_FOLDER / "engine.log")
    logger = logging.Logger("engine")
    logger.addHandler(kept)
    yield logger
    kept.close()


@pytest.fixture
def open_system(chromium, served):
    """Return a function that opens the page and collects what the browser complains about."""
    contexts = []

    def open_one(query="", size="desktop", theme="dark", javascript=True):
        viewport = {"width": WIDTHS[size], "height": 900}
        context = chromium.new_context(viewport=viewport, color_scheme=theme, java_script_enabled=javascript)
        contexts.append(context)
        page = context.new_page()
        page.complaints = []
        page.on("console", lambda message: page.complaints.append(message.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.goto(f"{served.url}/system{query}", wait_until="load")
        return page

    yield open_one
    for context in contexts:
        context.close()


@pytest.mark.parametrize("size", WIDTHS)
@pytest.mark.parametrize("theme", ["dark", "light"])
def test_nothing_is_cut_and_nothing_complains(open_system, lively, logger, size, theme):
    lively.beat(performance=PERFORMANCE)
    logger.info("model serves horizon=1h model=random_forest-1h-0123456789ab reason='the first model of this horizon'")
    lively.get("/s/BTCUSDT")

    page = open_system("", size, theme)

    assert page.locator("details").evaluate_all("all => all.forEach((one) => { one.open = true; })") is None
    assert page.evaluate(CLIPPED) == []
    assert page.evaluate(SIDEWAYS) <= 0
    assert page.complaints == []


@pytest.mark.parametrize("javascript", [True, False])
def test_a_click_empties_a_cache_and_the_page_says_what_went(open_system, lively, javascript):
    for path in ("/?horizon=1h", "/record"):
        lively.get(path)
    page = open_system("", javascript=javascript)

    page.get_by_role("button", name="Empty scores").click()

    row = page.locator("#caches tr", has_text="Scores")
    expect(row).to_contain_text("ago: ")
    expect(row).to_contain_text(" of 128")
    assert page.url.endswith("/system#caches")


def test_the_log_is_searched_without_javascript(open_system, logger):
    logger.warning("stream lost connection=1")
    logger.info("request refused id=0a1b2c3d status=404")
    page = open_system("", javascript=False)

    page.get_by_placeholder("Word or error id").fill("0a1b2c3d")
    page.get_by_role("button", name="Search").click()

    expect(page.locator("#lines tbody tr")).to_have_count(1)
    page.get_by_role("link", name="Warnings").click()
    expect(page.locator("#lines")).to_contain_text("No line has “0a1b2c3d” in it.")
    page.get_by_role("link", name="Every line").click()
    expect(page.locator("#lines tbody tr")).to_have_count(1)
    expect(page.locator("#lines")).to_contain_text("stream lost")


def test_a_new_line_of_the_log_appears_by_itself_and_what_is_typed_stays(open_system, lively, logger):
    page = open_system()
    page.get_by_placeholder("Word or error id").fill("half a wo")

    logger.warning("stream lost connection=1")

    expect(page.locator("#lines")).to_contain_text("stream lost", timeout=15_000)
    expect(page.get_by_placeholder("Word or error id")).to_have_value("half a wo")
