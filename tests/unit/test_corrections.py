"""What a person says about a picture holds: box, keep and drop points, painted mask."""

import pickle
from pathlib import Path

import numpy as np
import pytest

import nssbg
from nssbg import Corrections, OptionError
from nssbg._segment.base import Estimate
from nssbg._segment.corrections import (
    corrected_alpha,
    corrected_estimate,
    mixed,
)
from nssbg._types import Frame, Plan

EXAMPLES = Path(__file__).parents[1] / "data"
PLAN = Plan("fake", "fake", "CPU")
HEIGHT, WIDTH = 600, 800
RED, BLUE = (170, 40, 40), (30, 60, 160)


def disc(y, x, radius):
    yy, xx = np.mgrid[0:HEIGHT, 0:WIDTH]
    return (yy - y) ** 2 + (xx - x) ** 2 <= radius**2


LEFT, RIGHT = disc(300, 230, 120), disc(300, 560, 120)
TWO_TONE = disc(300, 400, 170)
HALF = np.arange(WIDTH)[None, :] < 400


def backdrop():
    grain = np.random.default_rng(4).normal(0, 1.5, (HEIGHT, WIDTH, 1))
    return np.clip(225 + grain.repeat(3, -1), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def pair():
    """A red disc and a blue one."""
    image = backdrop()
    image[LEFT], image[RIGHT] = RED, BLUE
    return image


@pytest.fixture(scope="module")
def two_tone():
    """One disc, red on the left and blue on the right."""
    image = backdrop()
    image[TWO_TONE & HALF], image[TWO_TONE & ~HALF] = RED, BLUE
    return image


@pytest.fixture(scope="module")
def remover():
    with nssbg.Remover("studio", threads=1) as opened:
        yield opened


def share(alpha, region):
    """Mean alpha of a region's pixels, 0..1."""
    return float(alpha[region].mean()) / np.iinfo(alpha.dtype).max


def test_a_drop_point_takes_out_the_one_of_two_subjects(pair, remover):
    before = remover.alpha(pair)
    after = remover.alpha(pair, corrections=Corrections(drop=((560, 300),)))
    assert share(before, RIGHT) > 0.98
    assert not after[:, 420:].any()
    assert np.array_equal(after[:, :380], before[:, :380])


def test_a_drop_point_on_the_only_subject_takes_what_is_like_it(two_tone, remover):
    after = remover.alpha(two_tone, corrections=Corrections(drop=((330, 300),)))
    inside = disc(300, 400, 160)
    assert share(after, inside & (np.arange(WIDTH)[None, :] < 390)) < 0.01
    assert share(after, inside & (np.arange(WIDTH)[None, :] > 410)) > 0.99


def test_a_keep_point_bounds_what_is_dropped(remover):
    """Touching discs of one colour: the nearer point decides, and the notch is the border."""
    image = backdrop()
    left, right = disc(300, 280, 124), disc(300, 520, 124)
    image[left | right] = RED
    after = remover.alpha(image, corrections=Corrections(drop=((280, 300),), keep=((520, 300),)))
    columns = np.arange(WIDTH)[None, :]
    assert share(after, left & (columns < 385)) < 0.02
    assert share(after, right & (columns > 415)) > 0.98


def corrected(image, found, said):
    """What becomes of a network's map, given at full size, that a person corrects."""
    estimate = Estimate(np.where(found, np.uint8(255), np.uint8(0)), False, 0.9, PLAN)
    frame = Frame(rgb=image)
    coarse, changed = corrected_estimate(frame, estimate, said, threads=1)
    return corrected_alpha(frame, estimate.alpha, coarse, changed, said, level="guided", threads=1)[
        0
    ]


def test_a_keep_point_fills_a_hole(pair):
    image = pair.copy()
    hole = disc(300, 560, 40)
    image[hole] = (200, 190, 120)
    after = corrected(image, (LEFT | RIGHT) & ~hole, Corrections(keep=((560, 300),)))
    assert share(after, disc(300, 560, 115)) > 0.99
    assert share(after, ~(disc(300, 230, 130) | disc(300, 560, 130))) < 0.01


def test_a_keep_point_takes_a_part_that_was_lost(pair):
    after = corrected(pair, LEFT, Corrections(keep=((560, 300),)))
    assert share(after, RIGHT) > 0.97
    assert share(after, LEFT) > 0.97
    assert share(after, ~(disc(300, 230, 130) | disc(300, 560, 130))) < 0.01


def test_a_drop_point_opens_a_window_that_was_filled(pair, remover):
    """Where backdrop shows through a ring, which the studio method takes for print."""
    image = pair.copy()
    hole = disc(300, 560, 40)
    image[hole] = backdrop()[hole]
    assert share(remover.alpha(image), disc(300, 560, 35)) > 0.9
    after = remover.alpha(image, corrections=Corrections(drop=((560, 300),), keep=((480, 300),)))
    assert share(after, disc(300, 560, 35)) < 0.02
    assert share(after, disc(300, 560, 115) & ~disc(300, 560, 48)) > 0.98


@pytest.mark.parametrize("level", ["guided", "matting"])
@pytest.mark.parametrize("size", [(HEIGHT, WIDTH), (HEIGHT // 2, WIDTH // 2)])
def test_a_painted_mask_holds_to_the_pixel(pair, remover, level, size):
    mask = np.full((HEIGHT, WIDTH), 128, np.uint8)
    mask[100:140, 300:420] = 255  # backdrop that is to stay
    mask[280:320, 200:260] = 0  # a window in the red disc
    small = mask[:: HEIGHT // size[0], :: WIDTH // size[1]]
    after = remover.alpha(pair, refine=level, corrections=Corrections(mask=small))
    assert (after[102:138, 302:418] == 255).all()
    assert not after[282:318, 202:258].any()
    assert share(after, disc(300, 560, 115)) > 0.99


def test_outside_the_box_all_is_background(pair, remover):
    after = remover.alpha(pair, corrections=Corrections(box=(60, 120, 400, 480)))
    outside = np.ones(after.shape, bool)
    outside[120:480, 60:400] = False
    assert not after[outside].any()
    assert share(after, LEFT) > 0.98


def test_points_and_mask_count_within_a_box(two_tone, remover):
    mask = np.full((HEIGHT, WIDTH), 128, np.uint8)
    mask[290:310, 500:520] = 0
    said = Corrections(box=(200, 100, 600, 500), drop=((330, 300),), mask=mask)
    after = remover.alpha(two_tone, corrections=said)
    assert share(after, disc(300, 400, 160) & HALF & (np.arange(WIDTH)[None, :] < 390)) < 0.01
    assert not after[292:308, 502:518].any()
    assert share(after, disc(300, 470, 25)) > 0.99


def test_coordinates_of_another_size_are_scaled(pair, remover):
    own = remover.alpha(pair, corrections=Corrections(drop=((560, 300),)))
    small = Corrections(drop=((56, 30),), size=(80, 60))
    assert np.array_equal(remover.alpha(pair, corrections=small), own)


def test_sixteen_bits_stay_and_agree(pair, remover):
    said = Corrections(drop=((560, 300),))
    eight = remover.alpha(pair, corrections=said)
    sixteen = remover.alpha(pair.astype(np.uint16) * 257, corrections=said)
    assert sixteen.dtype == np.uint16
    assert np.abs(sixteen / 257 - eight.astype(float)).max() < 3


def test_threads_do_not_change_the_bytes():
    said = Corrections(drop=((110, 270),), box=(30, 30, 470, 350))
    results = []
    for threads in (1, 3):
        with nssbg.Remover("studio", threads=threads) as remover:
            results.append(remover.alpha(EXAMPLES / "mug.jpg", corrections=said))
    assert np.array_equal(*results)


def test_it_is_told_in_the_notes(pair, remover):
    said = Corrections(drop=((560, 300), (10, 10)), keep=((230, 300),))
    assert (
        "corrected by hand: 1 keep point, 2 drop points"
        in remover.cutout(pair, corrections=said).notes
    )
    assert "correct" in remover.cutout(pair, corrections=said).timings.stages


def test_a_run_asks_for_each_pictures_corrections(pair, two_tone, remover):
    def said(source):
        if source is pair:
            return Corrections(drop=((560, 300),))
        if source is two_tone:
            raise OptionError("the sidecar is damaged")
        return None

    plain = pair[:, ::-1].copy()
    done = list(remover.map([pair, two_tone, plain], corrections=said, workers=2))
    assert not done[0].cutout.alpha[:, 420:].any()
    assert "the sidecar is damaged" in str(done[1].error)
    assert share(done[2].cutout.alpha, LEFT[:, ::-1]) > 0.98


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({}, "at least one of"),
        ({"box": (5, 5, 5, 9)}, "left < right"),
        ({"box": (1, 2, 3)}, "left, top, right, bottom"),
        ({"keep": ((1, float("nan")),)}, "as numbers"),
        ({"drop": ((True, 1),)}, "as numbers"),
        ({"drop": "12"}, "list of points"),
        ({"box": (10, 10, 20, 20), "keep": ((30, 30),)}, "outside the box"),
        ({"mask": np.zeros((3, 3), np.float32)}, "uint8"),
        ({"keep": ((1, 1),), "size": (0, 4)}, "width, height"),
        ({"keep": ((1, 1),) * 1001}, "paint a mask"),
    ],
)
def test_what_is_no_correction_is_refused(said, words):
    with pytest.raises(OptionError, match=words):
        Corrections(**said)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"drop": ((800, 10),)}, r"drop point \(800, 10\) lies outside the picture of 800 x 600"),
        ({"box": (900, 0, 1000, 10)}, "lies outside"),
        ({"mask": np.full((600, 600), 128, np.uint8)}, "proportions"),
        ({"keep": ((1, 1),), "size": (600, 800)}, "proportions"),
    ],
)
def test_what_does_not_fit_the_picture_is_refused(pair, remover, said, words):
    with pytest.raises(OptionError, match=words):
        remover.cutout(pair, corrections=Corrections(**said))
    with pytest.raises(OptionError, match=r"nssbg\.Corrections"):
        remover.cutout(pair, corrections={"drop": [[1, 1]]})


