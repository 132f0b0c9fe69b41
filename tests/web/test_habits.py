"""The board by keyboard, its stars, hints and settings in a real browser, with JavaScript and without."""

import re

import pytest

from tests.web.browser_page import misfits

expect = pytest.importorskip("playwright.sync_api").expect
pytestmark = pytest.mark.service

T0 = 1_763_640_000_000
DESKTOP, PHONE = (1366, 900), (390, 844)


def test_j_and_k_go_from_row_to_row_and_enter_opens_one(open_page):
    page = open_page("/?horizon=1h")

    for key in "jjjk":
        page.keyboard.press(key)
    expect(page.locator("#r-DOGEUSDT .sym a:not(.star)")).to_be_focused()
    page.keyboard.press("Enter")

    expect(page).to_have_url(re.compile(r"/s/DOGEUSDT\?horizon=1h"))
    assert page.complaints == []


def test_j_and_k_pass_by_what_is_folded(open_page):
    page = open_page("/record?horizon=1h&origin=replayed")
    page.locator("#skill table").evaluate("(table) => { table.outerHTML = `<details>${table.outerHTML}</details>`; }")

    page.keyboard.press("j")

    expect(page.locator("#skill a:focus")).to_have_count(0)
    expect(page.locator("main tr a:focus")).to_have_count(1)


def test_digits_choose_the_horizon_and_keep_the_rest(open_page):
    page = open_page("/?horizon=1h&sort=-up")

    page.keyboard.press("2")

    expect(page).to_have_url(re.compile(r"\?horizon=4h&sort=-up$"))


def test_z_changes_between_utc_and_the_zone_of_this_computer(open_page):
    page = open_page("/?horizon=1h", timezone_id="Asia/Tokyo")
    expect(page.locator("#clock")).to_contain_text("UTC")

    page.keyboard.press("z")
    expect(page.locator("#clock")).to_contain_text("Tokyo time")
    expect(page.locator("#clock-text")).to_have_text(re.compile(r"^21:0\d:\d\d$"))
    page.wait_for_load_state("load")  # its scripts come after its words
    page.keyboard.press("z")

    expect(page.locator("#clock")).to_contain_text("UTC")
    assert page.complaints == []


def test_e_exports_and_a_question_mark_lists_the_keys(open_page):
    page = open_page("/?horizon=1h")

    with page.expect_download() as download:
        page.keyboard.press("e")
    page.keyboard.press("?")

    assert download.value.suggested_filename == "predictions.csv"
    expect(page.locator("dialog.help")).to_contain_text("next, previous row")
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_have_count(0)
    assert page.complaints == []


def test_keys_rest_while_one_types(open_page):
    page = open_page("/?horizon=1h")

    page.keyboard.press("/")
    page.keyboard.type("t2?jz")

    expect(page.locator("#filter")).to_have_value("t2?jz")
    expect(page.locator("dialog")).to_have_count(0)
    assert "horizon=1h" in page.url
    assert page.get_attribute("html", "data-theme") is None


def test_what_is_typed_into_the_filter_is_in_the_address(open_page):
    page = open_page("/?horizon=1h")

    page.fill("#filter", "doge")
    page.reload()

    expect(page.locator("#board tbody tr:visible")).to_have_count(1)
    expect(page.locator("#r-DOGEUSDT")).to_be_visible()
    page.fill("#filter", "")
    expect(page.locator("#board tbody tr:visible")).to_have_count(3)


def test_a_star_is_kept_and_counted(open_page):
    page = open_page("/?horizon=1h")

    page.click("#r-DOGEUSDT .star")
    expect(page.locator("#show")).to_contain_text("Watched1")
    page.goto(page.url + "&show=watched")

    expect(page.locator("#board tbody tr")).to_have_count(1)
    expect(page.locator("#r-DOGEUSDT .star")).to_have_attribute("aria-label", "Watched: DOGEUSDT")
    page.click("#r-DOGEUSDT .star")
    expect(page.locator("#board")).to_contain_text("Nothing is watched yet")
    assert page.complaints == []


def test_a_star_leads_to_the_watchlist_without_javascript(open_page):
    page = open_page("/?horizon=1h", javascript=False)

    page.click("#r-DOGEUSDT .star")
    page.check("#w-DOGEUSDT input")
    page.click("text=Save the watchlist")

    expect(page).to_have_url(re.compile(r"/\?show=watched$"))
    assert [row.get_attribute("id") for row in page.locator("#board tbody tr").all()] == ["r-DOGEUSDT"]


