"""Pictures that tests draw where a fixture's one is not enough."""

import numpy as np


def drawn_product(height=300, width=400, *, dtype=np.uint8):
    """A shaded red disc on a light graded backdrop, and its exact alpha (float32)."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    centre_y, centre_x, radius = height / 2, width / 2, min(height, width) * 0.32
    distance = np.hypot(y - centre_y, x - centre_x)
    alpha = np.clip(radius - distance + 0.5, 0, 1)[..., None]
    backdrop = np.stack([225 - 15 * y / height, 226 - 15 * y / height, 230 - 15 * y / height], -1)
    shade = np.clip(1.1 - distance / radius * 0.5, 0, 1)[..., None]
    product = np.float32([190, 40, 50]) * shade
    noise = np.random.default_rng(7).normal(0, 1.0, backdrop.shape)
    rgb = product * alpha + backdrop * (1 - alpha) + noise
    rgb = np.clip(np.rint(rgb), 0, 255).astype(np.uint8)
    if dtype == np.uint16:
        rgb = rgb.astype(np.uint16) * 257
    return rgb, alpha[..., 0]
