"""The generated market behaves like a market, and its two control symbols like what they are."""

from itertools import pairwise

import numpy as np
import pytest

from simulator.controls import EDGE_SIGMA, WALK_SIGMA, Edge, Walk
from simulator.market_model import market_model

DAYS = range(800, 860)
MINUTES_AN_HOUR = 60


@pytest.fixture(scope="module")
def coins():
    return {model.listing.symbol: model.minutes(DAYS).ravel() for model in market_model(seed=1, count=10)[:8]}


@pytest.fixture(scope="module")
def walk():
    return Walk(seed=1).minutes(DAYS).ravel()


@pytest.fixture(scope="module")
def edge():
    return Edge(seed=1).minutes(DAYS).ravel()


def returns(rows, minutes=1):
    logs = np.log(np.r_[rows["open"][0], rows["close"]])[::minutes]
    return np.diff(logs)


def correlation(left, right):
    return float(np.corrcoef(left, right)[0, 1])


def kurtosis(values):
    return float((values**4).mean() / (values**2).mean() ** 2)


def test_every_minute_is_an_honest_candle_that_opens_where_the_last_one_closed():
    for model in market_model(seed=3, count=12):
        rows = model.minutes(range(500, 503)).ravel()

        assert (rows["low"] <= np.minimum(rows["open"], rows["close"])).all()
        assert (rows["high"] >= np.maximum(rows["open"], rows["close"])).all()
        assert (rows["low"] > 0).all() and (rows["volume"] > 0).all() and (rows["trades"] > 0).all()
        assert (rows["taker_base"] <= rows["volume"]).all()
        assert (np.diff(rows["open_ms"]) == 60_000).all()
        assert (rows["open"][1:] == rows["close"][:-1]).all()


def test_prices_lie_on_the_symbols_own_ticks():
    for model in market_model(seed=1, count=60):
        scale = 10.0**model.listing.price_digits
        rows = model.minutes(range(700, 701)).ravel()

        for name in ("open", "high", "low", "close"):
            assert (np.rint(rows[name] * scale) / scale == rows[name]).all()


def test_the_whole_market_spans_ten_orders_of_magnitude_and_many_ticks():
    models = market_model(seed=1, count=60)

    prices = [model.minutes(range(1_000, 1_001))["close"][0, -1] for model in models]

    assert min(prices) < 1e-4 and max(prices) > 1e4
    assert len({model.listing.price_digits for model in models}) >= 5
    assert len({model.listing.symbol for model in models}) == 60


def test_returns_have_fat_tails(coins):
    assert all(kurtosis(returns(rows)) > 4.5 for rows in coins.values())


def test_volatility_comes_in_clusters(coins):
    for rows in coins.values():
        sizes = np.abs(returns(rows, minutes=15))

        assert correlation(sizes[:-1], sizes[1:]) > 0.1


def test_volatility_has_its_hours(coins):
    for rows in coins.values():
        by_hour = np.abs(returns(rows)).reshape(len(DAYS), 24, 60).mean(axis=(0, 2))

        assert by_hour[13:17].mean() > 1.3 * by_hour[1:5].mean()


def test_coins_share_a_common_factor(coins):
    moves = np.array([returns(rows, MINUTES_AN_HOUR) for rows in coins.values()])

    correlations = np.corrcoef(moves)[np.triu_indices(len(moves), k=1)]

    assert 0.25 < correlations.mean() < 0.95 and correlations.min() > 0.05


def test_volume_follows_volatility(coins):
    for rows in coins.values():
        assert correlation(np.log(rows["volume"]), np.abs(returns(rows))) > 0.15


def test_coins_do_not_tell_their_next_hour(coins):
    for rows in coins.values():
        moves = returns(rows, MINUTES_AN_HOUR)

        assert abs(correlation(np.sign(moves[:-1]), np.sign(moves[1:]))) < 0.1


def test_day_boundaries_do_not_show_in_the_returns(walk):
    moves = returns(walk)
    first_minutes = moves[1_440::1_440]

    assert first_minutes.std() == pytest.approx(WALK_SIGMA, rel=0.3)


@pytest.mark.parametrize("minutes", [1, 5, 60, 240])
def test_the_walk_has_no_memory_and_one_volatility_on_every_scale(walk, minutes):
    moves = returns(walk, minutes)

    assert moves.std() == pytest.approx(WALK_SIGMA * np.sqrt(minutes), rel=0.1)
    assert abs(correlation(moves[:-1], moves[1:])) < 4 / np.sqrt(len(moves))


def test_the_walk_is_gaussian_without_clusters(walk):
    moves = returns(walk)

    assert kurtosis(moves) == pytest.approx(3.0, abs=0.1)
    assert abs(correlation(np.abs(moves[:-1]), np.abs(moves[1:]))) < 0.02


