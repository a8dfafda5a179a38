"""`nssbg enhance IN OUT`: enlarge, denoise and deblock a picture by a network."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from nssbg._errors import ImageDecodeError, OptionError
from nssbg._vocabulary import (
    BACKENDS,
    COMPRESSIONS,
    DEFAULT_COMPRESSION,
    FORMATS,
    LICENSE_USES,
    UPSCALES,
)
from nssbg.cli.console import printable

__all__ = ["add_parser", "run", "strength"]


def add_parser(subparsers: Any) -> None:
    """Register the sub-command."""
    parser = subparsers.add_parser(
        "enhance",
        help="enlarge, denoise or deblock a picture by a network",
        description="Enlarge, denoise or deblock a picture by a network, in tiles and in bounded "
        "memory. '-' is stdin or stdout.",
    )
    parser.add_argument("input", metavar="IN")
    parser.add_argument("output", metavar="OUT", help="its suffix gives the format")
    parser.add_argument("--model", help="name or path; nssbg models list shows those of task image")
    parser.add_argument("--upscale", type=int, choices=UPSCALES, help="times the sides")
    parser.add_argument("--denoise", type=float, help="0 to 1 (default: as the network does)")
    parser.add_argument(
        "--deblock", default="auto", help="0 to 1, or auto: as the file's compression asks for"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, gpu, npu, cuda ...")
    parser.add_argument("--backend", default="auto", choices=BACKENDS)
    parser.add_argument("--threads", type=int, default=0, help="0: all usable cores")
    parser.add_argument(
        "--license", choices=LICENSE_USES, help="refuse weights that do not allow this use"
    )
    parser.add_argument("--format", choices=FORMATS, help="default: from OUT's suffix")
    parser.add_argument(
        "--compression", choices=COMPRESSIONS, default=DEFAULT_COMPRESSION, help="time or bytes"
    )
    parser.add_argument("--quality", type=int, help="0 to 100, for lossy formats")
    parser.add_argument(
        "--overwrite", action="store_true", help="replace a result that is there (never a source)"
    )
    parser.add_argument("--json", action="store_true", help="report on stdout")


def run(arguments: argparse.Namespace) -> int:
    """Enhance one picture; the exit code."""
    if arguments.json and arguments.output == "-":
        raise OptionError("--json reports on stdout, so the picture cannot go there as well")
    import time

    from nssbg._enhancement import enhance
    from nssbg._options import checked_quality

    settings: dict[str, Any] = {"compression": arguments.compression}
    if arguments.quality is not None:
        settings["quality"] = checked_quality(arguments.quality)
    source: Any = arguments.input
    if source == "-":
        if sys.stdin is None:
            raise ImageDecodeError("cannot read stdin: it is closed")
        source = _named(sys.stdin.buffer.read(), "stdin")
    started = time.perf_counter()
    to_pipe = arguments.output == "-"
    if to_pipe and source is arguments.input:
        try:
            source = _named(Path(source).read_bytes(), source)
        except OSError as error:
            raise ImageDecodeError(f"cannot read {source}: {error.strerror}") from error
    result = enhance(
        source,
        None if to_pipe else arguments.output,
        upscale=arguments.upscale,
        denoise=arguments.denoise,
        deblock=strength(arguments.deblock),
        model=arguments.model,
        device=arguments.device,
        backend=arguments.backend,
        threads=arguments.threads,
        license=arguments.license,
        format=arguments.format,
        overwrite=arguments.overwrite,
        progress=_progress(),
        **settings,
    )
    if to_pipe:
        sys.stdout.buffer.write(result)
        sys.stdout.buffer.flush()
        return 0
    from nssbg._io import peek_size

    size = peek_size(Path(arguments.output))
    took = time.perf_counter() - started
    if arguments.json:
        width, height = (None, None) if size is None else (size[1], size[0])
        told = {"input": arguments.input, "output": str(result), "width": width, "height": height}
        print(json.dumps({**told, "seconds": round(took, 3)}))
    else:
        shown = "" if size is None else f"  {size[1]} x {size[0]}"
        print(printable(f"{arguments.input} -> {result}{shown}, {took:.1f} s"))
    return 0


def _named(data: bytes, name: str) -> bytes:
    """Bytes that messages call by a name."""
    from nssbg._io import NamedBytes

    named = NamedBytes(data)
    named.name = name
    return named


def strength(text: str | None) -> Any:
    """What --deblock says: a number, "auto", or None where it says nothing.

    Raises:
        OptionError: It is none of these.
    """
    if text is None or text == "auto":
        return text
    try:
        return float(text)
    except ValueError:
        raise OptionError(f"--deblock is a number of 0 to 1, or auto, not {text!r}") from None


def _progress() -> Any:
    """A line that renews itself on a terminal; nothing elsewhere."""
    if sys.stderr is None or not sys.stderr.isatty():
        return None

    def show(done: int, total: int) -> None:
        end = "\n" if done == total else ""
        print(f"\rtile {done} of {total}", end=end, file=sys.stderr, flush=True)

    return show
