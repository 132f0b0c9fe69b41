"""Numbers in, probability out: the trained estimators and the flat form they serve from."""
