"""A run's numbers as a Prometheus text file, for node_exporter's textfile collector.

The file is replaced whole, so that the collector never reads half of one.
"""

from __future__ import annotations

import os
import time

from nssbg import _fs
from nssbg.batch.sink import telling
from nssbg.batch.summary import Summary

__all__ = ["metrics_text", "write_metrics"]

_PREFIX = "nssbg_batch"


def metrics_text(summary: Summary, out: str, *, running: bool) -> str:
    """The numbers in Prometheus's text format.

    Args:
        summary: Of the run.
        out: The output folder, as the label "out".
        running: Whether the run goes on.
    """
    label = f'out="{_escaped(out)}"'
    lines: list[str] = []

    def metric(name: str, kind: str, help: str, values: list[tuple[str, float]]) -> None:
        lines.append(f"# HELP {_PREFIX}_{name} {help}")
        lines.append(f"# TYPE {_PREFIX}_{name} {kind}")
        for more, value in values:
            labels = f"{label},{more}" if more else label
            lines.append(f"{_PREFIX}_{name}{{{labels}}} {value:.15g}")

    metric(
        "pictures",
        "gauge",
        "Pictures of the run, by what became of them.",
        [
            ('status="done"', summary.done),
            ('status="failed"', summary.failed),
            ('status="skipped"', summary.skipped),
        ],
    )
    metric("pictures_found", "gauge", "Pictures that the run found.", [("", summary.total)])
    metric(
        "pictures_unchanged",
        "gauge",
        "Pictures that an earlier run did.",
        [("", summary.unchanged)],
    )
    metric(
        "verdicts",
        "gauge",
        "Pictures by verdict.",
        [(f'verdict="{name}"', summary.verdicts[name]) for name in ("pass", "review", "fail")],
    )
    metric("rate", "gauge", "Pictures cut out a second.", [("", summary.rate)])
    metric("seconds", "gauge", "Seconds since the run began.", [("", summary.seconds)])
    metric("running", "gauge", "1 while the run goes on.", [("", int(running))])
    metric("updated", "gauge", "When this was written, Unix time.", [("", time.time())])
    return "\n".join(lines) + "\n"


def write_metrics(path: str, summary: Summary, out: str, *, running: bool) -> None:
    """Write the numbers to a file, whole.

    Raises:
        ImageEncodeError: It cannot be written.
    """
    with telling(path):
        text = metrics_text(summary, out, running=running)
        _fs.write(path, text.encode("utf-8", "backslashreplace"), sync=False)


def _escaped(text: str) -> str:
    printable = os.fsencode(text).decode("utf-8", "backslashreplace")
    return printable.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
