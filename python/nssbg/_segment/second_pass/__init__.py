"""Runs a network again on crops around small subjects and on tiles along the outline."""
