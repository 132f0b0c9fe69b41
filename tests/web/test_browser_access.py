"""The pages for whoever sees, moves or reads in another way: by keyboard, in few colours, in large letters, at rest."""

import pytest

from tests.web.browser_page import FLAGS, misfits

expect = pytest.importorskip("playwright.sync_api").expect
pytestmark = pytest.mark.service

PATHS = ("/?horizon=1h", "/s/EDGEUSDT?horizon=1h", "/record?horizon=1h", "/models?horizon=1h", "/system")
# Marks that do not stand out three to one from the page, by fill, line or ground.
FAINT = """() => {
    const light = (colour) => {
        const parts = colour.match(/[\\d.]+/g).slice(0, 3).map((part) => part / 255);
        const [r, g, b] = parts.map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const page = light(getComputedStyle(document.body).backgroundColor);
    const contrast = (colour) => {
        if (!/^rgb/.test(colour) || /^rgba.*, 0\\)$/.test(colour)) return 0;
        const [low, high] = [page, light(colour)].sort((one, other) => one - other);
        return (high + 0.05) / (low + 0.05);
    };
    const marks = `.dot, .mark-hit, .star, .role, .pbar .f, .whisk .e, .whisk .w, .line-of .e, .line-of .w, .meter .f,
        [data-burn], .spark, .plot .body-up, .plot .body-down, .plot .pt, .card-plot .full, .card-plot .ring`;
    return [...document.querySelectorAll(marks)].filter((mark) => mark.checkVisibility()).filter((mark) => {
        const look = getComputedStyle(mark);
        const { fill, stroke, backgroundColor, color } = look;
        const own = mark instanceof SVGElement ? [fill, stroke] : [backgroundColor, mark.matches(".star") ? color : ""];
        return Math.max(...own.map(contrast)) < 3 && look.boxShadow === "none" && look.outlineStyle === "none";
    }).map((mark) => mark.outerHTML.slice(0, 100));
}"""
MOVING = """() => [...document.querySelectorAll("*")].filter((one) => {
    const { animationName, transitionDuration, scrollBehavior } = getComputedStyle(one);
    return animationName !== "none" || !/^0s(, 0s)*$/.test(transitionDuration) || scrollBehavior === "smooth";
}).map((one) => one.outerHTML.slice(0, 100))"""
# What wears a colour of direction and has neither the word nor an arrow nor a sign, nor stands in a row that has.
WORDLESS = """() => [...document.querySelectorAll(".up, .down, .verdict-up, .verdict-down, .is-up, .is-down")]
    .filter((one) => one.checkVisibility() && !one.matches("tr"))
    .filter((one) => {
        const place = one.closest("tr, li, dl, .side-part, .card-body, .sy-chart") ?? one;
        const hasWord = /\\b(up|down)\\b|[+\\u2212]\\d/.test(place.textContent);
        return !hasWord && !place.querySelector("use[href$='#up'], use[href$='#down']");
    }).map((one) => one.outerHTML.slice(0, 100))"""


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("path", PATHS)
def test_every_mark_is_seen_in_forced_colours(open_page, path, theme):
    page = open_page(path, theme=theme, forced_colors="active")

    assert page.evaluate("matchMedia('(forced-colors: active)').matches")
    assert page.evaluate(FAINT) == []
    assert page.complaints == []


@pytest.mark.parametrize("path", PATHS)
def test_nothing_moves_for_whoever_wants_no_motion(open_page, path):
    page = open_page(path, reduced_motion="reduce")
    page.evaluate("document.querySelector('main b').classList.add('flash')")

    assert page.evaluate(MOVING) == []
    assert page.evaluate("getComputedStyle(document.querySelector('.flash')).textDecorationLine") == "underline"


def test_pages_fit_a_reader_of_letters_twice_as_large(chromium, served, require_program):
    path = require_program("chromium", "apt-get install chromium")
    browser = chromium.browser_type.launch(executable_path=path, args=[*FLAGS, "--blink-settings=defaultFontSize=32"])
    page = browser.new_page(viewport={"width": 1366, "height": 900})

    for address in (*PATHS, "/settings", "/docs"):
        page.goto(served.url + address)
        assert page.evaluate("getComputedStyle(document.documentElement).fontSize") == "32px"
        assert misfits(page) == {}, address
    browser.close()


