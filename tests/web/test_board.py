import json
import re

import pytest

from market.predictions import Origin, Reason

T0 = 1_763_640_000_000
HOUR_MS = 3_600_000


def row(page, symbol):
    """Return the table row of a symbol."""
    return re.search(rf'<tr id="r-{symbol}".*?</tr>', page, re.DOTALL)[0]


def words(markup):
    return " ".join(re.sub(r"<[^>]+>", " ", markup).split())


def order(page):
    return re.findall(r'<tr id="r-(\w+)"', page)


def test_a_row_shows_price_probability_edge_verdict_skill_and_age(lively):
    line = row(lively.get("/?horizon=1h").text, "EDGEUSDT")

    assert "2\u202f547.61" in line
    assert re.search(r'data-kind="probability">71.0%<', line)
    assert "+60.0" in line
    assert 'class="verdict verdict-up"' in line
    assert 'data-n="8"' in line
    assert "control" in line
    assert "<polyline" in line


def test_rows_are_sorted_by_edge_then_by_symbol(lively):
    assert order(lively.get("/?horizon=1h").text) == ["EDGEUSDT", "DOGEUSDT", "BTCUSDT"]
    assert order(lively.get("/?horizon=4h").text) == ["BTCUSDT", "DOGEUSDT", "EDGEUSDT"]


def test_an_abstention_says_why(lively):
    page = lively.get("/?horizon=1h").text
    other = lively.get("/?horizon=4h").text

    assert "abstain , cost" in words(row(page, "BTCUSDT"))
    assert "abstain , too few candles" in words(row(other, "BTCUSDT"))
    assert "abstain , no prediction yet" in words(row(other, "EDGEUSDT"))


@pytest.mark.parametrize("state", ["stale", "gapped", "closed"])
def test_what_is_not_fresh_is_silent(lively, state):
    lively.states["EDGEUSDT"] = state
    lively.beat()

    page = lively.get("/?horizon=1h").text

    line = row(page, "EDGEUSDT")
    assert "%" not in words(line).split("2\u202f547.61")[-1].replace("\u22121.25%", "")
    assert f"abstain , {state}" in words(line)
    assert order(page)[-1] == "EDGEUSDT"
    assert "2 of 3 fresh" in words(page)


def test_a_prediction_of_an_earlier_candle_is_not_shown_as_now(lively):
    lively.market_ms = T0 + 2_500_000
    lively.beat()

    assert "abstain , stale" in words(row(lively.get("/?horizon=1h").text, "EDGEUSDT"))


@pytest.mark.parametrize(
    ("feed", "seconds", "word"),
    [
        ({"state": "stale"}, 0, "stale"),
        ({"state": "down"}, 0, "offline"),
        ({"state": "connecting", "last_message_mono_s": None}, 0, "offline"),
        ({}, 130, "offline"),
    ],
)
@pytest.mark.parametrize("path", ["/", "/s/BTCUSDT", "/record", "/system", "/nope"])
def test_every_page_says_in_words_when_the_feed_is_not_live(lively, path, feed, seconds, word):
    lively.beat(feed=feed)
    lively.now_s += seconds

    page = lively.get(path).text

    notice = words(re.search(r'<div id="notice".*?</p>', page, re.DOTALL)[0])
    assert word in notice
    assert re.search(r"\b\d+ (s|min)\b", notice)


@pytest.mark.parametrize("state", ["live", "stale"])
def test_a_page_says_what_cannot_be_written_and_for_how_long(lively, state):
    fault = {"text": "the disk is full", "since_mono_s": lively.now_s - 7}
    lively.beat(feed={"state": state}, fault=fault)

    notice = words(re.search(r'<div id="notice".*?</p>', lively.get("/").text, re.DOTALL)[0])

    assert "Writing waits: the disk is full" in notice
    assert "For 7 s" in notice
    assert ("stale" in notice) == (state == "stale")


def test_a_live_page_has_no_notice(lively):
    notice = re.search(r'<div id="notice" data-live>(.*?)</div>', lively.get("/").text, re.DOTALL)[1]

    assert notice.strip() == ""


@pytest.mark.parametrize("path", ["/", "/s/BTCUSDT", "/system", "/nope"])
def test_a_live_page_has_none_of_the_words_of_a_feed_that_is_not(lively, path):
    page = words(lively.get(path).text).lower()

    assert not re.findall("stale|offline|reconnecting", page)


