"""Enhanced before the cut or after, all the way: spoiled photographs, a network's alpha, masks.

In: the six photographs of tests/data and their masks. Out: a table of errors near the edge and of
overlaps, for each order and without enhancing.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import nssbg
from nssbg._vocabulary import ENHANCE_ORDERS

__all__ = ["order_of_photographs"]

_DATA = Path(__file__).resolve().parent.parent / "tests" / "data"
# The edge: cells of so many pixels a side that hold both subject and background.
_CELL = 8


def order_of_photographs(model: Path | str, *, cut: str, threads: int) -> None:
    """Print the table.

    Args:
        model: That enlarges by 2: a path or a name.
        cut: The model that cuts out.
        threads: For both.
    """
    lanczos = Image.Resampling.LANCZOS
    remover = nssbg.Remover(cut, device="cpu", threads=threads)
    paths = [path for path in sorted(_DATA.glob("*.jpg")) if _mask(path).is_file()]
    print(f"\n{len(paths)} photographs, halved and spoiled, cut out by {cut} at twice that size")
    for quality, sigma in ((95, 0.0), (75, 4.0), (40, 10.0)):
        found: dict[str, list[tuple[float, float]]] = {}
        for path in paths:
            image = Image.open(path).convert("RGB")
            width, height = image.width // 4 * 2, image.height // 4 * 2
            truth = np.asarray(Image.open(_mask(path)).convert("L").resize((width, height)))
            pixels = np.asarray(image.resize((width // 2, height // 2), lanczos), np.float32)
            pixels = pixels + np.random.default_rng(0).normal(0, sigma, pixels.shape)
            stream = io.BytesIO()
            spoiled = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
            spoiled.save(stream, "JPEG", quality=quality)
            data = stream.getvalue()
            plain = Image.fromarray(remover.alpha(data))
            alphas = {
                at: remover.alpha(
                    data, enhance=nssbg.Enhancement(upscale=2, model=str(model), order=at)
                )
                for at in ENHANCE_ORDERS
            }
            alphas["not enhanced"] = np.asarray(plain.resize((width, height)))
            for title, alpha in alphas.items():
                found.setdefault(title, []).append(_account(alpha, truth))
        for title, values in found.items():
            errors, overlaps = zip(*values, strict=True)
            firsts = [one[0] for one in found["before"]]
            better = sum(a < b for a, b in zip(firsts, errors, strict=True))
            print(
                f"JPEG {quality}, noise {sigma:4.1f}  {title:14} {np.mean(errors):6.2f}  "
                f"({better} of {len(values)})  IoU {np.mean(overlaps):.3f}"
            )


def _mask(path: Path) -> Path:
    return path.with_name(f"{path.stem}-mask.png")


def _account(alpha: NDArray[np.uint8], truth: NDArray[np.uint8]) -> tuple[float, float]:
    """Mean error near the edge, of 255, and overlap."""
    height, width = truth.shape
    subject = Image.fromarray(np.where(truth > 127, 255, 0).astype(np.uint8))
    cells = subject.resize((width // _CELL, height // _CELL), Image.Resampling.BOX)
    share = np.asarray(cells.resize((width, height), Image.Resampling.NEAREST))
    edge = (share > 0) & (share < 255)
    error = np.abs(alpha.astype(float) - truth)[edge].mean()
    both, either = (alpha > 127) & (truth > 127), (alpha > 127) | (truth > 127)
    return float(error), float(both.sum() / either.sum())
