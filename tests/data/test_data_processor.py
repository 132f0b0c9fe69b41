import threading

import numpy as np
import pytest

from data.data_processor import DataProcessor, content_hash
from features.feature_engineering import OWN_COLUMNS, compute_features
from tests.features.candle_kinds import MINUTE_MS, walk


def test_computes_equal_candles_once():
    processor = DataProcessor()

    first, second = processor.features(walk(500), MINUTE_MS), processor.features(walk(500).copy(), MINUTE_MS)

    assert second is first
    assert first.tobytes() == compute_features(walk(500), MINUTE_MS).tobytes()
    assert (processor.get_stats()["hits"], processor.get_stats()["misses"]) == (1, 1)


def test_other_content_is_computed_anew():
    changed = walk(500)
    changed["close"][250] *= 1.0001

    plain = content_hash(walk(500), MINUTE_MS)
    assert content_hash(changed, MINUTE_MS) != plain
    assert content_hash(walk(500)[:499], MINUTE_MS) != plain
    assert content_hash(walk(500), 2 * MINUTE_MS) != plain


def test_what_is_shared_cannot_be_changed():
    rows = DataProcessor().features(walk(500), MINUTE_MS)

    with pytest.raises(ValueError, match="read-only"):
        rows[0, 0] = 1.0


def test_many_askers_share_one_computation():
    processor, candles, answers = DataProcessor(), walk(20_000), []
    start = threading.Barrier(8)

    def ask():
        start.wait()
        answers.append(processor.features(candles, MINUTE_MS))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(answers) == 8
    assert len({id(rows) for rows in answers}) == 1


def test_keeps_no_more_than_its_size_and_forgets_on_demand():
    processor = DataProcessor(cache_size=2)
    for seed in range(3):
        processor.features(walk(100, seed=seed), MINUTE_MS)

    assert processor.get_stats()["size"] == 2
    assert processor.get_stats()["evictions"] == 1
    processor.clear()
    assert processor.get_stats()["size"] == 0


def test_a_part_of_a_table_is_as_good_as_a_copy():
    table = walk(500)

    rows = DataProcessor().features(table[::2], 2 * MINUTE_MS)

    assert rows.shape == (250, len(OWN_COLUMNS))
    assert np.array_equal(rows, compute_features(table[::2].copy(), 2 * MINUTE_MS), equal_nan=True)
