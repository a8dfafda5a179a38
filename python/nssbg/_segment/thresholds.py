"""What segmentation decides by: the choice between two methods, and what counts as unsure."""

from __future__ import annotations

__all__ = [
    "AGREEING",
    "EVEN_DOUBT",
    "LEAST_BORDER",
    "LEAST_GROUND",
    "LOW_CONFIDENCE",
    "SURE",
    "TRUSTED",
]

# `model="auto"`.
#: Share of the border that is one backdrop, below which the studio method is not asked any further:
#: on 256 such pictures kept aside it was the better one in four (training/choose.py).
LEAST_BORDER = 0.5
#: Confidence of the studio method from which on its answer is taken without the network's: on the
#: measured pictures that lost 0.001 of IoU on average (training/choose.py prints the table).
SURE = 0.95
#: Where the maps agree this well (soft IoU) and the studio method trusts itself this far, their
#: overlaps with the truth are alike (0.001 apart on the pictures fitted on) and its full-size edges
#: are taken.
AGREEING = 0.97
TRUSTED = 0.7

# Confidence.
#: Expected overlap below which a larger model is worth its time.
LOW_CONFIDENCE = 0.75
#: Share of a map on either side of one half, below which it has no outline: it found nothing, or
#: took everything. No fit has seen such maps (the bundled network's says 0.98 of them).
LEAST_GROUND = 1e-3
#: Doubt (bits a pixel of the subject) at which a map's place for its subject is as likely wrong as
#: right: where the bundled network's expected overlap is one half. For networks without weights.
EVEN_DOUBT = 1.2
