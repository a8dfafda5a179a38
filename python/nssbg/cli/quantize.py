"""`nssbg quantize`: an int8 form of a model, calibrated on pictures, kept if it is close."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from nssbg._vocabulary import LICENSE_USES, QUANTIZE_METHODS

__all__ = ["add_parser", "run"]


def add_parser(subparsers: Any) -> None:
    """Register the command with the main parser."""
    text = "make an int8 form of a model, calibrated on your own pictures, kept if it is close"
    parser = subparsers.add_parser("quantize", help=text, description=text)
    parser.add_argument("model", help="a name or a path")
    parser.add_argument(
        "--images", nargs="+", metavar="FILE", help="calibrate on these; else on made ones"
    )
    parser.add_argument(
        "--method",
        choices=QUANTIZE_METHODS,
        default="auto",
        help="auto: nncf where it is installed",
    )
    parser.add_argument(
        "--keep-float", type=int, default=2, metavar="N", help="first and last N convolutions"
    )
    parser.add_argument(
        "--license", choices=LICENSE_USES, help="refuse weights that do not allow this use"
    )
    parser.add_argument("--json", action="store_true", help="machine-readable")


def run(args: argparse.Namespace) -> int:
    """Quantise, compare, print; the exit code."""
    from nssbg._errors import ModelError
    from nssbg._planner.opening import resolve_model
    from nssbg._planner.quantization import quantize
    from nssbg.cli.tune import tensors_of

    model = resolve_model(args.model, license=args.license)
    result = quantize(
        model,
        tensors=tensors_of(model, args.images) if args.images else (),
        method=args.method,
        keep_float=args.keep_float,
        progress=None if args.json else lambda line: print(f"  {line}", file=sys.stderr),
    )
    if args.json:
        from dataclasses import asdict

        print(json.dumps(asdict(result), indent=1, default=str))
    else:
        verdict = f"kept: {result.path}" if result.accepted else "refused and thrown away"
        print(
            f"{model.name}: int8 by {result.method}, "
            f"alpha {255 * result.mean_error:.2f}/255 (mean) "
            f"and {255 * result.max_error:.1f}/255 (most) from float32: {verdict}"
        )
    return 0 if result.accepted else ModelError.exit_code
