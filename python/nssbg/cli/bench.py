"""`nssbg bench`: what models and whole cut-outs cost on this machine; `bench compare` tells two
runs apart."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from nssbg._errors import INTERRUPTED, DeviceError, OptionError
from nssbg._vocabulary import EFFORTS
from nssbg.cli.console import printable

if TYPE_CHECKING:
    from pathlib import Path

    from nssbg.bench.settings import Settings

__all__ = ["add_parser", "run"]

FORMATS = ("md", "csv", "json", "jsonl", "sql", "html")
# Something got slower by more than --fail-over.
SLOWER = 1


def add_parser(subparsers: Any) -> None:
    """Register the command with the main parser."""
    parser = subparsers.add_parser(
        "bench",
        help="measure models and cut-outs on every device here, with intervals and floors",
        description="Measures, on this machine, every model that is here on every backend, device "
        "and precision that exists: one picture, many, and from a cold start; the network alone, "
        "each stage, and from file to file. Writes no plan (`nssbg tune` does).",
        epilog="`nssbg bench compare A.json B.json` says what got faster or slower beyond noise; "
        "with --fail-over 5% it ends with 1 where something got slower by more. Lists with commas "
        "make every combination. A device, backend or precision that is named and absent ends the "
        "command with 7, after the rest was measured; so does one that ran as something else. "
        "Ctrl-C ends it with what was measured so far.",
    )
    parser.add_argument(
        "pictures",
        nargs="*",
        metavar="PICTURE",
        help="measure on these instead of the fixed set; or: compare A.json B.json",
    )
    what = parser.add_argument_group("what is measured")
    what.add_argument("-m", "--model", metavar="LIST", help="default: every model here and studio")
    what.add_argument("-d", "--device", metavar="LIST", help="cpu, gpu, npu, cuda, ...")
    what.add_argument("-b", "--backend", metavar="LIST", help="openvino, onnxruntime")
    what.add_argument("-p", "--precision", metavar="LIST", help="float32, bfloat16, float16, int8")
    what.add_argument("-t", "--threads", metavar="LIST", help="default: all usable cores")
    what.add_argument("--scenario", metavar="LIST", help="of single, batch, cold (default: all)")
    what.add_argument("--scope", metavar="LIST", help="of network, stages, picture (default: all)")
    what.add_argument("--size", metavar="LIST", help="megapixels, such as 1,12,48MP (default 1,12)")
    what.add_argument(
        "--synthetic",
        metavar="LIST",
        help="architectures with random weights, before a download: u2netp, u2net, isnet, "
        "birefnet-lite, birefnet (needs the onnx package)",
    )
    what.add_argument("--effort", choices=EFFORTS, default="balanced", help="default: balanced")
    how = parser.add_argument_group("how long")
    how.add_argument("--warmup", type=int, metavar="N", help="rounds not counted (default 3)")
    how.add_argument("-r", "--rounds", type=int, metavar="N", help="rounds at least (default 8)")
    how.add_argument(
        "--duration",
        type=float,
        metavar="SECONDS",
        help="no further round of a result after these (default 10)",
    )
    how.add_argument(
        "--interval",
        metavar="PERCENT",
        help="a result is settled once its median is known to this, 95%% sure (default 2.5%%)",
    )
    how.add_argument(
        "--quick", action="store_true", help="a look: network and stages, single, 1MP, 2 rounds"
    )
    out = parser.add_argument_group("what is told")
    out.add_argument(
        "-o", "--output", choices=FORMATS, default="md", help="on standard output (default md)"
    )
    out.add_argument(
        "--to", metavar="FOLDER", help="also write bench.json, bench.md and bench.html there"
    )
    out.add_argument(
        "--fail-over",
        metavar="PERCENT",
        help="of compare: end with 1 where a median got slower by more than this, beyond noise",
    )


def _list(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in (text or "").split(",") if part.strip())


def _percent(name: str, text: str) -> float:
    """A share from "5%" or "5".

    Raises:
        OptionError: It is no percentage.
    """
    try:
        value = float(text.strip().removesuffix("%"))
    except ValueError:
        value = -1.0
    if not 0 <= value < 10_000:
        raise OptionError(f"{name} is {text!r}, expected a percentage such as 5%")
    return value / 100


def _threads(text: str | None) -> tuple[int, ...]:
    counts = _list(text)
    if not all(count.isdigit() for count in counts):
        raise OptionError(f"threads is {text!r}, expected numbers such as 1,2,4")
    return tuple(int(count) for count in counts)


def settings_of(args: argparse.Namespace) -> Settings:
    """The settings that a command line means.

    Raises:
        OptionError: A value outside what is allowed.
    """
    from nssbg.bench.cells import Wishes
    from nssbg.bench.pictures import parse_size
    from nssbg.bench.settings import SCENARIOS, SCOPES, Settings

    if args.pictures and args.size:
        raise OptionError("--size is of the fixed pictures: leave it out, or the pictures")
    quick = args.quick
    wishes = Wishes(
        backends=_list(args.backend),
        devices=tuple(name.lower() for name in _list(args.device)),
        precisions=_list(args.precision),
        threads=_threads(args.threads),
    )

    def first(*values: Any) -> Any:
        return next(value for value in values if value is not None)

    scopes = _list(args.scope) or (("network", "stages") if quick else SCOPES)
    scenarios = _list(args.scenario) or (("single",) if quick else SCENARIOS)
    if not args.scope and "single" not in scenarios:
        scopes = tuple(scope for scope in scopes if scope != "stages")  # it has no other
    sizes = _list(args.size) or (("1",) if quick else ("1", "12"))
    return Settings(
        models=_list(args.model),
        wishes=wishes,
        scopes=scopes,  # type: ignore[arg-type]  # checked there
        scenarios=scenarios,  # type: ignore[arg-type]
        sizes=tuple(dict.fromkeys(parse_size(size) for size in sizes)),
        pictures=tuple(args.pictures),
        synthetic=_list(args.synthetic),
        warmup=first(args.warmup, 1 if quick else 3),
        rounds=first(args.rounds, 2 if quick else 8),
        seconds=first(args.duration, 1.0 if quick else 10.0),
        width=_percent("interval", args.interval) if args.interval else 0.025,
        effort=args.effort,
        quick=quick,
    )


def _rendered(document: dict[str, Any], format: str) -> str:
    from nssbg.bench import tables

    if format == "html":
        from nssbg.bench.page import as_html

        return as_html(document)
    writers = {
        "md": tables.as_markdown,
        "csv": tables.as_csv,
        "json": tables.as_json,
        "jsonl": tables.as_jsonl,
        "sql": tables.as_sql,
    }
    return writers[format](document)


def _folder(name: str | None) -> Path | None:
    """The folder to write to, made before anything is measured for it.

    Raises:
        OptionError: It cannot be made.
    """
    from pathlib import Path

    if name is None:
        return None
    folder = Path(name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OptionError(f"{folder}: cannot be made: {error.strerror}") from error
    return folder


def _write(document: dict[str, Any], folder: Path) -> None:
    from nssbg import _fs
    from nssbg._errors import ImageEncodeError

    for format in ("json", "md", "html"):
        path = folder / f"bench.{format}"
        try:
            _fs.write(path, _rendered(document, format).encode())
        except OSError as error:
            raise ImageEncodeError(f"{path}: {_fs.reason(error, path)}") from error
        print(f"nssbg: {printable(str(path))} written", file=sys.stderr)


def run(args: argparse.Namespace) -> int:
    """Measure and print, or compare; the exit code."""
    if args.pictures[:1] == ["compare"]:
        return _compare(args)
    if args.fail_over is not None:
        raise OptionError("--fail-over is of `nssbg bench compare A.json B.json`")
    from nssbg.bench.run import run_bench

    settings = settings_of(args)
    folder = _folder(args.to)
    document = run_bench(
        settings,
        command=["nssbg", "bench", *_words(args)],
        progress=lambda line: print(f"  {printable(line)}", file=sys.stderr),
    )
    if folder is not None:
        _write(document, folder)
    print(_rendered(document, args.output), end="")
    return _verdict(document)


def _words(args: argparse.Namespace) -> list[str]:
    """The options that differ from their defaults, for the document."""
    words = [*args.pictures]
    names = (
        "model",
        "device",
        "backend",
        "precision",
        "threads",
        "scenario",
        "scope",
        "size",
        "synthetic",
    )
    for name in (*names, "warmup", "rounds", "duration", "interval"):
        value = getattr(args, name)
        words += [] if value is None else [f"--{name}", str(value)]
    words += [] if args.effort == "balanced" else ["--effort", args.effort]
    return [*words, *(["--quick"] if args.quick else [])]


def _verdict(document: dict[str, Any]) -> int:
    """The exit code: what was named and is absent, ran as something else, or failed."""
    if document["interrupted"]:
        return INTERRUPTED
    failed = [one for one in document["results"] if one["problem"]]
    named = [one for one in document["absent"] if one["named"]]
    for one in named:
        what = " ".join(filter(None, (one["model"], *(one[k] for k in _WHERE))))
        line = f"{what} was asked for and is not there: {one['reason']}"
        print(f"nssbg: {printable(line)}", file=sys.stderr)
    for one in failed:
        print(f"nssbg: {one['id']}: {printable(one['problem'])}", file=sys.stderr)
    if named or any(one["mismatch"] for one in failed):
        return DeviceError.exit_code
    return 1 if failed else 0


_WHERE = ("backend", "device", "precision")


def _compare(args: argparse.Namespace) -> int:
    import json
    from dataclasses import asdict
    from pathlib import Path

    from nssbg.bench.comparison import compare, slower_than
    from nssbg.bench.document import read_document
    from nssbg.bench.tables import comparison_text

    files = args.pictures[1:]
    if len(files) != 2:
        raise OptionError("compare takes two files: nssbg bench compare A.json B.json")
    if args.output not in ("md", "json"):
        raise OptionError("compare tells in md or json")
    limit = None if args.fail_over is None else _percent("fail-over", args.fail_over)
    before, after = (read_document(Path(name)) for name in files)
    found = compare(before, after)
    text = comparison_text(found)
    print(json.dumps(asdict(found), indent=1) if args.output == "json" else text.rstrip("\n"))
    worse = [] if limit is None else slower_than(found, limit)
    for change in worse:
        print(
            f"nssbg: {change.id}: {100 * (change.ratio - 1):.1f} % slower, "
            f"{args.fail_over} was allowed",
            file=sys.stderr,
        )
    return SLOWER if worse else 0
