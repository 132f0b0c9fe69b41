"""The page of one prediction: as it was made, and what became of it."""

import re

import pytest

from market.predictions import Origin

T0 = 1_763_640_000_000


def words(markup):
    return " ".join(re.sub(r"<[^>]+>", " ", markup).split())


def page_of(house, row):
    return house.get(f"/predictions/{row['id']}").text


def finding(page):
    return words(re.search(r'id="finding".*?</p>', page, re.DOTALL)[0])


def test_a_row_is_shown_as_it_was_made_with_its_model_and_inputs(lively):
    row = next(row for row in lively.items("/api/v1/predictions?horizon=1h") if row["symbol"] == "EDGEUSDT")

    page = words(page_of(lively, row))

    assert "Probability up 71.0%" in page
    assert "Edge after costs +60.0 bps" in page
    assert "random_forest-1h-0123456789ab" in page
    assert "rsi 51.500000" in page
    assert "2 inputs, 1 missing" in page
    assert row["id"] in page


def test_an_open_row_says_when_it_is_scored(lively):
    row = lively.items("/api/v1/ledger?state=open&symbol=EDGEUSDT&horizon=1h")[0]

    assert re.search(r"Open\. It is scored when .* 13:00 UTC is there, in 1 h", finding(page_of(lively, row)))


@pytest.mark.parametrize(("symbol", "word"), [("EDGEUSDT", "said up"), ("DOGEUSDT", "said down")])
def test_a_scored_call_says_whether_it_hit_and_what_it_was_worth(lively, symbol, word):
    row = lively.items(f"/api/v1/ledger?state=scored&symbol={symbol}&horizon=1h")[0]

    page = page_of(lively, row)

    assert word in finding(page)
    assert ("Hit" if row["net_bps"] > 0 else "Missed") in finding(page)
    assert 'data-n="1"' in page
    assert "computed afterwards" in page


def test_an_abstention_says_why_and_what_the_price_did(lively):
    row = lively.items("/api/v1/ledger?state=scored&symbol=BTCUSDT&horizon=1h")[0]

    assert re.search(r"It abstained: cost\. The price moved .* bps", finding(page_of(lively, row)))


def test_reasons_and_cases_are_those_of_the_row(lively):
    lively.explain("EDGEUSDT", "1h")
    row = lively.items("/api/v1/ledger?state=open&symbol=EDGEUSDT&horizon=1h")[0]

    page = words(page_of(lively, row))

    assert "Gains against losses" in page
    assert "2 of 3 rose" in page


def test_a_signal_from_outside_has_a_page_too(lively):
    lively.add_signals("oracle")
    row = lively.items("/api/v1/ledger?origin=imported")[0]

    assert "It came from outside" in page_of(lively, row)


def test_a_row_without_a_probability_has_a_page_too(lively):
    row = lively.items("/api/v1/ledger?symbol=BTCUSDT&horizon=4h")[0]

    assert "too few candles" in words(page_of(lively, row))


@pytest.mark.parametrize("id_", ["nope", "..%2f..", "%00", "9" * 300])
def test_an_id_that_is_none_is_told_in_words(lively, id_):
    answer = lively.get(f"/predictions/{id_}")

    assert answer.status_code == 404
    assert "There is no such" in answer.text


def test_pages_lead_to_the_rows_they_show(lively):
    row = lively.items("/api/v1/ledger?state=scored&symbol=EDGEUSDT&horizon=1h")[0]
    link = f'href="/predictions/{row["id"]}"'

    assert all(
        link in lively.get(path).text for path in ("/?horizon=1h", "/s/EDGEUSDT?horizon=1h", "/record?horizon=1h")
    )


def test_a_void_row_says_that_it_cannot_be_scored(lively):
    gone = lively.prediction("GONEUSDT", "1h", T0 - 7_200_000, 0.8, origin=Origin.REPLAYED)
    lively.ledger.add_replayed([gone], [])
    lively.ledger.score(T0 + 86_400_000, stopped=["GONEUSDT"])
    row = lively.items("/api/v1/ledger?state=void")[0]

    assert "Void: it cannot be scored." in finding(page_of(lively, row))
