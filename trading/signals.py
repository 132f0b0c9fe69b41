"""Turn an expected move into a verdict after costs."""

from market.predictions import Verdict


def edge_bps(expected_return_bps: float, cost_bps: float) -> float:
    """Return what the expected move leaves after costs, whichever its direction."""
    return abs(expected_return_bps) - cost_bps


def decide(expected_return_bps: float, cost_bps: float) -> Verdict:
    """Return up or down only when the expected move is larger than its costs, else abstain."""
    if edge_bps(expected_return_bps, cost_bps) <= 0:
        return Verdict.ABSTAIN
    return Verdict.UP if expected_return_bps > 0 else Verdict.DOWN
