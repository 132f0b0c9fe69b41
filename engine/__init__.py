"""What runs without people: the live loop, training, scoring."""
