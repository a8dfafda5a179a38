"""Counts what the synthetic graphs cost and writes nssbg's table of it, or checks the table.

The general BiRefNet at 2048 x 2048 takes 10 GB of memory here and its file 1.2 GB.

    python -m bench.known_costs --check
    python -m bench.known_costs --write
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import nssbg
from nssbg._models.prepared import prepared
from nssbg._planner.graph_cost import GraphCost, graph_cost
from nssbg._planner.known_costs import known_costs
from nssbg.bench.synthetic import ARCHITECTURES, describe, make

TABLE = Path(nssbg.__file__).parent / "_planner" / "known_costs.toml"
# BiRefNet's high-resolution form has the general one's graph at twice the side.
EXTRA_SIZES = {"birefnet": (2048,)}
HEAD = """# What published architectures cost: nssbg._planner.graph_cost on the graphs of
# nssbg.bench.synthetic. Written by `python -m bench.known_costs --write`. Operations and bytes of
# one image; "fused": deformable convolutions as one operator each, as nssbg runs them where it can.
"""
Key = tuple[str, int, bool]


def counted(name: str, size: int, folder: Path) -> Iterator[tuple[Key, GraphCost]]:
    """The cost as published, and with fused deformable convolutions where there are any."""
    path = make(name, folder / f"{name}-{size}.onnx", size=size)
    model = replace(describe(name, path, size=size), path=path)
    as_published = graph_cost(model)
    ready = prepared(model, folder=folder)
    if ready.path == path:
        yield (name, size, True), as_published
    else:
        yield (name, size, False), as_published
        yield (name, size, True), graph_cost(ready)
        ready.path.unlink()
    path.unlink()


def row(key: Key, cost: GraphCost) -> str:
    name, size, fused = key
    values = asdict(cost)
    lines = [f'architecture = "{name}"', f"size = {size}", f"fused = {str(fused).lower()}"]
    lines += [f"{k} = {int(v)}" for k, v in values.items() if k not in ("height", "width")]
    return "\n".join(["", "[[cost]]", *lines, ""])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", nargs="*", help="only these architectures (with --check)")
    how = parser.add_mutually_exclusive_group(required=True)
    how.add_argument("--check", action="store_true", help="fail where the table differs")
    how.add_argument("--write", action="store_true", help="write the table")
    args = parser.parse_args()
    found: dict[Key, GraphCost] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in args.name or ARCHITECTURES:
            for size in (ARCHITECTURES[name].size, *EXTRA_SIZES.get(name, ())):
                for key, cost in counted(name, size, Path(folder)):
                    print(key, cost, flush=True)
                    found[key] = cost
    if args.write:
        TABLE.write_text(HEAD + "".join(row(*item) for item in found.items()), encoding="utf-8")
        return 0
    known = known_costs()
    wrong = [key for key, cost in found.items() if known.get(key) != cost]
    missing = [key for key in known if key not in found] if not args.name else []
    print(f"differ: {wrong}; not counted any more: {missing}" if wrong or missing else "the same")
    return 1 if wrong or missing else 0


if __name__ == "__main__":
    sys.exit(main())
