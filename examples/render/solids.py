"""Solids as signed distances, and the triangle meshes and fibres that the renderer draws of them.

In: distance functions on N x 3 points (negative inside), profiles to turn on a lathe, fibre paths.
Out: vertices, faces and normals, and curve files. NumPy only; z points up, a unit is about 10 cm.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Distance = Callable[[Array], Array]


@dataclass(frozen=True)
class Mesh:
    """Triangles with one normal a vertex."""

    vertices: Array  # V x 3
    faces: npt.NDArray[np.int64]  # F x 3
    normals: Array  # V x 3


# --------------------------------------------------------------------------------------------
# Distances


def sphere(centre: tuple[float, float, float], radius: float) -> Distance:
    """A ball."""
    return lambda p: np.linalg.norm(p - centre, axis=1) - radius


def ellipsoid(centre: tuple[float, float, float], half: tuple[float, float, float]) -> Distance:
    """An ellipsoid, near enough to a distance for blending and for finding its surface."""
    size = np.asarray(half)

    def distance(p: Array) -> Array:
        q = (p - centre) / size
        first = np.linalg.norm(q, axis=1)
        second = np.linalg.norm(q / size, axis=1)
        return first * (first - 1) / np.maximum(second, 1e-9)

    return distance


def capsule(
    start: tuple[float, float, float],
    stop: tuple[float, float, float],
    radius: float,
    end_radius: float | None = None,
) -> Distance:
    """A line with round ends; the radius may change along it."""
    a, b = np.asarray(start), np.asarray(stop)
    last = radius if end_radius is None else end_radius

    def distance(p: Array) -> Array:
        t = np.clip((p - a) @ (b - a) / ((b - a) @ (b - a)), 0, 1)
        return np.linalg.norm(p - a - t[:, None] * (b - a), axis=1) - (radius + (last - radius) * t)

    return distance


def cylinder(
    centre: tuple[float, float, float], axis: int, radius: float, half: float, edge: float
) -> Distance:
    """A cylinder along x, y or z with rounded rims."""
    others = [k for k in range(3) if k != axis]

    def distance(p: Array) -> Array:
        q = p - centre
        side = np.linalg.norm(q[:, others], axis=1) - (radius - edge)
        end = np.abs(q[:, axis]) - (half - edge)
        outside = np.hypot(np.maximum(side, 0), np.maximum(end, 0))
        return outside + np.minimum(np.maximum(side, end), 0) - edge

    return distance


def torus(
    centre: tuple[float, float, float],
    axis: int,
    radius: float,
    thickness: tuple[float, float],
    stretch: float = 1.0,
) -> Distance:
    """A ring round an axis: section half sizes across and along it; `stretch` lengthens it in z."""
    others = [k for k in range(3) if k != axis]

    def distance(p: Array) -> Array:
        q = p - centre
        flat = q[:, others].copy()
        flat[:, 1] /= stretch
        ring = (np.linalg.norm(flat, axis=1) - radius) / thickness[0]
        along = q[:, axis] / thickness[1]
        return (np.hypot(ring, along) - 1) * min(thickness)

    return distance


def union(*parts: Distance, blend: float = 0.0) -> Distance:
    """Parts together; `blend` rounds the seams over that length."""

    def distance(p: Array) -> Array:
        result = parts[0](p)
        for part in parts[1:]:
            other = part(p)
            if blend > 0:
                share = np.maximum(blend - np.abs(result - other), 0) / blend
                result = np.minimum(result, other) - share * share * blend * 0.25
            else:
                result = np.minimum(result, other)
        return result

    return distance


def without(opaque_subject: Distance, hole: Distance, blend: float = 0.0) -> Distance:
    """A solid less another."""
    joined = union(lambda p: -opaque_subject(p), hole, blend=blend)
    return lambda p: -joined(p)


def gradient(opaque_subject: Distance, points: Array, step: float = 1e-4) -> Array:
    """Unit normals by central differences."""
    result = np.empty_like(points)
    for axis in range(3):
        shift = np.zeros(3)
        shift[axis] = step
        result[:, axis] = opaque_subject(points + shift) - opaque_subject(points - shift)
    return result / np.maximum(np.linalg.norm(result, axis=1, keepdims=True), 1e-12)


def projected(
    opaque_subject: Distance, points: Array, offset: float = 0.0, rounds: int = 3
) -> Array:
    """Points moved along the gradient to `offset` from the surface."""
    for _ in range(rounds):
        slope = np.empty_like(points)
        for axis in range(3):
            shift = np.zeros(3)
            shift[axis] = 1e-4
            slope[:, axis] = (
                opaque_subject(points + shift) - opaque_subject(points - shift)
            ) / 2e-4
        squared = np.maximum((slope**2).sum(1, keepdims=True), 0.05)
        points = points - slope * (opaque_subject(points) - offset)[:, None] / squared
    return points


# --------------------------------------------------------------------------------------------
# Meshes


def mesh_from_distance(
    opaque_subject: Distance,
    low: tuple[float, float, float],
    high: tuple[float, float, float],
    cell: float,
) -> Mesh:
    """The zero surface by naive surface nets (Gibson 1998), vertices moved onto the surface."""
    axes = [np.arange(a, b + cell, cell) for a, b in zip(low, high, strict=True)]
    shape = tuple(len(axis) for axis in axes)
    values = np.empty(shape)
    for k, x in enumerate(axes[0]):  # slice by slice, to keep memory small
        y, z = np.meshgrid(axes[1], axes[2], indexing="ij")
        points = np.stack([np.full(y.size, x), y.ravel(), z.ravel()], 1)
        values[k] = opaque_subject(points).reshape(y.shape)
    inside = values < 0
    corners = [
        inside[i : shape[0] - 1 + i, j : shape[1] - 1 + j, k : shape[2] - 1 + k]
        for i in (0, 1)
        for j in (0, 1)
        for k in (0, 1)
    ]
    total = np.sum(corners, 0)
    cells = (total > 0) & (total < 8)
    number = np.full(cells.shape, -1, np.int64)
    number[cells] = np.arange(cells.sum())
    vertices = np.asarray(low) + (np.argwhere(cells) + 0.5) * cell
    vertices = projected(opaque_subject, vertices)
    faces = []
    for axis in range(3):  # one quad for each grid edge that crosses the surface
        first = [slice(None)] * 3
        second = [slice(None)] * 3
        first[axis], second[axis] = slice(None, -1), slice(1, None)
        start, stop = inside[tuple(first)], inside[tuple(second)]
        u, v = (axis + 1) % 3, (axis + 2) % 3
        for crossing, flip in ((start & ~stop, False), (~start & stop, True)):
            place = np.argwhere(crossing)
            place = place[(place[:, u] > 0) & (place[:, v] > 0)]
            place = place[(place[:, u] < shape[u] - 1) & (place[:, v] < shape[v] - 1)]
            ring = []
            for du, dv in ((-1, -1), (0, -1), (0, 0), (-1, 0)):
                shifted = place.copy()
                shifted[:, u] += du
                shifted[:, v] += dv
                ring.append(number[tuple(shifted.T)])
            a, b, c, d = ring[::-1] if flip else ring
            faces += [np.stack([a, b, c], 1), np.stack([a, c, d], 1)]
    return Mesh(vertices, np.concatenate(faces), gradient(opaque_subject, vertices))


def mesh_from_lathe(profile: Array, turns: int = 192, ripple: Callable | None = None) -> Mesh:
    """Turn a profile of (radius, height) rows about the z axis.

    `ripple(angle, height)` may scale the radius, for flutes and dents.
    """
    angle = np.linspace(0, 2 * np.pi, turns, endpoint=False)
    radius = np.repeat(profile[:, 0][:, None], turns, 1)
    height = np.repeat(profile[:, 1][:, None], turns, 1)
    if ripple is not None:
        radius = radius * ripple(angle[None], height)
    grid = np.stack([radius * np.cos(angle), radius * np.sin(angle), height], 2)
    rows, columns = np.indices((len(profile) - 1, turns))
    right = (columns + 1) % turns
    a, b = rows * turns + columns, rows * turns + right
    c, d = (rows + 1) * turns + right, (rows + 1) * turns + columns
    faces = np.stack([np.stack([a, b, c], 2), np.stack([a, c, d], 2)], 2).reshape(-1, 3)
    along = np.gradient(grid, axis=0)
    around = np.roll(grid, -1, 1) - np.roll(grid, 1, 1)
    normals = np.cross(around, along)
    length = np.linalg.norm(normals, axis=2, keepdims=True)
    # On the axis the ring shrinks to a point: there the normal is the axis itself.
    up = np.zeros_like(normals)
    up[..., 2] = np.where(np.arange(len(profile)) < len(profile) / 2, -1, 1)[:, None]
    normals = np.where(length > 1e-9, normals / np.maximum(length, 1e-12), up)
    return Mesh(grid.reshape(-1, 3), faces, normals.reshape(-1, 3))


def smooth_profile(points: list[tuple[float, float]], count: int = 160) -> Array:
    """A rounded profile through a few (radius, height) points, by repeated corner cutting."""
    line = np.asarray(points, float)
    for _ in range(4):
        quarter = 0.75 * line[:-1] + 0.25 * line[1:]
        three = 0.25 * line[:-1] + 0.75 * line[1:]
        middle = np.stack([quarter, three], 1).reshape(-1, 2)
        line = np.concatenate([line[:1], middle, line[-1:]])
    walked = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    place = np.linspace(0, walked[-1], count)
    return np.stack([np.interp(place, walked, line[:, k]) for k in (0, 1)], 1)


def sweep_mesh(width: float, depth: float, height: float, bend: float) -> Mesh:
    """Seamless paper: a floor that curves up into a wall behind the subject."""
    turn = np.linspace(0, np.pi / 2, 48)
    y = np.concatenate([[-14.0], depth - bend + bend * np.sin(turn), [depth]])
    z = np.concatenate([[0.0], bend - bend * np.cos(turn), [height]])
    normal = np.concatenate([[[0, 1]], np.stack([-np.sin(turn), np.cos(turn)], 1), [[-1, 0]]])
    left, right = (np.stack([np.full_like(y, s * width), y, z], 1) for s in (-1, 1))
    vertices = np.concatenate([left, right])
    normals = np.concatenate([np.zeros((len(y), 1)), normal], 1)
    index = np.arange(len(y) - 1)
    a, b, c, d = index, index + len(y), index + len(y) + 1, index + 1
    faces = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    return Mesh(vertices, faces, np.concatenate([normals, normals]))


# --------------------------------------------------------------------------------------------
# Fibres


def points_on_mesh(mesh: Mesh, count: int, rng: np.random.Generator) -> Array:
    """Points spread evenly over the area."""
    a, b, c = (mesh.vertices[mesh.faces[:, k]] for k in range(3))
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    pick = rng.choice(len(area), count, p=area / area.sum())
    u, v = rng.random((2, count, 1))
    folded = u + v > 1
    u, v = np.where(folded, 1 - u, u), np.where(folded, 1 - v, v)
    return a[pick] + u * (b - a)[pick] + v * (c - a)[pick]


def write_curves(path: Path, strands: Array, radii: Array) -> None:
    """Write S x N x 3 strands with S x N radii in the renderer's text form."""
    rows = np.concatenate([strands, radii[..., None]], 2)
    with path.open("w") as sheet:
        for strand in rows:
            np.savetxt(sheet, strand, fmt="%.5f")
            sheet.write("\n")


def noise3(points: Array, scale: float, rng: np.random.Generator) -> Array:
    """A smooth random vector for every point: a few sums of waves, cheap and seamless."""
    result = np.zeros_like(points)
    for octave in range(4):
        waves = rng.normal(0, 1, (3, 3)) * (2**octave) / scale
        phase = rng.uniform(0, 2 * np.pi, 3)
        result += np.sin(points @ waves + phase) / (1.6**octave)
    return result / 2
