"""The same rules, over the past: what a walk-forward was worth, and whether it could have known too much."""
