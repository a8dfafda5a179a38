"""Enhances one picture: enlarged, denoised, freed of JPEG's blocks, its alpha carried along.

In: a decoded Frame and what is wanted. Out: a Frame of the new size with profile, EXIF and depth of
the old one. The network sees the colours as they are encoded; an alpha is enlarged by the refine
kernels with the enlarged photograph as guide, never by the network.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nssbg._enhance.network import ImageNetwork
from nssbg._enhance.tiling import Progress
from nssbg._enhance_options import EnhanceOptions
from nssbg._errors import OptionError
from nssbg._models.sidecar import ModelDescription
from nssbg._ops.alpha_depth import alpha_as
from nssbg._ops.foreground import decontaminate
from nssbg._ops.refine import refine
from nssbg._types import Frame, ImageArray, Timings
from nssbg._vocabulary import UPSCALES, RefineLevel

__all__ = ["EnhanceOptions", "check_fit", "enhanced_alpha", "enhanced_frame", "enhanced_rgb"]

# Rows worked on at a time where NumPy does it: keeps copies small.
_ROWS = 64


def check_fit(model: ModelDescription, options: EnhanceOptions) -> int:
    """Refuse what a network cannot do; what of its output is averaged to one pixel, a side.

    Raises:
        OptionError: It enlarges by another factor, or cannot be told what is asked for.
    """
    wanted = model.scale if options.upscale is None else options.upscale
    if model.scale % wanted:
        possible = [str(factor) for factor in UPSCALES if model.scale % factor == 0]
        raise OptionError(
            f"{model.name} enlarges by {model.scale}: upscale can be {', '.join(possible)}, not "
            f"{wanted}; another model may give it (nssbg models list)"
        )
    if options.denoise is not None and "denoise" not in model.conditions and model.scale > 1:
        raise OptionError(f"{model.name} cannot be told how strongly to denoise: leave denoise out")
    if options.deblock != "auto" and "deblock" not in model.conditions:
        raise OptionError(
            f"{model.name} cannot be told how strongly to deblock: leave deblock at 'auto'"
        )
    return model.scale // wanted


def enhanced_rgb(
    network: ImageNetwork,
    rgb: ImageArray,
    options: EnhanceOptions,
    *,
    deblock: float = 0.0,
    is_gray: bool = False,
    progress: Progress | None = None,
) -> ImageArray:
    """The enhanced colours: H' x W' x 3 of the same dtype.

    Args:
        network: An open one.
        rgb: H x W x 3, uint8 or uint16.
        options: What is wanted.
        deblock: What "auto" stands for with this picture.
        is_gray: The channels are equal and stay so.
        progress: See `run_tiled`.
    """
    model = network.model
    reduce = check_fit(model, options)
    told = {
        "denoise": options.denoise or 0.0,
        "deblock": deblock if options.deblock == "auto" else options.deblock,
    }
    result = network.run(rgb, reduce=reduce, told=told, progress=progress)
    share = 1.0 if options.denoise is None else options.denoise
    if "denoise" not in model.conditions and share < 1.0:
        _mix(result, rgb, share)
    if is_gray:
        _make_gray(result)
    return result


def _mix(result: ImageArray, rgb: ImageArray, share: float) -> None:
    """The picture itself, and that share of what the network changed, in place."""
    for top in range(0, result.shape[0], _ROWS):
        rows = slice(top, top + _ROWS)
        before = rgb[rows].astype(np.float32)
        mixed = before + np.float32(share) * (result[rows].astype(np.float32) - before)
        result[rows] = np.floor(mixed + np.float32(0.5))


def _make_gray(result: ImageArray) -> None:
    """The mean of the channels in each, in place."""
    for top in range(0, result.shape[0], _ROWS):
        rows = slice(top, top + _ROWS)
        total = result[rows].sum(axis=2, dtype=np.uint32)
        result[rows] = ((2 * total + 3) // 6)[..., None]


def enhanced_alpha(
    alpha: ImageArray, rgb: ImageArray, *, guided: bool = True, threads: int = 1
) -> ImageArray:
    """An alpha at the size of the enhanced photograph, which guides it; its own dtype.

    Args:
        alpha: h x w, uint8 or uint16.
        rgb: H x W x 3 of the same dtype.
        guided: The photograph shows the background too, so that its edges guide; else Catmull-Rom.
        threads: Threads of the kernels.

    Guided by a sharp photograph the error in the soft band is half of Catmull-Rom's, guided by a
    blurred one the same (docs/decisions/1040-tiles.md).
    """
    if alpha.shape == rgb.shape[:2]:
        return alpha
    coarse: NDArray[Any] = alpha
    if alpha.dtype == np.uint16:
        coarse = alpha.astype(np.float32) / np.float32(65535)
    # What the picture came with is its owner's: nothing of it is removed.
    level: RefineLevel = "guided" if guided else "none"
    fine = refine(rgb, coarse, level=level, threads=threads, min_component_area=0)
    return alpha_as(fine, rgb.dtype)


def enhanced_frame(
    network: ImageNetwork,
    frame: Frame,
    options: EnhanceOptions,
    *,
    deblock: float = 0.0,
    threads: int = 1,
    timings: Timings | None = None,
    progress: Progress | None = None,
) -> Frame:
    """A picture enhanced, with its alpha, profile, EXIF and depth.

    Args:
        network: An open one.
        frame: The picture.
        options: What is wanted.
        deblock: What "auto" stands for with this picture.
        threads: Threads of the kernels.
        timings: Filled with the stages "enhance" and "enlarge alpha".
        progress: See `run_tiled`.

    Raises:
        ModelError: The network failed.
        OptionError: The network cannot do what is wanted.
    """
    check_fit(network.model, options)
    timings = Timings() if timings is None else timings
    rgb, alpha = frame.rgb, frame.alpha
    cleared = alpha is not None and not rgb[alpha == 0].any()
    with timings.measure("enhance"):
        if alpha is not None and cleared:
            # No one sees the zeros under clear pixels but the network, which would carry them into
            # the edge.
            rgb = decontaminate(rgb, alpha, method="off", matte="extend", threads=threads)[..., :3]
        result = enhanced_rgb(
            network, rgb, options, deblock=deblock, is_gray=frame.is_gray, progress=progress
        )
    if alpha is not None:
        with timings.measure("enlarge alpha"):
            # Colours that go on beyond the edge say nothing about where it lies.
            alpha = enhanced_alpha(alpha, result, guided=not cleared, threads=threads)
            if cleared:
                result[alpha == 0] = 0
    return replace(frame, rgb=result, alpha=alpha)
