"""`nssbg bench`: what networks and whole cut-outs cost on this machine, measured and accounted for.

In: which models, devices, precisions, threads and picture sizes. Out: a document of the schema
`nssbg.bench/1` (raw samples, statistics, floors, machine), tables and a page made from it, and the
comparison of two such documents. It measures through the planner, the runtimes and the pipeline
that cut-outs run through, each candidate in a process of its own, and never writes a plan.
"""
