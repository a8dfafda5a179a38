"""`nssbg validate FILE... --profile NAME`: any tool's files against a marketplace's demands."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from nssbg._errors import SOME_FAILED

if TYPE_CHECKING:
    from nssbg.batch.validate import Validation

__all__ = ["add_parser", "run"]


def add_parser(subparsers: Any) -> None:
    """Register the sub-command."""
    parser = subparsers.add_parser(
        "validate",
        help="check finished files against a profile",
        description="Read encoded pictures back, of any tool, and check them against what a "
        "profile demands: format, size, background, fill, colour space, personal data. "
        f"Exit code 0: all pass; {SOME_FAILED}: some do not.",
    )
    parser.add_argument("files", nargs="+", metavar="FILE")
    parser.add_argument(
        "--profile", required=True, help="a name (nssbg profiles lists them) or a TOML file"
    )
    parser.add_argument("--json", action="store_true", help="one line of JSON a file")


def run(arguments: argparse.Namespace) -> int:
    """Check the files; 0 where all pass."""
    from nssbg.batch.profile import load_profile
    from nssbg.batch.validate import validate

    profile = load_profile(arguments.profile)
    width = max(len(printable(file)) for file in arguments.files)
    failed = 0
    for file in arguments.files:
        result = validate(file, profile)
        failed += not result.passed
        if arguments.json:
            print(json.dumps(result.as_dict()), flush=True)
        else:
            _tell(result, width)
    if not arguments.json and len(arguments.files) > 1:
        print(f"{len(arguments.files) - failed} of {len(arguments.files)} pass {profile.name}")
    return SOME_FAILED if failed else 0


def printable(name: str) -> str:
    """A file's name on one line of any terminal, whatever bytes it holds."""
    shown = name.encode("utf-8", "backslashreplace").decode()
    return "".join(part if part.isprintable() else repr(part)[1:-1] for part in shown)


def _tell(result: Validation, width: int) -> None:
    fill = "fill   -  " if result.fill is None else f"fill {result.fill:5.1%}"
    word = "pass" if result.passed else "FAIL"
    print(f"{printable(result.file).ljust(width)}  {word}  {fill}", flush=True)
    for check in result.failures:
        found = printable(check.found)
        print(f"  {check.name}: {found}; expected {check.expected}", flush=True)
