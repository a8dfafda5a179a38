"""Subjects of other kinds: leaves, net, lace, glass, text, cables, holes, a defocused thing."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from bench.ground_truth.pictures import blurred, curve, disc_blurred, mixed, over
from bench.ground_truth.shapes import ellipse, shaded, unevenly_lit
from bench.ground_truth.sketch import (
    DESIGN_HEIGHT,
    SAMPLES,
    Float,
    Layer,
    Sketch,
    coverage_from_distance,
    mean_of_samples,
)


def leaves(height: int, width: int, seed: int) -> Layer:
    rng = np.random.default_rng(seed)
    sketch = Sketch(height, width, seed)
    size = float(min(height, width))
    bark = [0.30, 0.22, 0.14]

    def leaf(x: float, y: float, heading: float, length: float) -> None:
        half = 0.5 * length * rng.uniform(0.28, 0.42)
        t = np.linspace(0, 1, 40)
        teeth = 1 + 0.09 * np.abs((t * 13) % 1 - 0.5)
        edge = half * np.sin(np.pi * t**0.8) ** 0.9 * teeth
        bend = rng.normal(0, 0.15) * length * t**2
        green = mixed([0.10, 0.26, 0.06], [0.56, 0.70, 0.20], rng.random())
        if rng.random() < 0.15:
            green = mixed([0.60, 0.33, 0.06], [0.85, 0.62, 0.15], rng.random())
        cos, sin = math.cos(heading), math.sin(heading)

        def placed(along: npt.ArrayLike, side: npt.ArrayLike) -> Float:
            along, side = np.asarray(along), np.asarray(side)
            return np.stack(
                [x + cos * along - sin * side, y + sin * along + cos * side], -1
            ).astype(np.float32)

        rib = placed(t * length, bend)
        for sign, gain in ((1, 1.0), (-1, 0.78)):  # the two halves take the light differently
            outline = np.concatenate([placed(t * length, bend + sign * edge), rib[::-1]])
            sketch.polygon(outline, np.asarray(green) * gain)
        for k in range(4, 34, 4):  # veins
            for sign in (1, -1):
                tip = min(k + 6, 39)
                vein = placed(
                    [t[k] * length, t[tip] * length],
                    [bend[k], bend[tip] + sign * edge[tip] * 0.8],
                )
                sketch.stroke(vein, 0.5 * sketch.unit, np.asarray(green) * 1.25)
        sketch.stroke(rib, np.linspace(1.6, 0.5, 40) * sketch.unit, np.asarray(green) * 1.35)

    def twig(x: float, y: float, heading: float, length: float, thick: float, level: int) -> None:
        count = 18
        path = np.empty((count, 2), np.float32)
        for k in range(count):
            path[k] = x, y
            heading += rng.normal(0, 0.09)
            x += math.cos(heading) * length / count
            y += math.sin(heading) * length / count
            if k > 2 and k % 3 == 0:
                side = rng.choice([-1, 1])
                turned = heading + side * rng.uniform(0.5, 1.1)
                if level > 0 and rng.random() < 0.75:
                    twig(x, y, turned, length * rng.uniform(0.4, 0.62), thick * 0.55, level - 1)
                else:
                    leaf(x, y, turned, size * rng.uniform(0.07, 0.17))
        taper = np.linspace(thick, thick * 0.45, count)
        sketch.stroke(path, taper, mixed(bark, [0.45, 0.40, 0.22], np.linspace(0, 1, count)))
        leaf(x, y, heading, size * rng.uniform(0.09, 0.17))

    for start, heading in ((0.46, -1.75), (0.53, -1.35), (0.50, -1.55)):
        twig(width * start, height * 1.03, heading, size * 0.85, 7.0 * sketch.unit, 2)
    return unevenly_lit(sketch.render(), rng, 0.25)


def net(height: int, width: int, seed: int) -> Layer:
    rng = np.random.default_rng(seed)
    sketch = Sketch(height, width, seed)
    size = float(min(height, width))
    middle, top, radius = width / 2, height * 0.16, size * 0.34
    cord = np.asarray([0.86, 0.84, 0.78])
    count = 22
    turns = np.linspace(0, 2 * np.pi, count, endpoint=False)
    levels = 14
    t = np.linspace(0, 1, levels)
    profile = radius * (1 - 0.62 * t**0.7) * (1 + 0.04 * np.sin(9 * t))
    drop = top + t * height * 0.74
    jitter = rng.normal(0, size * 0.004, (levels, count, 2))

    def knot(level: int, index: int) -> tuple[Float, float]:
        turn = turns[index % count] + (level % 2) * np.pi / count
        x = middle + profile[level] * math.cos(turn)
        y = drop[level] + profile[level] * 0.22 * math.sin(turn)
        place = np.asarray([x, y], np.float32) + jitter[level, index % count]
        return place.astype(np.float32), 0.55 + 0.45 * (0.5 + 0.5 * math.sin(turn))

    rim = ellipse(middle, top, radius, radius * 0.22, 128)
    closed = np.concatenate([rim, rim[:2]])
    for back in (True, False):
        if not back:
            sketch.stroke(closed[:66], 7.0 * sketch.unit, np.asarray([0.82, 0.33, 0.10]))
        else:
            sketch.stroke(closed[63:], 6.0 * sketch.unit, np.asarray([0.60, 0.22, 0.07]))
        for level in range(levels - 1):
            for index in range(count):
                a, shade = knot(level, index)
                if (shade < 0.775) != back:
                    continue
                # Diamonds: each knot hangs from two of the row above, cords sag a little.
                for other in (index, index + 1) if level % 2 else (index, index - 1):
                    b, shade_b = knot(level + 1, other)
                    sag = (a + b) / 2 + np.asarray([0, size * 0.004], np.float32)
                    line = curve(tuple(a), tuple(sag), tuple(b), count=6)
                    wide = rng.uniform(1.0, 2.0) * sketch.unit
                    sketch.stroke(line, wide, cord * 0.5 * (shade + shade_b))
                sketch.disc(float(a[0]), float(a[1]), 1.7 * sketch.unit, cord * shade * 0.9)
    return unevenly_lit(sketch.render(), rng, 0.2)


def lace(height: int, width: int, seed: int) -> Layer:
    rng = np.random.default_rng(seed)
    sketch = Sketch(height, width, seed)
    size = float(min(height, width))
    thread = np.asarray([0.95, 0.92, 0.86]) * rng.uniform(0.85, 1.0)
    x0, y0, radius = width / 2, height / 2, size * 0.43

    def arc(x: float, y: float, r: float, wide: float, start: float = 0, end: float = 7) -> None:
        turn = np.linspace(start, min(end, start + 2 * np.pi + 0.1), max(14, int(r * 1.5)))
        path = np.stack([x + r * np.cos(turn), y + r * np.sin(turn)], 1).astype(np.float32)
        shade = 0.86 + 0.14 * np.sin(turn * 3 + x)
        sketch.stroke(path, wide * sketch.unit, thread * shade[:, None])

    # A fine hexagonal ground first, then rosettes, rings and a scalloped rim over it.
    pitch = size * 0.026
    for row in range(-18, 19):
        for column in range(-18, 19):
            x = x0 + (column + 0.5 * (row % 2)) * pitch
            y = y0 + row * pitch * 0.866
            if math.hypot(x - x0, y - y0) < radius * 0.86:
                arc(x, y, pitch * 0.46, 0.55)
    for ring, petals in ((0.0, 1), (0.36, 6), (0.66, 12)):
        for k in range(petals):
            turn = 2 * np.pi * k / petals
            x, y = x0 + radius * ring * math.cos(turn), y0 + radius * ring * math.sin(turn)
            r = radius * (0.16 if ring < 0.5 else 0.11)
            for p in range(8):
                a = 2 * np.pi * p / 8 + turn
                px, py = x + r * 0.58 * math.cos(a), y + r * 0.58 * math.sin(a)
                leaf = ellipse(0, 0, r * 0.42, r * 0.19, 24)
                cos, sin = math.cos(a), math.sin(a)
                turned = leaf @ np.asarray([[cos, sin], [-sin, cos]], np.float32)
                sketch.polygon(turned + np.asarray([px, py], np.float32), thread * (0.8 + 0.02 * p))
            sketch.disc(x, y, r * 0.16, thread * 0.75)
            arc(x, y, r, 1.3)
    for r, wide in ((0.50, 1.6), (0.54, 1.0), (0.84, 2.0), (0.88, 1.2)):
        arc(x0, y0, radius * r, wide)
    for k in range(32):
        turn = 2 * np.pi * k / 32
        x, y = x0 + radius * 0.92 * math.cos(turn), y0 + radius * 0.92 * math.sin(turn)
        for r, wide in ((0.085, 1.5), (0.06, 0.9), (0.03, 0.7)):
            arc(x, y, radius * r, wide)
        for spur in (-0.45, 0.0, 0.45):
            a = turn + spur
            tip = radius * 0.085
            sketch.disc(
                x + (tip + 2) * math.cos(a), y + (tip + 2) * math.sin(a), 1.4 * sketch.unit, thread
            )
    return unevenly_lit(sketch.render(), rng, 0.2)


def glass(height: int, width: int, seed: int) -> Layer:
    """A carafe whose wall lets the backdrop through, unrefracted so that it has an alpha."""
    rng = np.random.default_rng(seed)
    size = float(min(height, width))
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) + np.float32(0.5)
    knots = np.asarray(
        [
            (0.08, 0.085), (0.12, 0.075), (0.26, 0.072), (0.38, 0.12), (0.52, 0.21), (0.68, 0.235),
            (0.82, 0.225), (0.90, 0.195), (0.925, 0.16),
        ]
    )  # fmt: skip
    rows = np.linspace(0, 1, 512)
    profile = blurred(np.interp(rows, knots[:, 0], knots[:, 1])[:, None].astype(np.float32), 7)

    def half_width(at_y: Float) -> Float:
        wide = np.interp(at_y / height, rows, profile[:, 0]).astype(np.float32)
        return wide * np.float32(size)

    def distance(at_x: Float, at_y: Float) -> Float:
        # The profile's slope stays under 1.2: divided by 1.6 the value never overstates.
        side = np.abs(at_x - width / 2) - half_width(at_y)
        caps = np.maximum(height * 0.08 - at_y, at_y - height * 0.925)
        result: Float = np.maximum(side / 1.6, caps).astype(np.float32)
        return result

    shape = coverage_from_distance(distance, height, width)
    across = np.clip((x - width / 2) / np.maximum(half_width(y), 1), -1, 1)
    # Light crosses more wall near the silhouette: absorption grows as 1 / cos of the angle.
    wall = 1 - np.exp(-0.10 / np.sqrt(np.maximum(1 - across**2, 0.004)))
    opacity = 0.10 + 0.85 * wall
    tint = mixed([0.62, 0.78, 0.74], [0.30, 0.46, 0.42], np.abs(across) ** 3)
    level = height * 0.60
    liquid = np.clip((y - level) / 1.5, 0, 1) * np.clip((0.93 - np.abs(across)) * 30, 0, 1)
    wine = mixed([0.62, 0.10, 0.14], [0.30, 0.02, 0.06], np.abs(across) ** 2)
    opacity = opacity + liquid * (0.72 - opacity * 0.72)
    tint = tint * (1 - liquid[..., None]) + wine * liquid[..., None]
    meniscus = np.exp(-(((y - level) / (size * 0.006)) ** 2)) * (np.abs(across) < 0.93)
    opacity = np.maximum(opacity, 0.75 * meniscus)
    for centre, spread, strength in ((-0.62, 0.07, 0.90), (0.70, 0.035, 0.60), (-0.45, 0.02, 0.4)):
        window = np.exp(-(((across - centre) / spread) ** 2)) * strength
        window = (
            window * np.clip((y / height - 0.16) * 9, 0, 1) * np.clip((0.86 - y / height) * 9, 0, 1)
        )
        opacity = opacity + (1 - opacity) * window
        tint = tint + (1 - tint) * window[..., None]
    rims = sum(
        np.exp(-(((y / height - at) / 0.006) ** 2)) * strength
        for at, strength in ((0.086, 0.8), (0.915, 0.6))
    )
    opacity = np.clip(opacity + (1 - opacity) * rims * 0.8, 0, 1)
    tint = tint + (0.9 - tint) * np.asarray(rims, np.float32)[..., None] * 0.5
    colour = shaded(np.clip(tint, 0, 1).astype(np.float32), rng, 0.15)
    return Layer((shape * opacity).astype(np.float32), colour)


def text(height: int, width: int, seed: int) -> Layer:
    rng = np.random.default_rng(seed)
    grid = Image.new("L", (width * SAMPLES, height * SAMPLES))
    draw = ImageDraw.Draw(grid)
    scale = SAMPLES * min(height, width) / DESIGN_HEIGHT

    def at(share_x: float, share_y: float) -> tuple[float, float]:
        return share_x * width * SAMPLES, share_y * height * SAMPLES

    lines = [
        ("ALPHA", 0.33, 0.14, 84.0), ("Straight & true", 0.37, 0.32, 46.0),
        ("the quick brown fox jumps over the lazy dog", 0.50, 0.44, 21.0),
        ("0123456789 &%@#{}[]() fine print, finer still", 0.50, 0.51, 13.0),
        ("serif-less hairlines at nine pixels: ilIL1| .,;:'", 0.50, 0.56, 9.0),
    ]  # fmt: skip
    for words, x, y, size in lines:
        draw.text(at(x, y), words, fill=255, font=ImageFont.load_default(size * scale), anchor="mm")
    # A logo with counters, a star, concentric rings and hairlines at several angles.
    cx, cy = at(0.80, 0.22)
    for radius, ink in ((78, 255), (66, 0), (60, 255), (40, 0)):
        r = radius * scale
        draw.ellipse((cx - r, cy - r, cx + r, cy + r), fill=ink)
    star = [
        (
            cx + (38 if k % 2 == 0 else 15) * scale * math.sin(math.pi * k / 5),
            cy - (38 if k % 2 == 0 else 15) * scale * math.cos(math.pi * k / 5),
        )
        for k in range(10)
    ]
    draw.polygon(star, fill=255)
    cx, cy = at(0.20, 0.79)
    for k in range(24):
        angle = math.pi * k / 12
        inner, outer = 26 * scale, 78 * scale
        draw.line(
            (
                cx + inner * math.cos(angle),
                cy + inner * math.sin(angle),
                cx + outer * math.cos(angle),
                cy + outer * math.sin(angle),
            ),
            fill=255,
            width=max(1, round((0.35 + 0.1 * k) * scale)),
        )
    cx, cy = at(0.50, 0.79)
    for k in range(8):
        r = (12 + 9 * k) * scale
        draw.arc(
            (cx - r, cy - r, cx + r, cy + r),
            0,
            360,
            fill=255,
            width=max(1, round((4 - 0.45 * k) * scale)),
        )
    x, y = at(0.67, 0.65)
    side = 130 * scale
    draw.rounded_rectangle((x, y, x + side, y + side), 24 * scale, fill=255)
    draw.rounded_rectangle(
        (x + side * 0.25, y + side * 0.25, x + side * 0.75, y + side * 0.75), 10 * scale, fill=0
    )
    draw.line((x + side * 1.05, y, x + side * 1.35, y + side), fill=255, width=round(7 * scale))
    alpha = mean_of_samples(np.asarray(grid)[..., None])[..., 0]
    first = rng.uniform(0.05, 0.9, 3)
    other = rng.uniform(0.05, 0.9, 3)
    share = np.linspace(0, 1, width, dtype=np.float32)[None].repeat(height, 0)
    return Layer(alpha, shaded(mixed(first, other, share), rng, 0.2))


def cables(height: int, width: int, seed: int) -> Layer:
    rng = np.random.default_rng(seed)
    sketch = Sketch(height, width, seed)
    size = float(min(height, width))

    def cable(path: Float, wide: float, tone: npt.ArrayLike) -> None:
        # Three nested strokes shade the round section: dark rim, body, highlight.
        base = np.asarray(tone, np.float32)
        sketch.stroke(path, wide, base * 0.55)
        sketch.stroke(path, wide * 0.7, base)
        shine = path + np.asarray([-0.12, -0.16], np.float32) * wide
        sketch.stroke(shine, wide * 0.22, base * 0.6 + 0.4)

    tones = [[0.08, 0.08, 0.09], [0.80, 0.80, 0.82], [0.75, 0.16, 0.12], [0.15, 0.35, 0.70]]
    for index, wide in enumerate((7.5, 4.0, 2.6, 1.6, 1.1, 0.7)):
        start = (width * rng.uniform(0.05, 0.95), height * 1.03)
        knots = [start]
        for step in range(6):
            knots.append(
                (
                    width * float(np.clip(rng.normal(0.5, 0.24), 0.06, 0.94)),
                    height * (0.9 - 0.13 * step + rng.uniform(-0.07, 0.07)),
                )
            )
        path = curve(*knots, count=40)
        cable(path, wide * sketch.unit, tones[index % 4])
        x, y = path[-1]
        if wide > 2:  # a plug: body, pin, ring
            r = size * 0.012 + wide
            sketch.polygon(
                np.asarray(
                    [(x - r, y), (x + r, y), (x + r, y - 4 * r), (x - r, y - 4 * r)], np.float32
                ),
                np.asarray(tones[index % 4]) * 0.9,
            )
            pin = 0.36 * r
            sketch.polygon(
                np.asarray(
                    [(x - pin, y - 4 * r), (x + pin, y - 4 * r), (x + pin, y - 8 * r),
                     (x, y - 8.6 * r), (x - pin, y - 8 * r)],
                    np.float32,
                ),
                [0.80, 0.74, 0.55],
            )  # fmt: skip
    turn = np.linspace(0, 34 * np.pi, 900)  # a coiled telephone cord
    reach = np.linspace(0, 1, 900)
    coil = np.stack(
        [
            width * (0.10 + 0.80 * reach) + size * 0.030 * np.cos(turn),
            height * (0.80 + 0.10 * np.sin(3 * reach)) + size * 0.038 * np.sin(turn),
        ],
        1,
    ).astype(np.float32)
    cable(coil, 3.0 * sketch.unit, [0.20, 0.20, 0.22])
    return unevenly_lit(sketch.render(), rng, 0.2)


def holes(height: int, width: int, seed: int) -> Layer:
    """Hard edges: a mug with a handle, a perforated plate, a gear; distances are exact."""
    rng = np.random.default_rng(seed)
    size = float(min(height, width))

    def box(x: Float, y: Float, cx: float, cy: float, hw: float, hh: float, r: float) -> Float:
        qx, qy = np.abs(x - cx) - (hw - r), np.abs(y - cy) - (hh - r)
        outside = np.hypot(np.maximum(qx, 0), np.maximum(qy, 0))
        result: Float = (outside + np.minimum(np.maximum(qx, qy), 0) - r).astype(np.float32)
        return result

    def ring(x: Float, y: Float, cx: float, cy: float, r: float, wide: float) -> Float:
        result: Float = (np.abs(np.hypot(x - cx, y - cy) - r) - wide).astype(np.float32)
        return result

    tilt = float(rng.uniform(-0.12, 0.12))
    cos, sin = np.float32(math.cos(tilt)), np.float32(math.sin(tilt))
    mx, my = width * 0.30, height * 0.52

    def mug(x: Float, y: Float) -> Float:
        u, v = cos * (x - mx) + sin * (y - my), cos * (y - my) - sin * (x - mx)
        cup = box(u, v, 0, 0, size * 0.16, size * 0.22, size * 0.03)
        handle = ring(u, v * np.float32(0.8), size * 0.17, 0, size * 0.10, size * 0.022)
        result: Float = np.minimum(cup, handle * np.float32(0.98))
        return result

    px, py = width * 0.72, height * 0.30

    def plate(x: Float, y: Float) -> Float:
        panel = box(x, y, px, py, size * 0.24, size * 0.20, size * 0.02)
        pitch = size * 0.075
        u = (x - px + pitch / 2) % pitch - pitch / 2
        v = (y - py + pitch / 2) % pitch - pitch / 2
        column = np.abs(np.floor((x - px) / pitch + 0.5))
        radius = pitch * (0.08 + 0.12 * np.minimum(column, 2))
        holes = (radius - np.hypot(u, v)).astype(np.float32)
        frame = box(x, y, px, py, pitch * 2.5, pitch * 2.5, 0)
        return np.where(frame < 0, np.maximum(panel, holes), panel)

    gx, gy = width * 0.72, height * 0.76

    def gear(x: Float, y: Float) -> Float:
        r, turn = np.hypot(x - gx, y - gy), np.arctan2(y - gy, x - gx)
        teeth = size * (0.155 + 0.018 * np.tanh(3 * np.sin(12 * turn)))
        rim = (r - teeth) * np.float32(0.35)  # the flanks are steep: shrink so as not to overstate
        web = np.abs(r - size * 0.085) - size * 0.035
        spokes = np.float32(size * 0.02) - np.abs(r * np.sin(2.5 * turn)) * np.float32(0.4)
        hub = size * 0.022 - r
        result: Float = np.maximum(np.maximum(rim, np.minimum(-web, -spokes)), hub).astype(
            np.float32
        )
        return result

    y, x = np.mgrid[0:height, 0:width].astype(np.float32) + np.float32(0.5)
    layer = Layer(np.zeros((height, width), np.float32), np.zeros((height, width, 3), np.float32))
    u = (x - mx) / size
    glaze = rng.uniform(0.15, 0.9, 3)
    round_light = np.clip(1.05 - 2.2 * np.abs(u + 0.06), 0.35, 1.1)[..., None]
    colours = [
        glaze.astype(np.float32) * round_light
        + 0.5 * np.exp(-(((u + 0.09) / 0.012) ** 2))[..., None],
        mixed([0.45, 0.46, 0.48], [0.78, 0.79, 0.80],
               np.clip((x - px) / size + 0.5 + 0.04 * np.sin(y), 0, 1)),
        mixed([0.72, 0.55, 0.22], [0.42, 0.28, 0.10], np.clip((y - gy) / size * 2 + 0.5, 0, 1)),
    ]  # fmt: skip
    for shape, colour in zip((mug, plate, gear), colours, strict=True):
        alpha = coverage_from_distance(shape, height, width)
        layer = over(Layer(alpha, np.clip(colour, 0, 1).astype(np.float32)), layer)
    return Layer(layer.alpha, np.clip(layer.colour, 0, 1))


def defocus(height: int, width: int, seed: int) -> Layer:
    """One plant through three depths: blades behind and in front of the focus blur as discs."""
    rng = np.random.default_rng(seed)
    size = float(min(height, width))
    result = Layer(np.zeros((height, width), np.float32), np.zeros((height, width, 3), np.float32))
    # Radius of the disc of confusion as a share of the picture: far, near focus, close.
    for share, count, thick in (
        (0.014, 9, 0.030),
        (0.004, 9, 0.022),
        (0.0, 11, 0.016),
        (0.022, 3, 0.05),
    ):
        sketch = Sketch(height, width, seed)
        for _ in range(count):
            x = width * rng.uniform(0.22, 0.78)
            lean = size * rng.normal(0, 0.22)
            tip = height * rng.uniform(0.08, 0.5)
            path = curve(
                (x, height * 1.05),
                (x + lean * 0.2, height * 0.66),
                (x + lean, tip),
                (x + lean * 1.7, tip + size * abs(lean) / size * 0.3),
                count=16,
            )
            t = np.linspace(0, 1, len(path))
            wide = size * thick * np.sin(np.pi * (0.25 + 0.75 * t)) ** 0.8 * rng.uniform(0.5, 1.2)
            tone = rng.random()
            base = mixed([0.10, 0.24, 0.10], [0.55, 0.68, 0.28], tone)
            sketch.stroke(path, wide, mixed(np.asarray(base) * 0.7, np.asarray(base) * 1.2, t))
            sketch.stroke(path, wide * 0.12, np.asarray(base) * 1.35)
        sharp = sketch.render()
        radius = share * size
        soft = np.clip(disc_blurred(sharp.alpha, radius), 0, 1)
        light = disc_blurred(sharp.colour * sharp.alpha[..., None], radius)
        blurry = Layer(soft, np.clip(light / np.maximum(soft, 1e-6)[..., None], 0, 1))
        result = over(blurry, result)
    return Layer(np.clip(result.alpha, 0, 1), np.clip(result.colour, 0, 1))
