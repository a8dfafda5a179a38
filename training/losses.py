"""The training loss: per-pixel, region and boundary terms on the full map and the side maps."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

BOUNDARY_WEIGHT = 4.0  # how much more a pixel on the outline counts than one far from it


def region_loss(alpha: Tensor, truth: Tensor) -> Tensor:
    """One minus the soft intersection over union, one value a picture, averaged."""
    axes = (1, 2, 3)
    shared = (alpha * truth).sum(axes)
    union = (alpha + truth - alpha * truth).sum(axes)
    return (1 - (shared + 1.0) / (union + 1.0)).mean()


def gradient_loss(alpha: Tensor, truth: Tensor) -> Tensor:
    """Difference of the horizontal and vertical steps: keeps edges sharp and in place."""
    error = alpha - truth
    across = (error[..., :, 1:] - error[..., :, :-1]).abs().mean()
    return across + (error[..., 1:, :] - error[..., :-1, :]).abs().mean()


def boundary_map(mask: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """0 far from the outline, 255 on it; made by the loader's processes."""
    reach = max(2, mask.shape[-1] // 40)
    around = cv2.blur(mask, (2 * reach + 1, 2 * reach + 1), borderType=cv2.BORDER_REPLICATE)
    return cv2.add(cv2.absdiff(around, mask), cv2.absdiff(around, mask))


def total_loss(
    full: Tensor, sides: list[Tensor], mask: Tensor, outline: Tensor
) -> tuple[Tensor, float]:
    """The weighted sum, and the plain mean absolute error for the log.

    `mask` and `outline` are uint8 N x H x W.
    """
    truth = mask[:, None].float() / 255
    weight = 1.0 + (BOUNDARY_WEIGHT / 255) * outline[:, None]
    weight = weight / weight.mean()
    full = full.float()
    alpha = torch.sigmoid(full)
    loss = functional.binary_cross_entropy_with_logits(full, truth, weight=weight)
    absolute = (alpha - truth).abs()
    loss = loss + region_loss(alpha, truth) + 0.5 * (absolute * weight).mean()
    loss = loss + gradient_loss(alpha, truth)
    coarse = functional.avg_pool2d(truth, 4)
    # The side maps, fine to coarse: strides 4, 8, 16, 32.
    for side, share in zip(reversed(sides), (0.3, 0.25, 0.2, 0.15), strict=True):
        side = side.float()
        part = functional.binary_cross_entropy_with_logits(side, coarse)
        loss = loss + share * (part + region_loss(torch.sigmoid(side), coarse))
        coarse = functional.avg_pool2d(coarse, 2, ceil_mode=True)
    return loss, float(absolute.mean().detach())
