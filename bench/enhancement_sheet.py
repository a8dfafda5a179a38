"""A contact sheet at 100 %: what came in, Pillow's bicubic, and an enhancing network, crop by crop.

In: pictures, spoiled in a known way, which the network is told of as far as it can be told. Out:
one file, PNG or WebP by its name, rows of crops, to be looked at.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

import nssbg

__all__ = ["SPOILS", "Spoil", "sheet", "spoiled"]

Spoil = Literal["clean", "noise", "jpeg"]
SPOILS: tuple[Spoil, ...] = get_args(Spoil)

# Pixels of a crop's side in the sheet, and of what is written above it.
_SIDE, _HEAD, _GAP = 256, 18, 6
# Of what spoils: standard deviation of 255, and libjpeg's quality.
_SIGMA, _QUALITY = 15.0, 30
# The standard deviation that `denoise=1` stands for.
FULL_SIGMA = 50.0
# WebP's, of a sheet that is written as one: what is told apart at 100 % stays so.
_WEBP = 92


def spoiled(image: Image.Image, scale: int, how: Spoil) -> tuple[NDArray[np.uint8], bytes]:
    """A picture reduced by a factor and spoiled: its pixels, and the file that a network is handed.

    Args:
        image: RGB.
        scale: The sides are divided by that, by Pillow's bicubic.
        how: Nothing more, Gaussian noise, or JPEG.
    """
    small = image.resize((image.width // scale, image.height // scale), Image.Resampling.BICUBIC)
    pixels = np.asarray(small, np.float32)
    if how == "noise":
        pixels = pixels + np.random.default_rng(0).normal(0, _SIGMA, pixels.shape)
    small = Image.fromarray(np.clip(np.rint(pixels), 0, 255).astype(np.uint8))
    stream = io.BytesIO()
    if how == "jpeg":
        small.save(stream, "JPEG", quality=_QUALITY)
    else:
        small.save(stream, "PNG")
    return np.asarray(Image.open(io.BytesIO(stream.getvalue())).convert("RGB")), stream.getvalue()


def sheet(
    pictures: list[Path], model: Path | str, to: Path, *, how: Spoil, threads: int
) -> Image.Image:
    """Make and write the sheet: a row a picture, the part of it with the most detail.

    Args:
        pictures: Photographs at full size.
        model: Path of weights with a sidecar, or a name of the catalog.
        to: The PNG or WebP.
        how: What the photographs are spoiled by.
        threads: For the network.
    """
    from nssbg._models.catalog import describe

    described = describe(model)
    scale = described.scale
    told = {name: strength for name, strength in _told(how).items() if name in described.conditions}
    names = [
        "input",
        *(["Pillow bicubic"] if scale > 1 else []),
        str(described.name),
        "truth",
    ]
    width = len(names) * (_SIDE + _GAP) + _GAP
    board = Image.new("RGB", (width, len(pictures) * (_SIDE + _HEAD + _GAP) + _GAP), "white")
    draw = ImageDraw.Draw(board)
    for row, path in enumerate(pictures):
        truth = Image.open(path).convert("RGB")
        truth = truth.crop((0, 0, truth.width // scale * scale, truth.height // scale * scale))
        small, data = spoiled(truth, scale, how)
        network = Image.open(
            io.BytesIO(
                nssbg.enhance(
                    data, model=model, device="cpu", threads=threads, format="png", **told
                )
            )
        )
        whole = Image.fromarray(small)
        nearest, bicubic = (
            whole.resize(truth.size, kind)
            for kind in (Image.Resampling.NEAREST, Image.Resampling.BICUBIC)
        )
        shown = [nearest, *([bicubic] if scale > 1 else []), network.convert("RGB"), truth]
        box = _busiest(truth)
        for column, (name, image) in enumerate(zip(names, shown, strict=True)):
            left = _GAP + column * (_SIDE + _GAP)
            top = _GAP + row * (_SIDE + _HEAD + _GAP)
            draw.text((left, top), f"{path.stem}: {name}", fill="black")
            board.paste(image.crop(box), (left, top + _HEAD))
    board.save(to, **({"quality": _WEBP, "method": 6} if to.suffix == ".webp" else {}))
    return board


def _told(how: Spoil) -> dict[str, Any]:
    """What `nssbg.enhance` is told of pictures that are spoiled so."""
    if how == "noise":
        return {"denoise": _SIGMA / FULL_SIGMA, "deblock": 0.0}
    return {"denoise": 0.0, "deblock": "auto" if how == "jpeg" else 0.0}


def _busiest(image: Image.Image) -> tuple[int, int, int, int]:
    """The crop with the most detail: the largest sum of differences between neighbours."""
    gray = np.asarray(image.convert("L"), np.float32)
    detail = np.abs(np.diff(gray, axis=0))[:, :-1] + np.abs(np.diff(gray, axis=1))[:-1]
    step = _SIDE // 2
    places = [
        (float(detail[top : top + _SIDE, left : left + _SIDE].sum()), left, top)
        for top in range(0, max(1, gray.shape[0] - _SIDE), step)
        for left in range(0, max(1, gray.shape[1] - _SIDE), step)
    ]
    _, left, top = max(places)
    return left, top, left + _SIDE, top + _SIDE