def test_every_score_and_every_percentage_is_marked(lively):
    for path in (
        "/",
        "/?horizon=1h",
        "/system",
        "/record?horizon=1h",
        "/record?horizon=4h",
        "/s/EDGEUSDT?horizon=1h",
        "/s/BTCUSDT?horizon=4h",
    ):
        page = lively.get(path).text
        body = page[page.index("<main") : page.index("</main>")]
        stack, unmarked = [], []
        for tag, text in re.findall(r"(<[^>]+>)|([^<]+)", body):
            if text:
                if "%" in text and not any(re.search(r"data-(n|kind)=", opened) for opened in stack):
                    unmarked.append(text)
            elif tag.startswith("</"):
                stack.pop()
            elif not re.match(r"<(input|br|path|rect|circle|line|use|polyline)\b", tag):
                stack.append(tag)
        assert unmarked == []


def test_the_strip_tells_skill_with_its_n_interval_and_origin(lively):
    lively.lengthen()

    strip = re.search(r'id="c-skill".*?</div>', lively.get("/?horizon=1h").text, re.DOTALL)[0]

    assert "replayed" in strip
    assert 'data-n="36"' in strip
    assert "n\u00a036" in strip
    assert "no measurable edge" in strip


def test_of_too_few_horizons_only_the_n_is_told(lively):
    page = lively.get("/?horizon=1h").text
    strip = re.search(r'id="c-skill".*?</div>', page, re.DOTALL)[0]

    assert "– too few yet, n 24" in words(strip)
    assert "too few n 8" in words(row(page, "EDGEUSDT"))
    assert "%" not in strip


def test_the_strip_tells_the_skill_of_the_last_seven_days(lively):
    lively.market_ms = T0 + 6 * 86_400_000 + 20 * HOUR_MS  # the calls made more than four hours before T0 are older now
    lively.beat()

    page = lively.get("/?horizon=1h").text

    assert re.search(r'id="c-skill".*?<dd data-n="12">', page, re.DOTALL)
    assert re.search(r'id="c-gap".*?<dd data-n="24">', page, re.DOTALL)


def test_the_tape_shows_resolved_calls(lively):
    tape = re.search(r'id="tape".*?</section>', lively.get("/?horizon=1h").text, re.DOTALL)[0]

    assert 'data-n="10"' in tape
    assert tape.count("<li") == 10
    assert "BTC" not in words(tape)  # it only ever abstained


def test_live_scores_take_over_when_there_are_enough(lively):
    rows = [
        lively.prediction("BTCUSDT", "1h", T0 - hours * HOUR_MS, 0.55, origin=Origin.LIVE) for hours in range(10, 45)
    ]
    lively.add_candles(700, seed=9)
    lively.ledger.add_replayed(rows, [])
    lively.ledger.score(T0)

    assert "1 h, 7 days, live" in words(lively.get("/?horizon=1h").text)


def test_the_countdown_is_market_time(lively):
    lively.now_s += 2

    page = lively.get("/").text

    assert "next in 3:00" in page
    assert 'data-burn width="180"' in page


def test_a_candle_is_late_ten_seconds_after_its_close(lively):
    lively.market_ms = T0 + lively.length_ms + 599_000
    lively.beat()
    closing = lively.get("/").text
    lively.market_ms += 2_000
    lively.beat()

    assert ">closing<" not in closing
    assert "late" in lively.get("/").text


def test_rows_are_filtered_and_chosen_by_the_address(lively):
    assert order(lively.get("/?horizon=1h&filter=oge").text) == ["DOGEUSDT"]
    assert order(lively.get("/?horizon=1h&show=signals").text) == ["EDGEUSDT", "DOGEUSDT"]
    assert "No symbol contains XYZ." in lively.get("/?filter=XYZ").text


@pytest.mark.parametrize("query", ["horizon=7h", "show=everything"])
def test_an_address_that_means_nothing_is_refused_with_what_is_allowed(lively, query):
    answer = lively.get(f"/?{query}")

    assert answer.status_code == 400
    assert "allowed:" in answer.text


def test_the_first_start_says_what_is_going_on(house):
    page = house.get("/").text

    assert "No predictions yet: the engine is starting." in words(page).replace(" .", ".")


def test_the_first_training_shows_how_far_it_is(house):
    house.add_candles(5)
    house.publish(house.prediction(up=None, reason=Reason.MODEL_MISSING))
    house.beat(training={"step": "training 4h", "done": 3, "total": 12, "eta_s": 40})

    page = house.get("/?horizon=1h").text

    assert "No predictions yet: training 4h." in words(page).replace(" .", ".")
    assert "in about 40 s" in words(page)
    assert '<rect class="f" width="100.0"' in page
    assert "abstain , model missing" in words(row(page, "BTCUSDT"))


def test_a_training_that_has_not_told_anything_yet_is_shown_too(house):
    house.beat(training={"step": None, "done": None, "total": None, "eta_s": None})

    assert house.get("/").status_code == 200


