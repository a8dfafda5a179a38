"""Lays a cut-out over backgrounds, frames it, casts its shadow: what a result looks like."""
