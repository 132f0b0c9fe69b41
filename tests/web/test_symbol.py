import re

import pytest

from market.predictions import Origin, Reason, Verdict

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

    early = words(lively.get("/s/BTCUSDT?horizon=1h").text)
    lively.market_ms = T0 + lively.length_ms + 10_000 * 60
    lively.beat()
    late = words(lively.get("/s/BTCUSDT?horizon=1h").text)

    assert "Its reasons are being written." in early
    assert "No reasons were kept of this row." in late


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


def test_the_longest_range_of_the_ladder_is_not_cut(lively):
    lively.publish(lively.prediction("EDGEUSDT", "4h", up=0.6, low_bps=-390.0, high_bps=470.0))

    page = lively.get("/s/EDGEUSDT?horizon=1h").text

    rung = re.search(r'<tr id="h-4h".*?</tr>', page, re.DOTALL)[0]
    left, right = (float(x) for x in re.search(r'class="w" d="M([\d.]+) 11H([\d.]+)"', rung).groups())
    assert 0 < left < right < 148
    assert "+500</text>" in page


def test_scored_rows_lead_to_their_ledger_row(lively):
    page = lively.get("/s/EDGEUSDT?horizon=1h").text

    scored = re.search(r'<section class="card" id="scored".*?</section>', page, re.DOTALL)[0]
    ids = re.findall(r"/predictions/([\w-]+)", scored)
    assert len(ids) == 8
    assert lively.get(f"/api/v1/predictions/{ids[0]}").json["symbol"] == "EDGEUSDT"
    assert re.search(r'data-n="8">\d of 8 (live|replayed) calls hit', scored)


def test_without_javascript_there_is_a_drawing_and_a_table(lively):
    page = lively.get("/s/EDGEUSDT?horizon=1h&interval=15m").text

    assert 'class="body-up"' in page
    assert 'class="cone"' in page
    assert "The last 15\u00a0m candles" in page
    assert page.count("<tr><td>20\u00a0Nov") == 120 // 3


def twin(page):
    table = re.search(r'<tbody id="candles" data-live>(.*?)</tbody>', page, re.DOTALL)[1]
    return [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in re.findall(r"<tr>(.*?)</tr>", table)]


def test_chosen_indicators_are_drawn_named_and_in_the_table(lively):
    page = lively.get("/s/EDGEUSDT?horizon=1h&indicators=rsi,sma_20,bollinger_20").text

    (newest,) = lively.items("/api/v1/indicators/EDGEUSDT?limit=1")
    assert re.findall(r'<path class="ln ln-(\w+)" d="M[\d.]+ [\d.]+L', page) == [
        "rsi",
        "sma_20",
        "bollinger_upper_20",
        "bollinger_lower_20",
    ]
    drawn = ("sma_20", "bollinger_upper_20", "bollinger_lower_20")
    assert twin(page)[0][6:10] == [f"{newest[name]:.2f}" for name in drawn] + [f"{newest['rsi']:.1f}"]
    assert "RSI 14" in words(page)


def test_an_indicator_is_switched_by_its_link_and_kept_by_the_others(lively):
    page = lively.get("/s/EDGEUSDT?horizon=1h&interval=15m&indicators=ema_26,rsi").text

    here = "/s/EDGEUSDT?horizon=1h&amp;interval=15m"
    assert f'href="{here}&amp;indicators=ema_26" aria-current="true"' in page
    assert f'href="{here}&amp;indicators=sma_20,ema_26,rsi">' in page
    assert '/s/EDGEUSDT?horizon=4h&amp;interval=15m&amp;indicators=ema_26,rsi"' in page
    assert '/s/EDGEUSDT?horizon=1h&amp;interval=1h&amp;indicators=ema_26,rsi" aria-keyshortcuts="3"' in page


def test_a_hole_is_shaded_and_told_in_the_table(lively):
    length_ms = lively.length_ms
    lively.add_candles(30, "HOLEUSDT", T0 - 20 * length_ms)
    lively.add_candles(15, "HOLEUSDT", T0 - length_ms)
    lively.symbols = (*lively.symbols, "HOLEUSDT")
    lively.beat()

    page = lively.get("/s/HOLEUSDT?horizon=1h").text

    assert page.count('<rect class="gap"') == 1
    assert twin(page)[15] == ["No data: 4 candles missing"]
    assert '<span id="gaps-key">' in page


def test_past_calls_are_marked_in_the_drawing_and_the_table(lively):
    page = lively.get("/s/EDGEUSDT?horizon=1h").text

    scored = lively.items("/api/v1/ledger?symbol=EDGEUSDT&horizon=1h&state=scored&limit=7")  # the eighth is too old
    marks = dict(re.findall(r'<path class="said said-(\S+)" d="(.*?)"', page))
    told = [row[-1] for row in twin(page) if row[-1]]
    hits = sum(row["net_bps"] > 0 for row in scored)
    assert {kind: path.count("z") for kind, path in marks.items()} == {"up-hit": hits, "up-miss": len(scored) - hits}
    assert (told.count("up, hit"), told.count("up, miss")) == (hits, len(scored) - hits)


def test_the_forecast_is_labelled_with_its_three_prices(lively):
    page = lively.get("/s/EDGEUSDT?horizon=1h").text

    halo = words(re.search(r'<g class="halo".*?</g>', page, re.DOTALL)[0])
    assert halo == "101.64 100.84 100.04"
    assert "cone: 80% of outcomes to 20\u00a0Nov, 13:00 UTC" in page
    assert "Forecast for 20\u00a0Nov, 13:00 UTC: 100.04 to 101.64, expected 100.84." in page


@pytest.mark.parametrize("interval", ["5m", "15m", "1h"])
def test_a_call_up_is_drawn_upwards_on_every_candle_length(lively, interval):
    lively.publish(lively.prediction("EDGEUSDT", "4h", up=0.71, price=80.0))  # far below the last close of any candle
    lively.beat()

    page = lively.get(f"/s/EDGEUSDT?horizon=4h&interval={interval}").text

    start_y, end_y = re.search(r'class="cone-path" d="M[\d.]+ ([\d.]+)L[\d.]+ ([\d.]+)"', page).groups()
    assert float(start_y) > float(end_y)


def test_the_last_fifty_scored_rows_are_shown(lively):
    past = [
        lively.prediction("BTCUSDT", "1h", T0 - 3_600_000 - step * lively.length_ms, 0.7, origin=Origin.REPLAYED)
        for step in range(2, 60)
        if step % 12 != 1
    ]
    lively.ledger.add_replayed(past, [])
    lively.ledger.score(T0)

    page = lively.get("/s/BTCUSDT?horizon=1h").text

    scored = re.search(r'<section class="card" id="scored".*?</section>', page, re.DOTALL)[0]
    assert scored.count("/predictions/") == 50


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


@pytest.mark.parametrize("query", ["horizon=7h", "interval=1m", "interval=7m", "indicators=sma_20,magic"])
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
