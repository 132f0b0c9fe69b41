"""Tools that know no market."""
