"""NumPy twin of the core's multi-level foreground estimation, dense and in plain words.

Germer, Uelwer, Conrad, Harmeling (2020), on levels that halve (rounding up) by taking every
second pixel. Levels up to 32 pixels: ten red-black iterations from the level above; larger
ones: two, on the level extended by four pixels of its own border. Colours pass between levels
as 16-bit fixed point.
"""

import numpy as np

HALO = 4


def halved(size):
    return (size + 1) // 2


def neighbours(plane, where):
    """Left, right, up and down of every pixel, clamped where the plane ends."""
    padded = np.pad(plane, [(1, 1), (1, 1)] + [(0, 0)] * (plane.ndim - 2), mode="edge")
    shifts = (padded[1:-1, :-2], padded[1:-1, 2:], padded[:-2, 1:-1], padded[2:, 1:-1])
    return [shift[where] for shift in shifts]


def sweep(image, alpha, fore, back, where, weight, regularization):
    """Solve the pixels of `where` from their neighbours, in place."""
    a = alpha[where]
    weights = [regularization + weight * np.abs(a - b) for b in neighbours(alpha, where)]
    total = sum(weights)
    aa, bb, ab = a * a + total, (1 - a) ** 2 + total, a * (1 - a)
    inverse = 1 / (aa * bb - ab * ab)
    f = a[:, None] * image[where] + sum(
        w[:, None] * n for w, n in zip(weights, neighbours(fore, where), strict=True)
    )
    g = (1 - a)[:, None] * image[where] + sum(
        w[:, None] * n for w, n in zip(weights, neighbours(back, where), strict=True)
    )
    fore[where] = np.clip(inverse[:, None] * (bb[:, None] * f - ab[:, None] * g), 0, 1)
    back[where] = np.clip(inverse[:, None] * (aa[:, None] * g - ab[:, None] * f), 0, 1)


def mean_colors(image, alpha):
    step = 1
    while max(alpha.shape) // step > 256:
        step *= 2
    image, alpha = image[::step, ::step], alpha[::step, ::step]
    means = []
    for sure, soft in ((alpha > 0.9, alpha), (alpha < 0.1, 1 - alpha)):
        weights = sure if sure.any() else soft if soft.any() else np.ones_like(alpha)
        means.append((image * weights[..., None]).sum((0, 1)) / weights.sum())
    return means


def estimate(image, alpha, weight=0.2, regularization=1e-5):
    """Foreground and background, float64, of H x W x 3 and H x W in 0..1."""
    sizes = [alpha.shape]
    while max(sizes[-1]) > 1:
        sizes.append((halved(sizes[-1][0]), halved(sizes[-1][1])))
    fore, back = (color.reshape(1, 1, 3) for color in mean_colors(image, alpha))
    for level in reversed(range(len(sizes))):
        height, width = sizes[level]
        small = max(height, width) <= 32
        pad = 0 if small else HALO
        # Coordinates of the extended level, clamped into it.
        y = np.clip(np.arange(-pad, height + pad), 0, height - 1)
        x = np.clip(np.arange(-pad, width + pad), 0, width - 1)
        part = image[y[:, None] << level, x << level]
        cover = alpha[y[:, None] << level, x << level]
        up_y = np.minimum(y // 2, fore.shape[0] - 1)[:, None]
        up_x = np.minimum(x // 2, fore.shape[1] - 1)
        fore, back = fore[up_y, up_x].copy(), back[up_y, up_x].copy()
        parity = np.add.outer(np.arange(-pad, height + pad), np.arange(-pad, width + pad)) & 1
        for half in range(20 if small else 4):
            sweep(part, cover, fore, back, parity == (half & 1), weight, regularization)
        if pad:
            fore, back = fore[pad:-pad, pad:-pad], back[pad:-pad, pad:-pad]
        if level > 0 and max(sizes[level - 1]) > 32:
            fore, back = (np.floor(p * 65535 + 0.5) / 65535 for p in (fore, back))
    return fore, back
