"""Measurements: speed beside the peers in one run, quality on pictures with known alpha."""
