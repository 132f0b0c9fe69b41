"""The board on a phone, in one small answer."""

import pytest

from market.predictions import Origin
from web.summary import TOP

SUMMARY = "/api/v1/summary"
T0 = 1_763_640_000_000


def test_it_tells_market_health_verdicts_and_what_was_resolved(lively):
    lively.states["DOGEUSDT"] = "gapped"
    lively.beat()

    told = lively.get(f"{SUMMARY}?horizon=1h").json

    assert (told["market"], told["feed"]["state"], told["engine_alive"], told["notice"]) == (
        "simulated",
        "live",
        True,
        None,
    )
    assert told["symbols"] == {"followed": 3, "live": 2, "gapped": 1}
    assert told["verdicts"] == {"up": 1, "abstain": 1}
    assert told["abstained"] == {"gapped": 1, "cost": 1}
    assert [(row["symbol"], row["verdict"], row["edge_bps"]) for row in told["top"]] == [
        ("EDGEUSDT", "up", 60.0),
        ("BTCUSDT", "abstain", -16.0),
    ]
    assert {row["verdict"] for row in told["last_resolved"]} <= {"up", "down"}
    assert len(told["last_resolved"]) == 5


def test_its_skill_is_that_of_seven_days_with_its_sample(lively):
    old = [
        lively.prediction("BTCUSDT", "1h", T0 - days * 86_400_000 - lively.length_ms, 0.9, origin=Origin.REPLAYED)
        for days in (8, 9, 10)
    ]
    lively.add_candles(12 * 24 * 11, "BTCUSDT")
    lively.ledger.add_replayed(old, [])
    lively.ledger.score(T0)

    skill = lively.get(f"{SUMMARY}?horizon=1h").json["skill"]
    (whole,) = lively.items("/api/v1/skill?by=horizon&horizon=1h&origin=replayed")

    assert (skill["days"], skill["origin"], skill["n"], whole["n"]) == (7, "replayed", 24, 27)
    assert skill["verdict"] == "no measurable edge"


def test_a_silent_feed_makes_every_row_stale(lively):
    lively.beat(feed={"state": "stale"})

    told = lively.get(f"{SUMMARY}?horizon=1h").json

    assert (told["top"], told["abstained"]) == ([], {"stale": 3})
    assert told["notice"] == "The feed is stale."


def test_before_the_first_start_it_is_empty_but_whole(house):
    told = house.get(SUMMARY).json

    assert (told["market"], told["horizon"], told["skill"], told["top"]) == (None, "4h", None, [])
    assert "offline" in told["notice"]


@pytest.mark.parametrize("house_symbols", [[f"LONGNAME{number:02}USDT" for number in range(60)]])
def test_it_stays_small_with_many_symbols(lively, house_symbols):
    lively.symbols = tuple(house_symbols)
    lively.publish(
        *(lively.prediction(symbol, "1h", up=0.62 + 0.001 / 3 * at) for at, symbol in enumerate(house_symbols))
    )
    lively.beat()

    answer = lively.get(f"{SUMMARY}?horizon=1h")

    assert len(answer.json["top"]) == TOP
    assert len(answer.data) <= 4_096


def test_a_horizon_there_is_none_of_is_refused(lively):
    answer = lively.get(f"{SUMMARY}?horizon=9h")

    assert (answer.status_code, answer.json["field"], answer.json["allowed"]) == (400, "horizon", ["1h", "4h"])
