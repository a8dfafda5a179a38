"""The core's second pass in NumPy, step by step: what tests hold the core to.

`plain_second_pass` takes what `run_second_pass` takes and gives the same map and the same report.
Its numbers are written out once more here: a change of the core's has to be made twice.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import reduce

import numpy as np
from confidence_twin import plain_map_confidence

from nssbg import _core
from nssbg._ops.alpha_cleanup import remove_faint_components, remove_small_components

MOST_CROPS = 4
RUNS = {"fast": 0, "balanced": MOST_CROPS, "best": 16}
MOST_INPUT_PIXELS = 8 << 20
LONGEST_MAP = 2048
LEAST_MAP_CONFIDENCE = 0.5
MARGIN = 0.15
LEAST_GAIN = 1.25
OVERLAP = 0.25
SUBJECT, SURE_LOW, SURE_HIGH = 0.25, 0.02, 0.98
LEAST_SUBJECT = 2e-4
LEAST_GAP = 0.02
MOST_SUBJECTS = 12
MOST_CROP_DISAGREEMENT, MOST_TILE_DISAGREEMENT = 0.2, 0.05
DETAIL = 6.0
BAND, BAND_GAIN = 2.0, 45.0


@dataclass(frozen=True)
class Area:
    """A rectangle of pixels, rows [y0, y1), columns [x0, x1)."""

    y0: int
    y1: int
    x0: int
    x1: int

    @property
    def height(self):
        """Rows."""
        return self.y1 - self.y0

    @property
    def width(self):
        """Columns."""
        return self.x1 - self.x0

    def overlaps(self, other):
        """Whether they share a pixel."""
        rows = self.y0 < other.y1 and other.y0 < self.y1
        return rows and self.x0 < other.x1 and other.x0 < self.x1

    def hull(self, other):
        """The smallest area that holds both."""
        return Area(
            min(self.y0, other.y0),
            max(self.y1, other.y1),
            min(self.x0, other.x0),
            max(self.x1, other.x1),
        )

    def of(self, image):
        """This part of an H x W (x C) array, as a view."""
        return image[self.y0 : self.y1, self.x0 : self.x1]

    def cells(self, shape, height, width):
        """The cells of a map of that shape that an area of a height x width picture covers."""
        scale_y, scale_x = shape[0] / height, shape[1] / width
        rows = slice(round(self.y0 * scale_y), max(1, round(self.y1 * scale_y)))
        return rows, slice(round(self.x0 * scale_x), max(1, round(self.x1 * scale_x)))


def plan_crops(coarse, height, width):
    """The crops around the subjects, with margin, that gain enough; the largest come first.

    Subjects are told apart by empty rows and columns between them, margins included. Faint blobs
    beside a larger one are none.

    Returns:
        The crops, which do not overlap, and whether all subjects lie in them.
    """
    clean = remove_small_components(
        np.ascontiguousarray(coarse), max(2, round(LEAST_SUBJECT * coarse.size)), level=SUBJECT
    )
    inside = remove_faint_components(clean) > SUBJECT
    boxes = sorted(_separate(inside), key=lambda b: (-_cells(inside, b), b))
    scale_y, scale_x = height / coarse.shape[0], width / coarse.shape[1]
    grown = []
    for y0, y1, x0, x1 in boxes[:MOST_SUBJECTS]:
        top, bottom, left, right = y0 * scale_y, y1 * scale_y, x0 * scale_x, x1 * scale_x
        margin = MARGIN * max(bottom - top, right - left)
        grown.append(
            Area(
                max(0, math.floor(top - margin)),
                min(height, math.ceil(bottom + margin)),
                max(0, math.floor(left - margin)),
                min(width, math.ceil(right + margin)),
            )
        )
    apart = _merged(grown)
    longest = max(height, width)
    crops = [a for a in apart if longest / max(a.height, a.width) >= LEAST_GAIN]
    crops.sort(key=lambda a: (-a.height * a.width, a.y0, a.x0))
    return crops, bool(crops) and len(crops) == len(apart) and len(boxes) <= MOST_SUBJECTS


def plan_tiles(coarse, height, width, side, scope):
    """Overlapping square tiles of `side` pixels inside scope that the outline passes through.

    Those with the longest outline come first, so that a budget is spent where it matters.
    """
    starts_y = _starts(scope.y0, scope.y1, side)
    starts_x = _starts(scope.x0, scope.x1, side)
    doubt = (coarse > SURE_LOW) & (coarse < SURE_HIGH)
    scale_y, scale_x = coarse.shape[0] / height, coarse.shape[1] / width
    found = []
    for y in starts_y:
        for x in starts_x:
            tile = Area(y, min(y + side, scope.y1), x, min(x + side, scope.x1))
            part = doubt[
                int(tile.y0 * scale_y) : math.ceil(tile.y1 * scale_y),
                int(tile.x0 * scale_x) : math.ceil(tile.x1 * scale_x),
            ]
            cells = int(np.count_nonzero(part))
            if cells:
                found.append((-cells, tile.y0, tile.x0, tile))
    return [tile for *_, tile in sorted(found, key=lambda entry: entry[:3])]


def snapped(area, canvas, height, width):
    """The area grown to whole canvas cells, so that answers land without a sub-cell shift."""

    def out(low, high, cells, pixels):
        scale = pixels / cells
        first, last = math.floor(low / scale), math.ceil(high / scale)
        return round(first * scale), min(pixels, round(last * scale))

    y0, y1 = out(area.y0, area.y1, canvas[0], height)
    x0, x1 = out(area.x0, area.x1, canvas[1], width)
    return Area(y0, y1, x0, x1)


def _separate(inside):
    """Tight boxes (y0, y1, x0, x1) of what wide empty rows and columns leave apart."""
    gap = max(2, math.ceil(LEAST_GAP * max(inside.shape)))
    found = []
    waiting = [(0, inside.shape[0], 0, inside.shape[1])]
    while waiting:
        y0, y1, x0, x1 = waiting.pop()
        part = inside[y0:y1, x0:x1]
        rows = _stretches(np.flatnonzero(part.any(1)), gap)
        columns = _stretches(np.flatnonzero(part.any(0)), gap)
        pieces = [(y0 + a, y0 + b, x0 + c, x0 + d) for a, b in rows for c, d in columns]
        if pieces == [(y0, y1, x0, x1)]:
            found.append(pieces[0])
        else:
            waiting += pieces
    return found


def _stretches(places, gap):
    """Rising places as stretches [begin, end), told apart where more than `gap` lies between."""
    if places.size == 0:
        return []
    breaks = np.flatnonzero(np.diff(places) > gap)
    begins = [places[0], *places[breaks + 1]]
    ends = [*places[breaks], places[-1]]
    return [(int(a), int(b) + 1) for a, b in zip(begins, ends, strict=True)]


def _cells(inside, box):
    y0, y1, x0, x1 = box
    return int(np.count_nonzero(inside[y0:y1, x0:x1]))


def _merged(areas):
    """Areas that overlap, as one, until none do."""
    apart = []
    for area in areas:
        while True:
            touched = next((a for a in apart if a.overlaps(area)), None)
            if touched is None:
                break
            apart.remove(touched)
            area = area.hull(touched)
        apart.append(area)
    return apart


def _starts(begin, end, side):
    """First pixels of tiles of `side` that cover [begin, end), evenly overlapped."""
    length = end - begin
    if length <= side:
        return [begin]
    count = math.ceil((length - side) / (side * (1 - OVERLAP))) + 1
    return [begin + round(i * (length - side) / (count - 1)) for i in range(count)]


def blend_crop(canvas, area, answer, height, width):
    """Put the answer for a crop into the map; False (and no change) if it contradicts it."""
    here = canvas[area.cells(canvas.shape, height, width)]
    fine = resized(answer, *here.shape)
    if _disagreement(fine, here) > MOST_CROP_DISAGREEMENT:
        return False
    fine -= here
    fine *= _window(area, here.shape, height, width)
    here += fine
    return True


def blend_tiles(canvas, scope, answers, height, width):
    """Add the detail of tiles' answers along the outline; how many were used."""
    place = scope.cells(canvas.shape, height, width)
    part = canvas[place]
    change, weights = np.zeros_like(part), np.zeros_like(part)
    used = 0
    for area, answer in answers:
        cells = area.cells(canvas.shape, height, width)
        here = canvas[cells]
        fine = resized(answer, *here.shape)
        if _disagreement(fine, here) > MOST_TILE_DISAGREEMENT:
            continue
        used += 1
        window = _window(area, here.shape, height, width)
        inside = tuple(
            slice(max(0, one.start - whole.start), one.stop - whole.start)
            for one, whole in zip(cells, place, strict=True)
        )
        fine -= _core.feather(fine, DETAIL, 1)
        fine -= here
        fine += _core.feather(np.ascontiguousarray(here), DETAIL, 1)
        fine *= window
        change[inside] += fine
        weights[inside] += window
    # Where the windows add up to less than one, the map keeps the rest.
    change /= np.maximum(weights, 1)
    change *= outline_weight(part)
    np.clip(part + change, 0, 1, out=part)
    return used


