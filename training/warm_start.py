"""Makes a checkpoint out of the shipped file, so that a run can go on where the last one ended.

The file's batch norms are folded into its kernels. Here each kernel's rows get one common length
back, and the norms are set so that the network's answers stay what they were while its batch
statistics are those of training samples. The side heads, which the file lacks, start anew; so do
blocks that the network has gained since, each adding nothing to its shortcut at first.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import architecture
import generator
import memmap_dataset
import numpy as np
import onnx
import torch
from onnx import numpy_helper
from samples import normalised
from sources import Sources
from torch import Tensor, nn

SHIPPED = memmap_dataset.REPOSITORY / "python" / "nssbg" / "_models" / "bundled" / "nssbg-lite.onnx"
ROW_RMS = 0.03  # about what kernels of a finished run have: the optimiser's steps keep their size


def kernels_of(model: onnx.ModelProto) -> dict[str, tuple[Tensor, Tensor]]:
    """Kernel and bias of every convolution, by the path of its module in the network."""
    values = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    for node in model.graph.node:
        if all(name in values for name in node.input):
            if node.op_type == "Cast":
                values[node.output[0]] = values[node.input[0]].astype(np.float32)
            elif node.op_type == "Mul":
                values[node.output[0]] = values[node.input[0]] * values[node.input[1]]
    found = {}
    for node in model.graph.node:
        if node.op_type == "Conv":
            kernel, bias = (
                torch.from_numpy(np.array(values[n], np.float32)) for n in node.input[1:3]
            )
            found[module_path(node.name)] = (kernel, bias)
    return found


def module_path(node: str) -> str:
    """`/network/stage_four/stage_four.1/enter/enter.0/Conv` is `stage_four.1.enter.0`.

    The exporter writes a member of a sequence as the sequence's name, then name and number.
    """
    path: list[str] = []
    for part in node.split("/")[2:-1]:
        if path and part.startswith(f"{path[-1]}."):
            path.pop()
        path.append(part)
    return ".".join(path)


def pairs_of(
    network: architecture.LiteNetwork,
) -> list[tuple[str, nn.Conv2d, nn.BatchNorm2d | None]]:
    """Convolutions in the order in which they run, each with its path and the norm after it."""
    paths = {module: path for path, module in network.named_modules()}
    order: list[nn.Module] = []
    hooks = [
        module.register_forward_hook(lambda m, *_: order.append(m))
        for module in network.modules()
        if isinstance(module, (nn.Conv2d, nn.BatchNorm2d))
    ]
    with torch.no_grad():
        network(torch.zeros(1, 3, 64, 64))
    for hook in hooks:
        hook.remove()
    pairs: list[tuple[str, nn.Conv2d, nn.BatchNorm2d | None]] = []
    for module, following in zip(order, [*order[1:], None], strict=True):
        if isinstance(module, nn.Conv2d):
            norm = following if isinstance(following, nn.BatchNorm2d) else None
            pairs.append((paths[module], module, norm))
    return pairs


def new_blocks(network: architecture.LiteNetwork, known: set[str]) -> list[str]:
    """Paths of the blocks of which nothing is known, neither a kernel nor any other weight."""
    blocks = [path for path, m in network.named_modules() if isinstance(m, architecture.Block)]
    return [path for path in blocks if not any(k.startswith(f"{path}.") for k in known)]


@torch.no_grad()
def silence(network: architecture.LiteNetwork, blocks: list[str]) -> None:
    """Lets these blocks add nothing to their shortcuts at first."""
    for path in blocks:
        network.get_submodule(f"{path}.norm").weight.zero_()  # type: ignore[operator]


@torch.no_grad()
def unfold(
    network: architecture.LiteNetwork, model: onnx.ModelProto, batches: list[Tensor]
) -> None:
    """Puts the file's kernels into the network, with norms whose statistics fit the batches."""
    network.eval()
    kernels, pairs = kernels_of(model), pairs_of(network)
    shapes = {path: tuple(kernel.shape) for path, (kernel, _) in kernels.items()}
    lacking = [path for path, _, _ in pairs if path not in kernels]
    added = new_blocks(network, set(kernels))
    if any(not path.startswith(tuple(f"{b}." for b in added)) for path in lacking) or shapes != {
        path: tuple(c.weight.shape) for path, c, _ in pairs if path in kernels
    }:
        raise SystemExit("the file is of another architecture")
    if lacking:
        print(f"new: {', '.join(lacking)}")
    sums: dict[nn.BatchNorm2d, list[Tensor]] = {}
    rows: dict[nn.BatchNorm2d, Tensor] = {}

    def collect(norm: nn.Module, inputs: tuple[Tensor, ...], _: object) -> None:
        values = inputs[0].double()
        sums[norm].append(torch.stack([values.mean((0, 2, 3)), (values**2).mean((0, 2, 3))]))  # type: ignore[index]

    hooks = []
    silence(network, added)
    for path, convolution, norm in pairs:
        if path in lacking:
            continue
        kernel, bias = kernels[path]
        if norm is None:
            convolution.weight.copy_(kernel)
            assert convolution.bias is not None
            convolution.bias.copy_(bias)
            continue
        length = kernel.pow(2).mean((1, 2, 3)).sqrt().clamp_min(1e-8)
        rows[norm] = (ROW_RMS if kernel.shape[1] > 3 else 0.1) / length
        convolution.weight.copy_(kernel * rows[norm][:, None, None, None])
        norm.weight.copy_(1 / rows[norm])
        norm.bias.copy_(bias)
        norm.running_mean.zero_()  # type: ignore[union-attr]
        norm.running_var.fill_(1 - norm.eps)  # type: ignore[union-attr]
        sums[norm] = []
        hooks.append(norm.register_forward_hook(collect))
    before = [network(batch) for batch in batches]
    for hook in hooks:
        hook.remove()
    for norm, found in sums.items():
        mean, square = torch.stack(found).mean(0)
        variance = (square - mean**2).clamp_min(0)
        norm.running_mean.copy_(mean)  # type: ignore[union-attr]
        norm.running_var.copy_(variance)  # type: ignore[union-attr]
        norm.weight.copy_((variance + norm.eps).sqrt() / rows[norm])
        norm.bias.add_(mean / rows[norm])
    apart = max(
        float((torch.sigmoid(network(batch)) - torch.sigmoid(old)).abs().max())
        for batch, old in zip(batches, before, strict=True)
    )
    print(f"alpha moved by at most {apart:.1e}")
    if apart > 1e-2:
        raise SystemExit("the unfolded network answers differently")


