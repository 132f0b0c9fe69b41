import pytest

from web import formats


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (105594.013, 2, "105\u202f594.01"),
        (0.00001234, 8, "0.00001234"),
        (-8.94, 1, "\u22128.9"),
        (-0.01, 1, "0.0"),
        (0, 0, "0"),
        (None, 2, "–"),
        (float("nan"), 2, "–"),
    ],
)
def test_numbers_have_thin_thousands_and_a_real_minus(value, digits, text):
    assert formats.number(value, digits) == text


def test_what_may_be_negative_has_a_sign():
    assert [formats.signed(value) for value in (1.25, -1.25, 0.0, -0.04, None)] == [
        "+1.2",
        "\u22121.2",
        "+0.0",
        "+0.0",
        "–",
    ]


def test_shares_are_percentages():
    assert formats.percent(0.6184) == "61.8%"
    assert formats.signed_percent(-0.0125, 2) == "\u22121.25%"
    assert formats.percent(None) == "–"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.9, "59 s"), (61, "1 min"), (7_300, "2 h"), (200_000, "2 d")]
)
def test_an_age_has_the_largest_sensible_unit(seconds, text):
    assert formats.age(seconds) == text


def test_times_are_utc():
    assert formats.clock(1_763_640_065_000) == "12:01:05"
    assert formats.moment(1_762_300_800_000) == "5\u00a0Nov, 00:00"
    assert formats.iso(1_763_640_000_000) == "2025-11-20T12:00:00Z"
    assert formats.span("15m") == "15\u00a0m"


def test_a_sample_size_stays_in_one_piece():
    assert formats.sample(1303) == "n\u00a01\u202f303"


@pytest.mark.parametrize(
    ("difference_ms", "text"), [(-12, "12 ms behind"), (1_234, "1\u202f234 ms ahead"), (190_000_000, "2 d ahead")]
)
def test_clocks_are_so_far_apart(difference_ms, text):
    assert formats.apart(difference_ms) == text
