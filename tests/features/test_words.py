import pytest

from features.feature_engineering import COLUMNS
from features.words import in_words


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ("return_12", "Move, in usual moves, 12 candles"),
        ("sma_10_distance", "Distance from the plain average, 10 candles"),
        ("rsi", "Gains against losses"),
        ("efficiency_10_x12", "Straightness of the move, 10 candles 12 times as long"),
        ("mfi_x12", "Money in against money out, candles 12 times as long"),
        ("hour_of_the_moon_7", "hour_of_the_moon_7"),
    ],
)
def test_a_column_has_a_name_for_people(column, words):
    assert in_words(column) == words


def test_no_two_columns_are_called_the_same():
    assert len({in_words(column) for column in COLUMNS}) == len(COLUMNS)


def test_every_column_has_words():
    assert [column for column in COLUMNS if in_words(column) == column] == []
