"""Running again gives a map of the whole picture, in range, for pictures and maps of any shape; its
bytes are those of the plain form in NumPy."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from second_pass_twin import plain_second_pass, resized

from nssbg._segment.second_pass.run import run_second_pass


@given(
    height=st.integers(1, 400),
    width=st.integers(1, 400),
    map_height=st.integers(1, 48),
    map_width=st.integers(1, 48),
    y=st.floats(0, 1),
    x=st.floats(0, 1),
    radius=st.floats(0.01, 0.8),
    sharpness=st.floats(0.5, 20),
    seed=st.integers(0, 2**16),
    effort=st.sampled_from(["balanced", "best"]),
)
@settings(max_examples=150, deadline=None)
def test_any_shape_gives_a_map_of_the_whole_picture(
    height, width, map_height, map_width, y, x, radius, sharpness, seed, effort
):
    rows, columns = np.mgrid[0:height, 0:width] + 0.5
    side = max(height, width)
    distance = radius * side - np.hypot(rows - y * height, columns - x * width)
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0] = np.rint(255 * np.clip(distance * sharpness / side + 0.5, 0, 1))
    crops = []

    def model(crop):
        crops.append(crop.shape)
        rng = np.random.default_rng([seed, len(crops)])
        answer = resized(crop[..., 0].astype(np.float32) / 255, map_height, map_width)
        return answer + rng.normal(0, 0.01, answer.shape).astype(np.float32)

    coarse, report = run_second_pass(image, model, effort=effort)
    assert report.runs == len(crops) <= 17
    assert coarse.dtype == np.float32
    assert coarse.shape[0] >= map_height
    assert coarse.shape[1] >= map_width
    assert coarse.min() >= 0
    assert coarse.max() <= 1
    assert report.gain >= 1
    assert 0 <= report.changed <= 1
    crops.clear()
    expected, told = plain_second_pass(image, model, effort)
    assert [(a.y0, a.y1, a.x0, a.x1) for a in report.crops] == told["crops"]
    assert (report.runs, report.tiles, report.notes) == (told["runs"], told["tiles"], told["notes"])
    assert report.gain == told["gain"]
    assert abs(report.changed - told["changed"]) < 1e-5
    np.testing.assert_array_equal(coarse, expected)
