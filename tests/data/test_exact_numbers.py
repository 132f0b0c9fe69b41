import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from data.exact_numbers import AS_BITS, from_whole, to_whole


def there_and_back(values):
    digits, whole = to_whole(values)
    return from_whole(np.full(len(values), digits, dtype=np.int8), whole)


@settings(deadline=None, derandomize=True)
@given(arrays.arrays("<f8", st.integers(0, 20), elements=st.floats(width=64)))
def test_any_float_comes_back_to_the_bit(values):
    assert there_and_back(values).tobytes() == values.tobytes()


@pytest.mark.parametrize("digits", range(9))
def test_decimals_become_whole_numbers_of_their_last_digit(digits):
    written = np.arange(-500, 50_000, 7)
    values = np.array([float(f"{number}e-{digits}") for number in written])

    found, whole = to_whole(values[values != 0])

    assert found <= digits
    assert there_and_back(values).tobytes() == values.tobytes()
    np.testing.assert_array_equal(whole, written[written != 0] // 10 ** (digits - found))


@pytest.mark.parametrize("odd", [0.1 + 0.2, 1 / 3, -0.0, float("nan"), float("inf"), 1e300, 5e-324])
def test_what_is_no_short_decimal_is_kept_as_bits(odd):
    digits, _ = to_whole(np.array([1.5, odd]))

    assert digits == AS_BITS
    assert there_and_back(np.array([1.5, odd])).tobytes() == np.array([1.5, odd]).tobytes()


def test_series_of_different_digits_can_be_read_together():
    one, two = np.array([1.25, 2.5]), np.array([1 / 3])
    parts = [to_whole(one), to_whole(two)]
    digits = np.repeat(np.array([part[0] for part in parts], dtype=np.int8), [2, 1])

    values = from_whole(digits, np.concatenate([part[1] for part in parts]))

    assert values.tolist() == [1.25, 2.5, 1 / 3]
