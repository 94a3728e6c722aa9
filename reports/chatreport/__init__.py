"""Judges a recorded run: what was promised, what was seen, and whether the one matches the other."""
