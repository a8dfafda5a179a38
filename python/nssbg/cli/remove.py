"""`nssbg remove IN OUT` and `nssbg PHOTO...`: cut out pictures from files or a pipe."""

from __future__ import annotations

import argparse
import contextlib
import queue
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from nssbg._errors import ImageDecodeError, OptionError
from nssbg._options import CutoutOptions, CutoutOptionsDict, checked_quality
from nssbg._vocabulary import (
    BACKENDS,
    COMPRESSIONS,
    DEFAULT_COMPRESSION,
    EFFORTS,
    FOREGROUND_METHODS,
    FORMATS,
    LICENSE_USES,
    MATTES,
    PRECISION_CHOICES,
    REFINE_LEVELS,
    SHADOWS,
)
from nssbg.cli.console import stopping_gently
from nssbg.cli.enhancing import add_enhance_options, enhancement_of
from nssbg.cli.targets import check_pairs, pairs_of
from nssbg.cli.telling import Teller

if TYPE_CHECKING:
    from nssbg._compose.output import Output
    from nssbg._cutout import Report
    from nssbg._remover import Remover

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
        choices=FORMATS,
        help="default: from OUT's suffix, else png",
    )
    parser.add_argument("--model", default="auto", help="name or path (default: auto)")
    parser.add_argument("--device", default="auto", help="auto, cpu, gpu, npu, cuda ...")
    parser.add_argument("--backend", default="auto", choices=BACKENDS)
    parser.add_argument(
        "--precision",
        default="auto",
        choices=PRECISION_CHOICES,
        help="what a network computes in (default: auto, which is float32 where nothing was tuned)",
    )
    parser.add_argument("--threads", type=int, default=0, help="0: all usable cores")
    parser.add_argument(
        "--license",
        choices=LICENSE_USES,
        help="commercial: refuse weights that do not allow it (default: NSSBG_LICENSE, else any)",
    )
    _add_cutout_options(parser)
    parser.add_argument(
        "--compression",
        choices=COMPRESSIONS,
        default=DEFAULT_COMPRESSION,
        help="time against bytes, for the same pixels",
    )
    parser.add_argument("--quality", type=int, help="0 to 100, for lossy formats")
    parser.add_argument(
        "--max-pixels", type=int, default=None, help="refuse larger pictures (default 200 MP)"
    )
    parser.add_argument(
        "--max-memory",
        type=int,
        metavar="MB",
        help="refuse pictures predicted to take more (default: 3/4 of what is free)",
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="replace results that are there already (never a source picture or a read-only file)",
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help="report on stdout, one line a picture as it is done; failures are lines too",
    )


def _add_cutout_options(parser: argparse.ArgumentParser) -> None:
    """How a picture is cut out: the fields of `CutoutOptions`, with its defaults."""
    default = CutoutOptions()
    parser.add_argument(
        "--effort",
        default=default.effort,
        choices=EFFORTS,
        help="a network runs once, again at small subjects (default), or along outlines too",
    )
    parser.add_argument("--refine", default=default.refine, choices=REFINE_LEVELS)
    parser.add_argument(
        "--corrections",
        metavar="FILE",
        help="what a person said about the picture, as TOML: box, keep, drop, mask",
    )
    parser.add_argument(
        "--decontaminate", default=default.decontaminate, choices=FOREGROUND_METHODS
    )
    parser.add_argument(
        "--strength",
        type=float,
        default=default.strength,
        help="share of the estimated edge colour, 0 to 1",
    )
    parser.add_argument(
        "--matte",
        default=default.matte,
        choices=MATTES,
        help="colours under alpha 0: zeros, or the nearest foreground's",
    )
    parser.add_argument(
        "--ignore-alpha", action="store_true", help="leave out the picture's own alpha"
    )
    add_enhance_options(parser)


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
    parser.add_argument("--shadow", choices=SHADOWS, help="lay a soft shadow under the subject")


def run(arguments: argparse.Namespace) -> int:
    """Cut out what the arguments name; returns the exit code (the first failure's)."""
    tell = Teller(as_json=arguments.json, debug=arguments.debug)
    try:
        _run(arguments, tell)
    except Exception as error:
        tell.whole_run(error)
        raise
    return tell.exit_code