def test_the_fingerprint_tells_all_that_counts_apart():
    mask = np.full((4, 6), 128, np.uint8)
    other = mask.copy()
    other[0, 0] = 255
    every = [
        Corrections(keep=((1, 2),)),
        Corrections(drop=((1, 2),)),
        Corrections(keep=((1, 2),), size=(10, 10)),
        Corrections(box=(0, 0, 1, 2)),
        Corrections(mask=mask),
        Corrections(mask=other),
        Corrections(mask=mask.reshape(6, 4)),
    ]
    assert len({said.fingerprint for said in every}) == len(every)
    again = pickle.loads(pickle.dumps(every[4]))
    assert again == every[4]
    assert Corrections(keep=[[1, 2]]) == every[0]


def test_the_label_of_the_bottle_and_nothing_else(remover):
    """A photograph: the paper label is dropped by one point, its glass and cork stay."""
    with nssbg.Remover("studio", threads=1) as studio:
        before = studio.alpha(EXAMPLES / "bottle.jpg")
        scale = before.shape[1] / 1200
        said = Corrections(drop=((800 * scale, 1100 * scale),))
        after = studio.alpha(EXAMPLES / "bottle.jpg", corrections=said)

    def mean(alpha, top, bottom, left, right):
        top, bottom, left, right = (round(v * scale) for v in (top, bottom, left, right))
        return float(alpha[top:bottom, left:right].mean())

    assert mean(after, 1060, 1180, 450, 850) < 5  # the label
    assert abs(mean(after, 450, 800, 300, 900) - mean(before, 450, 800, 300, 900)) < 5  # the glass


