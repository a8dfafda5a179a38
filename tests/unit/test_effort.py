"""`effort` through the public door: the bundled network, a small subject in a large frame."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import nssbg
from nssbg.cli.main import main

DATA = Path(__file__).resolve().parent.parent / "data"


@pytest.fixture(scope="module")
def small_subject() -> tuple[np.ndarray, np.ndarray]:
    """Headphones two fifths as high as a frame of 1600 x 1200, before a soft scene; their mask."""
    product = Image.open(DATA / "headphones.jpg").convert("RGB")
    mask = Image.open(DATA / "headphones-mask.png").convert("L").resize(product.size)
    scale = 480 / product.height
    size = (round(product.width * scale), 480)
    y, x = np.mgrid[0:1200, 0:1600] / 1200
    scene = np.stack([90 + 60 * np.sin(3 * x + y), 120 + 40 * y, 100 + 50 * np.cos(2 * y - x)], -1)
    rgb = Image.fromarray(scene.astype(np.uint8))
    truth = Image.new("L", rgb.size)
    rgb.paste(product.resize(size), (800, 400), mask.resize(size))
    truth.paste(mask.resize(size), (800, 400))
    return np.asarray(rgb), np.asarray(truth)


def overlap(alpha: np.ndarray, truth: np.ndarray) -> float:
    found, wanted = alpha > 127, truth > 127
    return float((found & wanted).sum() / (found | wanted).sum())


def test_a_second_look_at_a_small_subject_pays_and_is_reported(small_subject):
    rgb, truth = small_subject
    with nssbg.Remover("nssbg-lite", threads=1) as remover:
        fast = remover.cutout(rgb, effort="fast")
        balanced = remover.cutout(rgb)
        best = remover.cutout(rgb, effort="best")
        np.testing.assert_array_equal(balanced.alpha, remover.alpha(rgb, effort="balanced"))
    assert fast.second_pass is None
    assert "second pass" not in fast.timings.stages
    look = balanced.second_pass
    assert look is not None
    assert look.runs == 2
    assert look.gain > 2
    assert len(look.crops) == 1
    assert balanced.timings.stages["second pass"] > 0
    assert best.second_pass is not None
    assert best.second_pass.runs > 2
    errors = [np.abs(one.alpha.astype(float) - truth).mean() for one in (fast, balanced, best)]
    assert errors[1] < 0.85 * errors[0]
    assert errors[2] < 1.1 * errors[1]
    assert overlap(balanced.alpha, truth) > overlap(fast.alpha, truth)


def test_the_bundled_network_also_looks_at_the_mirror_image():
    """Both looks are averaged, so that a picture and its mirror image get the same alpha."""
    rgb = np.asarray(Image.open(DATA / "bear.jpg").convert("RGB"))
    apart = {}
    with nssbg.Remover("nssbg-lite", threads=1) as remover:
        for effort in ("fast", "balanced"):
            alpha = remover.alpha(rgb, effort=effort, refine="none").astype(int)
            turned = remover.alpha(rgb[:, ::-1].copy(), effort=effort, refine="none")
            apart[effort] = np.abs(alpha - turned[:, ::-1]).max()
    assert apart["balanced"] <= 2 < 20 < apart["fast"]


def test_threads_do_not_change_the_second_look(small_subject):
    rgb, _ = small_subject
    with nssbg.Remover("nssbg-lite", threads=1) as one, nssbg.Remover("nssbg-lite") as many:
        a, b = one.alpha(rgb), many.alpha(rgb)
    # The runtime's own sums may differ by a rounding between numbers of threads.
    assert np.abs(a.astype(int) - b).max() <= 2


def test_the_command_line_takes_effort_and_reports_it(small_subject, tmp_path, capsys):
    source, target = tmp_path / "in.png", tmp_path / "out.png"
    Image.fromarray(small_subject[0]).save(source)
    for effort, runs in (("fast", None), ("balanced", 2)):
        words = [
            "remove",
            str(source),
            str(target),
            "--model",
            "nssbg-lite",
            "--json",
            "--overwrite",
        ]
        assert main([*words, "--effort", effort]) == 0
        report = json.loads(capsys.readouterr().out)
        look = report["second_pass"]
        assert (look and look["runs"]) == runs
        if look:
            assert [len(crop) for crop in look["crops"]] == [4]
            assert look["milliseconds"] > 0
