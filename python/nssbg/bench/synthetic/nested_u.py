"""U-2-Net, U-2-Net-p and IS-Net node by node.

The architectures are those of Qin et al., "U2-Net: Going Deeper with Nested U-Structure" (2020)
and "Highly Accurate Dichotomous Image Segmentation" (2022), from the papers' tables. Weights go by
the names that bench/architectures/u2net.py gives them.
"""

from __future__ import annotations

from nssbg.bench.synthetic.graph import GraphBuilder

__all__ = ["STAGES", "nested_u"]

# A stage's rows: height of the inner U (0: the dilated one without pooling), channels in, middle,
# out. Six stages down, five up.
Stage = tuple[int, int, int, int]
_WIDE_DOWN: list[Stage] = [(6, 64, 32, 128), (5, 128, 64, 256), (4, 256, 128, 512)]
_WIDE_DOWN += [(0, 512, 256, 512), (0, 512, 256, 512)]
_WIDE_UP: list[Stage] = [(0, 1024, 256, 512), (4, 1024, 128, 256), (5, 512, 64, 128)]
_WIDE_UP += [(6, 256, 32, 64), (7, 128, 16, 64)]
STAGES: dict[str, tuple[list[Stage], list[Stage]]] = {
    "u2net": ([(7, 3, 32, 64), *_WIDE_DOWN], _WIDE_UP),
    "isnet": ([(7, 64, 32, 64), *_WIDE_DOWN], _WIDE_UP),
    "u2netp": (
        [(7, 3, 16, 64), *((height, 64, 16, 64) for height in (6, 5, 4, 0, 0))],
        [(height, 128, 16, 64) for height in (0, 4, 5, 6, 7)],
    ),
}


def _layer(g: GraphBuilder, x: str, name: str, channels: int, dilation: int = 1) -> str:
    """Convolution, normalisation, ReLU."""
    found = g.conv(
        x, f"{name}.0", channels, 3, padding=dilation, dilation=dilation, norm=f"{name}.1"
    )
    return g.same("Relu", found)


def _upsampled(g: GraphBuilder, x: str, like: str) -> str:
    height, width = g.shapes[like][2:]
    if (height, width) == g.shapes[x][2:]:  # the innermost level of a U
        return x
    return g.resize(x, (height, width))


def _residual_u(g: GraphBuilder, x: str, name: str, stage: Stage) -> str:
    """A U inside one stage, or the dilated form that keeps its size."""
    height, _, middle, channels = stage
    dilated = height == 0
    levels = 4 if dilated else height
    entered = _layer(g, x, f"{name}.enter", channels)
    features, current = [], entered
    for level in range(levels - 1):
        if level and not dilated:
            current = g.max_pool(current)
        spread = 2**level if dilated else 1
        current = _layer(g, current, f"{name}.down.{level}", middle, spread)
        features.append(current)
    current = _layer(g, current, f"{name}.bottom", middle, 8 if dilated else 2)
    for index, level in enumerate(range(levels - 2, -1, -1)):
        skip = features.pop()
        if not dilated:
            current = _upsampled(g, current, skip)
        out = channels if level == 0 else middle
        joined = g.concat((current, skip))
        current = _layer(g, joined, f"{name}.up.{index}", out, 2**level if dilated else 1)
    return g.same("Add", current, entered)


def nested_u(g: GraphBuilder, name: str, size: int) -> list[str]:
    """The outer U with a side output a level; the outputs, of which the first is the mask."""
    down, up = STAGES[name]
    x = g.input("input.1", (1, 3, size, size))
    current = x
    if name == "isnet":
        current = g.conv(x, "stem", 64, 3, stride=2, padding=1)
    features: list[str] = []
    for index, stage in enumerate(down):
        if index:
            current = g.max_pool(current)
        current = _residual_u(g, current, f"down.{index}", stage)
        features.append(current)
    decoded = [features.pop()]
    for index, stage in enumerate(up):
        skip = features.pop()
        joined = g.concat((_upsampled(g, decoded[0], skip), skip))
        decoded.insert(0, _residual_u(g, joined, f"up.{index}", stage))
    masks = [g.conv(item, f"sides.{i}", 1, 3, padding=1) for i, item in enumerate(decoded)]
    if name == "isnet":
        masks = [_upsampled(g, item, x) for item in masks]
    else:
        masks = [masks[0], *(_upsampled(g, item, masks[0]) for item in masks[1:])]
        masks.insert(0, g.conv(g.concat(masks), "merge", 1, 1))
    return [g.same("Sigmoid", item) for item in masks]
