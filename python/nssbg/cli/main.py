"""`nssbg`: the command line. `nssbg photo.jpg` cuts out; the sub-commands do the rest.

Only argparse and the error classes are imported here; a command imports what it needs when
it runs, so `nssbg --help` answers at once.
"""

from __future__ import annotations

import argparse
import errno
import gc
import importlib
import logging
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from nssbg import __version__, _fs
from nssbg._errors import INTERRUPTED, ImageEncodeError, NssbgError
from nssbg.cli import console
from nssbg.cli.console import printable

__all__ = ["command", "main"]

# Sub-command -> the module with its add_parser(subparsers) and run(arguments) -> exit code.
COMMANDS = {
    "remove": "nssbg.cli.remove",
    "enhance": "nssbg.cli.enhance",
    "batch": "nssbg.cli.batch",
    "models": "nssbg.cli.models",
    "doctor": "nssbg.cli.doctor",
    "tune": "nssbg.cli.tune",
    "bench": "nssbg.cli.bench",
    "quantize": "nssbg.cli.quantize",
    "profiles": "nssbg.cli.profiles",
    "validate": "nssbg.cli.validate",
    "rembg": "nssbg.cli.rembg",
    "studio": "nssbg.cli.studio",
    "serve": "nssbg.cli.serve",
}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        super().error(printable(message))


def build_parser() -> argparse.ArgumentParser:
    """The whole command line as an argparse parser."""
    parser = _Parser(
        prog="nssbg",
        description="Takes the background out of pictures, on this machine. "
        "`nssbg photo.jpg` writes photo-cutout.png beside it.",
        epilog="Exit codes: 0 done, 1 failed, 2 wrong use, 3 a picture cannot be read, 4 a "
        "result cannot be written, 5 model, 6 licence, 7 device, 8 some of many failed, "
        "130 Ctrl-C, 143 SIGTERM, 129 SIGHUP.",
    )
    parser.add_argument("--version", action="store_true", help="version and ISA level in use")
    parser.add_argument("--debug", action="store_true", help="show tracebacks and debug logging")
    # With prog named, argparse need not format a usage text (and ask for the terminal) for it.
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", prog="nssbg")
    for module in COMMANDS.values():
        importlib.import_module(module).add_parser(subparsers)
    return parser


def command() -> NoReturn:
    """The process `nssbg`: the command line, without what a process of its own need not pay for.

    One picture takes about as long as starting Python, NumPy and a runtime; of that, garbage
    collections among a growing number of modules, threads for a linear algebra that no command
    uses, and taking everything down again are a third.
    """
    gc.set_threshold(100_000, 20, 20)
    # Read by NumPy's OpenBLAS when it loads, which otherwise starts a thread a core.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    console.open_streams()
    console.catch_signals()
    try:
        code = main()
    except KeyboardInterrupt:  # while an error was told, say
        code = INTERRUPTED
    except console.StoppedError as stopped:
        code = stopped.exit_code
    except SystemExit as end:  # argparse's: --help, or wrong use
        code = end.code if isinstance(end.code, int) else 1
        try:
            sys.stdout.flush()
        except OSError as error:
            code = code or _failed(console.stdout_problem(error), ImageEncodeError.exit_code)
    _fs.discard_parts()
    # Results are on disk or in the pipe: no module, thread or mapped network needs an end.
    os._exit(code)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in arguments
    try:
        return _told(arguments, debug=debug)
    except KeyboardInterrupt:
        return INTERRUPTED
    except console.StoppedError as stopped:
        return stopped.exit_code


def _told(arguments: list[str], *, debug: bool) -> int:
    """Run the command line and tell what went wrong, but for signals; the exit code."""
    try:
        code = _run(arguments)
        lost = console.lost()
        if lost is not None:
            return _with_losses(code, lost, report="--json" in arguments)
        sys.stdout.flush()
        return code
    except Exception as error:
        stopped = console.stopped()
        if stopped is not None:
            return stopped
        broken_pipe = isinstance(error, BrokenPipeError)
        if "--json" in arguments and not broken_pipe and not _tells_itself(arguments):
            # Whoever reads stdout gets the failure there too; people have it on stderr.
            from nssbg.cli.telling import tell_failure

            tell_failure(error)
        return _why(error, debug=debug)


def _tells_itself(arguments: list[str]) -> bool:
    """Whether the command tells of failures in JSON by itself, a line a picture."""
    named = [word for word in _with_default_command(arguments) if word in COMMANDS]
    return named[:1] == ["remove"]


def _why(error: Exception, *, debug: bool) -> int:
    """Tell of an error in one line, or raise it for its traceback; the exit code."""
    if isinstance(error, OSError):
        if isinstance(error, BrokenPipeError):
            # The reader of our output went away (`nssbg ... | head`): not for us to report.
            return 1
        if error.filename == console.STDOUT:
            return _failed(console.stdout_problem(error), ImageEncodeError.exit_code)
    if debug:
        raise error
    if isinstance(error, NssbgError):
        return _failed(str(error), error.exit_code)
    if isinstance(error, MemoryError):
        return _failed("there is not enough memory", 1)
    kind = type(error).__name__
    return _failed(f"unexpected {kind}: {error} (run with --debug for the traceback)", 1)


def _failed(message: str, code: int) -> int:
    print(f"nssbg: {printable(message)}", file=sys.stderr)
    return code


def _with_losses(code: int, lost: OSError, *, report: bool) -> int:
    """The exit code, where lines about pictures that are done could not all be printed."""
    if not report and lost.errno in (errno.EPIPE, errno.EBADF):
        return code  # nobody listens to lines for people: the pictures are there all the same
    return code or _failed(console.stdout_problem(lost), ImageEncodeError.exit_code)


def _run(arguments: list[str]) -> int:
    parser = build_parser()
    parsed = parser.parse_args(_with_default_command(arguments))
    if parsed.command is None and not parsed.version:
        parser.print_help()
        return 2
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(console.Formatter("nssbg: %(message)s"))
    level = logging.DEBUG if parsed.debug else logging.WARNING
    logging.basicConfig(level=level, handlers=[handler])
    if parsed.version:
        return _version()
    return int(importlib.import_module(COMMANDS[parsed.command]).run(parsed))


def _version() -> int:
    from nssbg import _core

    levels = ", ".join(_core.isa_levels())
    print(
        f"nssbg {__version__} (ISA level {_core.isa()} of {levels}; "
        f"{_core.usable_cores()} usable cores)"
    )
    return 0


def _with_default_command(arguments: list[str]) -> list[str]:
    """`nssbg photo.jpg ...` means `nssbg remove --beside photo.jpg ...`."""
    for position, argument in enumerate(arguments):
        if argument in COMMANDS or argument in ("-h", "--help", "--version"):
            return arguments
        if argument != "--debug":
            return [*arguments[:position], "remove", "--beside", *arguments[position:]]
    return arguments


if __name__ == "__main__":
    command()
