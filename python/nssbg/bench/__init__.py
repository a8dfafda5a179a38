"""Measuring on the user's own machine: networks to measure with, and what they cost."""
