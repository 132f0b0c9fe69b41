from dataclasses import dataclass

import numpy as np

from utils.sizes import bytes_of


@dataclass(frozen=True, slots=True)
class Slotted:
    numbers: np.ndarray


class Open:
    def __init__(self, numbers):
        self.numbers = numbers


def test_what_a_value_holds_counts_with_it():
    numbers = np.zeros(10_000)

    for holder in ([numbers], {"a": numbers}, (Slotted(numbers),), Open(numbers), {"deep": [[numbers]]}):
        assert 80_000 < bytes_of(holder) < 82_000


def test_what_is_there_twice_counts_once():
    text = "x" * 10_000

    assert bytes_of([text, text]) < 11_000


def test_a_view_counts_with_what_it_shows():
    assert bytes_of(np.zeros((100, 100))[:50]) >= 40_000


def test_a_ring_ends():
    ring = []
    ring.append(ring)

    assert bytes_of(ring) < 1_000