def _run(arguments: argparse.Namespace, tell: Teller) -> None:
    if arguments.mask and arguments.background is not None:
        raise OptionError("--mask writes the alpha alone: leave out --background")
    if arguments.mask and arguments.shadow:
        raise OptionError("--mask writes the alpha alone: leave out --shadow")
    tell.pairs = pairs_of(arguments)
    check_pairs(tell.pairs, arguments)
    if arguments.json and any(output == "-" for _, output in tell.pairs):
        raise OptionError("--json reports on stdout, so the picture cannot go there as well")
    what = _what(arguments)  # before a model is opened: wrong options cost nothing
    from nssbg import _io as image_io
    from nssbg._remover import Remover

    remover = Remover(
        arguments.model,
        device=arguments.device,
        backend=arguments.backend,
        precision=arguments.precision,
        threads=arguments.threads,
        license=arguments.license,
        max_pixels=(
            image_io.DEFAULT_MAX_PIXELS if arguments.max_pixels is None else arguments.max_pixels
        ),
        max_memory=None if arguments.max_memory is None else arguments.max_memory * 1_000_000,
    )
    # Not closed where a signal ends it: a thread may still be at work in the network.
    try:
        (_many if len(tell.pairs) > 1 else _single)(remover, what, arguments, tell)
    except Exception:
        remover.close()
        raise
    remover.close()


def _how(arguments: argparse.Namespace) -> CutoutOptionsDict:
    """The options of `cutout` and `map` that the arguments name."""
    names = CutoutOptionsDict.__optional_keys__
    how = cast("CutoutOptionsDict", {name: getattr(arguments, name) for name in names})
    if arguments.corrections is not None:
        from nssbg.batch.sidecar import read_corrections

        how["corrections"] = read_corrections(arguments.corrections)
    enhance = enhancement_of(arguments)
    assert enhance != "off"  # a batch alone has a profile's to say it of
    how["enhance"] = enhance
    return how


def _what(arguments: argparse.Namespace) -> dict[str, Any]:
    """The options of the file to write."""
    result = _result(arguments)
    looks = (
        {"background": arguments.background, "mask": arguments.mask}
        if result is None
        else {"result": result}
    )
    if arguments.quality is not None:
        checked_quality(arguments.quality)
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
    from nssbg._compose.canvas import Canvas
    from nssbg._compose.output import Output
    from nssbg._compose.shadow import Shadow

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
) -> Report:
    """Cut out one picture and hand it over."""
    from nssbg._delivery import encoded, write

    options = CutoutOptions(**_how(arguments), alpha_only=arguments.mask)
    cutout = remover._cut_out(_stdin() if source == "-" else Path(source), options)
    what = {**what, "threads": arguments.threads}
    if output == "-":
        sys.stdout.buffer.write(encoded(cutout, arguments.format or "png", **what))
        sys.stdout.buffer.flush()
    else:
        target = Path(output)
        overwrite = arguments.overwrite
        write(cutout, target, format=arguments.format, overwrite=overwrite, **what)
    return cutout.report


def _stdin() -> BinaryIO:
    if sys.stdin is None:
        raise ImageDecodeError("cannot read stdin: it is closed")
    return sys.stdin.buffer


def _single(
    remover: Remover, what: dict[str, Any], arguments: argparse.Namespace, tell: Teller
) -> None:
    """One picture, in a thread: the main one stays free to be stopped at any moment."""
    done: queue.SimpleQueue[None] = queue.SimpleQueue()

    def work() -> None:
        try:
            tell.take(0, _one(remover, *tell.pairs[0], what, arguments), None)
        except Exception as error:
            tell.take(0, None, error)
        finally:
            done.put(None)

    with stopping_gently(lambda: done.put(None), tell.unfinished):
        threading.Thread(target=work, name="nssbg-one", daemon=True).start()
        while True:
            # In pieces, as Windows looks at signals only in between.
            with contextlib.suppress(queue.Empty):
                return done.get(timeout=0.5)


def _many(
    remover: Remover, what: dict[str, Any], arguments: argparse.Namespace, tell: Teller
) -> None:
    """All pictures at once, within half of the memory that is free."""
    from nssbg._memory import available_memory

    outputs = {Path(source): output for source, output in tell.pairs}
    with (
        remover.map(
            list(outputs),
            output=outputs.__getitem__,
            format=arguments.format,
            overwrite=arguments.overwrite,
            max_memory=available_memory() // 2,
            ordered=False,
            **_how(arguments),
            **what,
        ) as outcomes,
        stopping_gently(outcomes.stop, lambda: tell.unfinished(outcomes.begun)),
    ):
        for outcome in outcomes:
            tell.take(outcome.index, outcome.report, outcome.error)