def test_settings_are_kept_without_javascript_and_lead_back(open_page):
    page = open_page("/record?horizon=1h", javascript=False)

    page.click("#settings")
    page.check("[name=direction][value=mono]", force=True)
    page.select_option("#zone", "Europe/Berlin")
    page.click("text=Save >> nth=0")

    expect(page).to_have_url(re.compile(r"/record\?horizon=1h$"))
    assert page.get_attribute("html", "data-direction") == "mono"
    expect(page.locator(".foot")).to_contain_text("All times Berlin time")


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=str)
def test_the_drawer_keeps_what_is_chosen_and_leads_back(open_page, size):
    page = open_page("/?horizon=1h&sort=up", size, timezone_id="Asia/Tokyo")

    page.click("#settings")
    drawer = page.locator("dialog.drawer")
    assert drawer.locator("#zone option").nth(1).get_attribute("value") == "Asia/Tokyo"
    drawer.locator("[value=compact]").check(force=True)
    drawer.locator("text=Save").click()

    expect(page).to_have_url(re.compile(r"/\?horizon=1h&sort=up$"))
    assert page.get_attribute("html", "data-density") == "compact"
    assert page.complaints == []


def test_the_hint_goes_and_stays_away_unless_that_is_undone(open_page):
    page = open_page("/?horizon=1h")

    page.click("#hint-off")
    expect(page.locator("#hint")).to_be_hidden()
    page.click("#undo button")
    expect(page.locator("#hint")).to_be_visible()
    page.click("#hint-off")
    page.reload()

    expect(page.locator("#hint")).to_have_count(0)
    expect(page.locator("#undo")).to_have_count(0)


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=str)
def test_a_star_that_was_taken_away_comes_back_for_ten_seconds(open_page, size):
    page = open_page("/s/DOGEUSDT?horizon=1h", size)
    star = page.locator(".sy-head .star")
    page.clock.install()
    star.click()
    expect(page.locator("#undo")).to_have_count(0)

    star.click()
    expect(page.locator("#undo")).to_contain_text("DOGEUSDT is not watched any more.")
    page.click("#undo button")
    expect(star).to_have_attribute("aria-label", "Watched: DOGEUSDT")
    star.click()
    page.mouse.move(0, 0)
    page.clock.fast_forward(10_500)

    expect(page.locator("#undo")).to_have_count(0)
    expect(star).to_have_attribute("aria-label", "Watch: DOGEUSDT")
    assert page.complaints == []


@pytest.mark.parametrize(
    ("path", "link"),
    [
        ("/?show=signals", "/?show=signals&horizon=4h"),
        ("/record?origin=live", "/record?origin=live&horizon=4h&state=scored"),
        ("/models", "/models?horizon=4h"),
    ],
)
def test_a_link_that_is_copied_tells_all_that_is_shown(open_page, served, path, link):
    page = open_page(path, permissions=["clipboard-read", "clipboard-write"])

    page.click("#copy")

    expect(page.locator("#copy")).to_contain_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == served.url + link
    assert page.complaints == []


def test_a_screen_reader_hears_of_new_calls_now_and_then(open_page, send, served):
    page = open_page("/?horizon=1h")
    house = served.house
    expect(page.locator("#told")).to_have_text("")
    for step, up in enumerate((0.9, 0.1)):
        house.market_ms = T0 + (step + 1) * house.length_ms
        published = house.publish(house.prediction("BTCUSDT", "1h", T0 + step * house.length_ms, up=up))
        house.beat()
        send(page, "prediction", published.version, version=published.version, items=published.rows)
        expect(page.locator("#r-BTCUSDT")).to_have_attribute("data-verdict", ("up", "down")[step])

    expect(page.locator("#told")).to_have_text("BTCUSDT up")
    assert page.get_attribute("#told", "role") == "status"


@pytest.mark.parametrize("width", [360, 683, 1024, 1366, 1920])
def test_the_board_fits_every_width_with_long_names_and_alarms(open_page, served, width):
    house = served.house
    house.symbols = (*house.symbols, "1000CHEEMSUSDT", "OPUSDT")
    house.beat(models={"alarms": ["One.", "The refresh of the model of 1h is 9 h late, and nobody knows why."]})

    page = open_page("/?horizon=1h", (width, 900))

    expect(page.locator("#alarms")).to_contain_text("9 h late")
    assert page.locator("main a[href*='/predictions.csv']").is_visible()
    assert page.locator(".sym a").evaluate_all("all => Math.min(...all.map((one) => one.offsetWidth))") >= 24
    assert misfits(page) == {}


def test_the_first_view_is_small(open_page, served):
    page = open_page("/?horizon=1h")
    page.wait_for_load_state("load")

    sizes = page.evaluate("performance.getEntries().map((one) => one.encodedBodySize ?? 0)")

    assert 0 < sum(sizes) <= 60_000