def begun_after(earlier: Path, target: Path) -> None:
    """A run that begins with the averaged weights of another, and keeps what that began with.

    Where the network has gained blocks since, what the other began with no longer fits it: then
    the run keeps what it begins with itself.
    """
    weights = torch.load(earlier / "checkpoint.pt", weights_only=True)["average"]
    start = torch.load(earlier / "start.pt", weights_only=True)
    network = architecture.LiteNetwork()
    added = new_blocks(network, set(weights))
    if added:
        print(f"new: {', '.join(added)}")
        silence(network, added)
        fresh = {k: v for k, v in network.state_dict().items() if k.startswith(tuple(added))}
        weights = fresh | weights
        network.load_state_dict(weights)  # the rest must be there
        start = {"network": weights, "average": weights, "step": 0}
    target.parent.mkdir(parents=True, exist_ok=True)
    torch.save(start, target.with_name("start.pt"))
    torch.save({"network": weights, "average": weights, "step": 0}, target)


def main() -> None:
    """Reads the command line and writes the checkpoint of a run that has not started."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=SHIPPED)
    parser.add_argument("--name", default="lite", help="folder of the run")
    parser.add_argument("--after", help="go on from this run's checkpoint, not from the file")
    parser.add_argument("--unless-begun", action="store_true", help="keep what is there")
    options = parser.parse_args()
    torch.manual_seed(1)
    network = architecture.LiteNetwork()
    work = memmap_dataset.work_folder()
    target = work / "runs" / options.name / "checkpoint.pt"
    if target.exists() and options.unless_begun:
        return
    if target.exists():
        raise SystemExit(f"{target} is there already: go on with it, or move it away")
    if options.after:
        begun_after(work / "runs" / options.after, target)
        print(target)
        return
    stream = generator.Generator(Sources(work / "banks"), 192, 77, easy=0.4)
    batches = [
        normalised(torch.from_numpy(np.stack([stream.sample()[0] for _ in range(32)])))
        for _ in range(6)
    ]
    unfold(network, onnx.load(str(options.model)), batches)
    target.parent.mkdir(parents=True, exist_ok=True)
    weights = network.state_dict()
    begun = {"network": weights, "average": weights, "step": 0}
    torch.save(begun, target.with_name("start.pt"))  # for export.py --keep
    torch.save(begun, target)
    print(target)


if __name__ == "__main__":
    main()
