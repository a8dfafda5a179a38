"""How good an alpha map is: the usual figures of salient-object and matting papers, in NumPy."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
BETA_SQUARED = 0.3  # weighs precision over recall, as the literature does


def mean_absolute_error(alpha: Floats, truth: Floats) -> float:
    """Mean of |alpha - truth|."""
    return float(np.abs(alpha - truth).mean())


def overlap(alpha: Floats, truth: Floats) -> float:
    """Intersection over union at one half; two empty maps agree fully."""
    found, wanted = alpha > 0.5, truth > 0.5
    union = float((found | wanted).sum())
    return float((found & wanted).sum()) / union if union else 1.0


def maximum_f(alpha: Floats, truth: Floats) -> float:
    """The best F-measure over 255 thresholds of this picture."""
    wanted = truth > 0.5
    if not wanted.any():
        return 1.0 if alpha.max() < 0.5 else 0.0
    levels = np.clip(alpha * 255, 0, 255).astype(np.uint8)
    hits = np.bincount(levels[wanted], minlength=256)[::-1].cumsum()
    found = np.bincount(levels.ravel(), minlength=256)[::-1].cumsum()
    precision = hits / np.maximum(found, 1)
    recall = hits / wanted.sum()
    score = (1 + BETA_SQUARED) * precision * recall
    return float((score / np.maximum(BETA_SQUARED * precision + recall, 1e-9)).max())


def weighted_f(alpha: Floats, truth: Floats) -> float:
    """Margolin, Zelnik-Manor and Tal (CVPR 2014): errors weighed by place and by neighbours."""
    wanted = truth > 0.5
    if not wanted.any():
        return 1.0 if alpha.max() < 0.5 else 0.0
    hard = wanted.astype(np.float32)
    distance, labels = cv2.distanceTransformWithLabels(
        (~wanted).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    error = np.abs(alpha - hard)
    # A background pixel takes the error of its nearest foreground pixel.
    lookup = np.zeros(int(labels.max()) + 1, np.float32)
    lookup[labels[wanted]] = error[wanted]
    spread = np.where(wanted, error, lookup[labels])
    smooth = cv2.GaussianBlur(spread.astype(np.float32), (7, 7), 5)
    least = np.where(wanted & (smooth < error), smooth, error)
    place = np.where(wanted, 1.0, 2 - np.exp(np.log(0.5) / 5 * distance))
    weighed = least * place
    total = hard.sum()
    hits = total - weighed[wanted].sum()
    false = weighed[~wanted].sum()
    recall = 1 - weighed[wanted].mean()
    precision = hits / (hits + false + 1e-9)
    return float(2 * recall * precision / (recall + precision + 1e-9))


def _object_similarity(values: Floats) -> float:
    if values.size == 0:
        return 0.0
    mean, spread = float(values.mean()), float(values.std())
    return 2 * mean / (mean * mean + 1 + spread + 1e-9)


def _region_similarity(alpha: Floats, truth: Floats) -> float:
    count = alpha.size
    if count < 2:
        return 0.0
    x, y = float(alpha.mean()), float(truth.mean())
    x_var = float(((alpha - x) ** 2).sum() / (count - 1))
    y_var = float(((truth - y) ** 2).sum() / (count - 1))
    both = float(((alpha - x) * (truth - y)).sum() / (count - 1))
    top, bottom = 4 * x * y * both, (x * x + y * y) * (x_var + y_var)
    if top != 0:
        return top / (bottom + 1e-9)
    return 1.0 if bottom == 0 else 0.0


def structure(alpha: Floats, truth: Floats) -> float:
    """The S-measure of Fan et al. (ICCV 2017), half object-aware and half region-aware."""
    hard = (truth > 0.5).astype(np.float32)
    share = float(hard.mean())
    if share == 0:
        return 1 - float(alpha.mean())
    if share == 1:
        return float(alpha.mean())
    inside = hard > 0
    objects = share * _object_similarity(alpha[inside])
    objects += (1 - share) * _object_similarity(1 - alpha[~inside])
    rows, columns = np.nonzero(inside)
    middle_y, middle_x = round(float(rows.mean())) + 1, round(float(columns.mean())) + 1
    regions = 0.0
    for part_y in (slice(0, middle_y), slice(middle_y, None)):
        for part_x in (slice(0, middle_x), slice(middle_x, None)):
            a, t = alpha[part_y, part_x], hard[part_y, part_x]
            if a.size:
                regions += a.size / alpha.size * _region_similarity(a, t)
    return max(0.0, 0.5 * objects + 0.5 * regions)


def boundary_error(alpha: Floats, truth: Floats) -> float:
    """Mean |alpha - truth| in a band around the true outline, 1.5 % of the diagonal each way."""
    reach = max(1, round(0.015 * float(np.hypot(*truth.shape))))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    hard = (truth > 0.5).astype(np.uint8)
    band = cv2.dilate(hard, kernel) != cv2.erode(hard, kernel)
    return float(np.abs(alpha - truth)[band].mean()) if band.any() else 0.0


def boundary_overlap(alpha: Floats, truth: Floats) -> float:
    """Boundary IoU (Cheng et al., CVPR 2021): the overlap of the rims, 2 % of the diagonal deep.

    A rim is what an erosion takes away from a mask; beyond the frame is background, as there.
    """
    reach = max(1, round(0.02 * float(np.hypot(*truth.shape))))
    square = np.ones((3, 3), np.uint8)
    rims = []
    for values in (alpha, truth):
        hard = np.pad((values > 0.5).astype(np.uint8), 1)
        inner = cv2.erode(hard, square, iterations=reach, borderValue=0)
        rims.append((hard != inner)[1:-1, 1:-1])
    union = float((rims[0] | rims[1]).sum())
    return float((rims[0] & rims[1]).sum()) / union if union else 1.0


MEASURES = {
    "IoU": overlap,
    "MAE": mean_absolute_error,
    "maxF": maximum_f,
    "wF": weighted_f,
    "S": structure,
    "edge": boundary_error,
    "BIoU": boundary_overlap,
}


FAILED = 0.5  # a result that overlaps less is no cut-out of the subject


def failures(overlaps: list[float]) -> float:
    """The share of results that failed."""
    return float(np.mean(np.array(overlaps) < FAILED)) if overlaps else 0.0


def all_measures(alpha: Floats, truth: Floats) -> dict[str, float]:
    """Every measure of one picture."""
    return {name: measure(alpha, truth) for name, measure in MEASURES.items()}
