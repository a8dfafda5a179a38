"""`nssbg models list|info|pull|path|verify|remove`: the catalog and the weights here."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nssbg._vocabulary import LICENSE_USES
from nssbg.cli.console import printable

if TYPE_CHECKING:
    from nssbg._doctor import ModelReport
    from nssbg._models.sidecar import ModelDescription

__all__ = ["add_parser", "run"]


def add_parser(subparsers: Any) -> None:
    """Register the command with the main parser."""
    parser = subparsers.add_parser("models", help="list, pull, check and remove models")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    def action(name: str, text: str) -> argparse.ArgumentParser:
        sub: argparse.ArgumentParser = actions.add_parser(name, help=text, description=text)
        sub.add_argument("--json", action="store_true", help="machine-readable")
        return sub

    listing = action("list", "every model by name, its licence, and whether its weights are here")
    listing.add_argument("--license", choices=LICENSE_USES, help="only models that allow this use")
    info = action("info", "how a model is fed and read, and where it comes from")
    info.add_argument("model", help="a name, or a path to .onnx or .xml")
    pull = action("pull", "download a model's weights, check them, and make them fast to load")
    pull.add_argument("model", nargs="+")
    pull.add_argument(
        "--license", choices=LICENSE_USES, help="refuse weights that do not allow this use"
    )
    pull.add_argument("--token", help="for gated models; else HF_TOKEN")
    path = action("path", "where a model's weights lie; an error if they are not here")
    path.add_argument("model")
    verify = action("verify", "compare weights with their published checksum")
    verify.add_argument("model", nargs="*", help="default: every model that is here")
    remove = action("remove", "remove weights that nssbg pulled; other programs' files stay")
    remove.add_argument("model", nargs="+")


def _commercial(model: ModelDescription) -> str:
    return {True: "yes", False: "no", None: "not settled"}[model.commercial]


def _size(count: int) -> str:
    if not count:
        return "?"
    return f"{count / 1e6:,.0f} MB" if count >= 1e6 else f"{count / 1e6:.1f} MB"


def _record(model: ModelDescription) -> dict[str, Any]:
    from dataclasses import asdict

    record = asdict(model)
    record["path"] = str(model.path) if model.path else None
    return record


def _located(model: ModelDescription) -> ModelDescription:
    from nssbg._models.store import locate

    if model.path is None:
        where = locate(model)
        return model if where is None else model.at(where)
    return model


def _table(rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths))  # noqa: B905
        print(printable("  ".join(cells).rstrip()))


def _prediction(report: ModelReport) -> dict[str, Any] | None:
    """What running the model here would take; None where that is not known."""
    if report.plan is None or report.fit is None:
        return None
    return {
        "backend": report.plan.backend,
        "device": report.plan.device,
        "precision": report.plan.precision,
        "seconds": report.fit.seconds,
        "peak_bytes": report.fit.peak_bytes,
        "available_bytes": report.fit.available_bytes,
        "fits": report.fit.fits,
        "advice": list(report.fit.advice),
    }


def _list(args: argparse.Namespace) -> int:
    from nssbg._doctor import model_report
    from nssbg._errors import ModelError
    from nssbg._models.catalog import catalog
    from nssbg._planner import PlanRequest
    from nssbg._runtime.devices import hardware
    from nssbg.cli.doctor import predicted_cells

    machine = hardware()
    models = []
    for model in catalog().values():
        if args.license == "commercial" and model.commercial is not True:
            continue
        try:
            models.append(_located(model))
        except ModelError as error:
            print(f"nssbg: {printable(str(error))}", file=sys.stderr)
            models.append(model)
    reports = [model_report(model, machine, PlanRequest()) for model in models]
    if args.json:
        records = [
            {**_record(report.model), "prediction": _prediction(report)} for report in reports
        ]
        print(json.dumps(records, indent=1))
        return 0
    heads = ("MODEL", "INPUT", "SIZE", "LICENCE", "COMMERCIAL", "HERE")
    rows = [(*heads, "FITS", "MEMORY", "SECONDS", "FOR")]
    rows += [
        (
            model.name,
            f"{model.height} x {model.width}" if model.static else f"{model.height} short side",
            _size(model.bytes),
            model.license,
            _commercial(model),
            "yes" if model.path else "-",
            *predicted_cells(report),
            model.summary,
        )
        for model, report in zip(models, reports, strict=True)
    ]
    _table(rows)
    return 0


def _suggest(path: Path, *, as_json: bool) -> int:
    """What the graph says, and a sidecar to start from, for a file that nothing describes."""
    from nssbg._models.onnx_header import read_header
    from nssbg._models.suggest import suggested_sidecar

    header = read_header(path)
    text = suggested_sidecar(path, header)
    inputs = [f"{i.name} {i.dtype} {list(i.shape)}" for i in header.inputs]
    outputs = [f"{i.name} {i.dtype} {list(i.shape)}" for i in header.outputs]
    if as_json:
        record = {"path": str(path), "opset": header.opset, "inputs": inputs, "outputs": outputs}
        print(json.dumps({**record, "sidecar": text}, indent=1))
        return 0
    print(printable(f"inputs   {', '.join(inputs)}"))
    print(printable(f"outputs  {', '.join(outputs)}"))
    print(printable(f"opset    {header.opset}, {header.producer or 'unknown producer'}"))
    sidecar = printable(f"{path.name}.toml")
    print(f"\nNothing says how it is fed. A start for {sidecar} beside it:\n")
    print(text, end="")
    return 0


def _info(args: argparse.Namespace) -> int:
    from nssbg._errors import ModelError
    from nssbg._models.catalog import describe
    from nssbg._models.onnx_header import read_header
    from nssbg._models.sidecar import find_sidecar

    path = Path(args.model)
    with contextlib.suppress(RuntimeError):  # ~user of nobody: described as not there
        path = path.expanduser()
    if path.suffix == ".onnx" and path.is_file() and find_sidecar(path) is None:
        try:
            described = describe(args.model)
        except ModelError:
            return _suggest(path, as_json=args.json)
    else:
        described = describe(args.model)
    model = _located(described)
    record = _record(model)
    if model.path is not None and model.path.suffix == ".onnx":
        header = read_header(model.path)
        record["opset"] = header.opset
        record["inputs"] = [f"{i.name} {i.dtype} {list(i.shape)}" for i in header.inputs]
        record["outputs"] = [f"{i.name} {i.dtype} {list(i.shape)}" for i in header.outputs]
        record["operators"] = dict(sorted(header.operators.items(), key=lambda pair: -pair[1]))
    if args.json:
        print(json.dumps(record, indent=1))
        return 0
    width = max(len(key) for key in record)
    for key, value in record.items():
        if value in ("", None, ()):
            value = "not on this machine" if key == "path" else "-"
        if key in ("confidence", "selector"):
            value = "none fitted" if value == "-" else "fitted"
        if key == "int8" and model.int8 is not None:
            value = f"{model.int8.file}, {_size(model.int8.bytes)}; {model.int8}"
        if key == "npm" and isinstance(value, dict):
            value = f"{value['package']} {value['version']}, {len(value['chunks'])} chunks"
        if isinstance(value, dict):
            value = ", ".join(f"{count} {name}" for name, count in value.items())
        if isinstance(value, (list, tuple)):
            value = ", ".join(str(item) for item in value)
        print(f"{key.ljust(width)}  {printable(str(value))}")
    return 0


def _progress(name: str) -> Callable[[int, int], None]:
    """Shows a line that renews itself on a terminal, and nothing elsewhere."""
    if not sys.stderr.isatty():
        return lambda done, total: None
    last = -1

    def show(done: int, total: int) -> None:
        nonlocal last
        share = int(1000 * done / total) if total else done >> 20
        if share != last:
            last = share
            of = f" of {total / 1e6:,.0f} MB, {share / 10:.1f} %" if total else " MB"
            end = "\n" if done == total else ""
            print(f"\r{name}: {done / 1e6:,.1f}{of}", end=end, file=sys.stderr, flush=True)

    return show


def _pull(args: argparse.Namespace) -> int:
    from nssbg._models.catalog import describe
    from nssbg._models.store import pull

    pulled = []
    for name in args.model:
        model = describe(name)
        path = model.path or pull(
            model, license=args.license, progress=_progress(model.name), token=args.token
        )
        pulled.append({"model": model.name, "path": str(path), "license": model.license})
        if not args.json:
            print(f"{path}  ({model.license})")
    if args.json:
        print(json.dumps(pulled, indent=1))
    return 0


def _path(args: argparse.Namespace) -> int:
    from nssbg._errors import ModelError
    from nssbg._models.catalog import find_model

    model = find_model(args.model)
    if model.path is None:
        raise ModelError(
            f"{model.name}: its weights are not on this machine; "
            f"try: nssbg models pull {model.name}"
        )
    print(json.dumps({"model": model.name, "path": str(model.path)}) if args.json else model.path)
    return 0


def _verify(args: argparse.Namespace) -> int:
    from nssbg._errors import ModelError
    from nssbg._models.catalog import catalog, describe
    from nssbg._models.paths import known_locations
    from nssbg._models.store import verify

    asked = [describe(name) for name in args.model] or list(catalog().values())
    results = []
    for model in asked:
        # Every copy is looked at, also those that locate() would pass over as wrong.
        paths = [model.path] if model.path else [p for p in known_locations(model) if p.is_file()]
        if not paths and args.model:
            raise ModelError(f"{model.name}: its weights are not on this machine")
        for path in paths:
            found = [verify(model, path)]
            form = None if model.int8 is None else path.with_name(model.int8.file)
            if model.int8 is not None and form is not None and form.is_file():
                found.append(verify(replace(model, checksum=model.int8.checksum), form))
            for result in found:
                state = {True: "ok", False: "WRONG", None: "no published checksum"}[result.ok]
                results.append((model, result, state))
    if args.json:
        print(
            json.dumps(
                [
                    {
                        "model": model.name,
                        "path": str(result.path),
                        "ok": result.ok,
                        "expected": result.expected,
                        "got": result.got,
                    }
                    for model, result, _ in results
                ],
                indent=1,
            )
        )
    else:
        for model, result, state in results:
            wrong = f"  got {result.got}, expected {result.expected}" if result.ok is False else ""
            print(printable(f"{model.name}  {state}  {result.path}{wrong}"))
        if not results:
            print("no weights on this machine")
    failed = any(result.ok is False for _, result, _ in results)
    return ModelError.exit_code if failed else 0


def _remove(args: argparse.Namespace) -> int:
    from nssbg._models.catalog import describe
    from nssbg._models.store import remove

    removed = [str(path) for name in args.model for path in remove(describe(name))]
    if args.json:
        print(json.dumps(removed, indent=1))
    else:
        print("\n".join(removed) if removed else "nothing of it was stored by nssbg")
    return 0


def run(args: argparse.Namespace) -> int:
    """Carry out one of the actions; the exit code."""
    actions = {
        "list": _list,
        "info": _info,
        "pull": _pull,
        "path": _path,
        "verify": _verify,
        "remove": _remove,
    }
    return actions[args.action](args)
