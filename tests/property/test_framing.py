"""Framing: a fill that is reached where it is measured, nothing cut off, one scale for a set."""

import framing_twin
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nssbg._compose.canvas import (
    Canvas,
    drawn,
    placed,
    placement,
    scaled,
    shared_canvas,
    subject_box,
)
from nssbg._compose.output import Output, render
from nssbg._errors import OptionError


def soft_shape(height, width, box, edge, dtype=np.uint8, power=2.0):
    """A superellipse (power 1: a rhombus with tips, 2: an ellipse, 20: a box) with a soft edge."""
    full = np.iinfo(dtype).max
    top, left, bottom, right = box
    y, x = np.mgrid[0:height, 0:width] + 0.5
    ry, rx = (bottom - top) / 2, (right - left) / 2
    away = (np.abs((y - (top + bottom) / 2) / ry) ** power) + (
        np.abs((x - (left + right) / 2) / rx) ** power
    )
    distance = (away ** (1 / power) - 1) * min(ry, rx)
    alpha = np.clip(0.5 - distance / edge, 0, 1)
    rgba = np.zeros((height, width, 4), dtype)
    rgba[..., :3] = (np.array([0.7, 0.3, 0.2]) * full).astype(dtype)
    rgba[..., 3] = np.round(alpha * full)
    return rgba


def fill_of(rgba):
    """The larger of the shares of width and height that alpha >= half takes."""
    half = np.iinfo(rgba.dtype).max // 2
    held = rgba[..., 3] > half
    rows, columns = np.flatnonzero(held.any(1)), np.flatnonzero(held.any(0))
    return max(
        (rows[-1] - rows[0] + 1) / rgba.shape[0], (columns[-1] - columns[0] + 1) / rgba.shape[1]
    )


@given(
    st.integers(20, 200),
    st.integers(20, 200),
    st.sampled_from([1.0, 1.5, 2.0, 20.0]),
    st.floats(0.5, 12.0),
    st.sampled_from([0.5, 0.8, 0.85, 0.9]),
    st.sampled_from([(100, 100), (333, 200), (64, 999), (400, 401)]),
)
def test_the_fill_is_reached_and_hardly_passed(tall, wide, power, edge, fill, size):
    rgba = soft_shape(300, 300, (40, 40, 40 + tall, 40 + wide), edge, power=power)
    if subject_box(rgba, threshold=0.5)[2] == 0:
        return
    canvas = Canvas(*size, fill=fill)
    board = placed(rgba, canvas)
    visible = subject_box(rgba, threshold=0.1)
    scale = placement(rgba, canvas).scale
    held_back = (
        abs(scale * (visible[2] - visible[0]) - canvas.height) < 1e-6
        or abs(scale * (visible[3] - visible[1]) - canvas.width) < 1e-6
    )
    reached = fill_of(board)
    assert held_back or reached >= fill
    assert reached <= fill + 3 / min(size)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("power", [1.0, 2.0])
@pytest.mark.parametrize("edge", [1.0, 4.0, 20.0])
def test_a_product_of_two_thousand_pixels_reaches_085(dtype, power, edge):
    """The old framing took the box of alpha > 2 %: 0.827 to 0.847."""
    rgba = soft_shape(1100, 900, (100, 150, 1000, 750), edge, dtype, power)
    board = placed(rgba, Canvas(600, 600, fill=0.85))
    assert 0.85 <= fill_of(board) <= 0.855


@given(
    st.sampled_from(["center", "top", "bottom", "left", "right", "top-left", "bottom-right"]),
    st.sampled_from([0.7, 0.95, 1.0]),
    st.floats(1.0, 60.0),
)
def test_nothing_that_can_be_seen_is_cut_off(align, fill, edge):
    rgba = soft_shape(200, 260, (60, 60, 140, 200), edge)
    inner = placed(rgba, Canvas(150, 150, fill=fill, align=align))
    outer = placement(rgba, Canvas(150, 150, fill=fill, align=align))
    top, left, bottom, right = subject_box(rgba, threshold=0.1)
    assert outer.top + top * outer.scale >= -1e-6
    assert outer.left + left * outer.scale >= -1e-6
    assert outer.top + bottom * outer.scale <= 150 + 1e-6
    assert outer.left + right * outer.scale <= 150 + 1e-6
    assert inner[..., 3].max() > 200


def test_alignment_is_that_of_the_solid_subject():
    rgba = soft_shape(400, 400, (100, 100, 300, 200), 8.0)
    for align, row in (("top", 0), ("bottom", 2)):
        board = placed(rgba, Canvas(200, 400, fill=0.5, align=align))
        box = subject_box(board, threshold=0.5)
        assert box[row] == (100 if row == 0 else 300)


def test_a_faint_subject_is_framed_by_what_there_is():
    rgba = soft_shape(100, 100, (20, 30, 80, 70), 2.0)
    rgba[..., 3] //= 3
    box = subject_box(placed(rgba, Canvas(300, 300, fill=0.8)))
    assert abs(box[2] - box[0] - 240) <= 8


def test_an_empty_cutout_gives_an_empty_canvas():
    board = placed(np.zeros((30, 40, 4), np.uint8), Canvas(50, 60))
    assert board.shape == (60, 50, 4)
    assert not board.any()


