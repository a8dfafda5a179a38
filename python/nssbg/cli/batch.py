"""`nssbg batch SRC... OUT`: a catalog, unattended; and `batch status|report|retry OUT`."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import time
from typing import TYPE_CHECKING, Any

from nssbg._errors import SOME_FAILED, NssbgError, OptionError
from nssbg._vocabulary import (
    BACKENDS,
    EFFORTS,
    FOREGROUND_METHODS,
    GROUP_BY,
    LICENSE_USES,
    PRECISION_CHOICES,
    REFINE_LEVELS,
)
from nssbg.cli.console import printable, say, stopping_gently
from nssbg.cli.enhancing import add_enhance_options, enhancement_of

if TYPE_CHECKING:
    from nssbg.batch.engine import Batch
    from nssbg.batch.forecast import Forecast
    from nssbg.batch.summary import Summary

__all__ = ["add_parser", "run"]

_ACTIONS = ("status", "report", "retry")
# Seconds that pictures in flight get to end in after a first signal.
_GRACE = 120.0
# Seconds between two writes of the metrics file.
_METRICS_EVERY = 5.0


def add_parser(subparsers: Any) -> None:
    """Register the sub-command."""
    parser = subparsers.add_parser(
        "batch",
        help="cut out a whole catalog, unattended; goes on where it stopped",
        description="Cut out the pictures of files, folders and globs into the folder OUT, which "
        "mirrors the tree. Each may be the URI of an object store (s3://bucket/prefix; "
        "nssbg[cloud]). Run again, it does exactly what is missing: what is new, has changed, "
        "or was lost. `nssbg batch status OUT` tells how an output folder stands, `batch report "
        "OUT` writes its report, `batch retry OUT` tries its failures again.",
        epilog=f"Exit codes: 0 all done, {SOME_FAILED} finished and some failed (each is told "
        "of), 1 another run is writing into OUT, 2 wrong use, 4 OUT cannot be written or is full, "
        "130 Ctrl-C, 143 SIGTERM: pictures in flight are finished first, a second signal stops at "
        "once.",
    )
    parser.add_argument(
        "paths",
        nargs="+",
        metavar="PATH",
        help="SRC... OUT; or OUT alone with --files-from; or status|report|retry OUT",
    )
    what = parser.add_argument_group("which pictures")
    what.add_argument(
        "--include", action="append", default=[], metavar="GLOB", help="take only these of folders"
    )
    what.add_argument(
        "--exclude", action="append", default=[], metavar="GLOB", help="leave these out"
    )
    what.add_argument(
        "--files-from",
        metavar="FILE",
        help="a list of pictures ('-': stdin): lines, null-separated paths, CSV or JSONL with the "
        "columns path, sku, background, profile, corrections",
    )
    what.add_argument(
        "--watch", action="store_true", help="wait for more pictures until Ctrl-C (nssbg[watch])"
    )
    made = parser.add_argument_group("what is made of them")
    made.add_argument(
        "--profile", metavar="NAME|FILE", help="see `nssbg profiles`; without one, transparent PNG"
    )
    made.add_argument("--name", metavar="TEMPLATE", help="of outputs: '{dir}/{stem}.{ext}'")
    made.add_argument(
        "--collide",
        default="error",
        choices=("error", "suffix"),
        help="two outputs of one name: an error before any work (default), or -2, -3, ...",
    )
    made.add_argument(
        "--overwrite", action="store_true", help="replace files in OUT that no run wrote"
    )
    made.add_argument(
        "--on-low-confidence",
        default="review",
        choices=("write", "review", "skip"),
        help="write as the profile says, never better than review (default), or write nothing",
    )
    made.add_argument(
        "--metadata", choices=("keep", "copyright", "strip"), help="in place of the profile's"
    )
    made.add_argument(
        "--corrections",
        metavar="FOLDER",
        help="corrections (NAME.EXT.nssbg.toml) in the tree of the pictures; those beside pictures "
        "count in any case",
    )
    made.add_argument(
        "--group-by",
        choices=GROUP_BY,
        help="pictures of one sku (of a list's column) or one folder share scale and baseline on "
        "the profile's canvas",
    )
    _add_cut_options(parser.add_argument_group("how they are cut out"))
    add_enhance_options(parser.add_argument_group("how they are enhanced"), with_off=True)
    how = parser.add_argument_group("how it runs")
    how.add_argument("--jobs", type=int, default=0, help="pictures at once (0: one a thread)")
    how.add_argument("--threads", type=int, default=0, help="0: all usable cores")
    how.add_argument(
        "--max-memory", type=int, metavar="MB", help="of the pictures in flight (half of the free)"
    )
    how.add_argument("--max-errors", type=int, metavar="N", help="end the run after N failures")
    how.add_argument(
        "--time-limit",
        type=float,
        metavar="SECONDS",
        help="fail a picture whose stages take longer; the run goes on, also past one that hangs",
    )
    how.add_argument("--nice", type=int, default=0, metavar="N", help="added to the niceness")
    how.add_argument(
        "--retry-failed", action="store_true", help="try again what failed and has not changed"
    )
    how.add_argument("--force", action="store_true", help="do everything again")
    how.add_argument(
        "--dry-run", action="store_true", help="say what would be done, and how long it would take"
    )
    many = parser.add_argument_group("on many machines (nssbg[ray])")
    many.add_argument(
        "--engine",
        default="local",
        choices=("local", "ray"),
        help="ray: workers of a Ray cluster read and write where SRC and OUT lie",
    )
    many.add_argument(
        "--address",
        metavar="ADDRESS",
        help="of the cluster ('auto': this machine's); else one is started here for the run",
    )
    many.add_argument(
        "--workers", type=int, default=0, metavar="N", help="at most (0: as there is room for)"
    )
    told = parser.add_argument_group("what is told")
    told.add_argument(
        "--progress",
        default="auto",
        choices=("auto", "plain", "jsonl", "none"),
        help="a bar on terminals, lines in logs (auto); JSON lines on stdout",
    )
    told.add_argument("--quiet", action="store_true", help="nothing but failures, on stderr")
    told.add_argument(
        "--no-report", dest="report", action="store_false", help="write no report.html and the like"
    )
    told.add_argument("--metrics", metavar="FILE", help="keep a Prometheus text file there")
    told.add_argument("--json", action="store_true", help="status and --dry-run as one JSON object")


def _add_cut_options(group: Any) -> None:
    group.add_argument("--model", default="auto", help="name or path (default: auto)")
    group.add_argument("--device", default="auto", help="auto, cpu, gpu, npu, cuda ...")
    group.add_argument("--backend", default="auto", choices=BACKENDS)
    group.add_argument(
        "--precision",
        default="auto",
        choices=PRECISION_CHOICES,
        help="what a network computes in (default: auto, which is float32 where nothing was tuned)",
    )
    group.add_argument("--license", choices=LICENSE_USES)
    group.add_argument("--effort", default="balanced", choices=EFFORTS)
    group.add_argument("--refine", default="guided", choices=REFINE_LEVELS)
    group.add_argument("--decontaminate", default="multilevel", choices=FOREGROUND_METHODS)
    group.add_argument("--strength", type=float, default=1.0)
    group.add_argument("--ignore-alpha", action="store_true")


def run(arguments: argparse.Namespace) -> int:
    """Run, or tell of a run; the exit code."""
    paths = arguments.paths
    if paths[0] in _ACTIONS and len(paths) <= 2:
        if len(paths) != 2:
            raise OptionError(f"nssbg batch {paths[0]} takes the output folder of a batch")
        action = {"status": _status, "report": _report, "retry": _retry}[paths[0]]
        return action(paths[1], arguments)
    least = 1 if arguments.files_from else 2
    if len(paths) < least:
        raise OptionError(
            f"nssbg batch takes SRC... and OUT, got only {paths[0]}; to see how an output folder "
            f"stands: nssbg batch status {paths[0]}"
        )
    return _batch(_batch_of(arguments, paths[:-1], paths[-1]), arguments)


def _batch_of(arguments: argparse.Namespace, sources: list[str], out: str) -> Batch:
    kind: type[Batch] = _engine(arguments)
    same = (
        "profile", "include", "exclude", "files_from", "name", "collide", "overwrite",
        "on_low_confidence", "metadata", "jobs", "threads", "max_errors", "time_limit",
        "retry_failed", "force", "nice", "model", "device", "backend", "precision", "license",
        "effort", "refine", "decontaminate", "strength", "ignore_alpha", "corrections", "group_by",
        "report", "watch",
    )  # fmt: skip
    memory = arguments.max_memory
    made = kind(
        sources,
        out,
        max_memory=None if memory is None else memory * 1_000_000,
        enhance=enhancement_of(arguments),
        **{name: getattr(arguments, name) for name in same},
    )
    if arguments.engine == "ray":
        from nssbg.ray import RayBatch

        assert isinstance(made, RayBatch)
        made.on(arguments.address, workers=arguments.workers)
    return made


def _engine(arguments: argparse.Namespace) -> type[Batch]:
    """The class of batches that was asked for."""
    from nssbg.batch.engine import Batch

    if arguments.engine != "ray":
        if arguments.address or arguments.workers:
            raise OptionError("--address and --workers are for --engine ray")
        return Batch
    for name in ("watch", "jobs", "threads", "max_memory", "group_by"):
        if getattr(arguments, name):
            raise OptionError(
                f"--{name.replace('_', '-')} is for one machine: leave it or --engine ray out"
            )
    from nssbg.ray import RayBatch

    return RayBatch


def _batch(batch: Batch, arguments: argparse.Namespace) -> int:
    from nssbg.batch.progress import progress_for

    if arguments.dry_run:
        return _dry_run(batch, arguments)
    progress = progress_for(
        "none" if arguments.quiet and arguments.progress != "jsonl" else arguments.progress,
        say=say,
        stderr=sys.stderr,
        printable=printable,
    )
    metrics = _Metrics(arguments.metrics, batch)
    told = False

    def last_words() -> None:
        nonlocal told
        if not told:
            told = True
            _resume_hint(batch, arguments)

    rows = iter(batch)
    try:
        with stopping_gently(batch.stop, last_words, grace=_GRACE):
            for row in rows:
                progress.row(row, batch.summary)
                metrics.update()
                if arguments.quiet and row.error is not None and row.status == "failed":
                    print(f"nssbg: {printable(row.error.message)}", file=sys.stderr, flush=True)
            progress.close(batch.summary)
            metrics.update(running=False)
            if arguments.progress != "jsonl" and not arguments.quiet:
                _tell(batch, batch.summary, reported=arguments.report)
    finally:
        with contextlib.suppress(NssbgError):
            metrics.update(running=False)
    return SOME_FAILED if batch.summary.failed or batch.summary.gave_up else 0


class _Metrics:
    """Keeps the metrics file fresh, not more often than is worth it."""

    def __init__(self, path: str | None, batch: Batch) -> None:
        self._path = path
        self._batch = batch
        self._last = -_METRICS_EVERY
        self.update()

    def update(self, *, running: bool = True) -> None:
        """Write the file, if one is wanted and it is time."""
        if self._path is None:
            return
        now = time.monotonic()
        if running and now - self._last < _METRICS_EVERY:
            return
        from nssbg.batch.metrics import write_metrics

        self._last = now
        out = os.fspath(self._batch.out)
        write_metrics(self._path, self._batch.summary, out, running=running)


def _tell(batch: Batch, summary: Summary, *, reported: bool) -> None:
    """The last words of a run that came to its end."""
    from nssbg.batch.address import joined
    from nssbg.batch.progress import duration

    say(f"{_counts(summary)} in {duration(summary.seconds)}")
    if summary.verdicts["review"]:
        say(f"  {summary.verdicts['review']} are to be reviewed")
    if summary.stages is not None and summary.done:
        total = sum(summary.stages.stage_wall.values())
        shown = sorted(summary.stages.stage_wall.items(), key=lambda pair: -pair[1])
        parts = [f"{name} {seconds / total:.0%}" for name, seconds in shown if seconds > 0]
        say(f"  {summary.rate:.2f} pictures a second on {summary.stages.workers} workers: "
            + ", ".join(parts))  # fmt: skip
    if summary.gave_up:
        say("  ended early: --max-errors was reached; what was not begun is left for another run")
    if summary.failed:
        say(f"  failures: nssbg batch status {printable(os.fspath(batch.out))}")
    if reported:
        say(f"  report: {printable(joined(os.fspath(batch.out), 'report.html'))}")


def _counts(summary: Summary) -> str:
    parts = [f"{summary.done} done"]
    if summary.unchanged:
        parts.append(f"{summary.unchanged} unchanged")
    if summary.skipped > summary.unchanged:
        parts.append(f"{summary.skipped - summary.unchanged} skipped")
    parts.append(f"{summary.failed} failed")
    return ", ".join(parts)


def _resume_hint(batch: Batch, arguments: argparse.Namespace) -> None:
    summary = batch.summary
    left = summary.total - summary.finished
    print(
        f"nssbg: stopped; {summary.finished} pictures are finished, {max(0, left)} are left. Run "
        "the same command again to go on from here.",
        file=sys.stderr,
        flush=True,
    )


def _dry_run(batch: Batch, arguments: argparse.Namespace) -> int:
    made = batch.forecast()
    if arguments.json or arguments.progress == "jsonl":
        say(json.dumps(made.event()))
        return 0
    _tell_forecast(made)
    return 0


def _tell_forecast(made: Forecast) -> None:
    from nssbg.batch.progress import duration

    say(f"{made.total} pictures: {made.to_do} to do, {made.unchanged} unchanged")
    for source, outputs in made.first:
        say(printable(f"  {source} -> {', '.join(outputs)}"))
    if made.to_do > len(made.first):
        say(f"  and {made.to_do - len(made.first)} more")
    for _, message in made.problems:
        say(printable(f"  problem: {message}"))
    if made.seconds is not None:
        say(
            f"about {duration(made.seconds)}, {made.memory / 1e9:.1f} GB of memory for pictures in "
            f"flight, {(made.output_bytes or 0) / 1e6:.1f} MB of outputs; by {made.basis}"
        )


def _status(out: str, arguments: argparse.Namespace) -> int:
    from nssbg.batch.status import status_of

    found = status_of(out)
    if arguments.json:
        say(json.dumps(found.event()))
        return SOME_FAILED if found.failed else 0
    for line in found.lines():
        say(printable(line))
    return SOME_FAILED if found.failed else 0


def _retry(out: str, arguments: argparse.Namespace) -> int:
    from nssbg.batch.status import command_of

    again = command_of(out)
    given = argparse.Namespace(**{**vars(arguments), **again})
    given.retry_failed, given.force, given.dry_run = True, False, arguments.dry_run
    return _batch(_batch_of(given, again["sources"], out), given)


def _report(out: str, arguments: argparse.Namespace) -> int:
    from nssbg.batch.reporting import report_folder

    made = report_folder(out)
    told = ", ".join(f"{count} {state}" for state, count in sorted(made.counts.items()))
    say(printable(f"{made.page}: {told}"))
    for path in (made.sheet, made.csv, made.failures, made.jsonl):
        say(printable(str(path)))
    return 0
