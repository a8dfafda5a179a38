"""Turns a checkpoint into the shipped model: ONNX with small weights, sidecar and checksum.

Writes a float32 reference beside the checkpoint, checks that the small file agrees with it on ONNX
Runtime and OpenVINO, and only then puts file and sidecar where the package looks for them.
"""

from __future__ import annotations

import argparse
import hashlib
import warnings
from pathlib import Path

import architecture
import memmap_dataset
import numpy as np
import numpy.typing as npt
import onnx
import quiet  # noqa: F401  # before the runtimes
import sets
import torch
from evaluate import SIDE, tensor
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

LIMIT_BYTES = 6_000_000
LARGE = 30_000  # weights of a kernel from which on it is stored as bytes
LIMIT_MEAN = 1 / 255  # small file against float32
LIMIT_RUNTIMES = 2e-3  # one runtime against the other, at any pixel
BUNDLED = memmap_dataset.REPOSITORY / "python" / "nssbg" / "_models" / "bundled"

SIDECAR = """\
# What the network of this folder wants and gives; written by training/export.py.
name = "nssbg-lite"
file = "nssbg-lite.onnx"
size = {side}
mean = [0.485, 0.456, 0.406]
std = [0.229, 0.224, 0.225]
filter = "bilinear"
fit = "stretch"
output_index = 0
activation = "none"
range = "unit"
flip_tta = true
opaque_subject = true
precision = "float32"
license = "Apache-2.0"
commercial = true
verified = true
family = "nssbg"
summary = "The network that comes with the package: people, animals, products, single objects"
bytes = {size}
checksum = "sha256:{digest}"
"""

Floats = npt.NDArray[np.float32]


class Shipped(nn.Module):
    """The network with its answer as alpha."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        return torch.sigmoid(self.network(image))


def export_float32(network: nn.Module, target: Path) -> None:
    """The reference: batch norms folded, any batch, any size in steps of 32.

    Fixed sizes are no faster: measured on both runtimes, which plan for the size they get.
    """
    axes = {0: "batch", 2: "height", 3: "width"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer's remarks on constants
        torch.onnx.export(
            Shipped(network).eval(),
            (torch.zeros(1, 3, SIDE, SIDE),),
            str(target),
            input_names=["image"],
            output_names=["alpha"],
            dynamic_axes={"image": axes, "alpha": axes},
            opset_version=17,
            dynamo=False,
        )


def byte_kernel(kernel: Floats) -> tuple[npt.NDArray[np.int8], Floats]:
    """A kernel as bytes and one step size for each output channel."""
    steps = np.abs(kernel).max(axis=(1, 2, 3), keepdims=True) / 127
    steps = np.maximum(steps, 1e-12).astype(np.float32)
    return np.rint(kernel / steps).astype(np.int8), steps


def store_small(source: Path, target: Path) -> None:
    """Stores large kernels as bytes with a step for each channel, other weights as float16.

    Arithmetic stays float32: the graph widens them again, runtimes fold that at load, so both
    give the same answers.
    """
    model = onnx.load(str(source))
    graph = model.graph
    nodes = []
    for stored in list(graph.initializer):
        name, values = stored.name, numpy_helper.to_array(stored)
        if values.dtype != np.float32 or values.size < 256:
            continue
        widened = name
        # Not 1 x 1 kernels: OpenVINO would take those for weights of a matrix product and quantize
        # what they are multiplied with.
        if values.ndim == 4 and values.shape[-1] > 1 and values.size >= LARGE:
            values, steps = byte_kernel(values)
            widened = f"{name}_steps_of_one"
            graph.initializer.append(numpy_helper.from_array(steps, f"{name}_step"))
            nodes.append(
                helper.make_node("Mul", [widened, f"{name}_step"], [name], f"{name}_kernel")
            )
        else:
            values = values.astype(np.float16)
        small = numpy_helper.from_array(values, f"{name}_stored")
        stored.CopyFrom(small)
        nodes.append(
            helper.make_node("Cast", [small.name], [widened], f"{name}_wide", to=TensorProto.FLOAT)
        )
    for node in nodes:  # a Cast comes after its Mul here, and so before it in the graph
        graph.node.insert(0, node)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(target))


def run_onnxruntime(model: Path, batch: Floats) -> Floats:
    """Alpha by ONNX Runtime."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"image": batch})[0])


