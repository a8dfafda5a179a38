"""Writes what bench.peers found: tables into docs/benchmarks.md, plots into docs/pictures.

The tables stand between two comments, what stands against nssbg first; the rest of the page is not
touched.
"""

from __future__ import annotations

import argparse
import html
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.timing import Timing, commit, processor_name, table
from nssbg.bench.statistics import median_interval
from nssbg.bench.tables import number

if TYPE_CHECKING:
    from bench.peers import Task

DOCS = Path(__file__).resolve().parent.parent / "docs"
BEGIN, END = "<!-- peers: written by bench.peers -->", "<!-- peers: end -->"
_WIDTH, _LABELS, _ROW = 760, 250, 26


def write_pages(
    tasks: Sequence[Task],
    behind: Sequence[str],
    when: str,
    versions: str,
    options: argparse.Namespace,
) -> list[Path]:
    """Put the tables and plots into docs/; the files that were written."""
    page = DOCS / "benchmarks.md"
    text = page.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise SystemExit(f"{page}: lacks the lines {BEGIN} and {END}")
    section = "\n".join(_section(tasks, behind, when, versions, options))
    page.write_text(f"{before}{BEGIN}\n{section}\n{END}{after}", encoding="utf-8")
    written = [page]
    for task in tasks:
        path = DOCS / "pictures" / f"peers-{task.name}.svg"
        path.write_text(plot(task), encoding="utf-8")
        written.append(path)
    return written


def _section(
    tasks: Sequence[Task],
    behind: Sequence[str],
    when: str,
    versions: str,
    options: argparse.Namespace,
) -> list[str]:
    busy = statistics.median(
        (max(t.samples) - min(t.samples)) / t.median for task in tasks for t in task.timings.timings
    )
    lines = [
        "",
        "What to keep in mind:",
        "",
        f"- One machine: {processor_name()}, {options.threads} threads, virtual and shared. The "
        f"slowest round of a row took {100 * busy:.0f} % of its median longer than the fastest "
        "(median over all rows): only what stands in one table is comparable, and processor time "
        "says more than wall time.",
        "- Drawn pictures, not photographs: the fixed set of `nssbg bench`. The network's weights "
        "are random, so its map is grey nearly everywhere: much for nssbg's refinement to do, and "
        "nothing about anyone's quality.",
        "- Every peer with its defaults but for the threads, which rembg takes by itself (all). "
        "nssbg runs the network on the runtime\n  that it takes without a measurement, OpenVINO; "
        "rembg and the scripts run it on onnxruntime.",
        "- An alpha that is only enlarged is cheaper than one that is refined, and colours that "
        "are left alone than ones that are\n  estimated: times stand beside errors for that.",
        "- nssbg's authors chose the tasks.",
        "",
        "Where nssbg is behind in this run:",
        "",
        *([f"- {line}" for line in behind] or ["- nowhere by more than 5 %"]),
        "",
        f"{when}, commit {commit()}; {versions}; {options.rounds} rounds, interleaved "
        f"(`python -m bench run peers --megapixels {options.megapixels:g} --scenes "
        f"{' '.join(options.scenes)} --rounds {options.rounds} "
        f"--threads {options.threads} --write`):",
    ]
    for task in tasks:
        lines += ["", f"### {task.name.capitalize()} {{ #peers-{task.name} }}", "", task.what, ""]
        lines += [
            _table(task),
            "",
            f"![{task.name}: processor time](pictures/peers-{task.name}.svg)",
        ]
        lines += [f"\n{name} is left out: {why.rstrip('.')}." for name, why in task.absent.items()]
    return [*lines, ""]


def _interval(timing: Timing) -> str:
    found = median_interval(timing.samples)
    return "-" if found is None else f"{number(found[0])} to {number(found[1])}"


def _table(task: Task) -> str:
    head = ["", "CPU ms", "median ms", "95 % interval", "times nssbg's CPU"]
    head += [task.extra] if task.extra else []
    rows = []
    own = task.timings[task.ours[0]].processor_median
    for timing in task.timings.timings:
        row = [timing.name, number(timing.processor_median), number(timing.median)]
        row += [_interval(timing), f"{timing.processor_median / own:.2f}"]
        row += [f"{task.values[timing.name]:.3g}"] if task.extra else []
        rows.append(row)
    for name, value in task.values.items():
        if name not in task.timings.medians:
            rows.append([name, "-", "-", "-", "-", f"{value:.3g}"])
    return table(head, rows)


def _upper(timing: Timing) -> float:
    found = median_interval(timing.processor)
    return timing.processor_median if found is None else max(found[1], timing.processor_median)


def plot(task: Task) -> str:
    """Bars of the processor time's medians, nssbg's darker, the interval as a line."""
    timings = task.timings.timings
    most = max(_upper(timing) for timing in timings)
    scale = (_WIDTH - _LABELS - 90) / most
    height = _ROW * len(timings) + 10
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        'font-family="sans-serif" font-size="13">',
        "<style>text{fill:#1c2226}@media(prefers-color-scheme:dark){text{fill:#e6eaec}}</style>",
    ]
    for index, timing in enumerate(timings):
        y = 5 + index * _ROW
        color = "#22665f" if timing.name in task.ours else "#8fa9b5"
        width = max(1.0, timing.processor_median * scale)
        name = html.escape(timing.name)
        parts.append(f'<text x="{_LABELS - 8}" y="{y + 16}" text-anchor="end">{name}</text>')
        parts.append(
            f'<rect x="{_LABELS}" y="{y + 3}" width="{width:.1f}" height="18" fill="{color}"/>'
        )
        end = width
        found = median_interval(timing.processor)
        if found is not None:
            low, high = (value * scale for value in found[:2])
            end = max(end, high)
            parts.append(
                f'<line x1="{_LABELS + low:.1f}" x2="{_LABELS + high:.1f}" y1="{y + 12}" '
                f'y2="{y + 12}" stroke="#c2571a" stroke-width="2"/>'
            )
        parts.append(
            f'<text x="{_LABELS + end + 6:.1f}" y="{y + 16}">'
            f"{number(timing.processor_median)} ms</text>"
        )
    return "".join([*parts, "</svg>\n"])
