import pytest

T0 = 1_763_640_000_000


def test_healthz_needs_nothing_but_the_process(house):
    answer = house.get("/healthz")

    assert (answer.status_code, answer.json) == (200, {"status": "ok"})


def test_ready_with_a_fresh_prediction(lively):
    assert lively.get("/readyz").status_code == 200


def not_ready(house, words):
    answer = house.get("/readyz")

    assert (answer.status_code, answer.mimetype) == (503, "application/problem+json")
    assert words in answer.json["detail"]


def test_not_ready_before_the_engine_has_run(house):
    not_ready(house, "starting")


def test_not_ready_without_any_probability(house):
    house.publish(house.prediction(up=None))
    house.beat(note="back-filling")

    not_ready(house, "no prediction yet: back-filling")


@pytest.mark.parametrize(
    ("work", "words"),
    [
        (
            {"fetching": {"done": 270, "total": 900, "eta_s": 42}, "note": "fetching the history, 270 of 900 pages"},
            "no prediction yet: fetching the history, 270 of 900 pages, about 42 s left",
        ),
        (
            {"training": {"step": "training 4h", "done": 2, "total": 6, "eta_s": 95}},
            "no prediction yet: training 4h, 2 of 6 steps done, about 1 min left",
        ),
        ({"training": {}}, "no prediction yet: the training begins"),
    ],
)
def test_not_ready_says_how_far_the_first_start_is(house, work, words):
    house.beat(**work)

    not_ready(house, words)


def test_not_ready_when_the_engine_is_gone(lively):
    lively.now_s += 10

    not_ready(lively, "engine is not running")


@pytest.mark.parametrize(("late_ms", "status"), [(2_300_000, 200), (2_500_000, 503)])
def test_fresh_is_two_candles_and_half_a_minute_at_the_markets_speed(lively, late_ms, status):
    lively.market_ms = T0 + late_ms  # two candles are 600 s, half a minute at 60x is 1,800 s
    lively.beat()

    assert lively.get("/readyz").status_code == status
