"""Turn floats that were written as decimals into whole numbers and back, without losing a bit."""

import numpy as np

AS_BITS = -1  # instead of a number of digits: the values are no short decimals, their bits are kept
_MOST_DIGITS = 12
_MOST_EXACT = 2.0**53
_SCALES = 10.0 ** np.arange(_MOST_DIGITS + 1)  # powers of ten up to 1e22 are exact


def to_whole(values: np.ndarray) -> tuple[int, np.ndarray]:
    """Return how many digits behind the point the float64 values have, and the values in units of the last one.

    Prices and volumes come as short decimals; whole numbers of them take half the room of floats once compressed.
    Where some value has more digits than a float64 can hold exactly the answer is `AS_BITS` and the bits as int64.
    """
    bits = np.ascontiguousarray(values, dtype="<f8").view("<i8")
    for digits, scale in enumerate(_SCALES.tolist()):
        whole = np.rint(values * scale)
        if not (np.abs(whole) < _MOST_EXACT).all():  # nan too
            break
        exact = whole.astype("<i8")
        if np.array_equal((exact / scale).view("<i8"), bits):
            return digits, exact
    return AS_BITS, bits


def from_whole(digits: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Return the float64 values behind whole numbers; `digits`: of each one, as `to_whole` told."""
    known = np.clip(digits, 0, _MOST_DIGITS)
    values: np.ndarray = np.where(digits == AS_BITS, whole.view("<f8"), whole / _SCALES[known])
    return values
