"""What was tried for a model, in words: used or not, or not tried at all."""

import pytest

from web.model_choices import choices_of


def trial(excess, *, is_used=False, error=0.00002):
    return {"n": 1_200, "log_loss": 0.69, "usual_log_loss": 0.69, "excess": excess, "error": error, "is_used": is_used}


def card(**told):
    nothing = {"families": {}, "dropped": [], "fewer_columns": None, "newer_leaves": None}
    choices = {**nothing, "sizes": [], "trees": None, "steps": None, **told}
    features = [f"column_{number}" for number in range(50)]
    return {"family": "extra_trees", "calibration": "platt", "features": features, "choices": choices}


def told(name, **choices):
    (found,) = [choice for choice in choices_of(card(**choices)) if choice.name == name]
    return found.text, found.n


@pytest.mark.parametrize(
    ("name", "choices", "text"),
    [
        ("Family", {"families": {"random_forest": trial(0.0001)}}, "Extra trees. The others against it: random forest"),
        ("Columns", {"fewer_columns": trial(-0.0001), "dropped": ["column_1"]}, "49 of 50."),
        ("Columns", {"fewer_columns": trial(0.0003)}, "All 50. Without those of no stable use it lost more"),
        ("Fit", {"newer_leaves": trial(-0.0001, is_used=True)}, "The trees of the fold before, leaves counted anew."),
        ("Fit", {"newer_leaves": trial(0.0003)}, "Trees grown anew."),
        ("Calibration", {"steps": trial(0.0003)}, "A line in log-odds. Monotone steps against a line"),
    ],
)
def test_a_trial_is_told_with_its_figures_and_their_n(name, choices, text):
    said, n = told(name, **choices)

    assert said.startswith(text)
    assert "± 0.00002" in said
    assert n == 1_200


def test_each_number_of_trees_is_told_with_its_log_loss():
    sizes = [{"trees": 4, "n": 900, "log_loss": 0.6931}, {"trees": 32, "n": 900, "log_loss": 0.6920}]

    assert told("Trees", sizes=sizes, trees=4) == ("4 of 32. Log-loss by their number: 4: 0.69310, 32: 0.69200.", 900)


def test_what_was_not_tried_is_told_so_without_a_figure():
    assert told("Columns")[1] is None
    assert "was not tried" in told("Fit")[0]


def test_too_few_blocks_of_time_have_no_error():
    assert "too few blocks of time" in told("Family", families={"random_forest": trial(0.1, error=None)})[0]


def test_an_older_manifest_without_choices_tells_nothing():
    assert choices_of({"family": "random_forest"}) == []
