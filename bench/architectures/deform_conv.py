"""Modulated deformable convolution for export: as torch computes it, and as ONNX files carry it.

"native" is ONNX's DeformConv (opset 19). "gathernd" and "gatherelements" decompose it the way
the public PyTorch-to-ONNX exporters of deform_conv2d do: sample positions, their floor, four
gathered corners, bilinear products, the modulator, then a convolution whose stride is its
kernel. "plain" has no symbolic of its own: the exporter sees the torch operations below it.

The files in tests/data/deform are made here, with torch 2.13 and onnxscript 0.7 (its "dynamo"
exporter; "script" is the one before it), static and with varying height and width:

    python -m bench.architectures.deform_conv tests/data/deform
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

FORMS = ("native", "gathernd", "gatherelements", "plain")


def sample_grid(height: int, width: int, kernel: int) -> Tensor:
    """Undisplaced positions in the padded picture: 1 x 1 x K x 2 x height x width."""
    ky, kx = torch.meshgrid(torch.arange(kernel), torch.arange(kernel), indexing="ij")
    y = ky.reshape(-1, 1, 1) + torch.arange(height).reshape(1, -1, 1)
    x = kx.reshape(-1, 1, 1) + torch.arange(width).reshape(1, 1, -1)
    y, x = y.expand(-1, height, width), x.expand(-1, height, width)
    return torch.stack((y, x), 1)[None, None].float()


def deform_conv2d(x: Tensor, offset: Tensor, mask: Tensor, weight: Tensor, pad: int) -> Tensor:
    """Stride 1, dilation 1, one group; offset N x 2K x h x w (y, x a tap), mask N x K x h x w."""
    batch, channels = x.shape[:2]
    out, _, kernel, _ = weight.shape
    height, width = offset.shape[2:]
    taps = kernel * kernel
    edge = max(pad, 1)
    padded = F.pad(x, (edge,) * 4)
    rows, columns = padded.shape[2:]
    grid = sample_grid(height, width, kernel) + float(edge - pad)
    p = offset.reshape(batch, taps, 2, height, width) + grid[0]
    floor = p.floor()
    fraction = p - floor
    y0 = floor[:, :, 0].to(torch.int64)
    x0 = floor[:, :, 1].to(torch.int64)
    flat = padded.reshape(batch, channels, rows * columns)
    total = torch.zeros(())
    for dy in (0, 1):
        for dx in (0, 1):
            y = (y0 + dy).clamp(0, rows - 1)
            c = (x0 + dx).clamp(0, columns - 1)
            index = (y * columns + c).reshape(batch, 1, -1).expand(-1, channels, -1)
            value = flat.gather(2, index).reshape(batch, channels, taps, height, width)
            wy = fraction[:, :, 0] if dy else 1 - fraction[:, :, 0]
            wx = fraction[:, :, 1] if dx else 1 - fraction[:, :, 1]
            total = total + value * (wy * wx)[:, None]
    total = total * mask[:, None]
    columns_matrix = total.reshape(batch, channels * taps, height * width)
    return (weight.reshape(out, -1) @ columns_matrix).reshape(batch, out, height, width)


class _Symbolic(torch.autograd.Function):
    """Runs the function above; exports the form that is asked for."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        offset: Tensor,
        mask: Tensor,
        weight: Tensor,
        sizes: tuple[int, ...],
        form: str,
    ) -> Tensor:
        return x.new_zeros(x.shape[0], weight.shape[0], *offset.shape[2:])

    @staticmethod
    def symbolic(
        g: Any, x: Any, offset: Any, mask: Any, weight: Any, sizes: tuple[int, ...], form: str
    ) -> Any:
        batch, channels, in_rows, in_columns, out, kernel, pad = sizes
        if form == "native":
            bias = g.op("Constant", value_t=torch.zeros(out))
            return g.op("DeformConv", x, weight, offset, bias, mask, pads_i=[pad] * 4).setType(
                x.type().with_sizes([batch, out, in_rows, in_columns])
            )
        height, width = in_rows, in_columns
        taps = kernel * kernel
        edge = max(pad, 1)
        rows, columns = in_rows + 2 * edge, in_columns + 2 * edge

        def const(value: Any, kind: torch.dtype = torch.int64) -> Any:
            return g.op("Constant", value_t=torch.as_tensor(value, dtype=kind))

        def shaped(value: Any, *shape: int) -> Any:
            return g.op("Reshape", value, const(list(shape)))

        padded = g.op("Pad", x, const([0, 0, edge, edge] * 2), mode_s="constant")
        grid = sample_grid(height, width, kernel) + float(edge - pad)
        p = g.op(
            "Add", const(grid, torch.float32), shaped(offset, batch, 1, taps, 2, height, width)
        )
        floor = g.op("Floor", p)
        whole = g.op("Cast", floor, to_i=7)

        def part(value: Any, axis: int) -> Any:
            return g.op("Slice", value, const([axis]), const([axis + 1]), const([3]))

        one = const(1)
        ends = {"t": part(whole, 0), "l": part(whole, 1)}
        ends["b"] = g.op("Add", ends["t"], one)
        ends["r"] = g.op("Add", ends["l"], one)
        limits = {"t": rows - 1, "b": rows - 1, "l": columns - 1, "r": columns - 1}
        ends = {key: g.op("Clip", v, const(0), const(limits[key])) for key, v in ends.items()}
        fraction = g.op("Sub", p, floor)
        near = {"b": part(fraction, 0), "r": part(fraction, 1)}
        unit = const(1.0, torch.float32)
        near["t"] = g.op("Sub", unit, near["b"])
        near["l"] = g.op("Sub", unit, near["r"])
        if form == "gathernd":
            source = g.op(
                "Transpose",
                shaped(padded, batch, 1, channels, rows, columns),
                perm_i=[0, 1, 3, 4, 2],
            )
        else:
            source = shaped(padded, batch, 1, channels, rows * columns)
        terms = []
        for y, c in ("tl", "br", "bl", "tr"):
            if form == "gathernd":
                index = g.op(
                    "Concat",
                    shaped(ends[y], batch, 1, taps * height * width, 1),
                    shaped(ends[c], batch, 1, taps * height * width, 1),
                    axis_i=3,
                )
                value = g.op("GatherND", source, index, batch_dims_i=2)
                value = g.op("Transpose", value, perm_i=[0, 1, 3, 2])
            else:
                index = g.op("Add", g.op("Mul", ends[y], const(columns)), ends[c])
                index = shaped(index, batch, 1, 1, taps * height * width)
                index = g.op("Expand", index, const([batch, 1, channels, taps * height * width]))
                value = g.op("GatherElements", source, index, axis_i=3)
            value = shaped(value, batch, 1, channels, taps, height, width)
            product = g.op("Mul", near[c], near[y])
            terms.append(g.op("Mul", shaped(product, batch, 1, 1, taps, height, width), value))
        total = g.op("Sum", *terms)
        total = g.op("Mul", total, shaped(mask, batch, 1, 1, taps, height, width))
        total = g.op("Transpose", total, perm_i=[0, 1, 2, 4, 5, 3])
        if kernel > 1:
            total = shaped(total, batch, channels, height, width, taps)
            pieces = g.op("Split", total, const([kernel] * kernel), axis_i=4, outputs=kernel)
            pieces = [shaped(piece, batch, channels, height, width * kernel) for piece in pieces]
            total = g.op("Concat", *pieces, axis_i=3)
        total = shaped(total, batch, channels, height * kernel, width * kernel)
        return g.op(
            "Conv", total, weight, kernel_shape_i=[kernel] * 2, strides_i=[kernel] * 2
        ).setType(x.type().with_sizes([batch, out, height, width]))


