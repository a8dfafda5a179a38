"""What the second pass decides by: where running again pays, and when an answer is believed.

docs/decisions/0504-effort.md has what they were measured on. Lengths are cells of a map, shares
are of what is named.
"""

from __future__ import annotations

# How much is run.
#: Model runs on crops around subjects.
MOST_CROPS = 4
#: Model runs after the first, and the most input pixels they may have together, by effort. A budget
#: of pixels, not of seconds: the same picture gives the same bytes on a slow machine.
RUNS = {"fast": 0, "balanced": MOST_CROPS, "best": 16}
MOST_INPUT_PIXELS = 8 << 20
#: Longest side of the map that is returned: in float32 it takes 11 MB at 3:2.
LONGEST_MAP = 2048

# Where.
#: Certainty of a first answer whose place for the subject is believed: likelier right than wrong.
LEAST_MAP_CONFIDENCE = 0.5
#: Room left around the subject, as a share of its box: models need to see some backdrop.
MARGIN = 0.15
#: A second run pays when the subject gets at least this many times more pixels a side.
LEAST_GAIN = 1.25
#: Tiles overlap by this share of their side; blending happens there.
OVERLAP = 0.25
#: Alpha above which a cell belongs to the subject's box; below / above these it is sure.
SUBJECT, SURE_LOW, SURE_HIGH = 0.25, 0.02, 0.98
#: Subjects smaller than this share of the first map are taken for noise.
LEAST_SUBJECT = 2e-4
#: Subjects are apart from this share of the map's longer side on; a crop's margin asks for more.
LEAST_GAP = 0.02
#: Of a crowd so many are told apart, the largest; the others keep the first answer.
MOST_SUBJECTS = 12

# What is believed of the answers.
#: An answer that differs by more than this on average from cells that were sure is not used: a
#: crop sees the whole subject and may correct much, a tile may not.
MOST_CROP_DISAGREEMENT, MOST_TILE_DISAGREEMENT = 0.2, 0.05
#: Gaussian (in canvas cells) below whose reach a tile's answer counts: coarser than that, the map
#: of the whole subject is believed. A cell of the map before is two canvas cells.
DETAIL = 6.0
#: Gaussian (canvas cells) that the band along the outline is made with, and the gain that makes it
#: 1 up to two of them and 0 beyond three.
BAND, BAND_GAIN = 2.0, 45.0
