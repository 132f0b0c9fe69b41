"""How far long work is stands on the board, with the time it takes; where there is nothing, what to do about it."""

import re

import pytest

T0 = 1_763_640_000_000


def words(markup):
    return " ".join(re.sub(r"<[^>]+>", " ", markup).split())


def part(page, name):
    return words(re.search(rf'id="{name}".*?(?=<section|<aside|<div class="tools)', page, re.DOTALL)[0])


def test_the_history_that_is_fetched_has_a_meter_and_a_time(house):
    house.beat(fetching={"done": 270, "total": 900, "eta_s": 42.0}, note="fetching the history, 270 of 900 pages")

    page = house.get("/").text

    start = part(page, "start")
    assert "No predictions yet: fetching the history, 270 of 900 pages." in start
    assert "About 42 s more; then the models are trained" in start
    assert 'aria-label="270 of 900 done"' in page
    assert '<rect class="f" width="120.0"' in page


def test_a_training_beside_the_predictions_is_one_quiet_line(lively):
    assert 'id="working" data-live hidden' in lively.get("/?horizon=1h").text
    lively.now_s += 1
    lively.beat(training={"step": "training 4h", "done": 2, "total": 6, "eta_s": 95.0, "horizons": ["1h", "4h"]})

    page = lively.get("/?horizon=1h").text

    line = "Training 1 h, 4 h beside the predictions: training 4h, step 3 of 6, about 1 min left. Progress and cancel"
    assert line in part(page, "working").replace("\u00a0", " ")
    assert 'id="start" data-live hidden' in page


def test_a_training_whose_engine_is_gone_goes_on_nowhere(lively):
    lively.beat(training={"step": "training 4h"})
    lively.now_s += 60

    assert 'id="working" data-live hidden' in lively.get("/?horizon=1h").text


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("filter=zzz", "No symbol contains zzz. All symbols"),
        ("show=trouble", "No trouble: every symbol is fresh. All symbols"),
        ("show=watched", "Nothing is watched yet: press the star beside a symbol, or choose some in the settings."),
    ],
)
def test_a_board_without_rows_says_why_and_leads_back_to_all(lively, query, sentence):
    page = lively.get(f"/?horizon=1h&{query}").text

    body = words(re.search(r"<tbody>.*?</tbody>", page, re.DOTALL)[0])
    assert sentence in body
    assert '<a href="?horizon=1h">All symbols</a>' in page


def test_without_a_signal_the_board_names_the_readers_costs_where_they_are_the_reason(lively):
    client = lively.site.test_client()
    client.set_cookie("candela-8000-fee", "100")

    page = client.get("/?horizon=1h&show=signals").text

    assert "No signal now: every symbol abstains or is below your costs." in words(page)


@pytest.mark.parametrize(("symbol", "tenth"), [("EDGEUSDT", "70% and 80%"), ("DOGEUSDT", "30% and 40%")])
def test_the_page_of_a_symbol_tells_what_became_of_such_probabilities(lively, symbol, tenth):
    page = words(lively.get(f"/s/{symbol}?horizon=1h").text)

    assert re.search(rf"Of 8 earlier predictions of {symbol} between {tenth}, \d+\.\d% rose \(replayed; too few", page)


def test_a_probability_nobody_said_before_says_so(lively):
    lively.publish(lively.prediction("EDGEUSDT", "1h", T0, 0.95))

    assert "No earlier prediction of EDGEUSDT said about as much." in words(lively.get("/s/EDGEUSDT?horizon=1h").text)
