"""How a model came to be what it is: each thing that was tried beside the usual way, in words, with its figures."""

from dataclasses import dataclass
from typing import Any

from web.formats import number, signed

DIGITS = 5  # of a log-loss: a market lets a model gain a few ten-thousandths


@dataclass(frozen=True, slots=True)
class Choice:
    """One thing that was chosen, why, and on how many later rows (None: nothing was tried)."""

    name: str
    text: str
    n: int | None


def choices_of(card: dict[str, Any]) -> list[Choice]:
    """Return what was chosen for a model; nothing of a model whose manifest does not tell."""
    told = card.get("choices")
    if not told:
        return []
    return [*_family(card, told), _columns(card, told), _leaves(told), *_trees(told), *_calibration(card, told)]


def family_name(family: str) -> str:
    """Return the name of a family as it stands within a sentence."""
    return family.replace("_", " ")


def _family(card: dict[str, Any], told: dict[str, Any]) -> list[Choice]:
    trials = told.get("families")
    if not trials:
        return []
    others = ", ".join(f"{family_name(name)} {_against(trial)}" for name, trial in trials.items())
    name = family_name(card["family"]).capitalize()
    return [Choice("Family", f"{name}. The others against it: {others}.", next(iter(trials.values()))["n"])]


def _columns(card: dict[str, Any], told: dict[str, Any]) -> Choice:
    trial, dropped, count = told["fewer_columns"], len(told["dropped"]), len(card["features"])
    if trial is None:
        return Choice("Columns", f"All {count}. Fewer were not tried: each is of use, or there are too few rows.", None)
    if dropped:
        text = f"{count - dropped} of {count}. The others are of no stable use; without them: {_against(trial)}."
    else:
        text = f"All {count}. Without those of no stable use it lost more: {_against(trial)}."
    return Choice("Columns", text, trial["n"])


def _leaves(told: dict[str, Any]) -> Choice:
    trial = told["newer_leaves"]
    if trial is None:
        text = "Fitted anew. Counting the leaves of older trees anew was not tried: no such trees, or too few rows."
        return Choice("Fit", text, None)
    way = "The trees of the fold before, leaves counted anew" if trial["is_used"] else "Trees grown anew"
    return Choice("Fit", f"{way}. New leaves in older trees against new trees: {_against(trial)}.", trial["n"])


def _trees(told: dict[str, Any]) -> list[Choice]:
    sizes = told["sizes"]
    if not sizes:
        return []
    tried = ", ".join(f"{size['trees']}: {number(size['log_loss'], DIGITS)}" for size in sizes)
    text = f"{told['trees']} of {sizes[-1]['trees']}. Log-loss by their number: {tried}."
    return [Choice("Trees", text, sizes[-1].get("n"))]


def _calibration(card: dict[str, Any], told: dict[str, Any]) -> list[Choice]:
    way = "A line in log-odds" if card["calibration"] == "platt" else "Monotone steps"
    trial = told.get("steps")
    if trial is None:
        return [Choice("Calibration", f"{way}.", None)]
    return [Choice("Calibration", f"{way}. Monotone steps against a line: {_against(trial)}.", trial["n"])]


def _against(trial: dict[str, Any]) -> str:
    """Return the excess of a log-loss with its error between blocks of time."""
    error = "too few blocks of time for an error" if trial["error"] is None else f"± {number(trial['error'], DIGITS)}"
    return f"{signed(trial['excess'], DIGITS)} {error}"
