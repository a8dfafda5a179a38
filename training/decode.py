"""Reads the masks that sources bring: Caltech's outlines, trimaps, YOLO polygons, DAVIS' frames.

Each reader takes the picture's path and its height and width and gives a mask, uint8 0..255, of
that size; and, from trimaps, 128 where the source does not say.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.uint8]
Corners = npt.NDArray[np.float64]
SHIFT = 4  # polygons are filled with sixteenths of a pixel
SUBJECT, UNKNOWN = 1, 3  # values of a trimap; 2 is background


class MaskError(Exception):
    """A mask's file is missing or not as it must be; names the file."""


def filled(outlines: list[Corners], shape: tuple[int, int]) -> Mask:
    """Polygons of (x, y) pixel positions as one mask, smooth at the outline."""
    mask = np.zeros(shape, np.uint8)
    for corners in outlines:
        one = np.zeros(shape, np.uint8)
        fixed = np.round(corners * (1 << SHIFT)).astype(np.int32)
        cv2.fillPoly(one, [fixed], 255, cv2.LINE_AA, SHIFT)
        np.maximum(mask, one, out=mask)
    return mask


def caltech(path: Path, shape: tuple[int, int]) -> Mask:
    """`annotation_NNNN.mat` beside `image_NNNN.jpg`: an outline relative to its box, from 1 on."""
    from scipy.io import loadmat

    annotation = path.with_name(path.name.replace("image_", "annotation_")).with_suffix(".mat")
    if not annotation.exists():
        raise MaskError(f"{annotation} is missing")
    content = loadmat(str(annotation))
    try:
        top, _, left, _ = content["box_coord"].astype(np.float64).ravel()
        x, y = content["obj_contour"].astype(np.float64)
    except (KeyError, ValueError) as error:
        raise MaskError(f"{annotation} has no box_coord and obj_contour of two rows") from error
    return filled([np.stack([x + left - 1, y + top - 1], axis=1)], shape)


def trimap(path: Path, shape: tuple[int, int]) -> Mask:
    """`annotations/trimaps/NAME.png` beside the folder of pictures."""
    annotation = path.parent.parent / "annotations" / "trimaps" / f"{path.stem}.png"
    values = _grey(annotation, shape)
    mask = np.where(values == SUBJECT, 255, 0).astype(np.uint8)
    mask[values == UNKNOWN] = 128
    return mask


def yolo(path: Path, shape: tuple[int, int]) -> Mask:
    """`labels/NAME.txt` beside `images/`: a line is a class and corners in shares of the sides."""
    annotation = path.parent.parent / "labels" / f"{path.stem}.txt"
    if not annotation.exists():
        raise MaskError(f"{annotation} is missing")
    outlines = []
    for line in annotation.read_text().splitlines():
        numbers = np.array(line.split()[1:], np.float64)
        if numbers.size < 6 or numbers.size % 2:
            raise MaskError(f"{annotation}: a line is no polygon")
        # Shares of the picture to pixel centres.
        outlines.append(numbers.reshape(-1, 2) * [shape[1], shape[0]] - 0.5)
    return filled(outlines, shape)


def davis(path: Path, shape: tuple[int, int]) -> Mask:
    """`Annotations/...png` for `JPEGImages/...jpg`: all that is not 0 is a subject."""
    parts = ["Annotations" if part == "JPEGImages" else part for part in path.parts]
    values = _grey(Path(*parts).with_suffix(".png"), shape)
    return np.where(values > 0, 255, 0).astype(np.uint8)


def _grey(annotation: Path, shape: tuple[int, int]) -> Mask:
    if not annotation.exists():
        raise MaskError(f"{annotation} is missing")
    values = cv2.imread(str(annotation), cv2.IMREAD_GRAYSCALE)
    if values is None or values.shape != shape:
        raise MaskError(f"{annotation} is not a picture of {shape[1]} x {shape[0]}")
    return values


READERS: dict[str, Callable[[Path, tuple[int, int]], Mask]] = {
    "outlines": caltech,
    "trimaps": trimap,
    "polygons": yolo,
    "frames": davis,
}
