"""When a challenger takes over, when a champion gives way to the one before it: the rules, and nothing else."""

from dataclasses import dataclass

from data.champion_store import MODEL_LIFE_MS, PERSON, Holder
from data.paired_score import Compared
from market.intervals import DAY_MS

LAST_DAY_MS = MODEL_LIFE_MS - DAY_MS  # from this age on a fresh model is wanted, proven or not
TRIAL_HORIZONS = 12  # enough for an interval
LONGEST_TRIAL_MS = 3 * DAY_MS  # two trials and their trainings fit into one life


@dataclass(frozen=True, slots=True)
class Contender:
    """A model with a role, and up to when it knows the market."""

    holder: Holder
    cut_ms: int

    def age_ms(self, market_ms: int) -> int:
        """Return how old what it knows is."""
        return market_ms - self.cut_ms


@dataclass(frozen=True, slots=True)
class Ruling:
    """What happens to a model in the shadow: promoted, dropped or rolled back, and why."""

    kind: str
    text: str


def trial_ms(horizon_ms: int) -> int:
    """Return how long a challenger is watched: a day or twelve horizons, never so long that its champion expires."""
    return min(max(DAY_MS, TRIAL_HORIZONS * horizon_ms), LONGEST_TRIAL_MS)


def rule_on_challenger(
    champion: Contender, challenger: Contender, compared: Compared, market_ms: int, horizon_ms: int
) -> Ruling | None:
    """Return what becomes of a challenger now; None: its trial goes on."""
    if compared.is_worse:
        return Ruling("dropped", f"scored worse than its champion: {figures(compared)}")
    if compared.is_better:
        return Ruling("promoted", f"scores better than the champion: {figures(compared)}")
    if champion.age_ms(market_ms) >= MODEL_LIFE_MS:
        return Ruling("promoted", f"the champion had expired; {figures(compared)}")
    if market_ms - challenger.holder.since_ms < trial_ms(horizon_ms) or challenger.cut_ms <= champion.cut_ms:
        return None
    if compared.high is not None and compared.high < 0:  # one look at its end, so the interval is what it says
        return Ruling("dropped", f"scored worse than its champion in its trial: {figures(compared)}")
    if compared.low is not None or (compared.difference is not None and compared.difference >= 0):
        return Ruling("promoted", f"newer, and not measurably worse: {figures(compared)}")
    if champion.age_ms(market_ms) >= LAST_DAY_MS:
        return Ruling("promoted", f"the champion is about to expire; {figures(compared)}")
    return None


def rule_on_predecessor(
    champion: Contender, predecessor: Contender, compared: Compared, market_ms: int
) -> Ruling | None:
    """Return whether the champion gives way to the one before it, which has gone on in the shadow."""
    if champion.holder.given_by == PERSON or predecessor.age_ms(market_ms) >= MODEL_LIFE_MS:
        return None
    if compared.is_better:
        return Ruling("rolled back", f"the champion has decayed, the one before it scores better: {figures(compared)}")
    return None


def figures(compared: Compared) -> str:
    """Return a comparison in words, in Brier score."""
    if compared.difference is None:
        return "no outcome to compare by yet"
    side = "ahead" if compared.difference >= 0 else "behind"
    if compared.low is None or compared.high is None:
        reach = f"too few horizons ({compared.spans}) for an interval"
    else:
        reach = f"95% {_signed(compared.low)} to {_signed(compared.high)}"
    return f"{side} by {100 * abs(compared.difference):.1f}% in Brier score, n {compared.n}, {reach}"


def _signed(share: float) -> str:
    return f"{100 * share:+.1f}".replace("-", "−")
