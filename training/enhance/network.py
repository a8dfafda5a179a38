"""The two networks: dense 3 x 3 convolutions at low width, what they add to a plain resize.

`RestoreNetwork` (same size) works on cells of 2 x 2 pixels, which quarters the operations of a
channel; `UpscaleNetwork` (x2) works at the size of its input and gives four pixels for each. Both
are told in planes behind the colours how strong noise and JPEG's artefacts are. In training every
inner convolution has an identity beside its kernel; `folded` adds it to the kernel, so that the
file has plain convolutions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

COLOURS, CONDITIONS = 3, 2
#: About the root mean square of what noise of denoise = 1 and JPEG of deblock = 1 do to a picture.
RESIDUAL = (0.2, 0.03)


class IdentityConv(nn.Module):
    """A 3 x 3 convolution beside an identity; both are one kernel."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.randn(width, width, 3, 3) * 0.5 / math.sqrt(9 * width))
        self.bias = nn.Parameter(torch.zeros(width))
        identity = torch.zeros(width, width, 3, 3)
        identity[range(width), range(width), 1, 1] = 1.0
        self.register_buffer("identity", identity, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return functional.conv2d(x, self.kernel + self.identity, self.bias, padding=1)

    def folded(self) -> nn.Conv2d:
        width = self.kernel.shape[0]
        plain = nn.Conv2d(width, width, 3, padding=1)
        with torch.no_grad():
            plain.weight.copy_(self.kernel + self.identity)
            plain.bias.copy_(self.bias)
        return plain


def _body(width: int, depth: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for _ in range(depth):
        layers += [IdentityConv(width), nn.ReLU()]
    return nn.Sequential(*layers)


def cubic_kernel(taps: int = 5, a: float = -0.5) -> Tensor:
    """Pillow's bicubic enlargement by 2 as a convolution: 12 x 3 x taps x taps.

    Outputs are in the order of a pixel shuffle. Pillow's taps for the two phases of a pixel are
    those of Keys' kernel at distances of a quarter and three quarters of a pixel.
    """

    def keys(t: float) -> float:
        t = abs(t)
        if t < 1:
            return (a + 2) * t**3 - (a + 3) * t**2 + 1
        return a * (t**3 - 5 * t**2 + 8 * t - 4) if t < 2 else 0.0

    reach = taps // 2
    phases = np.array(
        [[keys(k - (0.5 * phase - 0.25)) for k in range(-reach, reach + 1)] for phase in (0, 1)]
    )
    phases /= phases.sum(axis=1, keepdims=True)
    kernel = np.zeros((COLOURS, 2, 2, COLOURS, taps, taps), np.float32)
    for colour in range(COLOURS):
        for row in (0, 1):
            for column in (0, 1):
                kernel[colour, row, column, colour] = np.outer(phases[row], phases[column])
    return torch.from_numpy(kernel.reshape(4 * COLOURS, COLOURS, taps, taps))


class UpscaleNetwork(nn.Module):
    """x2: N x 5 x h x w in, N x 3 x 2h x 2w out, colours of 0..1 as they are encoded."""

    scale, unit = 2, 1

    def __init__(self, width: int = 32, depth: int = 6) -> None:
        super().__init__()
        self.head = nn.Conv2d(COLOURS + CONDITIONS, width, 3, padding=1)
        self.body = _body(width, depth)
        self.tail = nn.Conv2d(width, 4 * COLOURS, 3, padding=1)
        self.register_buffer("cubic", cubic_kernel(), persistent=False)
        _small(self.tail)

    def baseline(self, told: Tensor) -> Tensor:
        """What the network adds to: the bicubic enlargement."""
        return functional.pixel_shuffle(
            functional.conv2d(told[:, :COLOURS], self.cubic, padding=2), 2
        )

    def forward(self, told: Tensor) -> Tensor:
        x = self.body(functional.relu(self.head(told)))
        plain = functional.conv2d(told[:, :COLOURS], self.cubic, padding=2)
        return functional.pixel_shuffle(self.tail(x).to(plain.dtype) + plain, 2)


class _Smaller(nn.Module):
    """Half the size: 2 x 2 positions become one of another width."""

    def __init__(self, width: int, lower: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, lower, 2, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.conv(x))


class _Larger(nn.Module):
    """Twice the size: a position becomes 2 x 2 of another width."""

    def __init__(self, lower: int, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(lower, 4 * width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return functional.pixel_shuffle(self.conv(x), 2)


class RestoreNetwork(nn.Module):
    """Same size: N x 5 x h x w in, N x 3 x h x w out; h and w multiples of `unit`.

    A U-Net over cells of 2 x 2 pixels. `widths` are those of its levels, each at half of the size
    of the one above; `depths` how many convolutions a level has, half of them (rounded up) before
    the levels below it and half behind. What comes from below is added to what went down.
    """

    scale = 1

    def __init__(self, widths: Sequence[int] = (64,), depths: Sequence[int] = (6,)) -> None:
        super().__init__()
        if len(widths) != len(depths):
            raise ValueError(f"{len(widths)} widths and {len(depths)} depths: one each a level")
        self.unit = 2 ** len(widths)
        above = list(zip(widths[:-1], depths[:-1], strict=True))
        steps = list(pairwise(widths))
        self.head = nn.Conv2d(4 * COLOURS + CONDITIONS, widths[0], 3, padding=1)
        self.before = nn.ModuleList(_body(width, (depth + 1) // 2) for width, depth in above)
        self.smaller = nn.ModuleList(_Smaller(width, lower) for width, lower in steps)
        self.body = _body(widths[-1], depths[-1])
        self.larger = nn.ModuleList(_Larger(lower, width) for width, lower in steps)
        self.behind = nn.ModuleList(_body(width, depth // 2) for width, depth in above)
        self.tail = nn.Conv2d(widths[0], 4 * COLOURS, 3, padding=1)
        per_cell = torch.tensor(RESIDUAL).view(1, CONDITIONS, 1, 1)
        self.register_buffer("residual", per_cell, persistent=False)
        _small(self.tail)

    def baseline(self, told: Tensor) -> Tensor:
        """What the network adds to: the picture as it came."""
        return told[:, :COLOURS]

    def forward(self, told: Tensor) -> Tensor:
        colours = told[:, :COLOURS]
        cells = functional.pixel_unshuffle(colours, 2)
        strengths = functional.avg_pool2d(told[:, COLOURS:], 2)
        x = functional.relu(self.head(torch.cat([cells, strengths], 1)))
        kept = []
        for before, smaller in zip(self.before, self.smaller, strict=True):
            kept.append(before(x))
            x = smaller(kept[-1])
        x = self.body(x)
        for larger, behind in zip(reversed(self.larger), reversed(self.behind), strict=True):
            x = behind(functional.relu(larger(x) + kept.pop()))
        size = functional.conv2d(strengths, self.residual)
        return functional.pixel_shuffle(self.tail(x).to(colours.dtype) * size + cells, 2)


def _small(tail: nn.Conv2d) -> None:
    """Begins near the plain resize."""
    with torch.no_grad():
        tail.weight.mul_(0.1)
        tail.bias.zero_()


NETWORKS: dict[str, type[nn.Module]] = {"upscale": UpscaleNetwork, "restore": RestoreNetwork}


def network_of(name: str, wanted: Mapping[str, Any]) -> nn.Module:
    """The network of a recipe's entry, with what the seed set before gives it."""
    if name == "upscale":
        return UpscaleNetwork(wanted["width"], wanted["depth"])
    return RestoreNetwork(wanted["widths"], wanted["depths"])


def inner_kernels(network: nn.Module) -> list[Tensor]:
    """The kernels between the first and the last, for the optimiser that is made for matrices."""
    kernels = []
    for layer in network.modules():
        if isinstance(layer, IdentityConv):
            kernels.append(layer.kernel)
        elif isinstance(layer, _Smaller | _Larger):
            kernels.append(layer.conv.weight)
    return kernels


def folded(network: nn.Module) -> nn.Module:
    """The same function with plain convolutions; changes the network given."""
    for parent in list(network.modules()):
        for name, layer in list(parent.named_children()):
            if isinstance(layer, IdentityConv):
                setattr(parent, name, layer.folded())
    return network


def operations(network: nn.Module) -> float:
    """Multiplications a pixel of the input."""
    side, total = 64, 0.0

    def counted(layer: nn.Module, _given: tuple[Tensor, ...], found: Tensor) -> None:
        nonlocal total
        weights = sum(p.numel() for p in layer.parameters(recurse=False) if p.ndim == 4)
        total += weights * found.shape[2] * found.shape[3]

    hooks = [
        layer.register_forward_hook(counted)
        for layer in network.modules()
        if isinstance(layer, nn.Conv2d | IdentityConv)
    ]
    with torch.no_grad():
        network(torch.zeros(1, COLOURS + CONDITIONS, side, side))
    for hook in hooks:
        hook.remove()
    cubic = getattr(network, "cubic", None)
    return total / side**2 + (0 if cubic is None else cubic.numel())
