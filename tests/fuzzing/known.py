"""Faults that fuzzing finds and that are not mended yet: label and verdict, and why.

Each has a file in corpus/known/, whose test is expected to fail; once it does not, entry and file
have to go (the file to corpus/python/, where it must stay harmless).
"""

from __future__ import annotations

__all__ = ["KNOWN", "REFUSED_SEEDS"]

KNOWN: dict[str, str] = {}

# Sound files that may be refused.
REFUSED_SEEDS: frozenset[str] = frozenset()
