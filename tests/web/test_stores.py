import pytest

HOUR_MS = 3_600_000
T0 = 1_763_640_000_000


def opens(table):
    return table["open_ms"].tolist()


def test_before_the_engine_has_run_everything_is_empty(house):
    stores = house.stores

    assert (stores.version(), stores.latest(), stores.ledger(), stores.skill()) == (0, [], ([], None), [])
    assert len(stores.candles("BTCUSDT", "1h", None, None, 10)) == 0
    assert stores.status()["engine"] == {"alive": False, "pid": None, "uptime_s": None, "rss_mb": None}


def test_a_heartbeat_without_a_database_is_empty_too(house):
    house.beat()

    assert house.stores.latest() == []
    assert house.stores.status()["version"] == 0


def test_the_state_of_a_dead_engine_stays_with_its_age(lively):
    lively.now_s += 60

    status = lively.stores.status()

    assert status["engine"]["alive"] is False
    assert status["feed"]["state"] == "stale"
    assert status["feed"]["last_message_age_s"] == pytest.approx(60.5)
    assert {entry["state"] for entry in status["symbols"]} == {"stale"}
    assert len(lively.stores.latest()) == 4


def test_another_market_has_another_ledger(lively):
    before = lively.stores.stamp()
    lively.venue = "binance"
    lively.ledger.version()

    lively.beat(market="binance")

    assert lively.stores.latest() == []
    assert lively.stores.stamp() != before


def test_a_venue_is_no_way_out_of_the_folder(house):
    house.beat(venue="../elsewhere")

    assert house.stores.latest() == []


def test_longer_candles_are_made_of_whole_groups(house):
    base = house.add_candles(30)
    house.beat()

    table = house.stores.candles("BTCUSDT", "1h", None, None, 10)

    assert opens(table) == [T0 - 2 * HOUR_MS, T0 - HOUR_MS]
    assert table["open"][-1] == base["open"][-12]
    assert table["high"][-1] == base["high"][-12:].max()
    assert table["volume"][-1] == pytest.approx(120.0)


def test_a_hole_leaves_its_longer_candle_out(house):
    house.add_candles(12)
    house.add_candles(11, last_open_ms=T0 - HOUR_MS - 2 * 300_000)
    house.add_candles(12, last_open_ms=T0 - 2 * HOUR_MS - 300_000)
    house.beat()

    assert opens(house.stores.candles("BTCUSDT", "1h", None, None, 10)) == [T0 - 3 * HOUR_MS, T0 - HOUR_MS]


def test_with_a_start_the_oldest_come_and_the_end_is_left_out(house):
    house.add_candles(60)
    house.beat()

    def ask(start, end, limit):
        return opens(house.stores.candles("BTCUSDT", "1h", start, end, limit))

    assert ask(T0 - 5 * HOUR_MS, None, 2) == [T0 - 5 * HOUR_MS, T0 - 4 * HOUR_MS]
    assert ask(T0 - 5 * HOUR_MS + 1, T0 - HOUR_MS, 9) == [T0 - h * HOUR_MS for h in (4, 3, 2)]
    assert ask(None, T0 - HOUR_MS, 2) == [T0 - 3 * HOUR_MS, T0 - 2 * HOUR_MS]
    assert ask(None, T0 - HOUR_MS + 1, 1) == [T0 - HOUR_MS]


def test_long_candles_of_a_long_history_are_found_piece_by_piece(house):
    house.add_candles(45_000)
    house.beat()

    days = house.stores.candles("BTCUSDT", "1d", None, None, 500)
    oldest = house.stores.candles("BTCUSDT", "1d", 0, None, 500)

    assert len(days) == len(oldest) == 155
    assert opens(days) == opens(oldest)
    assert opens(days)[-1] == T0 - 12 * HOUR_MS - 24 * HOUR_MS


def test_last_closes_follow_the_newest_candle(lively):
    before = lively.stores.last_closes(24)["BTCUSDT"]
    lively.add_candle("BTCUSDT", T0, 123.0)
    lively.market_ms += 300_000
    lively.beat()

    after = lively.stores.last_closes(24)["BTCUSDT"]

    assert after == [*before[1:], 123.0]


def test_the_skill_of_the_api_is_that_of_the_ledger_now(lively):
    first = lively.stores.skill(horizon="1h", by="horizon")
    lively.publish(lively.prediction("BTCUSDT", "1h", T0 - 2 * HOUR_MS, 0.6))
    lively.ledger.score(T0)

    second = lively.stores.skill(horizon="1h", by="horizon")

    assert sum(item["n"] for item in second) == sum(item["n"] for item in first) + 1
    assert [item["origin"] for item in second] == ["live", "replayed"]
