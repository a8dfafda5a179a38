"""The two networks: dense 3 x 3 convolutions at low width, what they add to a plain resize.

`RestoreNetwork` (same size) works on cells of 2 x 2 pixels, which quarters the operations of a
channel; `UpscaleNetwork` (x2) works at the size of its input and gives four pixels for each. Both
are told in planes behind the colours how strong noise and JPEG's artefacts are. In training every
inner convolution has an identity beside its kernel; `folded` adds it to the kernel, so that the
file has plain convolutions.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

COLOURS, CONDITIONS = 3, 2


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


class RestoreNetwork(nn.Module):
    """Same size: N x 5 x h x w in, N x 3 x h x w out; h and w even."""

    scale, unit = 1, 2

    def __init__(self, width: int = 64, depth: int = 6) -> None:
        super().__init__()
        self.head = nn.Conv2d(4 * COLOURS + CONDITIONS, width, 3, padding=1)
        self.body = _body(width, depth)
        self.tail = nn.Conv2d(width, 4 * COLOURS, 3, padding=1)
        _small(self.tail)

    def baseline(self, told: Tensor) -> Tensor:
        """What the network adds to: the picture as it came."""
        return told[:, :COLOURS]

    def forward(self, told: Tensor) -> Tensor:
        colours = told[:, :COLOURS]
        cells = functional.pixel_unshuffle(colours, 2)
        strengths = functional.avg_pool2d(told[:, COLOURS:], 2)
        x = self.body(functional.relu(self.head(torch.cat([cells, strengths], 1))))
        return functional.pixel_shuffle(self.tail(x).to(colours.dtype) + cells, 2)


def _small(tail: nn.Conv2d) -> None:
    """Begins near the plain resize."""
    with torch.no_grad():
        tail.weight.mul_(0.1)
        tail.bias.zero_()


NETWORKS: dict[str, type[nn.Module]] = {"upscale": UpscaleNetwork, "restore": RestoreNetwork}


def folded(network: nn.Module) -> nn.Module:
    """The same function with plain convolutions; changes the network given."""
    body = network.body
    network.body = nn.Sequential(
        *(layer.folded() if isinstance(layer, IdentityConv) else layer for layer in body)
    )
    return network


def operations(network: nn.Module) -> float:
    """Multiplications a pixel of the input."""
    cells = 4 if isinstance(network, RestoreNetwork) else 1
    convolutions = sum(p.numel() for p in network.parameters() if p.ndim == 4) / cells
    cubic = getattr(network, "cubic", None)
    return convolutions + (0 if cubic is None else cubic.numel())
