import json
import threading

import pytest

from data.ledger_writing import ROWS_A_VERSION
from utils.datagrams import Postman
from web.live import LIFETIME_SECONDS, MAX_STREAMS, MAX_WAITING, Live, Stream, StreamsFullError


class Reader:
    """One stream, read event by event."""

    def __init__(self, frames):
        self._frames = frames
        self._waiting = []

    def next(self, event):
        """Return id and data of the next event of this name."""
        while True:
            while self._waiting:
                name, number, data = self._waiting.pop(0)
                if name == event:
                    return number, data
            for block in next(self._frames).decode().split("\n\n"):
                lines = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
                if "event" in lines:
                    number = int(lines["id"]) if "id" in lines else None
                    self._waiting.append((lines["event"], number, json.loads(lines["data"])))

    def close(self):
        self._frames.close()


def event(name, version, /, **data):
    return json.dumps({"event": name, "version": version, "data": data}).encode()


@pytest.fixture
def post(lively):
    """Return a function that sends as the engine does, once the receiving thread is there."""
    postman = Postman(lively.folder / "run" / "live")

    def send(name, version, /, **data):
        assert postman.send(event(name, version, **data)) == 1

    yield send
    postman.close()


@pytest.fixture
def live(lively):
    return lively.site.extensions["live"]


@pytest.fixture
def read(live):
    """Return a function that opens a stream."""
    readers = []

    def open_one(last_version=None):
        readers.append(Reader(live.open(last_version)))
        return readers[-1]

    yield open_one
    for reader in readers:
        reader.close()


def test_a_stream_begins_with_how_it_is_now(read):
    number, status = read().next("status")

    assert status["feed"]["state"] == "live"
    assert status["speed"] == 60.0
    assert number == status["version"]


def test_every_reader_gets_each_prediction_under_its_version(read, post):
    first, second = read(), read()

    post("prediction", 7, version=7, items=[{"symbol": "BTCUSDT"}])

    expected = (7, {"version": 7, "items": [{"symbol": "BTCUSDT"}]})
    assert first.next("prediction") == expected
    assert second.next("prediction") == expected


def test_prices_carry_the_version_of_the_last_prediction(read, post):
    reader = read()
    post("prediction", 7, version=7, items=[])

    post("price", 99, items=[{"symbol": "BTCUSDT", "price": 1.5}])

    assert reader.next("price") == (7, {"items": [{"symbol": "BTCUSDT", "price": 1.5}]})


def test_who_comes_back_gets_what_was_missed(read, post):
    listening = read()
    for version in (5, 6, 7):
        post("prediction", version, version=version, items=[])
        listening.next("prediction")

    back = read(last_version=5)

    assert [back.next("prediction")[0] for _ in range(2)] == [6, 7]


def test_who_comes_back_after_too_long_gets_the_newest_of_everything(read, lively):
    number, data = read(last_version=0).next("prediction")

    assert number == data["version"] == lively.stores.version()
    assert data["items"] == lively.stores.latest()


def test_who_leaves_amid_the_newest_of_everything_has_not_seen_it(read, lively):
    lively.publish(*(lively.prediction(f"A{index}USDT", "1h") for index in range(ROWS_A_VERSION + 1)))
    reader = read(last_version=0)

    (first, _), (last, _) = reader.next("prediction"), reader.next("prediction")

    assert first is None
    assert last == lively.stores.version()


def test_who_has_seen_everything_gets_nothing_again(read, post, lively):
    reader = read(last_version=lively.stores.version())

    post("prediction", 50, version=50, items=[])

    assert reader.next("prediction")[0] == 50


def test_a_word_that_is_no_event_is_ignored(read, post, lively):
    reader = read()
    postman = Postman(lively.folder / "run" / "live")
    for noise in (b"", b"{", b"[]", b'{"event": 5}'):
        postman.send(noise)

    post("prediction", 8, version=8, items=[])

    assert reader.next("prediction")[0] == 8
    postman.close()


def test_another_market_means_load_everything_anew(read, lively):
    reader = read()
    reader.next("status")

    lively.beat(venue="binance", market="binance")

    assert reader.next("resync") == (None, {})
    assert reader.next("status")[1]["market"] == "binance"


def test_a_dead_engine_is_told(read, lively):
    reader = read()
    reader.next("status")

    lively.now_s += 10

    _, status = reader.next("status")
    while status["engine"]["alive"]:
        _, status = reader.next("status")
    assert status["feed"]["state"] == "stale"


def test_there_are_so_many_places_and_a_left_one_is_free_again(lively):
    live = Live(lively.stores)
    streams = [live.open(None) for _ in range(MAX_STREAMS)]

    with pytest.raises(StreamsFullError):
        live.open(None)
    streams[0].close()

    assert next(live.open(None)) == b"retry: 2000\n\n"
    live.close()


def test_a_stream_ends_after_a_while_so_that_none_is_held_for_ever(lively):
    now_s = [0.0]
    live = Live(lively.stores, lambda: now_s[0])
    frames = live.open(None)
    assert next(frames) == b"retry: 2000\n\n"
    assert b"event: status" in next(frames)
    assert b"event: status" in next(frames)  # the first of those that are told every second

    now_s[0] = LIFETIME_SECONDS + 1

    assert list(frames) == []
    live.close()


def test_a_full_house_is_a_503_that_says_when_to_come_back(lively):
    kept = [lively.site.extensions["live"].open(None) for _ in range(MAX_STREAMS)]

    answer = lively.get("/api/v1/stream")

    assert (answer.status_code, answer.json["code"]) == (503, "too_many_streams")
    assert int(answer.headers["Retry-After"]) > 0
    assert len(kept) == MAX_STREAMS


def test_the_answer_is_an_event_stream_nobody_keeps(lively):
    answer = lively.get("/api/v1/stream", headers={"Last-Event-ID": "0"})
    first = next(answer.response)

    assert answer.mimetype == "text/event-stream"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Content-Encoding" not in answer.headers
    assert first == b"retry: 2000\n\n"
    answer.close()


@pytest.mark.parametrize("seen", ["nonsense", "-4", "99999999999999999999999", "9" * 5_000])
def test_an_id_that_is_none_of_ours_means_nothing_was_seen(lively, seen):
    answer = lively.get("/api/v1/stream", headers={"Last-Event-ID": seen})

    frames = iter(answer.response)
    assert next(frames).startswith(b"retry")
    assert b"event: prediction" in next(frames)
    answer.close()


def test_the_latest_price_wins_and_predictions_come_first():
    stream = Stream()
    stream.put_latest("price", b"old")
    stream.put_prediction(b"one")
    stream.put_latest("price", b"new")
    stream.put_prediction(b"two")

    assert stream.take(1.0) == [b"one", b"two", b"new"]
    assert stream.take(0.0) == []


def test_a_reader_too_far_behind_is_told_to_load_anew():
    stream = Stream()
    for _ in range(MAX_WAITING + 1):
        stream.put_prediction(b"one")

    assert stream.take(1.0) == [b"event: resync\ndata: {}\n\n"]


def test_a_closed_stream_ends_at_once():
    stream = Stream()
    waiting = threading.Thread(target=stream.take, args=(60.0,))
    waiting.start()

    stream.close()

    waiting.join(5.0)
    assert not waiting.is_alive()
    assert stream.take(1.0) is None