@pytest.mark.parametrize("path", [*PATHS[:3], "/predictions/{id}"])
def test_direction_is_never_told_by_colour_alone(open_page, served, path):
    row = served.house.items("/api/v1/ledger?symbol=EDGEUSDT&state=open")[0]
    page = open_page(path.format(**row))

    assert page.locator(".up, .down, .verdict-up, .verdict-down, .is-up, .is-down").count()
    assert page.evaluate(WORDLESS) == []


def test_what_is_stale_is_grey_and_silent(open_page, served):
    served.house.beat(feed={"state": "stale"})
    page = open_page("/?horizon=1h")
    expect(page.locator("#notice")).to_contain_text("The feed is stale.", timeout=10_000)

    def colour(selector):
        return page.locator(selector).first.evaluate("(one) => getComputedStyle(one).color")

    row = page.locator("#r-EDGEUSDT")
    assert colour("#r-EDGEUSDT .c-price") == colour("#r-EDGEUSDT .mute")
    assert row.locator(".dot").evaluate("(dot) => getComputedStyle(dot).backgroundColor") == "rgba(0, 0, 0, 0)"
    assert row.locator(".verdict-up, .verdict-down, .pbar").count() == 0


KEEP_HEARD = """window.heard = [];
new MutationObserver(() => {
    const text = document.querySelector("#aloud").textContent;
    if (text) window.heard.push(text);
}).observe(document.querySelector("#aloud"), { childList: true, characterData: true, subtree: true });"""


def test_a_screen_reader_hears_once_what_is_wrong_and_no_figure_that_moves(open_page, served):
    page = open_page("/?horizon=1h")
    page.evaluate(KEEP_HEARD)

    for lag_s in (3.2, 4.1, 12.5):
        served.house.beat(feed={"lag_s": lag_s})
        expect(page.locator("#notice")).to_contain_text(f"behind by {lag_s} s", timeout=10_000)
    served.house.now_s += 12
    served.house.beat(feed={"state": "stale", "last_message_mono_s": served.house.now_s - 12})
    expect(page.locator("#notice")).to_contain_text("Silent for 13 s", timeout=10_000)

    behind, stale = page.evaluate("window.heard")
    assert behind.startswith("The feed is behind by 3.2 s. Newest states only")
    assert stale.startswith("The feed is stale. Reconnecting.")
    assert page.locator("main [role=status] [data-age], main [role=status][data-live]").count() == 0


def test_a_screen_reader_hears_once_that_the_server_is_gone(open_page, served):
    page = open_page("/?horizon=1h")
    page.evaluate(KEEP_HEARD)

    served.house.site.extensions["live"].close()
    expect(page.locator("#lost")).to_be_visible(timeout=20_000)
    age = page.locator("#lost-age")
    expect(age).not_to_have_text(age.text_content())

    assert page.evaluate("window.heard") == ["Reconnecting: this page has lost the server."]
    assert page.locator("[role=status] [data-age]").count() == 0


def test_the_first_tab_skips_to_the_content_and_every_stop_is_seen(open_page):
    page = open_page("/?horizon=1h")

    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    outlines = []
    for _ in range(20):
        page.keyboard.press("Tab")
        outlines.append(page.evaluate("getComputedStyle(document.activeElement).outlineStyle"))
    page.locator(".skip").focus()
    page.keyboard.press("Enter")

    assert set(outlines) <= {"solid", "auto"}
    assert page.url.endswith("#main")


@pytest.mark.parametrize("path", PATHS)
def test_keys_work_on_every_page(open_page, path):
    page = open_page(path)
    page.locator("#theme").wait_for()

    page.keyboard.press("t")
    page.keyboard.press("?")
    page.locator("dialog.help").wait_for()
    page.keyboard.press("Escape")
    page.locator("dialog.help").wait_for(state="detached")
    page.keyboard.press("j")

    assert page.get_attribute("html", "data-theme") == "light"
    rows = page.locator("main tbody tr:visible :is(th, td) a[href]:not(.star)")
    assert not rows.count() or page.evaluate("document.activeElement.closest('main tbody tr') !== null")
    assert page.complaints == []
