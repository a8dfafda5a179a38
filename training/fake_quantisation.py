"""The network with its arithmetic rounded to 8 bits, trainable: what quantise.py fine-tunes.

In: nssbg-lite, its batch norms folded. Out: the same with int8 weights (symmetric, a step for each
output channel) and 8-bit activations (a step for each tensor), all steps learnt with the weights
(LSQ: Esser et al., "Learned step size quantization", ICLR 2020); and an ONNX file of it with
QuantizeLinear and DequantizeLinear, which both runtimes run in int8.

Rounded are the inputs of convolutions: the ReLUs' outputs without a sign, the others with one.
Products of queries and keys stay in float: their share of the time is small, and rounding them
costs more in reordering than it brings (docs/decisions/0409-int8-by-training.md).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import architecture
import export
import numpy as np
import onnx
import torch
import warm_start
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

# What may stay in float32, as the module's path begins; "branches" is what a block adds to its
# input, which need not be rounded before it is added.
FLOAT_PARTS = {
    "first": ("stage_two.",),
    "head": ("head",),
    "attention": ("stage_thirty_two.2.", "context.0.", "context.2.", "context.4."),
    "place": (),  # the depthwise convolutions before attention
    "branches": (),
}
# What does by default: neither takes time, since OpenVINO has no int8 kernels for the former here
# and adds within the convolution's own accumulators in the latter.
IN_FLOAT = ("place", "branches")
SAMPLED = 4096  # values of an activation that a calibration batch gives
CANDIDATES = 60  # ranges that a calibration compares
WEIGHT_LEVELS = (-127, 127)


class Rounding(nn.Module):
    """Rounds an activation to 256 levels, one learnt step for the whole tensor.

    The step is kept as its logarithm: a training step of one size moves small and large ranges
    by the same share.
    """

    def __init__(self, *, signed: bool) -> None:
        super().__init__()
        self.low, self.high = (-128, 127) if signed else (0, 255)
        self.log_step = nn.Parameter(torch.zeros(1))
        self.register_buffer("zero", torch.zeros(1), persistent=False)
        self.sampled: list[Tensor] | None = None
        self.exporting = False

    @property
    def step(self) -> Tensor:
        return self.log_step.exp()

    def forward(self, values: Tensor) -> Tensor:
        if self.sampled is not None:
            flat = values.detach().reshape(-1)
            # Evenly spaced, and the two ends, which few samples would miss.
            spread = flat[:: max(1, flat.numel() // SAMPLED)]
            self.sampled.append(torch.cat([spread, flat.min()[None], flat.max()[None]]))
            return values
        if self.exporting:
            return torch.fake_quantize_per_tensor_affine(
                values, float(self.step.detach()), 0, self.low, self.high
            )
        # Straight-through within the range; the step's gradient is the paper's.
        return torch._fake_quantize_learnable_per_tensor_affine(
            values, self.step, self.zero, self.low, self.high, 1.0
        )

    @torch.no_grad()
    def calibrate(self) -> None:
        """The step of least squared error on what was sampled."""
        values = torch.cat(self.sampled or [torch.ones(1)])
        self.sampled = None
        most = float((values / (self.low if self.low else -self.high)).max())
        most = max(most, float((values / self.high).max()), 1e-6)
        best = math.inf
        for share in torch.linspace(0.3, 1.0, CANDIDATES).tolist():
            step = share * most
            rounded = (values / step).round().clamp(self.low, self.high) * step
            error = float((rounded - values).pow(2).mean())
            if error < best:
                best = error
                self.log_step.fill_(math.log(step))


class RoundedConvolution(nn.Module):
    """A convolution whose kernel is rounded to int8, one learnt step for each output channel."""

    def __init__(self, plain: nn.Conv2d) -> None:
        super().__init__()
        self.plain = plain
        steps = plain.weight.detach().abs().amax((1, 2, 3)).clamp_min(1e-8) / WEIGHT_LEVELS[1]
        self.log_steps = nn.Parameter(steps.log())
        self.register_buffer("zeros", torch.zeros_like(steps), persistent=False)
        self.exporting = False

    @property
    def steps(self) -> Tensor:
        return self.log_steps.exp()

    def kernel(self) -> Tensor:
        """The kernel as it is computed with."""
        if self.exporting:
            return self.plain.weight  # `store_bytes` rounds it in the file
        return torch._fake_quantize_learnable_per_channel_affine(
            self.plain.weight, self.steps, self.zeros, 0, *WEIGHT_LEVELS, 1.0
        )

    @torch.no_grad()
    def levels(self) -> Tensor:
        """The kernel as multiples of its channels' steps, int8."""
        # Times the inverse, as PyTorch's own operator has it: ties fall to the same side.
        multiples = self.plain.weight * (1 / self.steps)[:, None, None, None]
        return multiples.round().clamp(*WEIGHT_LEVELS).to(torch.int8)

    def forward(self, features: Tensor) -> Tensor:
        plain = self.plain
        return nn.functional.conv2d(
            features,
            self.kernel(),
            plain.bias,
            plain.stride,
            plain.padding,  # type: ignore[arg-type]
            plain.dilation,
            plain.groups,
        )


def _put(network: nn.Module, path: str, module: nn.Module) -> None:
    parent, _, name = path.rpartition(".")
    setattr(network.get_submodule(parent), name, module)


