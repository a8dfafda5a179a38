"""Catalog batches: profiles, outputs, validator and verdicts, each usable alone.

Nothing here starts a thread or keeps state: an engine of any kind calls these pieces for one
picture at a time.
"""
