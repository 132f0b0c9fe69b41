"""The live loop beside a real training: how much later predictions are published while models are fitted."""

import shutil
import statistics
import tempfile
import threading
import time
from itertools import chain
from pathlib import Path

from engine_benchmarks import heartbeat, note_closes, note_published, running_engine
from feed_benchmarks import load_exchange

from utils.datagrams import Mailbox as Datagrams
from utils.mailbox import LETTERS_FOLDER, Mailbox

SYMBOLS, RATE, SPEED = 50, 2_000, 30.0  # a candle of a minute closes every two seconds
HORIZONS = ("15m",)
ROUNDS, FEWEST_CLOSES = 3, 3
SETTLE_SECONDS, PHASE_SECONDS, PATIENCE_SECONDS = 6.0, 10.0, 120.0


def loop_beside_training():
    """How many times later a close is published while the engine's own child trains than while it does not."""
    options = ("--symbols", str(SYMBOLS), "--rate", str(RATE), "--speed", str(SPEED))
    with tempfile.TemporaryDirectory() as name, load_exchange(*options) as (exchange, port):
        folder = Path(name)
        with running_engine(folder, port, SYMBOLS, HORIZONS):
            house = _House(folder, exchange)
            house.train()  # the first one fills the record, as a start does
            rounds = [(house.alone(), house.train()) for _ in range(ROUNDS)]
            delays = [[house.delays_ms(*span) for span in spans] for spans in rounds]
    alone, beside = (list(chain(*column)) for column in zip(*delays, strict=True))
    is_whole = house.is_whole() and all(len(some) >= FEWEST_CLOSES for pair in delays for some in pair)
    slower = [statistics.median(two) / statistics.median(one) for one, two in delays if one and two]
    return {
        "work": (
            f"{RATE:,} msg/s, {SYMBOLS} symbols; from the last closing frame to all predictions published: alone "
            f"median {statistics.median(alone):.1f} ms, worst {max(alone):.1f} ms of {len(alone)} closes; beside a "
            f"training median {statistics.median(beside):.1f} ms, worst {max(beside):.1f} ms of {len(beside)}; "
            f"rounds in turn: {', '.join(f'{ratio:.2f}' for ratio in slower)}"
        ),
        "anchor": "budget",
        "anchor_value": 1.2,
        "ours_value": statistics.median(slower),
        "unit": "times the median alone",
        "goal": "<= 1.2",
        "gate": "passed" if is_whole else "failed",
    }


class _House:
    """A running engine, what it publishes, and the orders it is given."""

    def __init__(self, folder, exchange):
        self._folder = folder
        self._letters = Mailbox(folder / "run" / LETTERS_FOLDER)
        self._told, self._published = {}, {}  # candle -> when its last frame had been sent; -> count, last
        events, over = Datagrams(folder / "run" / "live"), time.monotonic() + 1_000.0
        threading.Thread(target=note_closes, args=(exchange.stdout, self._told), daemon=True).start()
        threading.Thread(target=note_published, args=(events, self._published, over), daemon=True).start()
        time.sleep(SETTLE_SECONDS)

    def alone(self):
        """Return the span of some seconds in which nothing is trained."""
        started = time.monotonic()
        time.sleep(PHASE_SECONDS)
        return started, time.monotonic()

    def train(self):
        """Have the engine train all anew; return the span in which its child worked, ended when it takes long."""
        shutil.rmtree(self._folder / "fits", ignore_errors=True)  # what is remembered would not be fitted again
        self._letters.put({"order": "retrain", "horizon": "all"})
        started = self._when(lambda training: training and training["done"])
        over = time.monotonic() + PHASE_SECONDS
        ended = self._when(lambda training: not training or time.monotonic() > over)
        self._letters.put({"order": "cancel"})
        self._when(lambda training: not training)
        return started, ended

    def delays_ms(self, started, ended):
        """Return how long after its last closing frame each candle that closed in a span was published."""
        closes = sorted(open_ms for open_ms, told in self._told.items() if started <= told < ended)
        closes = [open_ms for open_ms in closes if open_ms in self._published]
        return [(self._published[open_ms][1] - self._told[open_ms]) * 1e3 for open_ms in closes]

    def is_whole(self):
        """Return whether every close was published with all its predictions, but for the first and last one heard."""
        counts = [count for _, (count, _) in sorted(self._published.items())][1:-1]
        return set(counts) == {SYMBOLS * len(HORIZONS)}

    def _when(self, is_so):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not is_so(training := heartbeat(self._folder)["training"]):
            if time.monotonic() > deadline:
                raise RuntimeError(f"the training does not begin or end: {training}")
            time.sleep(0.1)
        return time.monotonic()


BENCHMARKS = (loop_beside_training,)
