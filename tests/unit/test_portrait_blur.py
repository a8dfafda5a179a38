"""A background out of focus: by depth, by a plane, through every door that takes a background."""

import numpy as np
import pytest
from image_graphs import depth_network
from PIL import Image

import nssbg
from nssbg import Blur, OptionError
from nssbg._compose.defocus import blur_from, blurred_by_depth, radii_from_depth, radii_of_plane
from nssbg._io import decode
from nssbg._types import Frame, Plan, Timings
from nssbg.cli.main import main


def cutout(dtype=np.uint8, height=120, width=160, foot=100):
    """A red post of 40 columns on a floor of small tiles, from row 30 to its foot."""
    full = np.iinfo(dtype).max
    random = np.random.default_rng(3)
    behind = random.integers(0, full + 1, (height // 4, width // 4, 3)).repeat(4, 0).repeat(4, 1)
    alpha = np.zeros((height, width), np.int64)
    alpha[30:foot, 60:100] = full
    image = np.where(alpha[..., None] > 0, (full, 0, 0), behind).astype(dtype)
    rgba = np.zeros((height, width, 4), dtype)
    rgba[..., 3] = alpha
    rgba[alpha > 0, 0] = full
    frame = Frame(rgb=image)
    plan = Plan(model="test", backend="fake", device="CPU")
    return nssbg.Cutout.of_rgba(rgba, frame, plan=plan, timings=Timings(), confidence=1.0)


def detail(pixels, rows, columns):
    part = pixels[rows, columns].astype(float)
    return np.abs(np.diff(part, axis=1)).mean()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_subject_is_sharp_and_the_background_is_not(dtype):
    made = cutout(dtype)
    blurred = made.over(Blur(radius=10))
    subject = made.alpha == np.iinfo(dtype).max
    assert np.array_equal(blurred[subject], made.frame.rgb[subject])
    far = slice(0, 20), slice(0, 160)
    assert detail(blurred, *far) < 0.15 * detail(made.frame.rgb, *far)
    # Red is nowhere but in the subject: beside it the tiles' mean is seen.
    beside = blurred[35:60, 54:60].reshape(-1, 3).mean(axis=0)
    assert np.ptp(beside) < 0.25 * np.iinfo(dtype).max


def test_a_subject_that_stands_on_a_floor_is_sharp_at_its_foot():
    made = cutout()
    blurred = made.over("blur")
    assert np.array_equal(blurred, made.over(Blur()))
    blurred = made.over(Blur(radius=10))
    at_foot, far = (slice(97, 102), slice(0, 50)), (slice(0, 20), slice(0, 50))
    assert detail(blurred, *at_foot) > 0.6 * detail(made.frame.rgb, *at_foot)
    assert detail(blurred, *far) < 0.15 * detail(made.frame.rgb, *far)
    radii = radii_of_plane(made.alpha, 10.0)
    rows = (np.arange(512) + 0.5) * 120 / 512
    expected = np.clip(10 * (100 - rows) / 70, -10, 10)
    assert np.abs(radii[:, 0] - expected).max() < 1e-4


def test_a_subject_cut_off_below_stands_on_nothing():
    made = cutout(foot=120)
    assert radii_of_plane(made.alpha, 7.0).tolist() == [[7.0]]
    assert radii_of_plane(np.zeros((50, 60), np.uint8), 7.0).tolist() == [[7.0]]


def test_depth_says_what_is_sharp():
    made = cutout()
    depth = np.zeros((120, 160), np.float32)
    depth[:, :80] = 5.0  # the left half is as near as the subject
    depth[30:100, 60:100] = 5.0
    for given in (Blur(radius=8, depth=depth), Blur(radius=8, depth=depth, focus=5.0)):
        blurred = made.over(given)
        left, right = (slice(0, 120), slice(0, 50)), (slice(0, 120), slice(120, 160))
        assert detail(blurred, *left) > 0.95 * detail(made.frame.rgb, *left)
        assert detail(blurred, *right) < 0.2 * detail(made.frame.rgb, *right)
    shorter = made.over("blur", blur=depth)
    assert np.array_equal(shorter, made.over(Blur(depth=depth)))
    nearer = radii_from_depth(np.float32([[0, 5, 8, 30]]), np.uint8([[0, 255, 0, 0]]), 6.0, None)
    assert nearer.tolist() == [[6.0, 0.0, pytest.approx(-3.6), -6.0]]
    assert radii_from_depth(np.ones((9, 9)), made.alpha, 6.0, None).tolist() == [[0.0]]


def test_a_networks_depth_is_taken_as_it_is(tmp_path, monkeypatch):
    monkeypatch.setenv("NSSBG_HOME", str(tmp_path / "home"))
    path = depth_network(tmp_path / "depth.onnx")
    (tmp_path / "depth.onnx.toml").write_text('task = "depth"\nsize = 64\n')
    made = cutout()
    depth = nssbg.depth(made.frame.rgb, model=path, backend="onnxruntime", device="cpu")
    assert depth.shape == (120, 160)
    assert depth.min() == pytest.approx(0.0, abs=0.05)
    assert depth.max() == pytest.approx(1.0, abs=0.05)
    # 3 minus blue: dark blue is near.
    blue = made.frame.rgb[..., 2].astype(float)
    assert np.corrcoef(depth.ravel(), blue.ravel())[0, 1] < -0.5
    assert made.over("blur", blur=depth).shape == (120, 160, 3)
    with pytest.raises(nssbg.ModelError, match="midas-small"):
        nssbg.depth(made.frame.rgb)


def test_every_door_takes_it(tmp_path, product):
    path = tmp_path / "photo.png"
    Image.fromarray(product[0]).save(path)
    remover = nssbg.Remover("studio")
    expected = remover.cutout(path).over("blur")
    assert np.array_equal(nssbg.remove(product[0], model="studio", background="blur"), expected)
    output = nssbg.Output(background=Blur())
    assert np.array_equal(remover.cutout(path).render(output), expected)
    saved = remover.cutout(path).save(tmp_path / "a.png", background="blur")
    assert np.array_equal(decode(saved).rgb, expected)
    command = ["remove", str(path), str(tmp_path / "b.png"), "--background", "blur"]
    assert main([*command, "--model", "studio"]) == 0
    assert np.array_equal(decode(tmp_path / "b.png").rgb, expected)
    mask = remover.cutout(path).render(nssbg.Output(kind="mask", background="blur"))
    assert np.array_equal(mask, remover.cutout(path).alpha)
    small = remover.cutout(path).render(nssbg.Output(background="blur", longest_side=100))
    assert small.shape == (75, 100, 3)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"radius": 0}, "radius must be"),
        ({"radius": 401}, "radius must be"),
        ({"radius": float("nan")}, "radius must be"),
        ({"blades": 2}, "blades must be"),
        ({"rotation": float("inf")}, "rotation must be"),
        ({"focus": 1.0}, "give depth too"),
        ({"depth": np.zeros((3, 4, 1))}, "depth must be"),
        ({"depth": np.array([[np.nan]])}, "depth must be"),
        ({"depth": "near"}, "depth must be"),
    ],
)
def test_what_cannot_be_is_refused(given, message):
    with pytest.raises(OptionError, match=message):
        Blur(**given)


def test_what_it_does_not_go_with_is_refused():
    made = cutout()
    with pytest.raises(OptionError, match="keeps the photograph's frame"):
        nssbg.Output(background="blur", trim=True)
    with pytest.raises(OptionError, match="background='blur'"):
        made.over("white", blur=np.zeros((3, 3)))
    with pytest.raises(OptionError, match="needs the photograph"):
        nssbg._compose.background.over(made.rgba, "blur")
    with pytest.raises(OptionError, match="one size and dtype"):
        blurred_by_depth(made.frame.rgb[1:], made.rgba, Blur())
    assert blur_from("white") is None
    assert blur_from(made.rgba) is None
