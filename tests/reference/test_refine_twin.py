"""The refinement's levels against NumPy twins written from the formulas, not from the C++."""

from __future__ import annotations

import numpy as np
import pytest

from nssbg._ops.refine import refine

RADIUS, EPSILON, GAIN_MOST = 4, 6.5, 4.0
MATTING_EPSILON, MATTING_PRIOR, FLAT_PRIOR, FLAT_VARIANCE = 1e-6, 1e-2, 150.0, 2e-4


def scene(
    height: int = 83, width: int = 118, seed: int = 3, cells: tuple[int, int] = (5, 6)
) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    distance = np.hypot(y - height / 2, x - width / 2) - 26 - 3 * np.sin(np.arctan2(y, x) * 40)
    alpha = np.clip(0.5 - distance, 0, 1)[..., None]
    front = np.array([190, 90, 60]) + rng.normal(0, 12, (height, width, 3))
    back = np.array([60, 110, 150]) + 40 * np.sin(x / 9.0)[..., None]
    image = np.clip(alpha * front + (1 - alpha) * back, 0, 255).astype(np.uint8)
    coarse = np.clip(0.5 - distance / 14, 0, 1)[
        cells[0] // 2 :: cells[0], cells[1] // 2 :: cells[1]
    ]
    return image, np.rint(coarse * 255).astype(np.uint8)


def cubic_matrix(count: int, source: int, begin: int = 0, step: float | None = None) -> np.ndarray:
    """Rows of Catmull-Rom weights; sources past the edge repeat the edge."""
    scale = source / count if step is None else step
    matrix = np.zeros((count, source))
    for i in range(count):
        centre = (i + begin + 0.5) * scale - 0.5
        base = int(np.floor(centre))
        for k in range(base - 1, base + 3):
            t = abs(centre - k)
            if t < 1:
                weight = 1.5 * t**3 - 2.5 * t**2 + 1
            elif t < 2:
                weight = -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2
            else:
                weight = 0.0
            matrix[i, min(max(k, 0), source - 1)] += weight
    return matrix


@pytest.mark.parametrize("shape", [(40, 61), (7, 200), (1, 1), (150, 3)])
def test_none_is_catmull_rom(shape):
    rng = np.random.default_rng(1)
    coarse = rng.integers(0, 256, (9, 13)).astype(np.uint8)
    blank = np.zeros((*shape, 3), np.uint8)
    exact = cubic_matrix(shape[0], 9) @ coarse @ cubic_matrix(shape[1], 13).T
    exact = np.clip(exact, 0, 255)
    assert np.abs(refine(blank, coarse, level="none") - exact).max() < 0.56
    as_float = refine(blank, (coarse / np.float32(255)).astype(np.float32), level="none")
    assert np.abs(as_float * 255 - exact).max() < 0.05


