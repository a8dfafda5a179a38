"""Locate, crop, run again: plans, budgets, blending, seams, report; the model is a function."""

from __future__ import annotations

import time

import numpy as np
import pytest

from nssbg._errors import OptionError
from nssbg._segment.second_pass.run import run_second_pass


def image_with_disc(height: int, width: int, y: float, x: float, radius: float) -> np.ndarray:
    """Red channel: the true alpha of an antialiased disc; a model can read it back."""
    rows, columns = np.mgrid[0:height, 0:width]
    alpha = np.clip(radius - np.hypot(rows - y, columns - x) + 0.5, 0, 1)
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0] = np.rint(alpha * 255)
    return image


class Model:
    """Averages the red channel down to side x side: sees less, the larger the crop."""

    def __init__(self, side: int = 64) -> None:
        self.side = side
        self.crops: list[tuple[int, int]] = []

    def __call__(self, crop: np.ndarray) -> np.ndarray:
        self.crops.append(crop.shape[:2])
        alpha = crop[..., 0].astype(np.float32) / 255
        for axis in (0, 1):
            edges = np.linspace(0, alpha.shape[axis], self.side + 1)
            starts = np.minimum(np.floor(edges[:-1]).astype(int), alpha.shape[axis] - 1)
            ends = np.maximum(np.ceil(edges[1:]).astype(int), starts + 1)
            parts = [
                np.take(alpha, range(a, min(b, alpha.shape[axis])), axis).mean(axis)
                for a, b in zip(starts, ends, strict=True)
            ]
            alpha = np.stack(parts, axis)
        return alpha.astype(np.float32)


def error_against_truth(image: np.ndarray, coarse: np.ndarray) -> float:
    from nssbg._ops.refine import refine

    assert coarse.dtype == np.float32
    fine = refine(image, coarse, level="none")
    return float(np.mean((255 * fine - image[..., 0]) ** 2))


def test_fast_runs_once_and_returns_the_models_own_map():
    model = Model()
    image = image_with_disc(300, 400, 150, 200, 40)
    coarse, report = run_second_pass(image, model, effort="fast")
    assert len(model.crops) == report.runs == 1
    assert report.gain == 1.0
    assert report.crops == ()
    np.testing.assert_array_equal(coarse, model(image))


def test_a_small_subject_is_cropped_with_margin_and_gets_more_resolution():
    model = Model()
    image = image_with_disc(600, 800, 200, 500, 50)
    once, _ = run_second_pass(image, model, effort="fast")
    coarse, report = run_second_pass(image, model, effort="balanced")
    assert report.runs == 2
    (crop,) = report.crops
    assert crop.y0 <= 150 - 10
    assert crop.y1 >= 250 + 10
    assert crop.x0 <= 450 - 10
    assert crop.x1 >= 550 + 10
    assert report.gain > 3
    assert 0 < report.changed < 1
    assert error_against_truth(image, coarse) < 0.3 * error_against_truth(image, once)


def test_each_of_several_small_subjects_gets_its_own_crop():
    model = Model()
    image = np.maximum(
        image_with_disc(600, 800, 120, 120, 40), image_with_disc(600, 800, 470, 650, 60)
    )
    once, _ = run_second_pass(image, model, effort="fast")
    coarse, report = run_second_pass(image, model, effort="balanced")
    assert report.runs == 3
    larger, smaller = report.crops  # the larger one comes first
    assert not larger.overlaps(smaller)
    assert larger.y0 < 410 < 530 < larger.y1
    assert larger.x0 < 590 < 710 < larger.x1
    assert smaller.y1 < 200
    assert smaller.x1 < 200
    assert report.gain > 5
    assert error_against_truth(image, coarse) < 0.3 * error_against_truth(image, once)
    best = run_second_pass(image, model, effort="best")[1]
    assert best.crops == report.crops
    assert best.tiles > 0


def test_subjects_that_touch_with_their_margins_share_a_crop():
    image = np.maximum(
        image_with_disc(600, 800, 200, 300, 40), image_with_disc(600, 800, 200, 390, 40)
    )
    _, report = run_second_pass(image, Model(), effort="balanced")
    assert report.runs == 2
    (crop,) = report.crops
    assert crop.x0 < 260
    assert crop.x1 > 430


def test_of_a_crowd_the_largest_are_looked_at():
    """Twenty subjects: no more than four crops, and none that holds two."""
    image = np.zeros((800, 1000, 3), np.uint8)
    for row in range(4):
        for column in range(5):
            one = image_with_disc(800, 1000, 100 + 200 * row, 100 + 200 * column, 30 + 10 * row)
            image = np.maximum(image, one)
    _, report = run_second_pass(image, Model(128), effort="balanced")
    assert report.runs == 5
    assert len(report.crops) == 4
    assert all(crop.y0 > 600 for crop in report.crops)


def test_a_faint_scrap_far_off_does_not_keep_the_subject_from_its_crop():
    image = image_with_disc(600, 800, 200, 200, 50)
    model = Model()

    def with_scrap(crop):
        answer = model(crop)
        if crop.shape == image.shape:
            answer = answer.copy()
            answer[-5:-2, -6:-2] = 0.45
        return answer

    _, report = run_second_pass(image, with_scrap, effort="balanced")
    (crop,) = report.crops
    assert crop.x1 < 300


