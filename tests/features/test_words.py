import pytest

from features.feature_engineering import COLUMNS
from features.words import in_words


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ("return_12", "Move, in usual moves, 12 candles"),
        ("sma_10_distance", "Distance from the plain average, 10 candles"),
        ("rsi", "Gains against losses"),
        ("hour_of_the_moon_7", "hour_of_the_moon_7"),
    ],
)
def test_a_column_has_a_name_for_people(column, words):
    assert in_words(column) == words


def test_no_two_columns_are_called_the_same():
    assert len({in_words(column) for column in COLUMNS}) == len(COLUMNS)
