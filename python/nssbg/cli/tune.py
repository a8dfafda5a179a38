"""`nssbg tune`: time every way to run a model here, keep the fastest that is close enough."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from nssbg._vocabulary import BACKENDS, GOALS, LICENSE_USES, PRECISIONS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nssbg._models.sidecar import ModelDescription

__all__ = ["add_parser", "run"]


def add_parser(subparsers: Any) -> None:
    """Register the command with the main parser."""
    text = "time every way to run a model on this machine and keep the fastest"
    parser = subparsers.add_parser("tune", help=text, description=text)
    parser.add_argument("model", nargs="*", help="default: every model that is here")
    parser.add_argument("--images", nargs="+", metavar="FILE", help="check alphas on these")
    parser.add_argument("--backend", default="auto", choices=BACKENDS, help="only this one")
    parser.add_argument("--device", default="auto", help="only this one")
    parser.add_argument(
        "--precision", default="auto", choices=("auto", *PRECISIONS), help="only this one"
    )
    parser.add_argument("--threads", type=int, default=0, help="default: all usable cores")
    parser.add_argument("--goal", choices=GOALS, default="latency", help="default: latency")
    parser.add_argument("--rounds", type=int, default=7, help="timed runs each (default 7)")
    parser.add_argument(
        "--seconds", type=float, default=60.0, help="no new round after this (default 60)"
    )
    parser.add_argument(
        "--license", choices=LICENSE_USES, help="refuse weights that do not allow this use"
    )
    parser.add_argument("--json", action="store_true", help="machine-readable")


def tensors_of(model: ModelDescription, paths: list[str]) -> list[NDArray[np.float32]]:
    """Pictures as the model is fed; what a network of task "image" is told is in the middle."""
    from pathlib import Path

    import numpy as np

    from nssbg._io import decode
    from nssbg._segment.network import input_tensor

    told = np.full((1, model.channels - 3, *model.size), 0.5, np.float32)
    colors = [input_tensor(decode(Path(path)), model) for path in paths]
    if not told.size:
        return colors
    return [np.concatenate([tensor, told], axis=1) for tensor in colors]


def run(args: argparse.Namespace) -> int:
    """Measure and print; the exit code."""
    from dataclasses import asdict

    from nssbg._models.catalog import catalog
    from nssbg._models.store import locate
    from nssbg._planner import PlanRequest, tune
    from nssbg._planner.candidates import plan_reasons, ranked
    from nssbg._planner.opening import resolve_model

    request = PlanRequest(
        args.backend, args.device.lower(), args.precision, args.threads, args.goal
    )
    names = args.model or [
        model.name for model in catalog().values() if model.path or locate(model) is not None
    ]
    if not names:
        print("no weights on this machine; `nssbg models pull NAME` brings some", file=sys.stderr)
    told = []
    for name in names:
        model = resolve_model(name, license=args.license)
        measured = tune(
            model,
            request,
            tensors=tensors_of(model, args.images) if args.images else (),
            rounds=args.rounds,
            seconds=args.seconds,
            progress=None if args.json else lambda line: print(f"  {line}", file=sys.stderr),
        )
        good = ranked(measured)
        told.append({"model": model.name, "measurements": [asdict(item) for item in measured]})
        if not args.json:
            print(model.name)
            lines = plan_reasons(good, measured) if good else tuple(m.problem for m in measured)
            print("\n".join(f"  {line}" for line in lines))
    if args.json:
        print(json.dumps(told, indent=1))
    return 0
