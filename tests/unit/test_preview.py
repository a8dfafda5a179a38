"""Previews of corrections against the results they stand for; brush, edge, analysis below them."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import nssbg
from nssbg._ops.brush import DROP, KEEP, NOTHING, Stroke, painted, stroke_from
from nssbg._ops.edge import EdgeAdjustment, adjusted_edge
from nssbg._ops.resample import scaled
from nssbg._pipeline.analysis import Analysis
from nssbg._pipeline.preview import View, preview
from nssbg._segment.base import Estimate
from nssbg._types import Frame, Plan

DATA = Path(__file__).parents[1] / "data"
STROKES = (
    Stroke("drop", 15.0, ((240.0, 180.0), (300.0, 200.0), (330.0, 150.0))),
    Stroke("keep", 9.0, ((40.0, 330.0), (110.0, 300.0))),
)


def picture(name="bear"):
    with Image.open(DATA / f"{name}.jpg") as image:
        return np.asarray(image.convert("RGB"))


def analysis(*, full_size=False, own_alpha=False, sixteen=False, box=None, name="bear"):
    """A picture with its true mask as the estimate, coarse or at full size."""
    rgb = picture(name)
    with Image.open(DATA / f"{name}-mask.png") as image:
        mask = image.convert("L").resize(rgb.shape[1::-1])
    if box is not None:
        from nssbg import Corrections
        from nssbg._segment.corrections import region_of

        region = region_of(Frame(rgb), Corrections(box=box))[0]
        part = region.frame
        mask = mask.crop(
            (region.left, region.top, region.left + part.width, region.top + part.height)
        )
    if not full_size:
        mask = mask.resize((96, 96), Image.Resampling.BOX)
    alpha = np.asarray(mask)
    if sixteen:
        rgb, alpha = rgb.astype(np.uint16) * 257, alpha.astype(np.float32) / np.float32(255)
    own = None
    if own_alpha:
        own = np.full(rgb.shape[:2], 255, rgb.dtype)
        own[:, :200] = 90
    frame = Frame(rgb, alpha=own, name="bear")
    estimate = Estimate(alpha, full_size, 0.9, Plan("fake", "fake", "CPU"))
    return Analysis(frame, estimate, box=box)


def result_and_preview(made, view, *, strokes=(), edge=None, keep=(), drop=(), **options):
    """What `finished` makes of a part, brought to the view's size, and the preview of it."""
    height, width = made.frame.height, made.frame.width
    mask = painted(strokes, height, width) if strokes else None
    said = None
    if made.box or keep or drop or mask is not None:
        said = nssbg.Corrections(box=made.box, keep=keep, drop=drop, mask=mask)
    whole = made.finished(nssbg.CutoutOptions(corrections=said, **options), edge=edge).rgba
    if whole.dtype == np.uint16:
        whole = (whole >> 8).astype(np.uint8)
    left, top, right, bottom = view.box
    truth = scaled(np.ascontiguousarray(whole[top:bottom, left:right]), *view.size)
    without = None
    if made.box or keep or drop:
        without = nssbg.Corrections(box=made.box, keep=keep, drop=drop)
    shown = preview(
        made, nssbg.CutoutOptions(corrections=without, **options), view, strokes=strokes, edge=edge
    )
    assert shown.shape == (*view.size, 4)
    assert shown.dtype == np.uint8
    return truth, shown


def differences(truth, shown):
    """Mean difference of the alphas, and of the colours where both are opaque, in levels."""
    alpha = np.abs(truth[..., 3].astype(int) - shown[..., 3]).mean()
    both = (truth[..., 3] > 250) & (shown[..., 3] > 250)
    colors = np.abs(truth[..., :3].astype(int) - shown[..., :3])[both]
    return alpha, colors.mean() if colors.size else 0.0


WHOLE = View((0, 0, 480, 360), (360, 480))
PART = View((150, 60, 401, 300), (240, 251))
SMALL = View((0, 0, 480, 360), (150, 200))


@pytest.mark.parametrize("view", [WHOLE, PART, SMALL], ids=["whole", "part", "small"])
@pytest.mark.parametrize("level", ["none", "guided", "matting"])
@pytest.mark.parametrize("full_size", [False, True], ids=["coarse", "full size"])
def test_a_preview_is_near_the_result(view, level, full_size):
    made = analysis(full_size=full_size)
    edge = EdgeAdjustment(choke=0.7, softness=0.4)
    for strokes in ((), STROKES):
        truth, shown = result_and_preview(made, view, strokes=strokes, edge=edge, refine=level)
        alpha, colors = differences(truth, shown)
        if view is WHOLE:
            assert np.array_equal(truth[..., 3], shown[..., 3]), alpha
        assert alpha < (3.0 if view is SMALL else 0.5), (len(strokes), alpha)
        assert colors < (0.4 if view is SMALL else 0.05), colors


