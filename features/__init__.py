"""Candles in, numbers out: indicators, one rule each, and the scale-free features made of them."""