def run_openvino(model: Path, batch: Floats, precision: str = "f32") -> Floats:
    """Alpha by OpenVINO, at the named arithmetic precision."""
    import openvino

    compiled = openvino.Core().compile_model(
        str(model), "CPU", {"INFERENCE_PRECISION_HINT": precision}
    )
    return np.asarray(compiled({"image": batch})[0])


def check(reference: Path, small: Path, batch: Floats) -> None:
    """Raises where the small file is too large or strays from the reference."""
    wanted = run_onnxruntime(reference, batch)
    found = run_onnxruntime(small, batch)
    other = run_openvino(small, batch)
    strays = float(np.abs(found - wanted).mean())
    apart = float(np.abs(found - other).max())
    size = small.stat().st_size
    ops = {n.op_type for n in onnx.load(str(small)).graph.node}
    print(f"operators: {sorted(ops)}")
    print(
        f"{size} bytes; small weights against float32: mean {strays:.2e}, "
        f"max {float(np.abs(found - wanted).max()):.2e}"
    )
    print(f"ONNX Runtime against OpenVINO float32: max {apart:.2e}")
    half = np.abs(run_openvino(small, batch, "bf16") - wanted)
    print(f"OpenVINO bfloat16, for the record: mean {half.mean():.2e}, max {half.max():.2e}")
    if size > LIMIT_BYTES or strays > LIMIT_MEAN or apart > LIMIT_RUNTIMES:
        raise SystemExit("the small file breaks a limit")
    if found.min() < 0 or found.max() > 1:
        raise SystemExit("alpha leaves 0..1")


def held_out_batch(count: int = 16) -> Floats:
    """Real pictures to compare on."""
    pictures = sets.photographs("people", held=True)
    return np.concatenate(
        [tensor(rgb, SIDE) for _, (_, rgb, _) in zip(range(count), pictures, strict=False)]
    )


def weights_of(
    checkpoint: Path, keep: float = 0.0, kept: Path | None = None
) -> dict[str, torch.Tensor]:
    """A checkpoint's averaged weights, mixed with those that its run went on from, or with `kept`.

    A share of the latter keeps what a run on few pictures forgets of others (Wortsman et al.,
    "Robust fine-tuning of zero-shot models", 2022).
    """
    weights = torch.load(checkpoint, weights_only=True)["average"]
    if keep:
        source = checkpoint.with_name("start.pt") if kept is None else kept
        start = torch.load(source, weights_only=True)["average"]
        for name, value in weights.items():
            if value.dtype.is_floating_point:
                value.lerp_(start[name], keep)
    return weights


def main() -> None:
    """Reads the command line, exports, checks, installs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", default="lite", help="folder of the run")
    parser.add_argument("--checkpoint", type=Path, help="another file than the run's own")
    parser.add_argument("--output", type=Path, default=BUNDLED)
    parser.add_argument("--keep", type=float, default=0.0, help="share of the weights begun with")
    parser.add_argument("--kept", help="the run whose weights that share is of, if another")
    options = parser.parse_args()
    checkpoint = options.checkpoint
    if checkpoint is None:
        checkpoint = memmap_dataset.work_folder() / "runs" / options.name / "checkpoint.pt"
    network = architecture.LiteNetwork().eval()
    kept = options.kept and memmap_dataset.work_folder() / "runs" / options.kept / "checkpoint.pt"
    network.load_state_dict(weights_of(checkpoint, options.keep, kept or None))
    options.output.mkdir(parents=True, exist_ok=True)
    reference = checkpoint.with_name("nssbg-lite-float32.onnx")
    small = checkpoint.with_name("nssbg-lite.onnx")
    export_float32(network, reference)
    store_small(reference, small)
    check(reference, small, held_out_batch())
    content = small.read_bytes()
    (options.output / "nssbg-lite.onnx").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    (options.output / "nssbg-lite.toml").write_text(
        SIDECAR.format(side=SIDE, digest=digest, size=len(content))
    )
    # Of the weights before these: their sidecar no longer names it.
    (options.output / "nssbg-lite.int8.onnx").unlink(missing_ok=True)
    print(digest)
    print("no confidence is fitted to it yet: make train-choice; no int8 form: make train-int8")


if __name__ == "__main__":
    main()
