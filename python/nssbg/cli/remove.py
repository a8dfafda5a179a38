"""`nssbg remove IN OUT` and `nssbg PHOTO...`: cut out pictures from files or a pipe."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import astuple
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nssbg._errors import NssbgError, OptionError

if TYPE_CHECKING:
    from nssbg._cutout import Report
    from nssbg._remover import Remover
    from nssbg._stages.outputs import Output

__all__ = ["add_parser", "run"]


def add_parser(subparsers: Any) -> None:
    """Register the sub-command."""
    parser = subparsers.add_parser(
        "remove",
        help="cut out a picture (the default command)",
        description="Cut out pictures. `nssbg remove IN OUT` ('-' is stdin or stdout), or "
        "`nssbg PHOTO...` which writes PHOTO-cutout.png beside each.",
    )
    parser.add_argument("paths", nargs="+", metavar="PATH", help="IN OUT, or pictures (short form)")
    parser.add_argument("--beside", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--mask", action="store_true", help="write the alpha alone, as grey")
    parser.add_argument(
        "--background", metavar="COLOUR|PICTURE", help="lay the cut-out over this: '#fff', a file"
    )
    _add_result_options(parser)
    parser.add_argument(
        "--format",
        choices=("png", "webp", "tiff", "jpeg", "avif", "jxl"),
        help="default: from OUT's suffix, else png",
    )
    parser.add_argument("--model", default="auto", help="name or path (default: auto)")
    parser.add_argument("--device", default="auto", help="auto, cpu, gpu, npu, cuda ...")
    parser.add_argument("--backend", default="auto", choices=("auto", "onnxruntime", "openvino"))
    parser.add_argument("--threads", type=int, default=0, help="0: all usable cores")
    parser.add_argument(
        "--license",
        choices=("any", "commercial"),
        help="commercial: refuse weights that do not allow it (default: NSSBG_LICENSE, else any)",
    )
    parser.add_argument(
        "--effort",
        default="balanced",
        choices=("fast", "balanced", "best"),
        help="a network looks once, again at small subjects (default), or along outlines too",
    )
    parser.add_argument("--refine", default="guided", choices=("none", "guided", "matting", "auto"))
    parser.add_argument(
        "--decontaminate", default="multilevel", choices=("multilevel", "blur-fusion", "off")
    )
    parser.add_argument(
        "--strength", type=float, default=1.0, help="share of the estimated edge colour, 0 to 1"
    )
    parser.add_argument("--compression", choices=("fast", "default", "best"), default="fast")
    parser.add_argument("--quality", type=int, help="1 to 100, for lossy formats")
    parser.add_argument(
        "--ignore-alpha", action="store_true", help="leave out the picture's own alpha"
    )
    parser.add_argument(
        "--max-pixels", type=int, default=None, help="refuse larger pictures (default 200 MP)"
    )
    parser.add_argument(
        "--max-memory",
        type=int,
        metavar="MB",
        help="refuse pictures predicted to take more (default: 3/4 of what is free)",
    )
    parser.add_argument("--json", action="store_true", help="report on stdout, one line a picture")


def _add_result_options(parser: argparse.ArgumentParser) -> None:
    """What the result looks like beyond its background: frame, size, shadow."""
    parser.add_argument("--trim", action="store_true", help="cut the empty border off")
    parser.add_argument(
        "--canvas", metavar="WxH", help="place the subject on a canvas: 1000x1000 (trims by itself)"
    )
    parser.add_argument(
        "--fill", type=float, help="share of the canvas that the subject may take (default 0.85)"
    )
    parser.add_argument("--align", help="on the canvas: center (default), bottom, top-left ...")
    parser.add_argument(
        "--padding", type=int, default=0, metavar="PIXELS", help="margin around the result"
    )
    parser.add_argument(
        "--longest-side", type=int, metavar="PIXELS", help="scale down to this length"
    )
    parser.add_argument(
        "--shadow", choices=("drop", "contact"), help="lay a soft shadow under the subject"
    )


def run(arguments: argparse.Namespace) -> int:
    """Cut out what the arguments name; returns the exit code (the first failure's)."""
    pairs = _pairs(arguments)
    if arguments.json and any(output == "-" for _, output in pairs):
        raise OptionError("--json reports on stdout, so the picture cannot go there as well")
    from nssbg import _image_io as image_io
    from nssbg._remover import Remover

    if arguments.mask and arguments.background is not None:
        raise OptionError("--mask writes the alpha alone: leave out --background")
    if arguments.mask and arguments.shadow:
        raise OptionError("--mask writes the alpha alone: leave out --shadow")
    what = _what(arguments)  # before a model is opened: wrong options cost nothing
    with Remover(
        arguments.model,
        device=arguments.device,
        backend=arguments.backend,
        threads=arguments.threads,
        license=arguments.license,
        max_pixels=(
            image_io.DEFAULT_MAX_PIXELS if arguments.max_pixels is None else arguments.max_pixels
        ),
        max_memory=None if arguments.max_memory is None else arguments.max_memory * 1_000_000,
    ) as remover:
        if len(pairs) > 1:
            return _many(remover, pairs, what, arguments)
        _one(remover, *pairs[0], what, arguments)
    return 0


def _pairs(arguments: argparse.Namespace) -> list[tuple[str, str]]:
    """Input and output of each picture."""
    if arguments.beside:
        if "-" in arguments.paths:
            raise OptionError("to read stdin say where to write: nssbg remove - OUT")
        return _beside(list(dict.fromkeys(arguments.paths)), arguments)
    if len(arguments.paths) != 2:
        raise OptionError(
            f"`nssbg remove` takes IN and OUT, got {len(arguments.paths)} paths; "
            "for several pictures use `nssbg PHOTO...`"
        )
    return [(arguments.paths[0], arguments.paths[1])]


def _beside(paths: list[str], arguments: argparse.Namespace) -> list[tuple[str, str]]:
    """Each picture once, with the name of its result; no two results have one name."""
    from nssbg._delivery import default_output

    pairs: dict[str, str] = {}
    for path in paths:
        output = str(default_output(path, arguments.format, arguments.mask))
        if output in pairs:
            raise OptionError(
                f"{pairs[output]} and {path} would both be written to {output}; "
                "cut them out one by one: nssbg remove IN OUT"
            )
        pairs[output] = path
    return [(path, output) for output, path in pairs.items()]


def _how(arguments: argparse.Namespace) -> dict[str, Any]:
    """The options of `cutout` and `map` that the arguments name."""
    return {
        "effort": arguments.effort,
        "refine": arguments.refine,
        "decontaminate": "off" if arguments.mask else arguments.decontaminate,
        "strength": arguments.strength,
        "ignore_alpha": arguments.ignore_alpha,
    }


def _what(arguments: argparse.Namespace) -> dict[str, Any]:
    """The options of the file to write."""
    result = _result(arguments)
    looks = (
        {"background": arguments.background, "mask": arguments.mask}
        if result is None
        else {"result": result}
    )
    return {**looks, "compression": arguments.compression, "quality": arguments.quality}


def _result(arguments: argparse.Namespace) -> Output | None:
    """What the arguments ask for beyond background and mask; None: nothing."""
    canvas = {"fill": arguments.fill, "align": arguments.align}
    canvas = {name: value for name, value in canvas.items() if value is not None}
    if canvas and not arguments.canvas:
        raise OptionError("--fill and --align say where on a canvas: give --canvas WxH too")
    if not (
        arguments.trim
        or arguments.canvas
        or arguments.padding
        or arguments.longest_side is not None
        or arguments.shadow
    ):
        return None
    from nssbg._stages.canvas import Canvas
    from nssbg._stages.outputs import Output
    from nssbg._stages.shadow import Shadow

    return Output(
        kind="mask" if arguments.mask else "cutout",
        background=arguments.background,
        trim=arguments.trim,
        canvas=Canvas(*_sides(arguments.canvas), **canvas) if arguments.canvas else None,
        padding=arguments.padding,
        longest_side=arguments.longest_side,
        shadow=Shadow(arguments.shadow) if arguments.shadow else None,
    )


def _sides(text: str) -> tuple[int, int]:
    """Width and height of "1000x800"."""
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise OptionError(f"--canvas is WIDTHxHEIGHT in pixels, as 1000x1000, not {text!r}")
    return int(width), int(height)


def _one(
    remover: Remover,
    source: str,
    output: str,
    what: dict[str, Any],
    arguments: argparse.Namespace,
) -> None:
    from nssbg._delivery import encoded, write

    cutout = remover.cutout(sys.stdin.buffer if source == "-" else Path(source), **_how(arguments))
    what = {**what, "threads": arguments.threads}
    if output == "-":
        sys.stdout.buffer.write(encoded(cutout, arguments.format or "png", **what))
        sys.stdout.buffer.flush()
    else:
        write(cutout, Path(output), format=arguments.format, **what)
    _say(cutout.report, source, output, arguments)


def _many(
    remover: Remover,
    pairs: list[tuple[str, str]],
    what: dict[str, Any],
    arguments: argparse.Namespace,
) -> int:
    """All pictures at once, told of in their order; the exit code is the first failure's."""
    from nssbg._hardware import available_memory

    outputs = {Path(source): output for source, output in pairs}
    exit_code = 0
    with remover.map(
        list(outputs),
        output=outputs.__getitem__,
        format=arguments.format,
        max_memory=available_memory() // 2,
        **_how(arguments),
        **what,
    ) as outcomes:
        for outcome, (source, output) in zip(outcomes, pairs, strict=True):
            if outcome.error is None:
                assert outcome.report is not None
                _say(outcome.report, source, output, arguments)
            elif isinstance(outcome.error, NssbgError) and not arguments.debug:
                # The other pictures go on.
                print(f"nssbg: {outcome.error}", file=sys.stderr)
                exit_code = exit_code or outcome.error.exit_code
            else:
                raise outcome.error
    return exit_code


def _say(report: Report, source: str, written: str, arguments: argparse.Namespace) -> None:
    if arguments.json:
        print(json.dumps(_as_json(report, source, written)), flush=True)
    else:
        _tell(report, source, written)


def _tell(report: Report, source: str, written: str) -> None:
    """One line for a person, on stderr where stdout carries the picture."""
    stream = sys.stderr if written == "-" else sys.stdout
    plan = report.plan
    print(
        f"{source} -> {written}  {report.width} x {report.height}, {plan.model} on "
        f"{plan.device}, {report.timings.total:.0f} ms, confidence {report.confidence:.2f}",
        file=stream,
        flush=True,
    )
    for note in (*plan.degraded, *report.notes):
        print(f"  note: {note}", file=sys.stderr)


def _as_json(report: Report, source: str, written: str) -> dict[str, Any]:
    plan = report.plan
    look = report.closer_look
    return {
        "input": source,
        "output": written,
        "width": report.width,
        "height": report.height,
        "model": plan.model,
        "license": plan.license,
        "backend": plan.backend,
        "device": plan.device,
        "precision": plan.precision,
        "threads": plan.threads,
        "reasons": list(plan.reasons),
        "degraded": list(plan.degraded),
        "confidence": round(report.confidence, 4),
        "weak": report.weak,
        "milliseconds": {stage: round(ms, 2) for stage, ms in report.timings.stages.items()},
        "closer_look": None
        if look is None
        else {
            "runs": look.runs,
            "crops": [astuple(crop) for crop in look.crops],
            "tiles": look.tiles,
            "gain": round(look.gain, 3),
            "changed": round(look.changed, 4),
            "milliseconds": round(look.seconds * 1000, 2),
            "notes": list(look.notes),
        },
        "notes": list(report.notes),
    }