@pytest.mark.parametrize("rows", [(0, 1), (39, 40), (7, 30), (0, 40)])
def test_rows_away_from_a_change_are_the_methods_own(rows):
    """Mixing a band of rows gives what mixing the whole picture gives."""
    rng = np.random.default_rng(rows[0] + rows[1])
    before, after = rng.integers(0, 256, (2, 333, 410), np.uint8)
    changed = np.zeros((40, 50), np.float32)
    changed[rows[0] : rows[1], 10:20] = 1
    from PIL import Image

    near = np.array(Image.fromarray(changed).resize((410, 333), Image.Resampling.BILINEAR))
    whole = before + (after.astype(np.float32) - before) * near
    assert np.array_equal(mixed(before, after, changed), (whole + 0.5).astype(np.uint8))


def test_the_command_takes_a_file_of_corrections(pair, tmp_path, capsys):
    from PIL import Image

    from nssbg.cli.main import main

    Image.fromarray(pair).save(tmp_path / "a.png")
    (tmp_path / "a.toml").write_text("drop = [[560, 300]]")
    command = ["remove", f"{tmp_path}/a.png", f"{tmp_path}/out.png", "--model", "studio"]
    assert main([*command, "--corrections", f"{tmp_path}/a.toml"]) == 0
    with Image.open(tmp_path / "out.png") as opened:
        alpha = np.asarray(opened)[..., 3]
    assert alpha[:, :380].any()
    assert not alpha[:, 420:].any()
    (tmp_path / "a.toml").write_text("drop = 3")
    assert main([*command, "--overwrite", "--corrections", f"{tmp_path}/a.toml"]) == 2
    assert "a.toml: drop: expected a list of points" in capsys.readouterr().err
