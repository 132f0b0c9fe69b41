import re

import pytest

from market.predictions import Reason, Verdict

T0 = 1_763_640_000_000


def words(markup):
    return " ".join(re.sub(r"<[^>]+>", " ", markup).split())


def test_the_sum_adds_up(lively):
    page = lively.get("/s/EDGEUSDT?horizon=1h").text

    total = re.search(r'<dl class="sum">(.*?)</dl>', page, re.DOTALL)[1]
    figures = [float(text.replace("\u2212", "-")) for text in re.findall(r"<dd[^>]*>([+\u2212][\d.]+)", total)]
    *parts, edge = figures
    assert parts == [84.0, -20.0, -4.0]
    assert edge == pytest.approx(sum(parts))


def test_a_call_down_is_worth_the_size_of_its_move(lively):
    total = words(lively.get("/s/DOGEUSDT?horizon=1h").text)

    assert "Expected move \u221276.0 bps Its size, as a call down +76.0" in total
    assert "Edge after costs +52.0 bps" in total


def test_costs_of_another_day_are_not_split(lively):
    lively.publish(lively.prediction("BTCUSDT", "1h", T0, 0.7, cost_bps=30.0, edge_bps=50.0))

    page = words(lively.get("/s/BTCUSDT?horizon=1h").text)

    assert "Costs as set when it was made \u221230.0" in page


def test_the_probability_is_a_sentence_with_price_and_time(lively):
    page = words(lively.get("/s/EDGEUSDT?horizon=1h").text)

    assert "chance that EDGEUSDT closes above 100.00 at 20 Nov, 13:00 UTC." in page
    assert "80% range +4 to +164 bps: 100.04 to 101.64." in page


def test_what_moved_it_adds_up_from_the_base(lively):
    lively.explain("BTCUSDT", "1h")

    page = lively.get("/s/BTCUSDT?horizon=1h").text

    part = words(re.search(r'<ol class="contrib">(.*?)</ol>', page, re.DOTALL)[1])
    assert part == "Gains against losses 51.50 +5.0 Move, in usual moves \u22121.0"
    assert "What moved it, in points from the 50.0% base" in words(page)


def test_a_row_without_reasons_says_so(lively):
    lively.explain("BTCUSDT", "1h")
    lively.publish(lively.prediction("BTCUSDT", "1h", T0, 0.52))

    page = words(lively.get("/s/BTCUSDT?horizon=1h").text)

    assert "No reasons were kept of this row." in page


def test_past_cases_say_how_they_ended_and_how_little_that_proves(lively):
    lively.explain("BTCUSDT", "1h")

    page = words(lively.get("/s/BTCUSDT?horizon=1h").text)

    assert "EDGEUSDT 19 Nov 2025, 12:00 +31.0 bps , rose" in page
    assert "EDGEUSDT 18 Nov 2025, 12:00 \u221212.5 bps , did not rise" in page
    assert "2 of 3 rose within 1 h. A few cases illustrate; they prove nothing." in page


@pytest.mark.parametrize(
    ("reason", "sentence"),
    [
        (Reason.COST, "It abstains: the expected move is smaller than what it costs to follow it."),
        (Reason.MODEL_EXPIRED, "It abstains: its model was not trained again in time."),
        (Reason.OUT_OF_DISTRIBUTION, "nothing the model has learnt from, 1.4 times as far off as usual rows ever are."),
    ],
)
def test_an_abstention_says_why_in_a_sentence(lively, reason, sentence):
    changes = {"verdict": Verdict.ABSTAIN, "reason": reason}
    lively.publish(lively.prediction("EDGEUSDT", "4h", up=0.7, **changes))
    lively.explain("EDGEUSDT", "4h", strangeness=1.4)

    assert sentence in words(lively.get("/s/EDGEUSDT?horizon=4h").text)


def test_the_ladder_has_every_horizon(lively):
    page = lively.get("/s/BTCUSDT?horizon=1h").text

    assert re.findall(r'<tr id="h-(\w+)"', page) == ["1h", "4h"]
    assert 'id="h-1h" data-live aria-current="true"' in page


def test_scored_rows_lead_to_their_ledger_row(lively):
    page = lively.get("/s/EDGEUSDT?horizon=1h").text

    scored = re.search(r'<section class="card" id="scored".*?</section>', page, re.DOTALL)[0]
    ids = re.findall(r"/api/v1/predictions/([\w-]+)", scored)
    assert len(ids) == 8
    assert lively.get(f"/api/v1/predictions/{ids[0]}").json["symbol"] == "EDGEUSDT"
    assert re.search(r'data-n="8">\d of 8 (live|replayed) calls hit', scored)


def test_without_javascript_there_is_a_drawing_and_a_table(lively):
    page = lively.get("/s/EDGEUSDT?horizon=1h&interval=15m").text

    assert 'class="body-up"' in page
    assert 'class="cone"' in page
    assert "The last 15\u00a0m candles" in page
    assert page.count("<tr><td>20\u00a0Nov") == 24


def test_a_silent_symbol_shows_no_forecast(lively):
    lively.states["EDGEUSDT"] = "gapped"
    lively.beat()

    page = lively.get("/s/EDGEUSDT?horizon=1h").text

    assert "Candles are missing" in page
    assert 'data-kind="probability">71.0%' not in page
    assert 'class="cone"' not in page


def test_a_symbol_without_candles_has_a_page(house):
    house.beat()

    assert "the history is being fetched" in house.get("/s/BTCUSDT").text


@pytest.mark.parametrize("query", ["horizon=7h", "interval=1m", "interval=7m"])
def test_an_address_that_means_nothing_is_refused(lively, query):
    assert lively.get(f"/s/BTCUSDT?{query}").status_code == 400


def test_an_unknown_symbol_gets_help(lively):
    answer = lively.get("/s/DOGEUSD")

    assert answer.status_code == 404
    assert "DOGEUSD is not a symbol here" in answer.text
    assert 'href="/s/DOGEUSDT"' in answer.text
    assert "follows 3 pairs" in answer.text


@pytest.mark.parametrize("name", ["%3Cscript%3E", "%00", "a" * 300, "btcusdt", "%F0%9F%98%80"])
def test_any_other_name_is_a_404_too(lively, name):
    answer = lively.get(f"/s/{name}")

    assert answer.status_code == 404
    assert "<script>" not in answer.text


def test_before_the_first_start_no_symbol_is_known(house):
    answer = house.get("/s/BTCUSDT")

    assert answer.status_code == 404
    assert "the engine is starting" in answer.text