def test_the_theme_comes_from_the_cookie(lively):
    client = lively.site.test_client()

    assert '<html lang="en">' in client.get("/").text
    client.set_cookie("candela-8000-theme", "dark")
    assert '<html lang="en" data-theme="dark">' in client.get("/").text
    client.set_cookie("candela-8000-theme", '"><script>')
    assert '<html lang="en">' in client.get("/").text


def test_the_same_page_is_not_sent_twice(lively):
    tag = lively.get("/").headers["ETag"]

    assert lively.get("/", headers={"If-None-Match": tag}).status_code == 304
    lively.now_s += 1.4
    assert lively.get("/", headers={"If-None-Match": tag}).status_code == 200


def test_says_when_the_market_is_a_replay(house):
    house.venue = "simulated-replay-0a1b2c3d"
    house.beat()

    strip = house.get("/").text

    assert "<dt>Market</dt><dd>Replayed" in strip


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("edge", ["EDGEUSDT", "DOGEUSDT", "BTCUSDT"]),
        ("-edge", ["BTCUSDT", "DOGEUSDT", "EDGEUSDT"]),
        ("symbol", ["BTCUSDT", "DOGEUSDT", "EDGEUSDT"]),
        ("-symbol", ["EDGEUSDT", "DOGEUSDT", "BTCUSDT"]),
        ("up", ["EDGEUSDT", "BTCUSDT", "DOGEUSDT"]),
        ("-up", ["DOGEUSDT", "BTCUSDT", "EDGEUSDT"]),
    ],
)
def test_the_address_sorts_the_rows(lively, sort, expected):
    page = lively.get(f"/?horizon=1h&sort={sort}").text

    assert order(page) == expected
    way = "ascending" if sort in ("symbol", "-edge", "-up") else "descending"
    assert re.search(rf'aria-sort="{way}"><a href="\?horizon=1h&amp;sort=', page) or sort.startswith("-")
    assert page.count(f'aria-sort="{way}"') == 1


@pytest.mark.parametrize("sort", ["edge", "-edge", "up", "-up", "age", "-age", "change"])
def test_what_is_unknown_stands_last_whichever_way_it_is_sorted(lively, sort):
    lively.states["EDGEUSDT"] = "gapped"
    symbols = lively.symbols
    lively.beat()
    state = json.loads((lively.folder / "run" / "engine.json").read_text())
    state["symbols"][symbols.index("EDGEUSDT")] |= {"last_message_mono_s": None, "change_24h_percent": None}
    lively.beat(symbols=state["symbols"])

    assert order(lively.get(f"/?horizon=1h&sort={sort}").text)[-1] == "EDGEUSDT"


def test_every_link_and_the_form_keep_the_rest_of_the_state(lively):
    page = lively.get("/?horizon=1h&show=signals&sort=-up&filter=oge").text

    assert order(page) == ["DOGEUSDT"]
    assert "?horizon=4h&amp;show=signals&amp;sort=-up&amp;filter=oge" in page
    assert "?horizon=1h&amp;show=trouble&amp;sort=-up&amp;filter=oge" in page
    assert "?horizon=1h&amp;show=signals&amp;sort=up&amp;filter=oge" in page
    assert '<input type="hidden" name="sort" value="-up">' in page


def test_the_watched_are_those_of_the_cookie(lively):
    client = lively.site.test_client()
    empty = client.get("/?horizon=1h&show=watched").text
    client.set_cookie("candela-8000-watch", "DOGEUSDT.NOPEUSDT")

    page = client.get("/?horizon=1h&show=watched").text

    assert "Nothing is watched yet" in empty
    assert order(page) == ["DOGEUSDT"]
    assert 'aria-label="Watched: DOGEUSDT"' in page
    assert 'href="/settings#w-DOGEUSDT"' in page


def test_open_alarms_are_listed_and_none_is_said_quietly(lively):
    before = lively.get("/?horizon=1h").text
    alarms = ["The last training of 4h failed: no room.", "The refresh of the model of 1h is 9 h late."]
    lively.beat(models={"alarms": alarms, "leaks_failure": "a column knows the future"})

    page = lively.get("/?horizon=1h").text

    listed = words(re.search(r'id="alarms".*?</section>', page, re.DOTALL)[0])
    assert "no alarm" in words(before)
    assert words(page).count(alarms[0]) == 1  # the notice has it already
    assert "no alarm" not in words(page)
    assert all(text in listed for text in [alarms[1], "The leak tests failed: a column knows the future."])


def test_the_hint_goes_when_it_is_no_longer_wanted(lively):
    client = lively.site.test_client()

    assert "How to read a row" in client.get("/?horizon=1h").text
    client.set_cookie("candela-8000-hints", "off")
    assert "How to read a row" not in client.get("/?horizon=1h").text