@torch.no_grad()
def folded(source: Path, keep: float = 0.0) -> architecture.LiteNetwork:
    """The network without batch norms: of an exported .onnx file, or a checkpoint's average.

    The side heads of a file are untrained; nothing here runs them.
    """
    network = architecture.LiteNetwork().eval()
    kernels = {}
    if source.suffix == ".onnx":
        kernels = warm_start.kernels_of(onnx.load(str(source)))
    else:
        network.load_state_dict(export.weights_of(source, keep))
    pairs = warm_start.pairs_of(network)
    if kernels and {p: tuple(k.shape) for p, (k, _) in kernels.items()} != {
        p: tuple(c.weight.shape) for p, c, _ in pairs
    }:
        raise SystemExit(f"{source} is of another architecture")
    norms = {norm: path for path, norm in network.named_modules() if norm is not network}
    for path, convolution, norm in pairs:
        if kernels:
            kernel, bias = kernels[path]
        elif norm is None:
            continue
        else:
            assert norm.running_var is not None
            assert norm.running_mean is not None
            gain = norm.weight / (norm.running_var + norm.eps).sqrt()
            kernel = convolution.weight * gain[:, None, None, None]
            bias = norm.bias - norm.running_mean * gain
            if convolution.bias is not None:
                bias = bias + convolution.bias * gain
        convolution.weight.copy_(kernel)
        convolution.bias = nn.Parameter(bias.clone())
        if norm is not None:
            _put(network, norms[norm], nn.Identity())
    return network


def rounded(network: architecture.LiteNetwork, in_float: Iterable[str] = IN_FLOAT) -> nn.Module:
    """Puts roundings and rounded convolutions into a folded network, which is changed.

    Args:
        network: As `folded` gives it.
        in_float: Of FLOAT_PARTS, what stays in float32.
    """
    parts = set(in_float)
    if parts - set(FLOAT_PARTS):
        raise SystemExit(f"not known: {parts - set(FLOAT_PARTS)}; known: {', '.join(FLOAT_PARTS)}")
    left = tuple(start for part in parts for start in FLOAT_PARTS[part])

    def rounds(path: str) -> bool:
        return not path.startswith(left)

    # Parts before what they are part of: a path leads to where the module was.
    for path, module in reversed(list(network.named_modules())):
        if isinstance(module, nn.Conv2d):
            placing = path.endswith(".place") and "place" in parts
            if rounds(path) and not placing and not path.startswith("side_heads"):
                _put(network, path, RoundedConvolution(module))
        elif isinstance(module, nn.ReLU):
            # What a float part gives to others is rounded all the same: they take it in int8.
            if path != "fuse_two.blend.2" or rounds("head"):
                _put(network, path, nn.Sequential(nn.ReLU(), Rounding(signed=False)))
        elif isinstance(module, architecture.Block):
            if isinstance(module, architecture.Attention) and rounds(f"{path}."):
                module.mix = nn.Sequential(Rounding(signed=True), module.mix)
                module.leave = nn.Sequential(Rounding(signed=True), module.leave)
            if rounds(f"{path}.") and "branches" not in parts:
                module.norm = Rounding(signed=True)
            _put(network, path, nn.Sequential(module, Rounding(signed=False)))
        elif isinstance(module, architecture.Fuse):
            module.blend = nn.Sequential(Rounding(signed=False), module.blend)
    if rounds("stage_two."):
        network.stage_two = nn.Sequential(Rounding(signed=True), network.stage_two)
    return network.eval()


def roundings(network: nn.Module) -> Iterator[Rounding]:
    """Every rounded activation."""
    return (module for module in network.modules() if isinstance(module, Rounding))


@torch.no_grad()
def calibrate(network: nn.Module, batches: Iterable[Tensor]) -> None:
    """First ranges: activations are looked at unrounded, kernels as their largest weight asks."""
    for rounding in roundings(network):
        rounding.sampled = []
    for batch in batches:
        network(batch)
    for rounding in roundings(network):
        rounding.calibrate()


@contextmanager
def exported_form(network: nn.Module) -> Iterator[None]:
    """Meanwhile roundings are operators that the exporter writes, and kernels stay as they are."""
    changed = [m for m in network.modules() if isinstance(m, (Rounding, RoundedConvolution))]
    for module in changed:
        module.exporting = True
    try:
        yield
    finally:
        for module in changed:
            module.exporting = False


def store_bytes(graph: onnx.GraphProto, network: nn.Module) -> None:
    """Kernels as the int8 values that they are rounded to; kernels left in float as float16."""
    convolutions = {
        f"network.{path}.plain.weight": module
        for path, module in network.named_modules()
        if isinstance(module, RoundedConvolution)
    }
    kernels = {node.input[1] for node in graph.node if node.op_type == "Conv"}
    if missing := set(convolutions) - kernels:
        raise SystemExit(f"the exporter renamed {', '.join(sorted(missing))}")
    for item in [item for item in graph.initializer if item.name in kernels]:
        name = item.name
        if name in convolutions:
            steps = convolutions[name].steps.detach().numpy()
            parts = {
                "levels": convolutions[name].levels().numpy(),
                "steps": steps,
                "zeros": np.zeros(len(steps), np.int8),
            }
            node = helper.make_node(
                "DequantizeLinear", [f"{name}_{part}" for part in parts], [name], axis=0
            )
        elif numpy_helper.to_array(item).size >= 256:
            parts = {"stored": numpy_helper.to_array(item).astype(np.float16)}
            node = helper.make_node("Cast", [f"{name}_stored"], [name], to=TensorProto.FLOAT)
        else:
            continue
        node.name = f"{name}_widened"
        for part, values in parts.items():
            graph.initializer.append(numpy_helper.from_array(values, f"{name}_{part}"))
        graph.initializer.remove(item)
        graph.node.insert(0, node)


def export_int8(network: nn.Module, target: Path) -> None:
    """Writes the rounded network as ONNX with QuantizeLinear and DequantizeLinear."""
    with exported_form(network):
        export.export_float32(network, target)
    model = onnx.load(str(target))
    store_bytes(model.graph, network)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(target))
