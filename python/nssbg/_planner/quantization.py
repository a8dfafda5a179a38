"""An int8 form of a model by static quantisation, accepted only within the alpha's bound.

In: a model with weights and pictures as it is fed. Out: an int8 ONNX file beside the weights
that nssbg pulled, found by the planner from then on, or none where it is too far from float32.
Uses NNCF where it is installed, ONNX Runtime's own quantiser otherwise; both need onnx.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nssbg._errors import ModelError
from nssbg._installed import NO_RUNTIME, RUNTIMES, installed, not_installed
from nssbg._models.fingerprint import weights_fingerprint
from nssbg._models.graph_passes.constants import widen_weights
from nssbg._models.graph_passes.float32 import to_float32
from nssbg._models.paths import home_problem, models_folder
from nssbg._models.postprocess import coarse_alpha
from nssbg._models.prepared import prepared
from nssbg._models.sidecar import ModelDescription
from nssbg._planner.benchmark import synthetic_tensors
from nssbg._planner.candidates import MAX_ERROR, MEAN_ERROR
from nssbg._runtime import open_backend
from nssbg._runtime_imports import import_nncf, import_onnxruntime, telemetry_kept_out

__all__ = ["Quantized", "quantize"]

Tensor = NDArray[np.float32]


@dataclass(frozen=True)
class Quantized:
    """What came of it.

    Attributes:
        accepted: Whether the int8 form is within the bound and was kept.
        path: Where it lies; None where it was refused.
        method: "nncf" or "onnxruntime".
        mean_error: Mean distance of its alpha from float32's on pictures it was not
            calibrated on, 0..1.
        max_error: Largest distance.
    """

    accepted: bool
    path: Path | None
    method: str
    mean_error: float
    max_error: float


def _readable_graph(source: Path) -> Any:
    """The graph as the quantisers want it: float32 weights as constants, every node with a name."""
    import onnx

    model = onnx.load(os.fspath(source))
    widen_weights(model)
    to_float32(model)
    for index, node in enumerate(model.graph.node):
        node.name = node.name or f"node_{index}"
    return model


def _outer_convolutions(graph: Any, count: int) -> list[str]:
    """Names of the first and last convolutions, whose rounding shows most in an alpha."""
    names = [node.name for node in graph.node if node.op_type == "Conv"]
    return list(dict.fromkeys([*names[:count], *names[len(names) - count :]])) if count else []


def _by_nncf(source: Path, target: Path, feed: Sequence[Tensor], keep: int) -> None:
    import onnx

    model = _readable_graph(source)
    name = model.graph.input[0].name
    # NNCF reports its use over the network unless its telemetry package is missing.
    with telemetry_kept_out():
        nncf = import_nncf()
        made = nncf.quantize(
            model,
            nncf.Dataset([{name: tensor} for tensor in feed]),
            subset_size=len(feed),
            preset=nncf.QuantizationPreset.MIXED,
            ignored_scope=nncf.IgnoredScope(
                names=_outer_convolutions(model.graph, keep), validate=False
            ),
        )
    onnx.save(made, os.fspath(target))


def _by_onnxruntime(source: Path, target: Path, feed: Sequence[Tensor], keep: int) -> None:
    tools = import_onnxruntime("quantization")
    model = _readable_graph(source)
    name = model.graph.input[0].name

    base: Any = tools.CalibrationDataReader

    class Reader(base):  # type: ignore[misc,unused-ignore]
        def __init__(self) -> None:
            self.left = iter(feed)

        def get_next(self) -> dict[str, Tensor] | None:
            tensor = next(self.left, None)
            return None if tensor is None else {name: tensor}

    tools.quantize_static(
        model,
        os.fspath(target),
        Reader(),
        quant_format=tools.QuantFormat.QDQ,
        per_channel=True,
        activation_type=tools.QuantType.QUInt8,
        weight_type=tools.QuantType.QInt8,
        calibrate_method=tools.CalibrationMethod.MinMax,
        op_types_to_quantize=["Conv", "MatMul"],
        nodes_to_exclude=_outer_convolutions(model.graph, keep),
    )


def _alphas(model: ModelDescription, feed: Sequence[Tensor], backend: str) -> list[Tensor]:
    opened = open_backend(model, backend=backend, device="cpu")
    try:
        return [coarse_alpha(opened.run(tensor), model) for tensor in feed]
    finally:
        opened.close()


def quantize(
    model: ModelDescription,
    *,
    tensors: Sequence[Tensor] = (),
    method: str = "auto",
    keep_float: int = 2,
    progress: Callable[[str], None] | None = None,
) -> Quantized:
    """Make an int8 form and keep it if its alpha is within the bound.

    Args:
        model: Its path must be set, to an .onnx file.
        tensors: Pictures as the model is fed; every fourth is kept aside to compare on.
            Empty: made ones.
        method: "nncf", "onnxruntime" or "auto".
        keep_float: First and last convolutions that stay in float32.
        progress: Called with a line for each step.

    Raises:
        ModelError: No quantiser is installed, or it fails on this graph.
    """
    say = progress or (lambda line: None)
    if model.path is None or model.path.suffix != ".onnx":
        raise ModelError(f"{model.name}: only .onnx weights can be quantised")
    if method == "auto":
        method = "nncf" if installed("nncf") else "onnxruntime"
    for needed in ("onnx", method):
        if not installed(needed):
            raise ModelError(f"quantising by {method}: {not_installed(needed)}")
    runtimes = [name for name in RUNTIMES if installed(name)]
    if not runtimes:
        raise ModelError(f"{model.name}: {NO_RUNTIME}")
    ready = prepared(model)
    assert ready.path is not None
    feed = list(tensors) or synthetic_tensors(model, 12)
    if len(feed) < 2:
        raise ModelError("quantising needs at least two pictures: one is kept to compare on")
    aside = feed[::4]
    used = [tensor for index, tensor in enumerate(feed) if index % 4]
    folder = models_folder()
    if home_problem():
        raise ModelError(f"{model.name}: there is no place to keep its int8 form: {home_problem()}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ModelError(f"{folder}: cannot be made: {error.strerror}") from error
    target = folder / f"{model.name}-{weights_fingerprint(ready.path)}.int8.onnx"
    say(f"{method}: calibrates on {len(used)} pictures")
    with tempfile.TemporaryDirectory(dir=folder, prefix=".quantize-") as temporary:
        made = Path(temporary) / target.name
        try:
            (_by_nncf if method == "nncf" else _by_onnxruntime)(ready.path, made, used, keep_float)
        except Exception as error:  # both raise whatever their graph code meets
            raise ModelError(f"{model.name}: {method} cannot quantise it: {error}") from error
        quantized = replace(ready, path=made, precision="int8")
        mean = worst = 0.0
        exact = _alphas(ready, aside, runtimes[0])
        for runtime in runtimes:
            for a, b in zip(exact, _alphas(quantized, aside, runtime), strict=True):
                mean = max(mean, float(np.abs(a - b).mean()))
                worst = max(worst, float(np.abs(a - b).max()))
        say(f"alpha {255 * mean:.2f}/255 (mean), {255 * worst:.1f}/255 (most) from float32")
        accepted = mean <= MEAN_ERROR and worst <= MAX_ERROR
        if accepted:
            made.replace(target)
    return Quantized(accepted, target if accepted else None, method, mean, worst)
