"""Catalog batches: sources, work units, outputs, validator, verdicts, sinks, manifest, engine.

Each piece is usable alone and none but `engine` runs anything: an engine of any kind calls the
others for one picture at a time. The flow, a file each: `sources` finds pictures, `planning` makes
`units` of them, `resume` tells which are done, `work` makes, checks, judges and writes one,
`manifest` keeps what became of it, `row` is that as data. `core.cut_rows` is all of it in one
thread; `engine.Batch` on `Remover.map`.
"""
