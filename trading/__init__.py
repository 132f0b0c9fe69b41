"""Probability in, decision out: costs, signals, orders."""