def test_an_answer_that_is_there_already_is_not_asked_for_again():
    model = Model()
    image = image_with_disc(600, 800, 200, 500, 50)
    first = model(image)
    coarse, report = run_second_pass(image, model, effort="balanced", first=first)
    assert report.runs == len(model.crops) == 2
    assert model.crops[1][0] < 600
    np.testing.assert_array_equal(coarse, run_second_pass(image, Model(), effort="balanced")[0])


def test_a_first_answer_that_is_unsure_of_the_place_is_not_cropped():
    image = image_with_disc(600, 800, 200, 500, 50)
    _, report = run_second_pass(
        image, lambda crop: Model()(crop) * np.float32(0.5), effort="balanced"
    )
    assert report.runs == 1
    assert any("unsure" in note for note in report.notes)


def test_a_crop_that_is_less_certain_than_the_first_answer_is_not_used():
    calls = []

    def doubting(crop: np.ndarray) -> np.ndarray:
        calls.append(crop.shape)
        answer = Model()(crop)
        return answer if len(calls) == 1 else answer * np.float32(0.5)

    image = image_with_disc(600, 800, 200, 500, 50)
    coarse, report = run_second_pass(image, doubting, effort="balanced")
    assert report.runs == 2
    assert report.crops == ()
    assert report.gain == 1.0
    assert any("less certain" in note for note in report.notes)
    np.testing.assert_array_equal(coarse, Model()(image))


def test_a_budget_of_input_pixels_bounds_the_tiles():
    image = image_with_disc(600, 600, 300, 300, 280)
    free = run_second_pass(image, Model(), effort="best")[1]
    bound = run_second_pass(image, Model(), effort="best", input_pixels=3 * 64 * 64)[1]
    assert free.runs > 4
    assert bound.runs == 4
    assert any("budget" in note for note in bound.notes)


def test_a_subject_that_fills_the_frame_is_not_run_again():
    model = Model()
    image = image_with_disc(300, 300, 150, 150, 140)
    _, report = run_second_pass(image, model, effort="balanced")
    assert report.runs == len(model.crops) == 1


def test_best_runs_tiles_along_the_outline_only_and_improves():
    model = Model()
    image = image_with_disc(600, 600, 300, 300, 280)
    once, _ = run_second_pass(image, model, effort="fast")
    coarse, report = run_second_pass(image, model, effort="best")
    assert report.tiles > 0
    assert report.runs <= 17
    assert error_against_truth(image, coarse) < 0.5 * error_against_truth(image, once)


def test_blending_leaves_no_seam():
    # The same answer at every scale must come back unchanged, across every tile border.
    def constant_slope(crop: np.ndarray) -> np.ndarray:
        return crop[::4, ::4, 0].astype(np.float32) / 255

    columns = np.linspace(0, 255, 512).astype(np.uint8)
    image = np.repeat(np.repeat(columns[None, :, None], 512, 0), 3, 2)
    coarse, report = run_second_pass(image, constant_slope, effort="best")
    assert report.tiles > 1
    wide = coarse * 255
    assert np.abs(np.diff(wide, axis=0)).max() <= 1  # nothing changes down a column
    assert np.abs(np.diff(wide, 2, axis=1)).max() <= 6  # nor does the slope jump


def test_cells_that_were_sure_stay_as_they_were():
    image = image_with_disc(600, 600, 300, 300, 200)
    model = Model()
    once, _ = run_second_pass(image, model, effort="fast")
    coarse, _ = run_second_pass(image, model, effort="best")
    scale = coarse.shape[0] // once.shape[0]
    middle = coarse.shape[0] // 2
    assert coarse[middle - 4 * scale : middle + 4 * scale, middle].min() > 0.995
    assert coarse[: 2 * scale, : 2 * scale].max() < 0.005


def test_a_tile_that_lost_its_context_is_rejected_and_named():
    calls = []

    def confused(crop: np.ndarray) -> np.ndarray:
        calls.append(crop.shape)
        answer = Model()(crop)
        return answer if len(calls) == 1 else 1 - answer

    image = image_with_disc(600, 600, 300, 300, 280)
    coarse, report = run_second_pass(image, confused, effort="best")
    assert report.tiles == 0
    assert report.gain == 1.0
    assert any("disagreed" in note for note in report.notes)
    assert error_against_truth(image, coarse) <= 1.05 * error_against_truth(
        image, run_second_pass(image, Model(), effort="fast")[0]
    )


def test_a_budget_of_time_stops_further_runs():
    def slow(crop: np.ndarray) -> np.ndarray:
        time.sleep(0.05)
        return Model()(crop)

    image = image_with_disc(600, 600, 300, 300, 280)
    _, report = run_second_pass(image, slow, effort="best", seconds=0.12)
    assert report.runs <= 3
    assert any("budget" in note for note in report.notes)


def test_an_empty_map_plans_nothing():
    _, report = run_second_pass(np.zeros((90, 70, 3), np.uint8), Model(), effort="best")
    assert (report.runs, report.tiles, report.crops) == (1, 0, ())


def test_wrong_arguments_are_named():
    image = np.zeros((10, 10, 3), np.uint8)
    with pytest.raises(OptionError, match="effort"):
        run_second_pass(image, Model(), effort="utmost")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="model must answer"):
        run_second_pass(image, lambda crop: crop)
