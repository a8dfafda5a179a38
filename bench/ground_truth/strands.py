"""Subjects of hair, curls and fur: thousands of tapered strands."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bench.ground_truth.pictures import curve, mixed, noise
from bench.ground_truth.shapes import ellipse, unevenly_lit
from bench.ground_truth.sketch import Float, Layer, Sketch


def _hair_strands(
    rng: np.random.Generator,
    roots: Float,
    directions: Float,
    lengths: Float,
    *,
    points: int,
    gravity: float,
    curl: float,
    wander: float,
) -> Float:
    """Grow strands step by step: a heading that bends down, waves and wanders. S x N x 2."""
    count = len(roots)
    heading = np.arctan2(directions[:, 1], directions[:, 0])
    step = lengths / (points - 1)
    phase = rng.uniform(0, 2 * np.pi, count)
    pitch = rng.uniform(0.7, 1.4, count)
    place: Float = roots.astype(np.float32)
    path = np.empty((count, points, 2), np.float32)
    drift = np.zeros(count)
    for index in range(points):
        path[:, index] = place
        share = index / (points - 1)
        # Turn towards straight down (heading pi / 2), more the longer the strand hangs.
        turn = np.sin(np.pi / 2 - heading) * gravity / points * (1 + share)
        drift = 0.85 * drift + rng.normal(0, wander, count)
        heading = heading + turn + drift / points
        wave = heading + curl * np.sin(phase + pitch * share * 14)
        place = place + np.stack([np.cos(wave), np.sin(wave)], 1) * step[:, None]
    return path


def _hair_colours(
    rng: np.random.Generator, path: Float, dark: npt.ArrayLike, light: npt.ArrayLike
) -> Float:
    """Colour along strands: a tone each, dark roots, sheen where the strand lies across."""
    count, points = path.shape[:2]
    share = np.linspace(0, 1, points, dtype=np.float32)[None]
    tone = np.clip(rng.normal(0.45, 0.28, (count, 1)), 0, 1).astype(np.float32)
    along = np.gradient(path, axis=1)
    along /= np.maximum(np.linalg.norm(along, axis=2, keepdims=True), 1e-6)
    # Kajiya and Kay: a fibre shines where it lies square to the light, here from the upper left.
    facing = along[..., 0] * -0.45 + along[..., 1] * -0.89
    across = np.sqrt(np.clip(1 - facing**2, 0, 1))
    base = mixed(dark, light, np.clip(tone * 0.75 + 0.35 * share, 0, 1))
    gain = 0.45 + 0.55 * across + 0.1 * share
    sheen = across**24 * rng.uniform(0.0, 0.5, (count, 1))
    colour = base * gain[..., None] + sheen[..., None] * np.asarray([1, 0.93, 0.82])
    result: Float = np.clip(colour, 0, 1).astype(np.float32)
    return result


def hair(height: int, width: int, seed: int, *, curls: bool = False) -> Layer:
    rng = np.random.default_rng(seed)
    sketch = Sketch(height, width, seed)
    size = float(min(height, width))
    middle, crown = width / 2, height * (0.43 if curls else 0.34)
    head_w, head_h = size * 0.165, size * 0.195
    palettes = [
        ([0.10, 0.06, 0.04], [0.46, 0.30, 0.18]),
        ([0.30, 0.19, 0.09], [0.87, 0.71, 0.45]),
        ([0.03, 0.03, 0.04], [0.22, 0.19, 0.18]),
        ([0.25, 0.08, 0.04], [0.75, 0.36, 0.16]),
    ]
    dark, light = palettes[int(rng.integers(len(palettes)))]

    # Neck and shoulders, an opaque body that gives the picture its sure foreground.
    shirt = rng.uniform(0.1, 0.8, 3)
    skin = np.asarray([0.80, 0.60, 0.48]) * rng.uniform(0.6, 1.1)
    body = curve(
        (middle - size * 0.52, height + 20),
        (middle - size * 0.40, height * 0.86),
        (middle - size * 0.14, height * 0.77),
        (middle, height * 0.79),
        (middle + size * 0.14, height * 0.77),
        (middle + size * 0.40, height * 0.86),
        (middle + size * 0.52, height + 20),
        count=24,
    )
    neck = np.asarray(
        [
            (middle - size * 0.08, crown),
            (middle + size * 0.08, crown),
            (middle + size * 0.10, height * 0.81),
            (middle - size * 0.10, height * 0.81),
        ],
        np.float32,
    )
    sketch.polygon(neck, skin * 0.8)
    sketch.polygon(body, shirt)

    # Locks: strands follow one of a few hundred guides, close at the root, free at the tip.
    locks = 300 if not curls else 520
    each = 26 if not curls else 16
    # Seen from behind: the crown turns the hair outward at the rim, and what grows nearer to us
    # simply hangs; without the latter the scalp would show.
    turn = rng.uniform(-np.pi, np.pi, locks)
    depth = np.sqrt(rng.uniform(0.0, 1.0, locks))
    roots = np.stack(
        [middle + head_w * depth * np.cos(turn), crown + head_h * depth * np.sin(turn)], 1
    )
    outward = np.stack([np.cos(turn) * (0.3 + depth), np.sin(turn) * depth * 0.35 + 0.3], 1)
    if curls:
        outward = np.stack([np.cos(turn), np.sin(turn) * 0.9], 1)
    length = size * (
        rng.uniform(0.34, 0.56, locks) if not curls else rng.uniform(0.16, 0.30, locks)
    )
    points = 28 if not curls else 40
    guides = _hair_strands(
        rng,
        roots,
        outward,
        length,
        points=points,
        gravity=5.5 if not curls else 1.6,
        curl=0.10 if not curls else 0.95,
        wander=0.25,
    )
    share = np.linspace(0, 1, points, dtype=np.float32)
    spread = size * (0.012 + 0.020 * share**1.5) * (1.0 if not curls else 0.55)
    offset = rng.normal(0, 1, (locks, each, 1, 2)) * spread[:, None]
    # A slow sideways swing of its own takes each strand off its lock's line.
    swing = np.sin(
        share * rng.uniform(2, 7, (locks, each, 1)) + rng.uniform(0, 6.3, (locks, each, 1))
    )
    offset[..., 0] += swing * (size * 0.006)
    strands = guides[:, None] + offset
    strands = strands.reshape(-1, points, 2).astype(np.float32)
    # Strands of a lock stop at different lengths: slide every point back along its own curve.
    strands = _shortened(strands, rng.uniform(0.7, 1.0, len(strands)))

    scalp = ellipse(middle, crown, head_w * 1.04, head_h * 1.06)
    sketch.polygon(scalp, np.asarray(dark) * 0.8)
    taper = np.minimum(1, 2.2 * (1 - share)) ** 0.6
    stroke = rng.uniform(0.55, 1.35, (len(strands), 1)) * sketch.unit
    order = np.argsort(np.repeat(depth, each) + rng.normal(0, 0.25, len(strands)))[::-1]
    colours = _hair_colours(rng, strands, dark, light)
    under = rng.random(len(strands)) < 0.25
    colours[under] *= 0.55
    sketch.strokes(strands[order], (stroke * taper)[order], colours[order])

    # Fly-aways: single fine hairs that leave the mass and cross the backdrop.
    stray = 230 if not curls else 300
    turn = rng.uniform(-1.1 * np.pi, 0.1 * np.pi, stray)
    roots = np.stack([middle + head_w * np.cos(turn), crown + head_h * np.sin(turn)], 1)
    fly = _hair_strands(
        rng,
        roots,
        np.stack([np.cos(turn), np.sin(turn)], 1),
        size * rng.uniform(0.08, 0.5, stray),
        points=32,
        gravity=3.2,
        curl=0.25 if not curls else 0.8,
        wander=0.9,
    )
    share = np.linspace(0, 1, 32, dtype=np.float32)
    thin = rng.uniform(0.25, 0.65, (stray, 1)) * sketch.unit * np.minimum(1, 2 * (1 - share))
    sketch.strokes(fly, thin, _hair_colours(rng, fly, dark, light))
    return unevenly_lit(sketch.render(), rng, 0.12)


def _shortened(strands: Float, share: npt.NDArray[np.float64]) -> Float:
    """Keep only the first `share` of each strand, with the same number of points."""
    count = strands.shape[1]
    place = np.linspace(0, 1, count)[None] * share[:, None] * (count - 1)
    low = np.minimum(place.astype(np.int64), count - 2)
    mix = (place - low)[..., None]
    rows = np.arange(len(strands))[:, None]
    result: Float = (strands[rows, low] * (1 - mix) + strands[rows, low + 1] * mix).astype(
        np.float32
    )
    return result


def fur(height: int, width: int, seed: int) -> Layer:
    rng = np.random.default_rng(seed)
    sketch = Sketch(height, width, seed)
    size = float(min(height, width))
    palettes = [
        ([0.33, 0.22, 0.13], [0.90, 0.78, 0.60]),
        ([0.16, 0.15, 0.15], [0.80, 0.79, 0.77]),
        ([0.40, 0.17, 0.05], [0.97, 0.66, 0.34]),
    ]
    dark, light = palettes[int(rng.integers(len(palettes)))]
    middle = width / 2
    # Body, head, ears: (x, y, half width, half height), back to front.
    parts = [
        (middle, height * 0.80, size * 0.34, size * 0.30),
        (middle - size * 0.15, height * 0.205, size * 0.055, size * 0.10),
        (middle + size * 0.15, height * 0.205, size * 0.055, size * 0.10),
        (middle, height * 0.37, size * 0.215, size * 0.20),
    ]
    patches = noise(rng, height, width, size / 5)
    for x, y, half_w, half_h in parts:
        sketch.polygon(ellipse(x, y, half_w * 0.97, half_h * 0.97), np.asarray(dark) * 0.7)
        count = int(14000 * (half_w * half_h) / (size * size * 0.1)) + 900
        turn = rng.uniform(0, 2 * np.pi, count)
        depth = np.sqrt(rng.uniform(0, 1, count))
        depth[: count // 5] = rng.uniform(0.93, 1.0, count // 5)  # the rim must be dense
        roots = np.stack([x + half_w * depth * np.cos(turn), y + half_h * depth * np.sin(turn)], 1)
        # Fur lies outward and down; in the middle, where it points at us, it is foreshortened.
        flow = np.stack([np.cos(turn) * depth, np.sin(turn) * depth * 0.7 + 0.55], 1)
        flow += rng.normal(0, 0.30, flow.shape)
        lengths = size * rng.uniform(0.022, 0.062, count) * (0.55 + 0.45 * depth)
        path = _hair_strands(
            rng, roots, flow, lengths, points=7, gravity=0.9, curl=0.12, wander=0.9
        )
        column = np.clip(roots[:, 0], 0, width - 1).astype(int)
        row = np.clip(roots[:, 1], 0, height - 1).astype(int)
        patch = np.clip((patches[row, column] - 0.42) * 3.5, 0, 1)
        tone = np.clip(patch[:, None] + rng.normal(0, 0.13, (count, 1)), 0, 1)
        share = np.linspace(0, 1, 7)[None]
        normal_x, normal_y = np.cos(turn) * depth, np.sin(turn) * depth
        lit = np.clip(0.72 - 0.22 * normal_x - 0.30 * normal_y, 0.25, 1.15)
        colours = mixed(dark, light, tone * np.ones_like(share))
        colours = colours * (lit[:, None] * (0.62 + 0.5 * share))[..., None]
        thick = rng.uniform(0.5, 1.5, (count, 1)) * sketch.unit * np.minimum(1, 1.9 * (1 - share))
        # Painted from the lower rows up, as coats overlap: each tuft covers the roots above it.
        order = np.argsort(roots[:, 1] + rng.normal(0, size * 0.01, count))
        sketch.strokes(path[order], thick[order], colours[order])
    for side in (-1, 1):
        sketch.disc(middle + side * size * 0.085, height * 0.345, size * 0.026, [0.03, 0.02, 0.02])
        sketch.disc(
            middle + side * size * 0.085 - size * 0.007,
            height * 0.345 - size * 0.008,
            size * 0.007,
            [0.95, 0.95, 0.97],
        )
    sketch.polygon(ellipse(middle, height * 0.43, size * 0.032, size * 0.022), [0.12, 0.07, 0.07])
    for side in (-1, 1):  # whiskers: the thinnest, palest lines of the set
        for lift in (-0.03, 0.0, 0.035):
            line = curve(
                (middle + side * size * 0.04, height * 0.445),
                (middle + side * size * 0.20, height * (0.44 + lift)),
                (middle + side * size * 0.36, height * (0.46 + 2.4 * lift)),
                count=20,
            )
            taper = np.linspace(0.8, 0.15, len(line)) * sketch.unit
            sketch.stroke(line, taper, np.asarray([0.93, 0.92, 0.9]))
    return unevenly_lit(sketch.render(), rng, 0.12)


def curls(height: int, width: int, seed: int) -> Layer:
    return hair(height, width, seed, curls=True)