def outline_weight(alpha):
    """1 on cells near where alpha crosses one half, falling to 0 within two cells more."""
    inside = (alpha >= 0.5).astype(np.float32)
    near = _core.feather(inside, BAND, 1)
    near *= 1 - near
    near *= BAND_GAIN
    return np.minimum(near, 1, out=near)


def resized(alpha, height, width):
    """Cubic resampling to height x width, a new array; what shrinks is averaged by cells first."""
    while alpha.shape[0] >= 2 * height and alpha.shape[1] >= 2 * width:
        rows, columns = alpha.shape[0] // 2 * 2, alpha.shape[1] // 2 * 2
        parts = alpha[:rows, :columns].reshape(rows // 2, 2, columns // 2, 2)
        alpha = parts.mean((1, 3), dtype=np.float32)
    if alpha.shape == (height, width):
        return np.array(alpha, np.float32)
    blank = np.broadcast_to(np.zeros((), np.uint8), (height, width, 3))
    larger = _core.refine(blank, np.ascontiguousarray(alpha), None, "none", 1, 512)[0]
    return larger.astype(np.float32, copy=False)


def _disagreement(fine, here):
    """Mean difference on the cells that were sure; 0 where there are none."""
    sure = (here <= SURE_LOW) | (here >= SURE_HIGH)
    return float(np.abs(fine - here)[sure].mean()) if sure.any() else 0.0


def _window(area, shape, height, width):
    """1 inside, linear to 0 over half of the overlap at borders that are not the picture's."""

    def along(count, fade_begin, fade_end):
        reach = np.float32(max(1.0, count * OVERLAP / 2))
        place = np.arange(count, dtype=np.float32) + np.float32(0.5)
        window = np.ones(count, np.float32)
        if fade_begin:
            window = np.minimum(window, place / reach)
        if fade_end:
            window = np.minimum(window, (count - place) / reach)
        return np.asarray(window, np.float32)

    return np.minimum(
        along(shape[0], area.y0 > 0, area.y1 < height)[:, None],
        along(shape[1], area.x0 > 0, area.x1 < width)[None],
    )


class Search:
    """The map of one picture while runs are added to it."""

    def __init__(self, image, alpha_of, first, effort, weights):
        self.weights = weights
        self.image, self.alpha_of, self.first = image, alpha_of, first
        self.height, self.width = image.shape[:2]
        self.runs_left = min(RUNS[effort], max(1, MOST_INPUT_PIXELS // first.size))
        self.runs = 1
        self.canvas = first
        self.scope = Area(0, self.height, 0, self.width)
        self.first_cell = max(self.height, self.width) / max(first.shape)
        # Pixels a cell along its longer side, of what all subjects in the scope are known at.
        self.cell = self.first_cell
        self.gain = 1.0
        self.crops = []
        self.tiles = 0
        self.notes = []

    def may_run(self):
        return self.runs_left > 0

    def run(self, area):
        self.runs += 1
        self.runs_left -= 1
        return unit(self.alpha_of(area.of(self.image)))

    def look_at_subjects(self):
        """Run again on the crops around the subjects that are small in the frame."""
        if not self.may_run():
            return
        crops, complete = plan_crops(self.first, self.height, self.width)
        if crops and plain_map_confidence(self.first, self.weights) < LEAST_MAP_CONFIDENCE:
            self.notes.append("the first run is too unsure of where the subject is: no crop")
            return
        cells = [self._look_at(crop) for crop in crops[:MOST_CROPS] if self.may_run()]
        used = [cell for cell in cells if cell is not None]
        if used:
            self.gain = self.first_cell / min(used)
        if complete and len(used) == len(crops):
            # Every subject is known better than at first: tiles have only these to improve on.
            self.scope = reduce(Area.hull, self.crops)
            self.cell = max(used)

    def _look_at(self, crop):
        """Run again on one crop; its cell where it was the more certain answer, and used."""
        cell = max(crop.height, crop.width) / max(self.first.shape)
        canvas = self._enlarged(cell)
        crop = snapped(crop, canvas.shape, self.height, self.width)
        answer = self.run(crop)
        before = self.first[crop.cells(self.first.shape, self.height, self.width)]
        if plain_map_confidence(answer, self.weights) < plain_map_confidence(before, self.weights):
            self.notes.append("a crop around a subject was less certain: not used")
        elif not blend_crop(canvas, crop, answer, self.height, self.width):
            self.notes.append("a crop around a subject disagreed with the first run: not used")
        else:
            self.canvas = canvas
            self.crops.append(crop)
            return cell
        return None

    def look_along_outline(self):
        """Run on tiles of twice the resolution that the outline passes through."""
        if self.cell <= LEAST_GAIN:
            return  # the picture has no more detail than the map
        cell = max(1.0, self.cell / 2)
        side = math.ceil(max(self.first.shape) * cell)
        canvas = self._enlarged(cell)
        wanted = plan_tiles(canvas, self.height, self.width, side, self.scope)
        answers = []
        for index, loose in enumerate(wanted):
            if not self.may_run():
                self.notes.append(
                    f"budget: {len(wanted) - index} of {len(wanted)} tiles along the outline "
                    "not run"
                )
                break
            tile = snapped(loose, canvas.shape, self.height, self.width)
            answers.append((tile, self.run(tile)))
        scope = snapped(self.scope, canvas.shape, self.height, self.width)
        self.tiles = blend_tiles(canvas, scope, answers, self.height, self.width)
        if self.tiles < len(answers):
            self.notes.append(
                f"{len(answers) - self.tiles} of {len(answers)} tiles along the outline disagreed "
                "with sure parts: not used"
            )
        if self.tiles:
            self.canvas = canvas
            self.gain = max(self.gain, self.first_cell / cell)

    def report(self):
        """What the runs after the first brought and cost."""
        changed = 0.0
        if self.canvas is not self.first:
            place = self.scope.cells(self.canvas.shape, self.height, self.width)
            part = self.canvas[place]
            weight = outline_weight(part)
            total = float(weight.sum())
            before = resized(self.first, *self.canvas.shape)[place]
            changed = float((np.abs(part - before) * weight).sum()) / total if total > 0 else 0.0
        return {
            "runs": self.runs,
            "crops": [(a.y0, a.y1, a.x0, a.x1) for a in self.crops],
            "tiles": self.tiles,
            "gain": self.gain,
            "changed": changed,
            "notes": tuple(self.notes),
        }

    def _enlarged(self, cell):
        """The map so far with cells of about that many pixels: the finest run fits one to one."""
        longest = max(self.height, self.width)
        scale = min(1 / cell, LONGEST_MAP / longest, 1.0)
        rows, columns = round(self.height * scale), round(self.width * scale)
        shape = self.canvas.shape
        return resized(self.canvas, max(1, rows, shape[0]), max(1, columns, shape[1]))


def unit(alpha):
    """A model's answer as float32 0..1; what is no number is 0."""
    if alpha.dtype == np.uint8:
        return alpha.astype(np.float32) / np.float32(255)
    return np.where(alpha > 0, np.minimum(alpha, 1), 0).astype(np.float32)


def plain_second_pass(image, alpha_of, effort, first=None, weights=None):
    """The map and what its report says, but for the time."""
    search = Search(
        image, alpha_of, unit(alpha_of(image) if first is None else first), effort, weights
    )
    search.look_at_subjects()
    if effort == "best":
        search.look_along_outline()
    return search.canvas, search.report()