def test_without_anything_to_refine_a_preview_at_scale_one_is_the_result():
    truth, shown = result_and_preview(analysis(full_size=True), PART)
    assert np.array_equal(truth[..., 3], shown[..., 3])
    opaque = truth[..., 3] == 255
    assert np.array_equal(truth[opaque], shown[opaque])


@pytest.mark.parametrize("view", [WHOLE, PART], ids=["whole", "part"])
def test_strokes_and_points_hold_exactly_in_a_preview(view):
    made = analysis()
    _, shown = result_and_preview(
        made, view, strokes=STROKES, keep=((160.0, 200.0),), drop=((399.0, 70.0),)
    )
    left, top, right, bottom = view.box
    said = painted(STROKES, 360, 480)[top:bottom, left:right]
    assert np.all(shown[..., 3][said == KEEP] == 255)
    assert np.all(shown[..., 3][said == DROP] == 0)
    assert shown[200 - top, 160 - left, 3] == 255
    assert shown[70 - top, 399 - left, 3] == 0


@pytest.mark.parametrize("own_alpha", [False, True])
@pytest.mark.parametrize("sixteen", [False, True])
def test_a_preview_knows_deep_pictures_and_those_with_an_alpha(own_alpha, sixteen):
    made = analysis(own_alpha=own_alpha, sixteen=sixteen)
    truth, shown = result_and_preview(made, PART, strokes=STROKES)
    alpha, colors = differences(truth, shown)
    assert alpha < 3.0
    assert colors < 1.0


def test_outside_the_box_a_preview_is_clear():
    made = analysis(box=(150.0, 60.0, 330.0, 300.0))
    truth, shown = result_and_preview(made, WHOLE, strokes=STROKES, drop=((200.0, 150.0),))
    alpha, _ = differences(truth, shown)
    assert alpha < 3.0
    outside = np.ones((360, 480), bool)
    outside[60:300, 150:330] = False
    assert not shown[outside].any()
    beside = View((0, 0, 100, 50), (50, 100))
    assert not preview(made, nssbg.CutoutOptions(), beside).any()


def test_a_preview_changes_nothing_that_is_kept():
    made = analysis()
    before = made.estimate.alpha.copy(), made.frame.rgb.copy()
    result_and_preview(made, PART, strokes=STROKES, keep=((160.0, 200.0),))
    assert np.array_equal(before[0], made.estimate.alpha)
    assert np.array_equal(before[1], made.frame.rgb)


def test_the_windows_of_a_picture_fit_together():
    """Where two windows show the same pixels, they show the same."""
    made = analysis()
    options = nssbg.CutoutOptions()
    whole = preview(made, options, WHOLE, strokes=STROKES)
    for left, top in ((0, 0), (101, 53), (230, 160)):
        part = preview(
            made, options, View((left, top, left + 250, top + 200), (200, 250)), strokes=STROKES
        )
        there = whole[top : top + 200, left : left + 250]
        assert np.abs(part[..., 3].astype(int) - there[..., 3]).mean() < 0.5


# Analyses.


@pytest.mark.parametrize("model", ["studio", "nssbg-lite"])
def test_a_finished_analysis_is_the_cutout(model):
    source = DATA / "mug.jpg"
    with nssbg.Remover(model, threads=2) as remover:
        plain = remover._analyse(source, nssbg.CutoutOptions(effort="fast"))
        for options in (
            {},
            {"refine": "matting", "strength": 0.5},
            {"decontaminate": "off", "refine": "none"},
            {"corrections": nssbg.Corrections(keep=((240, 180),), drop=((10, 10), (250.5, 200)))},
            {"corrections": nssbg.Corrections(mask=painted(STROKES, 360, 480))},
        ):
            wanted = remover.cutout(source, effort="fast", **options)
            got = plain.finished(nssbg.CutoutOptions(effort="fast", **options))
            assert np.array_equal(wanted.rgba, got.rgba), options
            assert wanted.notes == got.notes
            assert wanted.plan == got.plan
            assert wanted.confidence == got.confidence
        box = nssbg.Corrections(box=(100, 50, 400, 330), drop=((150, 100),))
        boxed = remover._analyse(source, nssbg.CutoutOptions(effort="fast", corrections=box))
        again = boxed.finished(nssbg.CutoutOptions(effort="fast", corrections=box))
        assert np.array_equal(
            remover.cutout(source, effort="fast", corrections=box).rgba, again.rgba
        )
        with pytest.raises(nssbg.OptionError, match="analyse it anew"):
            plain.finished(nssbg.CutoutOptions(corrections=box))


