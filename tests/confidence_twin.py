"""The core's confidence and selector in NumPy: what tests hold the core to."""

from __future__ import annotations

import math

import numpy as np


def plain_features(alpha, flipped=None):
    """As `nssbg._segment.confidence.confidence_features`."""
    alpha = alpha.astype(np.float64)
    safe = np.clip(alpha, 1e-4, 1 - 1e-4)
    entropy = -(safe * np.log2(safe) + (1 - safe) * np.log2(1 - safe))
    area = alpha.sum() + 1e-3 * alpha.size
    border = np.concatenate([alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1]])
    features = (min(2.0, entropy.sum() / area), math.log(area / alpha.size), border.mean())
    if flipped is None:
        return features
    flipped = flipped.astype(np.float64)
    low, high = np.minimum(alpha, flipped), np.maximum(alpha, flipped)
    floor = 1e-3 * alpha.size
    return (*features, 1.0 - (low.sum() + floor) / (high.sum() + floor))


def plain_overlap(alpha, flipped, weights):
    """The expected overlap; None without weights; 0 without an outline."""
    subject = np.count_nonzero(alpha > 0.5) / alpha.size
    if not (0.0 < subject < 1.0 - 1e-3 and np.isfinite(alpha.sum(dtype=np.float64))):
        return 0.0
    fitted = None if weights is None else weights.single if flipped is None else weights.flip_tta
    if fitted is None:
        return None
    terms = zip(fitted[1:], plain_features(alpha, flipped), strict=True)
    return 1.0 / (1.0 + math.exp(-fitted[0] - sum(w * f for w, f in terms)))


def plain_map_confidence(alpha, weights):
    """As `nssbg._segment.confidence.map_confidence`."""
    expected = plain_overlap(alpha, None, weights)
    if expected is not None:
        return expected
    return max(0.0, 1.0 - plain_features(alpha)[0] / (2 * 1.2))


def sampled(alpha, height, width):
    """An alpha map at another size by its nearest pixels, float 0..1."""
    rows = (np.arange(height) * 2 + 1) * alpha.shape[0] // (2 * height)
    columns = (np.arange(width) * 2 + 1) * alpha.shape[1] // (2 * width)
    small = alpha[rows[:, None], columns[None, :]].astype(np.float32)
    return small / np.float32(255) if alpha.dtype == np.uint8 else small


def log_odds(probability):
    """Of a probability held within 0.005 of 0 and 1."""
    bounded = min(max(probability, 0.005), 0.995)
    return math.log(bounded / (1 - bounded))


def plain_selector_features(studio, studio_confidence, network, network_overlap):
    """As `nssbg._segment.selector.selector_features`."""
    one = sampled(studio, *network.shape).astype(np.float64)
    other = sampled(network, *network.shape).astype(np.float64)
    floor = 1e-3 * network.size
    shared = np.minimum(one, other).sum() + floor
    return (
        log_odds(studio_confidence),
        log_odds(network_overlap),
        shared / (np.maximum(one, other).sum() + floor),
        shared / (one.sum() + floor),
        shared / (other.sum() + floor),
    )


def plain_select(features, weights):
    """Whether the studio method is taken, and the overlap to be expected."""

    def logistic(fitted):
        terms = zip(fitted[1:], features, strict=True)
        return 1.0 / (1.0 + math.exp(-fitted[0] - sum(w * f for w, f in terms)))

    edges = features[2] >= 0.97 and features[0] >= log_odds(0.7)
    studio = edges or logistic(weights.studio_is_better) > 0.5
    return studio, logistic(weights.studio_overlap if studio else weights.network_overlap)
