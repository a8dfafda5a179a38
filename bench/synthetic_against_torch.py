"""The synthetic graphs against torch's networks of the same weights: operators and outputs.

Torch's network of bench/architectures runs as it is; its weights go into the graph that
nssbg.bench.synthetic writes, which onnxruntime runs on the same input. Printed: the largest
distance of any output, how many weights of the network the graph took, and the operators of the
graph beside those of torch's own export. Fails where they differ. Needs torch.

    python -m bench.synthetic_against_torch u2netp isnet birefnet-lite --size 128
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.architectures.birefnet_lite import BiRefNetLite
from bench.architectures.u2net import NestedU, randomize
from nssbg._runtime_imports import import_onnxruntime
from nssbg.bench.synthetic import build
from nssbg.bench.synthetic.weights import FromMapping

# What costs; the rest is views, constants and their arithmetic.
COSTLY = ("Conv", "MatMul", "Resize", "MaxPool", "GatherND", "Softmax", "LayerNormalization", "Erf")
# Rounding in other orders, through networks of a hundred layers.
TOLERANCE = 2e-4


def operators(model: Any) -> dict[str, int]:
    counted = Counter(node.op_type for node in model.graph.node)
    return {name: counted[name] for name in COSTLY if counted[name]}


def exported(network: torch.nn.Module, size: int) -> Any:
    """Torch's own export."""
    import onnx

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "exported.onnx"
        torch.onnx.export(
            network, (torch.zeros(1, 3, size, size),), str(path), opset_version=17, dynamo=False
        )
        return onnx.load(str(path))


def compare(name: str, size: int) -> bool:
    torch.manual_seed(0)
    lite = name == "birefnet-lite"
    network = randomize(BiRefNetLite("gathernd") if lite else NestedU(name))
    state = {
        key: value.numpy()
        for key, value in network.state_dict().items()
        if not key.endswith((".index", "num_batches_tracked"))
    }
    weights = FromMapping(state)
    model = build(name, size=size, weights=weights)
    picture = np.random.default_rng(0).normal(size=(1, 3, size, size)).astype(np.float32)
    with torch.no_grad():
        found = network(torch.from_numpy(picture))
    expected = [item.numpy() for item in (found if isinstance(found, tuple) else (found,))]
    session = import_onnxruntime().InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    outputs = session.run(None, {session.get_inputs()[0].name: picture})
    scale = max(1.0, *(float(np.abs(item).max()) for item in expected))
    far = max(float(np.abs(a - b).max()) for a, b in zip(expected, outputs, strict=True)) / scale
    ours, theirs = operators(model), operators(exported(network, size))
    print(f"{name} at {size}: {len(outputs)} outputs, at most {far:.1e} apart")
    print(f"  weights  {len(weights.asked)} of {len(state)}")
    print(f"  here     {ours}\n  torch's  {theirs}")
    return len(outputs) == len(expected) and far < TOLERANCE and len(weights.asked) == len(state)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    names = ["u2netp", "u2net", "isnet", "birefnet-lite"]
    parser.add_argument("name", nargs="*", default=names, help=", ".join(names))
    parser.add_argument("--size", type=int, default=128)
    args = parser.parse_args()
    equal = [compare(name, args.size) for name in args.name]
    return 0 if all(equal) else 1


if __name__ == "__main__":
    sys.exit(main())