def test_an_analysis_tells_its_stages_and_ends_where_its_caller_says():
    seen = []
    with nssbg.Remover("studio", threads=2) as remover:
        made = remover._analyse(DATA / "mug.jpg", nssbg.CutoutOptions(), on_stage=seen.append)
        made.finished(nssbg.CutoutOptions(), on_stage=seen.append)
        assert seen == [
            "decode", "studio", "prepare", "segment", "second pass", "post-process", "refine",
            "foreground",
        ]  # fmt: skip

        def stop(stage):
            if stage == "segment":
                raise KeyError(stage)

        with pytest.raises(KeyError):
            remover._analyse(DATA / "mug.jpg", nssbg.CutoutOptions(), on_stage=stop)


# The brush.


def test_a_stroke_is_a_round_brush_along_its_points():
    mask = painted([Stroke("keep", 5.0, ((20.5, 20.5), (40.5, 20.5)))], 41, 61)
    y, x = np.mgrid[:41, :61]
    away = np.hypot(np.clip(x, 20, 40) - x, y - 20)
    assert np.all(mask[away < 4.0] == KEEP)
    assert np.all(mask[away > 6.0] == NOTHING)


def test_a_later_stroke_covers_an_earlier_one():
    over = [
        Stroke("keep", 8.0, ((20.0, 20.0),)),
        Stroke("drop", 4.0, ((20.0, 20.0),)),
    ]
    mask = painted(over, 40, 40)
    assert mask[20, 20] == DROP
    assert mask[20, 26] == KEEP


def test_a_part_is_painted_as_the_whole_is():
    whole = painted(STROKES, 360, 480)
    part = painted(STROKES, 200, 250, origin=(100.0, 80.0))
    assert np.array_equal(part, whole[80:280, 100:350])
    half = painted(STROKES, 180, 240, scale=(0.5, 0.5))
    assert np.mean(half != whole[::2, ::2]) < 0.02


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (None, "a stroke is an object"),
        ({"kind": "erase", "radius": 3, "points": [[1, 1]]}, "kind"),
        ({"kind": "keep", "radius": 0, "points": [[1, 1]]}, "radius"),
        ({"kind": "keep", "radius": float("nan"), "points": [[1, 1]]}, "radius"),
        ({"kind": "keep", "radius": True, "points": [[1, 1]]}, "radius"),
        ({"kind": "keep", "radius": 3, "points": []}, "points"),
        ({"kind": "keep", "radius": 3, "points": [[1]]}, "points"),
        ({"kind": "keep", "radius": 3, "points": [[1, float("inf")]]}, "points"),
        ({"kind": "keep", "radius": 3, "points": [[1, "2"]]}, "points"),
        ({"kind": "keep", "radius": 3, "points": [[1, 2]] * 20_001}, "points"),
    ],
)
def test_what_is_no_stroke_is_refused(record, said):
    with pytest.raises(nssbg.OptionError, match=said):
        stroke_from(record)


# The edge.


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("pixels", [-2.5, -1.0, 0.3, 1.0, 4.75])
def test_the_edge_moves_as_choke_moves_it(dtype, pixels):
    with Image.open(DATA / "bear-mask.png") as image:
        alpha = np.asarray(image.convert("L"))
    if dtype == np.float32:
        alpha = alpha.astype(np.float32) / np.float32(255)
    kept = alpha.copy()
    moved = adjusted_edge(alpha, EdgeAdjustment(choke=pixels))
    assert np.array_equal(moved, nssbg.alpha.choke(alpha, pixels))
    softened = adjusted_edge(alpha, EdgeAdjustment(choke=pixels, softness=1.5))
    assert np.array_equal(softened, nssbg.alpha.feather(moved, 1.5))
    assert np.array_equal(alpha, kept)


@pytest.mark.parametrize(
    "values", [{"choke": 65}, {"choke": float("nan")}, {"softness": -1}, {"softness": 65}]
)
def test_an_edge_that_moves_too_far_is_refused(values):
    with pytest.raises(nssbg.OptionError, match="pixels"):
        EdgeAdjustment(**values)
