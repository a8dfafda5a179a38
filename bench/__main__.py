"""The one entry to the benches: `python -m bench list`, `python -m bench run NAME [options]`.

A bench is a file of this folder with a `__main__` part; its docstring's first sentence is what
`list` shows. `python -m bench.NAME` is the same as `run NAME`.
"""

from __future__ import annotations

import argparse
import ast
import runpy
import sys
from pathlib import Path

FOLDER = Path(__file__).parent


def benches() -> dict[str, str]:
    """Name of each bench that can be run -> what it measures, from its docstring."""
    found = {}
    for path in sorted(FOLDER.glob("[a-z]*.py")):
        source = path.read_text(encoding="utf-8")
        if "__main__" in source:
            first = (ast.get_docstring(ast.parse(source)) or "").partition("\n\n")[0]
            found[path.stem] = " ".join(first.split())
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="what there is to run")
    run = commands.add_parser("run", help="run one")
    run.add_argument("name", choices=benches(), metavar="NAME")
    run.add_argument("options", nargs=argparse.REMAINDER, help="its own; --help shows them")
    arguments = parser.parse_args()
    if arguments.command == "list":
        for name, words in benches().items():
            print(f"{name:<26} {words}")
        return
    module = f"bench.{arguments.name}"
    sys.argv = [f"python -m {module}", *arguments.options]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