def halved(plane: np.ndarray) -> np.ndarray:
    plane = np.pad(plane, [(0, plane.shape[0] % 2), (0, plane.shape[1] % 2)], mode="edge")
    sums = plane.reshape(plane.shape[0] // 2, 2, plane.shape[1] // 2, 2).sum((1, 3))
    return (sums + 2) // 4


def box(plane: np.ndarray) -> np.ndarray:
    """Mean of 9 x 9 windows; RADIUS smaller on each side."""
    sums = np.cumsum(np.cumsum(np.pad(plane, [(1, 0), (1, 0)]), 0), 1)
    n = 2 * RADIUS + 1
    return (sums[n:, n:] - sums[:-n, n:] - sums[n:, :-n] + sums[:-n, :-n]) / n**2


def fit(guide: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Coefficients (rows, columns, 4) of the contrast-restored guided filter, averaged."""
    mean = np.stack([box(guide[..., c]) for c in range(3)], -1)
    p = box(alpha)
    covariance = (
        np.stack(
            [
                np.stack([box(guide[..., i] * guide[..., j]) for j in range(3)], -1)
                for i in range(3)
            ],
            -2,
        )
        - mean[..., :, None] * mean[..., None, :]
    )
    cross = np.stack([box(guide[..., c] * alpha) for c in range(3)], -1) - mean * p[..., None]
    slope = np.linalg.solve(covariance + EPSILON * np.eye(3), cross[..., None])[..., 0]
    spread = np.maximum(box(alpha * alpha) - p * p, 0.65)
    fitted = np.clip((slope * cross).sum(-1) / spread, 1e-3, 1)
    crisp = np.clip(spread / np.maximum(p * (255 - p), 65), 1e-3, 1)
    gain = np.minimum(fitted**-0.5 * crisp**GAIN_CRISP, GAIN_MOST)
    slope *= gain[..., None]
    both = np.concatenate([slope, (p - (slope * mean).sum(-1))[..., None]], -1)
    return np.stack([box(both[..., c]) for c in range(4)], -1)


GAIN_CRISP = -0.375


def doubled(plane: np.ndarray) -> np.ndarray:
    """Linear interpolation of cells to twice their number, one cell lost on each side."""
    for axis in (0, 1):
        plane = np.moveaxis(plane, axis, 0)
        here = plane[1:-1]
        even, odd = 0.75 * here + 0.25 * plane[:-2], 0.75 * here + 0.25 * plane[2:]
        plane = np.moveaxis(np.stack([even, odd], 1).reshape(-1, *plane.shape[1:]), 0, axis)
    return plane


def guided_twin(image: np.ndarray, coarse: np.ndarray, steps: tuple[int, ...]) -> np.ndarray:
    """The guided tier without its band: models on grids of the given steps, coarse to fine."""
    height, width = image.shape[:2]
    guides = {1: image.astype(np.int64)}
    for step in (2, 4):
        guides[step] = np.stack([halved(guides[step // 2][..., c]) for c in range(3)], -1)
    margin = 24  # cells past the picture; a fit loses 2 * RADIUS a side, doubling one cell
    alpha = np.zeros(0)
    coefficients = alpha
    for index, step in enumerate(steps):
        edge = [(margin, margin), (margin, margin), (0, 0)]
        guide = np.pad(guides[step], edge, mode="edge").astype(float)
        if index == 0:
            down, across = coarse.shape[0] * step / height, coarse.shape[1] * step / width
            rows = cubic_matrix(guide.shape[0], coarse.shape[0], -margin, down)
            columns = cubic_matrix(guide.shape[1], coarse.shape[1], -margin, across)
            alpha = np.rint(np.clip(rows @ coarse @ columns.T, 0, 255))
        alpha = alpha[: guide.shape[0], : guide.shape[1]]
        assert alpha.shape == guide.shape[:2]
        coefficients = fit(guide, alpha)
        margin -= 2 * RADIUS
        if step > steps[-1]:
            inner = guide[2 * RADIUS : -2 * RADIUS, 2 * RADIUS : -2 * RADIUS]
            answer = (coefficients[..., :3] * inner).sum(-1) + coefficients[..., 3]
            alpha = np.rint(doubled(np.rint(np.clip(answer, 0, 255))))
            margin = 2 * (margin - 1)
    if steps[-1] == 2:
        coefficients, margin = doubled(coefficients), 2 * (margin - 1)
    coefficients = coefficients[margin : margin + height, margin : margin + width]
    return np.clip((coefficients[..., :3] * image).sum(-1) + coefficients[..., 3], 0, 255)


@pytest.mark.parametrize(
    ("height", "width", "cells", "steps"),
    [
        (83, 118, (5, 6), (4, 2)),
        (83, 118, (2, 3), (2, 1)),
        (83, 118, (1, 1), (1,)),
        (657, 760, (1, 1), (2, 1)),
        (1357, 1460, (3, 2), (4, 2)),
    ],
)
def test_guided_is_the_contrast_restored_guided_filter(height, width, cells, steps):
    """Grids of 4 and 2 pixels; finer ones where cells of the map and the picture are small."""
    image, coarse = scene(height, width, cells=cells)
    model = guided_twin(image, coarse, steps)
    ours = refine(image, coarse, level="guided", min_component_area=0).astype(float)
    # The band is where the map is in doubt; its inside has full weight.
    inner = cubic_matrix(height, coarse.shape[0]) @ coarse @ cubic_matrix(width, coarse.shape[1]).T
    inside = (inner > 25) & (inner < 230)
    assert inside.sum() > 1000
    # Rounding of the intermediate alphas moves a model by a few levels at most.
    difference = np.abs(ours - model)[inside]
    assert difference.max() < 3
    assert difference.mean() < 0.4


def laplacian(image: np.ndarray) -> np.ndarray:
    """Dense matting Laplacian of Levin, Lischinski and Weiss, windows inside the picture."""
    height, width = image.shape[:2]
    colours = image.reshape(-1, 3) / 255
    index = np.arange(height * width).reshape(height, width)
    matrix = np.zeros((height * width, height * width))
    for y in range(1, height - 1):
        for x in range(1, width - 1):
            window = index[y - 1 : y + 2, x - 1 : x + 2].ravel()
            part = colours[window]
            centred = part - part.mean(0)
            covariance = centred.T @ centred / 9 + MATTING_EPSILON / 9 * np.eye(3)
            affinity = (1 + centred @ np.linalg.solve(covariance, centred.T)) / 9
            matrix[np.ix_(window, window)] += np.eye(9) - affinity
    return matrix


def priors(image: np.ndarray, guided: np.ndarray) -> np.ndarray:
    """The pull to the guided result: stronger where it has an edge and colour has none."""
    height, width = guided.shape
    alpha = np.pad(guided.astype(float), 1, mode="edge")
    across, down = alpha[1:-1, 2:] - alpha[1:-1, :-2], alpha[2:, 1:-1] - alpha[:-2, 1:-1]
    colours = np.pad(image / 255, [(1, 1), (1, 1), (0, 0)], mode="edge")
    window = np.stack(
        [colours[y : y + height, x : x + width] for y in range(3) for x in range(3)], -1
    )
    flat = FLAT_VARIANCE / (FLAT_VARIANCE + window.var(-1).sum(-1))
    return MATTING_PRIOR + FLAT_PRIOR * (across**2 + down**2) / 4 * flat**2


@pytest.mark.parametrize("contrast", [1.0, 0.05])
def test_matting_solves_the_matting_laplacian(contrast):
    image, coarse = scene(24, 30, 8)
    image = np.rint(100 + contrast * (image - 100.0)).astype(np.uint8)
    trimap = np.full((24, 30), 128, np.uint8)
    trimap[:, :6] = 0
    trimap[8:16, 14:22] = 255
    as_float = (coarse / np.float32(255)).astype(np.float32)
    guided = refine(image, as_float, level="guided", trimap=trimap, min_component_area=0)
    solved = refine(image, as_float, level="matting", trimap=trimap, min_component_area=0)
    unknown = (trimap == 128).ravel()
    matrix = laplacian(image)
    known = np.where(trimap.ravel() == 255, 1.0, 0.0)
    prior = priors(image, guided).ravel()[unknown]
    system = matrix[np.ix_(unknown, unknown)] + np.diag(prior)
    right = prior * guided.ravel()[unknown] - matrix[np.ix_(unknown, ~unknown)] @ known[~unknown]
    exact = np.clip(np.linalg.solve(system, right), 0, 1)
    ours = solved.ravel()
    np.testing.assert_array_equal(ours[~unknown], known[~unknown].astype(np.float32))
    difference = np.abs(ours[unknown] - exact)
    before = np.abs(guided.ravel()[unknown] - exact)
    # The stated residual leaves a hundredth on average, far below what was solved for.
    assert difference.mean() < 0.012
    assert difference.mean() < 0.25 * before.mean()


def test_sure_pixels_of_a_trimap_are_kept():
    image, coarse = scene()
    rng = np.random.default_rng(0)
    trimap = rng.choice(np.array([0, 128, 255], np.uint8), image.shape[:2])
    for level in ("guided", "matting", "auto"):
        alpha = refine(image, coarse, level=level, trimap=trimap, min_component_area=0)
        assert (alpha[trimap == 0] == 0).all()
        assert (alpha[trimap == 255] == 255).all()