def test_a_faint_remnant_does_not_make_the_subject_smaller():
    rgba = soft_shape(300, 300, (100, 100, 200, 200), 1.0, power=20.0)
    rgba[5:8, 5:290] = (0, 0, 0, 12)
    assert fill_of(placed(rgba, Canvas(400, 400, fill=0.9))) >= 0.9


def test_what_is_not_scaled_keeps_its_bytes():
    noise = np.random.default_rng(1).integers(1, 256, (40, 30, 4), np.uint8)
    rgba = np.zeros((100, 100, 4), np.uint8)
    rgba[20:60, 30:60] = noise
    rgba[20:60, 30:60, 3] = 255
    board = placed(rgba, Canvas(200, 200, enlarge=False))
    top, left, _, _ = subject_box(board)
    np.testing.assert_array_equal(board[top : top + 40, left : left + 30, :3], noise[..., :3])


def test_a_subject_at_the_pictures_edge_is_kept_whole():
    rgba = soft_shape(120, 100, (0, -60, 160, 140), 1.0, power=20.0)  # the whole picture
    board = placed(rgba, Canvas(301, 299, fill=0.9))
    assert fill_of(board) >= 0.9
    assert fill_of(board) <= 0.9 + 2 / 299


def test_a_given_shadow_hangs_into_the_margin():
    rgba = soft_shape(200, 200, (50, 50, 150, 150), 1.0, power=20.0)
    shadow = np.zeros_like(rgba)
    shadow[145:165, 60:160, 3] = 100
    canvas = Canvas(400, 400, fill=0.8)
    board = render(rgba, Output(canvas=canvas, shadow=shadow))
    assert fill_of(board) >= 0.8
    alone = render(rgba, Output(canvas=canvas, shadow=shadow, kind="shadow"))
    assert abs(int((alone[..., 3] >= 99).any(0).sum()) - 100 * 3.2) <= 4, "none of it is cut off"


def test_angles_of_a_product_share_scale_and_baseline():
    tall = soft_shape(400, 300, (50, 100, 350, 200), 2.0, power=20.0)
    low = soft_shape(400, 300, (200, 60, 300, 240), 2.0, power=20.0)
    boxes = [subject_box(part, threshold=0.5) for part in (tall, low)]
    for align in ("center", "bottom"):
        canvas = shared_canvas(boxes, Canvas(500, 500, fill=0.8, align=align))
        found = [subject_box(placed(part, canvas), threshold=0.5) for part in (tall, low)]
        assert abs(found[0][2] - found[1][2]) <= 1, "one baseline"
        assert abs((found[0][2] - found[0][0]) - 400) <= 2, "the tallest reaches the fill"
        assert abs((found[0][2] - found[0][0]) / (found[1][2] - found[1][0]) - 3) < 0.05
    with pytest.raises(OptionError, match="none of the pictures"):
        shared_canvas([(0, 0, 0, 0)], canvas)


@pytest.mark.parametrize("bad", [{"scale": 0.0}, {"scale": float("nan")}, {"baseline": 11.0}])
def test_a_canvas_refuses(bad):
    with pytest.raises(OptionError, match=next(iter(bad))):
        Canvas(10, 10, **bad)


def test_a_drawn_window_is_what_scaling_gives():
    rgba = soft_shape(90, 120, (10, 10, 80, 110), 3.0)
    canvas = Canvas(60, 45, fill=1.0)
    where = placement(rgba, canvas, trim=False)
    np.testing.assert_array_equal(drawn(rgba, where, canvas), scaled(rgba, 45, 60))


@given(
    height=st.integers(5, 120),
    width=st.integers(5, 120),
    edge=st.floats(0.5, 12.0),
    power=st.sampled_from([1.0, 1.5, 2.0, 20.0]),
    size=st.tuples(st.integers(1, 250), st.integers(1, 250)),
    fill=st.sampled_from([0.5, 0.8, 0.85, 1.0]),
    align=st.sampled_from(["center", "top", "bottom-right", "left", (0.25, 0.75)]),
    enlarge=st.booleans(),
    trim=st.booleans(),
    shadow=st.booleans(),
    opacity=st.sampled_from([1.0, 0.4]),
    dtype=st.sampled_from([np.uint8, np.uint16]),
)
def test_framing_is_that_of_the_plain_form(
    height, width, edge, power, size, fill, align, enlarge, trim, shadow, opacity, dtype
):
    box = (height * 0.1, width * 0.2, height * 0.8, width * 0.9)
    rgba = soft_shape(height, width, box, edge, dtype, power)
    colors = np.random.default_rng(height).integers(0, np.iinfo(dtype).max, (height, width, 3))
    rgba[..., :3] = colors
    rgba[..., 3] = rgba[..., 3] * opacity
    canvas = Canvas(*size, fill=fill, align=align, enlarge=enlarge)
    also = (1, 1, height - 1, width - 1) if shadow else (0, 0, 0, 0)
    found = placement(rgba, canvas, trim=trim, also=also)
    assert found == framing_twin.placement(rgba, canvas, trim=trim, also=also)
    made, plain = drawn(rgba, found, canvas), framing_twin.drawn(rgba, found, canvas)
    apart = np.abs(made.astype(np.int64) - plain)
    # Of 16 bits a sum of floats may fall on the other side of one half.
    assert apart.max() <= (0 if dtype == np.uint8 else 1)
    assert np.count_nonzero(apart) <= 4 + 0.02 * apart.size
