"""What goes wrong at the simulated exchange on demand: each kind of fault is one entry, played at its time."""
