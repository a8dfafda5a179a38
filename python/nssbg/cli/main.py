"""`nssbg`: the command line. `nssbg photo.jpg` cuts out; the sub-commands do the rest.

Only argparse and the error classes are imported here; a command imports what it needs when
it runs, so `nssbg --help` answers at once.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import logging
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from nssbg import __version__
from nssbg._errors import NssbgError

__all__ = ["command", "main"]

# Sub-command -> the module with its add_parser(subparsers) and run(arguments) -> exit code.
COMMANDS = {
    "remove": "nssbg.cli.remove",
    "models": "nssbg.cli.models",
    "doctor": "nssbg.cli.doctor",
    "tune": "nssbg.cli.tune",
    "quantize": "nssbg.cli.quantize",
    "profiles": "nssbg.cli.profiles",
    "validate": "nssbg.cli.validate",
}

# A shell's own convention for "ended by Ctrl-C".
INTERRUPTED = 130


def build_parser() -> argparse.ArgumentParser:
    """The whole command line as an argparse parser."""
    parser = argparse.ArgumentParser(
        prog="nssbg",
        description="Takes the background out of pictures, on this machine. "
        "`nssbg photo.jpg` writes photo-cutout.png beside it.",
        epilog="Exit codes: 0 done, 1 failed, 2 wrong use, 3 a picture cannot be read, 4 a "
        "result cannot be written, 5 model, 6 licence, 7 device, 8 some of many failed.",
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
    code = main()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        code = 1
    # Results are on disk or in the pipe: no module, thread or mapped network needs an end.
    os._exit(code)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    parser = build_parser()
    parsed = parser.parse_args(_with_default_command(arguments))
    if parsed.version:
        from nssbg import _core

        levels = ", ".join(_core.isa_levels())
        print(
            f"nssbg {__version__} (ISA level {_core.isa()} of {levels}; "
            f"{_core.usable_cores()} usable cores)"
        )
        return 0
    if parsed.command is None:
        parser.print_help()
        return 2
    logging.basicConfig(
        level=logging.DEBUG if parsed.debug else logging.WARNING,
        format="nssbg: %(message)s",
        stream=sys.stderr,
    )
    try:
        return int(importlib.import_module(COMMANDS[parsed.command]).run(parsed))
    except NssbgError as error:
        if parsed.debug:
            raise
        print(f"nssbg: {_one_line(error)}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output went away (`nssbg ... | head`): not our failure to report,
        # but Python would complain again when it flushes stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if parsed.debug:
            raise
        kind = type(error).__name__
        print(
            f"nssbg: unexpected {kind}: {_one_line(error)} (run with --debug for the traceback)",
            file=sys.stderr,
        )
        return 1


def _with_default_command(arguments: list[str]) -> list[str]:
    """`nssbg photo.jpg ...` means `nssbg remove --beside photo.jpg ...`."""
    for position, argument in enumerate(arguments):
        if argument in COMMANDS or argument in ("-h", "--help", "--version"):
            return arguments
        if argument != "--debug":
            return [*arguments[:position], "remove", "--beside", *arguments[position:]]
    return arguments


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())


if __name__ == "__main__":
    command()