class DeformableConv2d(nn.Module):
    """Offsets and modulator from two convolutions, then the deformable one (DCN v2)."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, form: str) -> None:
        super().__init__()
        self.pad, self.form = kernel // 2, form
        taps = kernel * kernel
        self.offset = nn.Conv2d(channels_in, 2 * taps, kernel, padding=self.pad)
        self.modulator = nn.Conv2d(channels_in, taps, kernel, padding=self.pad)
        self.weight = nn.Conv2d(channels_in, channels_out, kernel, padding=self.pad, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        offset = self.offset(x)
        mask = 2.0 * torch.sigmoid(self.modulator(x))
        if self.form == "plain" or not torch.onnx.is_in_onnx_export():
            return deform_conv2d(x, offset, mask, self.weight.weight, self.pad)
        weight = self.weight.weight
        sizes = (*(int(n) for n in x.shape), weight.shape[0], weight.shape[2], self.pad)
        return _Symbolic.apply(x, offset, mask, weight, sizes, self.form)


class SmallNetwork(nn.Module):
    """A deformable convolution between two plain ones: 3 channels in, 1 out."""

    def __init__(self, kernel: int, form: str) -> None:
        super().__init__()
        self.enter = nn.Conv2d(3, 4, 3, padding=1)
        self.bend = DeformableConv2d(4, 3, kernel, form)
        self.leave = nn.Conv2d(3, 1, 3, padding=1)
        nn.init.normal_(self.bend.offset.weight, std=0.3)

    def forward(self, x: Tensor) -> Tensor:
        return self.leave(torch.relu(self.bend(torch.relu(self.enter(x)))))


def export_small(path: Path, *, dynamo: bool, varying: bool) -> None:
    """Write a SmallNetwork in the plain form, without traces of the machine that made it."""
    import onnx

    torch.manual_seed(0)
    keys: dict[str, Any] = {"external_data": False} if dynamo else {}
    if varying and dynamo:
        sides = {2: torch.export.Dim("h", min=8, max=512), 3: torch.export.Dim("w", min=8, max=512)}
        keys["dynamic_shapes"] = {"x": sides}
    elif varying:
        keys["dynamic_axes"] = {"input": {2: "h", 3: "w"}}
    torch.onnx.export(
        SmallNetwork(3, "plain").eval(),
        (torch.randn(1, 3, 12, 16),),
        str(path),
        input_names=["input"],
        output_names=["output"],
        opset_version=18 if dynamo else 17,
        dynamo=dynamo,
        **keys,
    )
    model = onnx.load(str(path))
    for item in (model, model.graph, *model.graph.node, *model.graph.value_info):
        item.ClearField("metadata_props")
        item.ClearField("doc_string")
    onnx.save(model, str(path), save_as_external_data=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for exporter in ("dynamo", "script"):
        for size in ("static", "varying"):
            export_small(
                folder / f"{exporter}-{size}.onnx",
                dynamo=exporter == "dynamo",
                varying=size == "varying",
            )


if __name__ == "__main__":
    main()
