import pytest

from market.errors import ModelError
from models.validation import gap_candles, needed_candles, split_before, walk_forward


@pytest.mark.parametrize("horizon_candles", [1, 12, 48, 288])
def test_no_label_reaches_into_a_later_span(horizon_candles):
    splits = walk_forward(100, range(8_000, 17_280), horizon_candles, folds=3)

    assert len(splits) == 3
    for split in splits:
        assert split.training.start == 100
        assert split.training[-1] + horizon_candles < split.calibration.start
        assert split.calibration[-1] + horizon_candles < split.test.start
        assert min(len(split.training), len(split.calibration)) >= horizon_candles


def test_folds_cover_the_replayed_candles_once():
    splits = walk_forward(0, range(1_000, 2_001), 12, folds=4)

    assert [at for split in splits for at in split.test] == list(range(1_000, 2_001))


def test_candles_with_too_little_past_are_left_out():
    splits = walk_forward(50, range(1_000), 12, folds=2)

    assert splits[0].test.start == 50 + needed_candles(12)
    assert splits[-1].test.stop == 1_000


def test_a_past_that_is_too_short_everywhere_gives_no_fold():
    assert walk_forward(0, range(needed_candles(288)), 288, folds=3) == []


def test_says_how_much_history_is_missing():
    with pytest.raises(ModelError, match=rf"has 100 usable candles of history, needs {needed_candles(288)}"):
        split_before(0, range(100, 200), 288)


def test_the_gap_is_longer_than_the_horizon():
    assert [gap_candles(length) for length in (1, 12, 288)] == [2, 13, 317]
