"""`nssbg doctor`: what this machine has, what would run where, and what is in the way."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nssbg.cli.console import printable

if TYPE_CHECKING:
    from nssbg._doctor import ModelReport, Privacy, Report

__all__ = ["add_parser", "predicted_cells", "run"]


def add_parser(subparsers: Any) -> None:
    """Register the command with the main parser."""
    text = "what this machine has, the plan for each model here, and what is in the way"
    parser = subparsers.add_parser("doctor", help=text, description=text)
    parser.add_argument("model", nargs="*", help="only these; default: every model that is here")
    parser.add_argument(
        "--all",
        action="store_true",
        help="also every model whose weights are not here: whether it fits, how long it takes",
    )
    parser.add_argument("--json", action="store_true", help="machine-readable")
    parser.add_argument(
        "--require-device",
        metavar="DEVICE",
        help="fail (exit code 7) unless this device is there: cpu, gpu, npu, cuda, ...",
    )


def _gigabytes(count: float) -> str:
    return f"{count / 1e9:.1f} GB"


def _model_lines(item: ModelReport) -> list[str]:
    where = item.model.path or "weights not here: predicted by its architecture"
    lines = [f"  {item.model.name}  ({item.model.license}, {where})"]
    if item.plan is not None:
        made = item.plan
        lines.append(
            f"    plan     {made.backend} {made.device} {made.precision}, {made.threads} threads"
        )
        lines += [f"    why      {reason}" for reason in made.reasons]
    if item.fit is not None:
        state = "fits" if item.fit.fits else "DOES NOT FIT"
        lines.append(
            f"    needs    about {_gigabytes(item.fit.peak_bytes)} and "
            f"{item.fit.seconds:.2g} s a picture: {state} "
            f"({_gigabytes(item.fit.available_bytes)} free)"
        )
        lines += [f"    instead  {line}" for line in item.fit.advice]
    if item.problem:
        lines.append(f"    problem  {item.problem}")
    return lines


def _every_model_lines(items: Sequence[ModelReport]) -> list[str]:
    """A table of all models, then what would fit in place of those that do not."""
    rows = [("MODEL", "HERE", "FITS", "MEMORY", "SECONDS", "WOULD RUN ON")]
    advice = []
    for item in items:
        needs = predicted_cells(item)
        made = item.plan
        runs = f"{made.backend} {made.device} {made.precision}" if made else "-"
        rows.append((item.model.name, "yes" if item.model.path else "-", *needs, runs))
        if item.fit is not None and not item.fit.fits:
            advice.append(f"  {item.model.name} does not fit")
            advice += [f"    instead  {line}" for line in item.fit.advice[1:]]
        elif item.fit is None and item.problem:
            advice.append(f"  {item.model.name}: {item.problem}")
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    table = [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()  # noqa: B905
        for row in rows
    ]
    return [*table, *advice]


def predicted_cells(item: ModelReport) -> tuple[str, str, str]:
    """Whether a model fits, its memory, and its seconds an image; "-" where nothing is known."""
    if item.fit is None:
        return "-", "-", "-"
    fits = "yes" if item.fit.fits else "NO"
    seconds = item.fit.seconds
    shown = f"{seconds:.0f}" if seconds >= 10 else f"{seconds:.2g}"
    return fits, _gigabytes(item.fit.peak_bytes), shown


def _privacy_lines(privacy: Privacy) -> list[str]:
    state = "yes" if privacy.sends_nothing else "NOT SURE"
    return [
        "Privacy",
        f"  sends nothing  {state}",
        *(f"    {line}" for line in privacy.measures),
        *(f"    DOUBT: {line}" for line in privacy.doubts),
    ]


def _text(report: Report, *, named: bool = False, every: bool = False) -> str:
    machine = report.hardware
    cpu = machine.processor
    lines = [
        f"nssbg {report.version}",
        "",
        *_privacy_lines(report.privacy),
        "",
        "Hardware",
        f"  processor  {cpu.name}, {cpu.usable_cores} of {cpu.cores} cores usable",
        f"  isa        kernels run at {cpu.isa}; {', '.join(cpu.features) or 'no extensions'}",
        f"  memory     {_gigabytes(machine.memory_available)} free of "
        f"{_gigabytes(machine.memory_limit)}"
        + (
            f" (limited; the machine has {_gigabytes(machine.memory_total)})"
            if machine.memory_limit < machine.memory_total
            else ""
        ),
        "",
        "Runtimes",
    ]
    for runtime in machine.runtimes:
        absent = "not usable: " + runtime.problem if runtime.installed else runtime.problem
        lines.append(f"  {runtime.name} {runtime.version or absent}")
        for device in runtime.devices:
            words = f"{device.id}  {device.description}".rstrip()
            lines.append(
                f"    {device.name:<8} {words} ({', '.join(device.precisions)})"
                + (f"  DOES NOT LOAD: {device.problem}" if device.problem else "")
            )
    if machine.conflicts:
        lines += ["", "In the way"]
        for conflict in machine.conflicts:
            lines += [f"  {conflict.what}", f"    mend: {conflict.mend}"]
    cache = report.cache
    lines += [
        "",
        "Cache",
        f"  {cache.home}{'' if cache.writable else '  NOT WRITABLE'}"
        if not cache.problem
        else f"  NONE: {cache.problem}",
        f"  weights {_gigabytes(cache.models_bytes)}, {cache.compiled} compiled networks "
        f"{_gigabytes(cache.compiled_bytes)}",
        "",
        "Models" if named else "Models here",
    ]
    shown = [item for item in report.models if named or item.model.path is not None]
    for item in shown:
        lines += _model_lines(item)
    if not shown:
        lines.append("  none; `nssbg models list` shows what there is")
    if every:
        lines += [
            "",
            "Every known model, of one image at a time",
            *_every_model_lines(report.models),
        ]
    missing = [extra for extra in report.extras if not extra.installed]
    if missing:
        lines += ["", "For more"]
        lines += [f"  pip install {extra.package:<18} {extra.adds}" for extra in missing]
    return "\n".join(map(printable, lines))


def _json(report: Report) -> str:
    from dataclasses import asdict

    data = asdict(report)
    data["hardware"]["fingerprint"] = report.hardware.fingerprint
    return json.dumps(data, indent=1, default=str)


def run(args: argparse.Namespace) -> int:
    """Examine and print; the exit code."""
    from nssbg._doctor import examine, require_device
    from nssbg._runtime.devices import hardware

    machine = hardware()
    report = examine(tuple(args.model), machine=machine, all_models=args.all)
    told = _json(report) if args.json else _text(report, named=bool(args.model), every=args.all)
    print(told)
    if args.require_device:
        require_device(machine, args.require_device)
    return 0