def test_shape_and_volume_of_the_walk_say_nothing_about_its_next_hour(walk):
    bars = walk.reshape(-1, 60)
    high, low, close = bars["high"].max(axis=1), bars["low"].min(axis=1), bars["close"][:, -1]
    place = (2 * close - high - low) / (high - low)
    volume = bars["volume"].sum(axis=1)
    following = np.diff(np.log(close))

    assert abs(correlation(place[:-1], following)) < 4 / np.sqrt(len(following))
    assert abs(correlation(volume[:-1], following)) < 4 / np.sqrt(len(following))


def test_the_walk_and_the_edge_have_nothing_to_do_with_the_coins(walk, edge, coins):
    market = sum(returns(rows, MINUTES_AN_HOUR) for rows in coins.values())

    for rows in (walk, edge):
        assert abs(correlation(returns(rows, MINUTES_AN_HOUR), market)) < 4 / np.sqrt(len(market))


def test_the_edge_moves_with_its_regime_by_the_size_that_was_planted():
    model = Edge(seed=1)
    rows = model.minutes(range(1_000)).ravel()
    logs = np.log(rows["close"])
    regimes = model.regimes(rows["open_ms"])

    hour_bps = 1e4 * (logs[60:] - logs[:-60]) * regimes[:-60]

    assert 55 < hour_bps.mean() < 61
    assert 0.77 < (hour_bps > 0).mean() < 0.83
    assert np.diff(logs).std() == pytest.approx(EDGE_SIGMA, rel=0.05)


def test_regimes_last_six_to_eighteen_hours():
    opens_ms = Edge(seed=1).minutes(range(1_000))["open_ms"].ravel()
    regimes = Edge(seed=1).regimes(opens_ms)

    lengths = np.diff(np.flatnonzero(np.diff(regimes)))

    assert lengths.mean() == pytest.approx(720, rel=0.1)
    assert lengths.min() >= 360 - 1
    assert lengths.max() <= 1_080 + 1
    assert abs(regimes.mean()) < 0.1


@pytest.mark.parametrize("minutes", [1, 5, 15])
def test_who_looks_at_the_wicks_of_twenty_candles_knows_the_regime(edge, walk, minutes):
    flow = money_flow(edge, minutes)
    regimes = Edge(seed=1).regimes(edge["open_ms"].reshape(-1, minutes)[:, 0])[19:]

    assert ((flow > 0) == (regimes > 0)).mean() > (0.75 if minutes == 15 else 0.9)
    assert np.abs(flow).mean() > 2 * np.abs(money_flow(walk, minutes)).mean()


def test_an_oracle_that_reads_the_wicks_earns_the_planted_edge(edge):
    flow = money_flow(edge, 5)
    close = edge["close"].reshape(-1, 5)[:, -1][19:]
    hour = 12
    gained_bps = 1e4 * np.sign(flow[:-hour]) * (close[hour:] / close[:-hour] - 1)

    assert gained_bps.mean() > 25


def money_flow(rows, minutes):
    """Return Chaikin's money flow over twenty candles."""
    bars = rows.reshape(-1, minutes)
    high, low, close = bars["high"].max(axis=1), bars["low"].min(axis=1), bars["close"][:, -1]
    volume = bars["volume"].sum(axis=1)
    place = (2 * close - high - low) / (high - low)
    window = np.ones(20)
    return np.convolve(place * volume, window, "valid") / np.convolve(volume, window, "valid")


def test_a_symbol_is_the_same_however_many_others_there_are():
    few = {model.listing.symbol: model for model in market_model(seed=1, count=5)}
    many = {model.listing.symbol: model for model in market_model(seed=1, count=60)}

    for symbol in few:
        assert (few[symbol].minutes(range(900, 901)) == many[symbol].minutes(range(900, 901))).all()


def test_another_seed_is_another_market():
    first, second = (market_model(seed, count=3) for seed in (1, 2))

    for left, right in zip(first, second, strict=True):
        assert (left.minutes(range(9, 10))["close"] != right.minutes(range(9, 10))["close"]).mean() > 0.9


def test_a_day_is_the_same_alone_and_among_others_and_after_a_later_one():
    for index in range(3):
        among = market_model(seed=1, count=3)[index].minutes(range(1_020, 1_030))
        model = market_model(seed=1, count=3)[index]
        later = model.minutes(range(1_500, 1_501))
        alone = model.minutes(range(1_023, 1_024))

        assert (alone[0] == among[3]).all()
        assert later["open_ms"][0, 0] > alone["open_ms"][0, 0]


def test_levels_join_without_a_jump_where_the_calendars_grow():
    for model in market_model(seed=1, count=3):
        days = [model.minutes(range(day, day + 1))[0] for day in range(509, 516)]

        for earlier, later in pairwise(days):
            assert earlier["close"][-1] == later["open"][0]
