"""Object stores: pictures read from them, outputs committed to them, each exactly once.

`objects` is a store as a few operations on whole objects, retried; `listing` finds pictures there;
`commit` writes a unit's outputs and the one record that says whose count; `manifest` is what a run
knows, made of those records and of segments. `transfers` overlaps all that with work.
docs/decisions/1020-commit-protocol.md says why it is so.
"""
